import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { arrayDataset } from "./array-dataset.ts";
import { type Fold, groupKFold, kFold, stratifiedKFold, timeSeriesSplit } from "./folds.ts";
import { trainTestIndices, trainTestSplit } from "./train-test.ts";

const fixture = (
  JSON.parse(readFileSync("test/fixtures/tabular.json", "utf8")) as {
    splits: { groups: number[]; labels: number[] } & Record<string, { train: number[]; test: number[] }[]>;
  }
).splits;
const plain = (folds: readonly Fold[]): object[] =>
  folds.map(({ train, test }) => ({ train: [...train], test: [...test] }));

test("folds are scikit-learn's: in order, by label, by group, in time", () => {
  expect(plain(kFold(13, { folds: 4 }))).toEqual(fixture.kFold);
  expect(plain(stratifiedKFold(fixture.labels, { folds: 2 }))).toEqual(fixture.stratifiedKFold);
  expect(plain(groupKFold(fixture.groups, { folds: 3 }))).toEqual(fixture.groupKFold);
  expect(plain(timeSeriesSplit(13, { folds: 3 }))).toEqual(fixture.timeSeriesSplit);
  const options = { folds: 3, gap: 1, testSize: 2, maxTrainSize: 4 };
  expect(plain(timeSeriesSplit(13, options))).toEqual(fixture.timeSeriesGap);
});

describe("whatever the shuffle", () => {
  const labels = Array.from({ length: 101 }, (_, i) => ["a", "b", "b", "c"][i % 4]!);

  test.each([false, true, { seed: 7 }] as const)("%j: every sample is tested once", (shuffle) => {
    for (const folds of [kFold(101, { folds: 7, shuffle }), stratifiedKFold(labels, { folds: 7, shuffle })]) {
      const tested = folds.flatMap(({ test }) => [...test]).sort((a, b) => a - b);
      expect(tested).toEqual(Array.from({ length: 101 }, (_, i) => i));
      for (const { train, test } of folds) expect(new Set([...train, ...test]).size).toBe(101);
      const sizes = folds.map(({ test }) => test.length);
      expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
    }
    for (const { test } of stratifiedKFold(labels, { folds: 7, shuffle })) {
      const count = [...test].filter((i) => labels[i] === "a").length;
      expect(count === 3 || count === 4).toBe(true);
    }
  });

  test("the seed decides", () => {
    const of = (seed: number): object[] => plain(kFold(50, { shuffle: { seed } }));
    expect(of(1)).toEqual(of(1));
    expect(of(1)).not.toEqual(of(2));
  });
});

describe("training, validation, test", () => {
  const samples = arrayDataset({
    x: Float64Array.from({ length: 100 }, (_, i) => i),
    y: Int32Array.from({ length: 100 }, (_, i) => (i % 10 < 3 ? 1 : 0)),
    day: Int32Array.from({ length: 100 }, (_, i) => Math.floor(i / 7)),
  });

  test("fractions round up to the test, as in scikit-learn", () => {
    const { train, test: later } = trainTestSplit(samples, { test: 0.123 });
    expect([train.length, later.length]).toEqual([87, 13]);
    const all = [...train.column("x").data, ...later.column("x").data].sort((a, b) => a - b);
    expect(all).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  test("three parts with the same proportions", () => {
    const parts = trainTestSplit(samples, { test: 0.2, validation: 10, stratify: "y", seed: 3 });
    const counts = [parts.train, parts.validation, parts.test].map((part) => {
      return [part.length, Array.from(part.column("y").data).reduce((sum, y) => sum + y, 0)];
    });
    expect(counts).toEqual([
      [70, 21],
      [10, 3],
      [20, 6],
    ]);
  });

  test("groups stay whole", () => {
    const { train, test: later } = trainTestSplit(samples, { test: 0.3, groups: "day" });
    const days = new Set<number>(train.column("day").data);
    expect([...later.column("day").data].filter((day) => days.has(day))).toEqual([]);
    expect(new Set(later.column("day").data).size).toBe(5);
  });

  test("in the order of time the last ones are the test", () => {
    const { train, test: later } = trainTestSplit(samples, { test: 10, shuffle: false });
    expect([train.column("x").data.at(-1), later.column("x").data[0]]).toEqual([89, 90]);
  });

  test.each([
    [{ test: 0 }, "test must be a fraction between 0 and 1, or a number of samples, got 0"],
    [{ test: 1.5 }, "got 1.5"],
    [{ test: 3, validation: 1 }, "4 of 4 samples for validation and test leave none for training"],
    [{ stratify: [1, 2] }, "stratify has 2 values, there are 4 samples"],
    [{ stratify: [1, 2, 1, 2], shuffle: false }, "choose one of stratify, groups and shuffle: false"],
    [{ sed: 1 } as object, 'there is no option "sed"; did you mean "seed"?'],
  ])("%j", (options, message) => expect(() => trainTestIndices(4, options)).toThrow(message));
});

test("folds that cannot be", () => {
  expect(() => kFold(3, { folds: 4 })).toThrow("folds must be a whole number from 2 to the 3 samples, got 4");
  expect(() => groupKFold([1, 1, 2], { folds: 3 })).toThrow("to the 2 groups, got 3");
  expect(() => stratifiedKFold([0, 1, 2], { folds: 2 })).toThrow(
    "to the 1 samples of the largest class, got 2",
  );
  expect(() => timeSeriesSplit(5, { folds: 2, testSize: 3 })).toThrow(
    "5 samples are too few for 2 tests of 3",
  );
});
