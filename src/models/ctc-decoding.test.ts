/** CTC decoding against the sum over all alignments. */
import { describe, expect, test } from "vitest";
import { hashedUnit } from "../../test/fixtures.ts";
import type { HostArray } from "../tensor/index.ts";
import { ctcBeamSearch, ctcGreedyDecode } from "./index.ts";

/** Log-probabilities of `steps` steps for `batch` inputs. */
function scoresOf(seed: number, [steps, batch, classes]: readonly [number, number, number]): HostArray {
  const data = new Float32Array(steps * batch * classes);
  for (let row = 0; row < steps * batch; row++) {
    const weights = Array.from({ length: classes }, (_, i) => hashedUnit(seed, row * classes + i) ** 3);
    const total = weights.reduce((a, b) => a + b);
    weights.forEach((weight, i) => {
      data[row * classes + i] = Math.log(weight / total);
    });
  }
  return { dtype: "f32", shape: [steps, batch, classes], data };
}

/** The probability of each sequence of labels: a sum over all classes^steps alignments. */
function exhaustive({ shape, data }: HostArray, input: number, length: number): Map<string, number> {
  const [, batch, classes] = shape as [number, number, number];
  const found = new Map<string, number>();
  const walk = (step: number, last: number, labels: readonly number[], log: number): void => {
    if (step === length) {
      found.set(labels.join(), (found.get(labels.join()) ?? 0) + Math.exp(log));
      return;
    }
    for (let label = 0; label < classes; label++) {
      const isNew = label !== 0 && label !== last;
      const score = Number(data[(step * batch + input) * classes + label]);
      walk(step + 1, label, isNew ? [...labels, label] : labels, log + score);
    }
  };
  walk(0, 0, [], 0);
  return found;
}

describe("beam search", () => {
  test.each([1, 2, 3, 4])("with room for all prefixes it is exact (seed %i)", (seed) => {
    const scores = scoresOf(seed, [5, 2, 3]);
    const lengths = [5, 4];
    const found = ctcBeamSearch(scores, { beamWidth: 1000, count: 1000, lengths });
    for (const [input, sequences] of found.entries()) {
      const wanted = exhaustive(scores, input, lengths[input]!);
      expect(sequences).toHaveLength(wanted.size);
      for (const { labels, logProbability } of sequences)
        expect(Math.exp(logProbability)).toBeCloseTo(wanted.get(labels.join())!, 8);
      const logs = sequences.map(({ logProbability }) => logProbability);
      expect(logs).toEqual([...logs].sort((a, b) => b - a));
    }
  });
  test("a score moves the choice", () => {
    const scores = scoresOf(9, [4, 1, 3]);
    const plain = ctcBeamSearch(scores, { beamWidth: 100 })[0]![0]!.labels;
    const pushed = ctcBeamSearch(scores, {
      beamWidth: 100,
      score: (prefix, label) => (prefix.length === 0 && label === 1 ? 20 : 0),
    })[0]![0]!.labels;
    expect(plain).not.toEqual(pushed);
    expect(pushed[0]).toBe(1);
  });
  test("impossible classes, no steps", () => {
    const none: HostArray = { dtype: "f32", shape: [1, 1, 2], data: Float32Array.of(-Infinity, 0) };
    expect(ctcBeamSearch(none)[0]).toEqual([{ labels: [1], logProbability: 0 }]);
    expect(ctcBeamSearch(none, { lengths: [0] })[0]).toEqual([{ labels: [], logProbability: 0 }]);
    expect(ctcGreedyDecode(none, { lengths: [0] })).toEqual([[]]);
  });
});

test("what is out of range is refused", () => {
  const scores = scoresOf(1, [2, 1, 3]);
  expect(() => ctcGreedyDecode({ ...scores, shape: [2, 3] })).toThrow("expects (T, N, classes), got (2, 3)");
  expect(() => ctcGreedyDecode(scores, { blank: 3 })).toThrow("a class 0 … 2, got 3");
  expect(() => ctcBeamSearch(scores, { lengths: [3] })).toThrow("1 integers of 0 … 2, got [3]");
  expect(() => ctcBeamSearch(scores, { beamWidth: 0 })).toThrow("beamWidth must be a positive integer");
});
