import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { normal, randomKey } from "../base/random.ts";
import { trainTestSplit } from "../data/index.ts";
import { classWeights, oversample, smote, undersample } from "./balance.ts";
import { dropDuplicates, dropMissing, dropMissingColumns, dropOutliers, fillFrom } from "./clean.ts";
import { parseCsv } from "./csv/read.ts";
import { parseDate } from "./dates.ts";
import { dateParts } from "./pipeline/date-parts.ts";
import { pipeline } from "./pipeline/pipeline.ts";
import { medianFilter, movingAverage, savitzkyGolay } from "./smooth.ts";
import { type Table, table } from "./table.ts";

type Numbers = (number | null)[];
const fixture = JSON.parse(readFileSync("test/fixtures/tabular.json", "utf8")) as {
  csv: { name: string; text: string; options: Record<string, string>; values: Record<string, unknown[]> }[];
  frames: {
    frame: { key: (string | null)[]; second: number[]; x: Numbers };
    grouped: Record<string, unknown[]>;
    both: Record<string, unknown[]>;
    other: { key: string[]; x: number[] };
    merged: Record<string, Record<string, unknown[]>>;
    described: Record<string, number>;
    dates: { iso: string[]; weekday: number[]; dayOfYear: number[]; milliseconds: number[] };
  };
  smoothing: {
    x: number[];
    savgol: Record<string, number[]>;
    moving: Numbers;
    trailing: Numbers;
    median: Numbers;
    medianNearest: Numbers;
    derivative: Numbers;
    forward: Numbers;
    backward: Numbers;
  };
  splits: { labels: number[]; weights: number[] };
};

/** Columns as lists, numbers to 12 digits. */
const plain = (t: Table): Record<string, unknown[]> =>
  Object.fromEntries(t.names.map((name) => [name, t.values(name).map(rounded)]));
const rounded = (value: unknown): unknown =>
  typeof value === "number" ? Number(value.toPrecision(12)) : value;
const roundedLists = (lists: Record<string, unknown[]>): Record<string, unknown[]> =>
  Object.fromEntries(Object.entries(lists).map(([name, list]) => [name, list.map(rounded)]));

describe("pandas", () => {
  test.each(fixture.csv.map((row) => [row.name, row] as const))(
    "reads the same: %s",
    (_, { text, options, values }) => {
      const { sep, ...rest } = options;
      const t = parseCsv(text, { ...rest, ...(sep && { delimiter: sep }) } as object);
      const found = Object.fromEntries(t.names.map((name) => [name, t.values(name)]));
      expect(found).toEqual(values);
    },
  );

  const frame = table(fixture.frames.frame) as Table<{ key: "string"; second: "number"; x: "number" }>;

  test("groups the same", () => {
    const statistics = [
      "count",
      "sum",
      "mean",
      "median",
      "std",
      "var",
      "min",
      "max",
      "first",
      "last",
    ] as const;
    const groups = frame.groupBy("key").aggregate({
      ...Object.fromEntries(statistics.map((name) => [name, ["x", name] as const])),
      nunique: ["x", "unique"],
    });
    expect(plain(groups)).toEqual(roundedLists(fixture.frames.grouped));
    const both = frame.groupBy("key", "second").aggregate({ count: ["x", "count"], mean: ["x", "mean"] });
    expect(plain(both)).toEqual(roundedLists(fixture.frames.both));
  });

  test.each(["inner", "left"] as const)("joins the same: %s", (how) => {
    const left = frame.filter(({ key }) => key !== null);
    expect(plain(left.join(table(fixture.frames.other), { on: "key", how }))).toEqual(
      fixture.frames.merged[how],
    );
  });

  test("describes the same", () => {
    const row = frame.select("x").describe().row(0) as Record<string, unknown>;
    for (const [name, value] of Object.entries(fixture.frames.described))
      expect(rounded(row[name])).toBe(rounded(value));
  });

  test("knows the same dates", () => {
    const { iso, weekday, dayOfYear, milliseconds } = fixture.frames.dates;
    expect(iso.map(parseDate)).toEqual(milliseconds);
    const t = table({ d: milliseconds.map((time) => new Date(time)) });
    const parts = pipeline(dateParts({ parts: ["weekday", "dayOfYear"] }))
      .fit(t)
      .transform(t);
    expect([parts.values("d_weekday"), parts.values("d_dayOfYear")]).toEqual([weekday, dayOfYear]);
  });
});

