import { expect, test } from "vitest";
import { kFold } from "../data/index.ts";
import { uniform } from "./distribution.ts";
import { nestedCrossValidation } from "./nested.ts";
import { randomSearch } from "./samplers/random.ts";
import { space } from "./space.ts";

const noise = Float64Array.from({ length: 30 }, (_, i) => Math.sin(12.9 * i) * 0.3);
const y = noise.map((e, i) => 2 * (i / 30) + e);

/** Ridge regression through the origin, by its formula. */
const error = (
  { penalty }: { readonly penalty: number },
  { train, test }: { train: Uint32Array; test: Uint32Array },
): number => {
  let [xy, xx] = [0, penalty];
  for (const i of train) [xy, xx] = [xy + (i / 30) * y[i]!, xx + (i / 30) ** 2];
  return test.reduce((sum, i) => sum + (y[i]! - (xy / xx) * (i / 30)) ** 2, 0) / test.length;
};

test("no outer test sample takes part in choosing, and the scores are those of the chosen parameters", async () => {
  const outer = kFold(30, { folds: 5, shuffle: { seed: 1 } });
  const looked: { fold: number; samples: Set<number> }[] = [];
  let calls = 0;
  const result = await nestedCrossValidation({
    space: space({ penalty: uniform(0, 5) }),
    outer,
    inner: (samples) => kFold(samples.length, { folds: 3 }),
    direction: "minimize",
    trials: 12,
    sampler: (fold) => randomSearch({ seed: fold }),
    score: (parameters, fold, trial) => {
      calls++;
      if (trial !== undefined)
        looked.push({ fold: Math.floor((calls - 1) / 37), samples: new Set([...fold.train, ...fold.test]) });
      return error(parameters, fold);
    },
  });
  expect(calls).toBe(5 * (12 * 3 + 1));
  for (const { fold, samples } of looked) {
    expect([...samples].sort((a, b) => a - b)).toEqual([...outer[fold]!.train]);
  }
  result.folds.forEach(({ score, parameters, innerScore, study }, i) => {
    expect(score).toBe(error(parameters, outer[i]!));
    expect(innerScore).toBe(Math.min(...study.trials.map(({ value }) => value!)));
  });
  const scores = result.folds.map(({ score }) => score);
  expect(result.mean).toBeCloseTo(scores.reduce((a, b) => a + b) / 5, 12);
  expect(new Set(result.folds.map(({ parameters }) => parameters.penalty)).size).toBe(5);
  await expect(
    nestedCrossValidation({
      space: space({ penalty: uniform(0, 5) }),
      outer: [],
      inner: () => [],
      trials: 1,
      score: error,
    }),
  ).rejects.toThrow("needs outer folds");
});