describe("series", () => {
  const { x, savgol, moving, trailing, median, medianNearest, derivative } = fixture.smoothing;
  const near = (found: ArrayLike<number>, expected: Numbers): void => {
    expect(found.length).toBe(expected.length);
    expected.forEach((value, i) => void expect(found[i]).toBeCloseTo(value!, 10));
  };

  test("moving averages and medians are those of pandas and SciPy", () => {
    near(movingAverage(x, { window: 5 }), moving);
    near(movingAverage(x, { window: 4, center: false }), trailing);
    near(medianFilter(x, { window: 5, edges: "zero" }), median);
    near(medianFilter(x, { window: 5 }), medianNearest);
  });

  test.each(Object.entries(savgol))("Savitzky–Golay is SciPy's: %s", (edges, expected) => {
    near(savitzkyGolay(x, { window: 7, degree: 3, edges: edges as "interp" }), expected);
  });

  test("derivatives; a polynomial of the degree is kept as it is", () => {
    near(savitzkyGolay(x, { window: 5, degree: 2, derivative: 1, spacing: 0.5 }), derivative);
    const cubic = Float64Array.from({ length: 30 }, (_, i) => 0.01 * i ** 3 - i + 2);
    near(savitzkyGolay(cubic, { window: 11, degree: 3 }), Array.from(cubic));
  });

  test("windows that cannot be", () => {
    expect(() => savitzkyGolay(x, { window: 4, degree: 2 })).toThrow(
      "window must be an odd whole number, got 4",
    );
    expect(() => savitzkyGolay([1, 2, 3], { window: 5, degree: 2 })).toThrow(
      "the window of 5 is longer than the 3 values",
    );
    expect(() => savitzkyGolay(x, { window: 5, degree: 5 })).toThrow(
      "degree must be a whole number of 0 to 4, got 5",
    );
  });

  test("missing values count for nothing in averages; values are carried forward and back as in pandas", () => {
    expect([...movingAverage([1, NaN, 3], { window: 3 })]).toEqual([1, 2, 3]);
    const t = table({ x: [null, 1, null, null, 4, null] as Numbers });
    expect(fillFrom(t).values("x")).toEqual(fixture.smoothing.forward);
    expect(fillFrom(t, { from: "next" }).values("x")).toEqual(fixture.smoothing.backward);
    const grouped = table({ g: ["a", "b", "a", "b"], x: ["x", null, null, "y"] });
    expect(fillFrom(grouped, { within: ["g"] }).values("x")).toEqual(["x", null, "x", "y"]);
  });
});

describe("rows", () => {
  const t = table({ a: [1, 1, null, 1, 9], b: ["x", "y", null, "x", "x"] });

  test("with missing values, equal ones, outliers", () => {
    expect(dropMissing(t).length).toBe(4);
    const more = t.with("c", [1, null, 3, 4, 5]);
    expect(dropMissing(more, { how: "all", columns: ["a", "b"] }).values("c")).toEqual([1, null, 4, 5]);
    expect(dropMissingColumns(t, { maxMissing: 0.2 }).names).toEqual(["a", "b"]);
    expect(dropMissingColumns(t).names).toEqual([]);
    expect([...dropDuplicates(t).rows()]).toEqual([
      { a: 1, b: "x" },
      { a: 1, b: "y" },
      { a: null, b: null },
      { a: 9, b: "x" },
    ]);
    expect(dropDuplicates(t, { columns: ["b"], keep: "last" }).values("a")).toEqual([1, null, 9]);
    const spread = table({ x: [1, 2, 3, 4, 5, 100, null], s: ["a", "b", "c", "d", "e", "f", "g"] });
    expect(dropOutliers(spread).values("s")).toEqual(["a", "b", "c", "d", "e", "g"]);
    expect(dropOutliers(spread, { method: "robustZ" }).values("s")).toEqual(["a", "b", "c", "d", "e", "g"]);
    expect(dropOutliers(spread, { method: "zScore", threshold: 2 }).length).toBe(6);
    const infinite = table({ x: [1, 2, 3, 4, 5, Infinity, -Infinity, null] });
    for (const method of ["iqr", "zScore", "robustZ"] as const)
      expect(dropOutliers(infinite, { method }).values("x")).toEqual([1, 2, 3, 4, 5, null]);
    expect(() => dropOutliers(spread, { columns: ["s"] })).toThrow(
      'column "s" holds strings; outliers are among numbers',
    );
  });

  test("are split with their columns", () => {
    const many = table({
      x: Array.from({ length: 40 }, (_, i) => i),
      y: Array.from({ length: 40 }, (_, i) => (i % 4 === 0 ? "rare" : "often")),
    });
    const { train, test: later } = trainTestSplit(many, { test: 0.5, stratify: "y" });
    expect(train.values("y").filter((y) => y === "rare").length).toBe(5);
    const all = [...train.values("x"), ...later.values("x")].sort((a, b) => Number(a) - Number(b));
    expect(all).toEqual(many.values("x"));
  });
});

describe("classes", () => {
  const labels = [0, 0, 0, 0, 0, 2, 2, 1, 1, 1];
  const counts = (rows: ArrayLike<number>): Record<number, number> => {
    const found: Record<number, number> = {};
    for (const row of Array.from(rows)) found[labels[row]!] = (found[labels[row]!] ?? 0) + 1;
    return found;
  };

  test("weights are scikit-learn's", () => {
    expect([...classWeights(fixture.splits.labels)]).toEqual(fixture.splits.weights);
  });

  test("samples repeated, or left out, until all are as many", () => {
    expect(counts(oversample(labels))).toEqual({ 0: 5, 1: 5, 2: 5 });
    expect([...oversample(labels).slice(0, 10)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const few = undersample(labels, { seed: 3 });
    expect(counts(few)).toEqual({ 0: 2, 1: 2, 2: 2 });
    expect(new Set(few).size).toBe(6);
    expect([...undersample(labels, { seed: 3 })]).toEqual([...few]);
  });

  test("made-up samples lie between a sample and one of its nearest of the same class", () => {
    const noise = normal(randomKey(3), 120);
    const rows = table({
      a: Array.from(noise.slice(0, 40)),
      b: Array.from(noise.slice(40, 80)),
      y: Array.from({ length: 40 }, (_, i) => (i < 8 ? "small" : "x large")),
    });
    const { train } = pipeline().datasets({ train: rows }, { target: "y" });
    const balanced = smote(train, { neighbors: 3, seed: 1 });
    expect(balanced.length).toBe(64);
    const { features, labels: found } = balanced.batch();
    expect([...found.data.slice(40)]).toEqual(Array(24).fill(0));
    const point = (i: number): [number, number] => [features.data[2 * i]!, features.data[2 * i + 1]!];
    const distance = (a: readonly number[], b: readonly number[]): number =>
      Math.hypot(a[0]! - b[0]!, a[1]! - b[1]!);
    const small = Array.from({ length: 8 }, (_, i) => point(i));
    const pairs = small.flatMap((from, i) =>
      small
        .filter((_, j) => j !== i)
        .sort((a, b) => distance(from, a) - distance(from, b))
        .slice(0, 3)
        .map((to) => [from, to] as const),
    );
    for (let i = 40; i < 64; i++) {
      const p = point(i);
      // On the segment: the two distances add up to its length.
      const isBetween = pairs.some(
        ([from, to]) => Math.abs(distance(from, p) + distance(p, to) - distance(from, to)) < 1e-6,
      );
      expect(isBetween).toBe(true);
    }
    expect(() => smote(train, { neighbors: 8 })).toThrow("class 0 has 8 samples, and 8 neighbours need more");
  });
});
