import { describe, expect, expectTypeOf, test } from "vitest";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { type HostArray, hostArray } from "../base/host-array.ts";
import { arrayDataset } from "./array-dataset.ts";
import { type Column, floatColumn } from "./column.ts";
import type { Dataset } from "./dataset.ts";

/** Twelve samples: images of two bytes (10·i, 10·i + 1), labels i mod 3. */
const bytes = Uint8Array.from({ length: 24 }, (_, i) => 10 * (i >> 1) + (i & 1));
const labels = Int32Array.from({ length: 12 }, (_, i) => i % 3);
const digits = arrayDataset({ images: floatColumn(hostArray("u8", [12, 2], bytes)), labels });
/** The samples of a dataset by their number i. */
const numbersOf = (dataset: { batch(): { images: HostArray } }): number[] =>
  Array.from(
    dataset.batch().images.data.filter((_, i) => i % 2 === 0),
    (x) => x / 10,
  );
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

describe("arrayDataset", () => {
  test("typed arrays, nested arrays, HostArrays and float columns", () => {
    const dataset = arrayDataset({
      x: [
        [0, 0],
        [0, 1],
        [1, 0],
      ],
      y: [5, 6, 7],
      labels: Int32Array.of(0, 1, 1),
      weights: hostArray("f64", [3, 2, 1], Float64Array.of(1, 2, 3, 4, 5, 6)),
    });
    expect(String(dataset)).toMatchInlineSnapshot(
      `"Dataset of 3 samples: x f32 (2,), y f32 (), labels i32 (), weights f64 (2, 1)"`,
    );
    expect(dataset.sample(1)).toEqual({
      x: Float32Array.of(0, 1),
      y: 6,
      labels: 1,
      weights: Float64Array.of(3, 4),
    });
    expect(dataset.batch([2, 0]).weights).toEqual(hostArray("f64", [2, 2, 1], Float64Array.of(5, 6, 1, 2)));
    expect(dataset.column("labels")).toEqual(hostArray("i32", [3], Int32Array.of(0, 1, 1)));
    expectTypeOf(dataset).toEqualTypeOf<
      Dataset<{
        readonly x: Column<[number], "f32">;
        readonly y: Column<[], "f32">;
        readonly labels: Column<[], "i32">;
        readonly weights: Column<[2, 1], "f64">;
      }>
    >();
    expectTypeOf(dataset.sample(0).y).toEqualTypeOf<number>();
    expectTypeOf(dataset.sample(0).x).toEqualTypeOf<Float32Array>();
    expectTypeOf(dataset.batch().weights).toEqualTypeOf<HostArray<[number, 2, 1], "f64">>();
    // @ts-expect-error there is no such column
    expect(() => dataset.column("z")).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: column: there is no "z"; the columns are x, y, labels, weights]`,
    );
  });

  test("rows that are typed arrays keep their dtype", () => {
    const dataset = arrayDataset({
      tokens: [Int32Array.of(1, 2), Int32Array.of(3, 4)],
      images: [[Uint8Array.of(1)], [Uint8Array.of(255)]],
      mixed: [Float32Array.of(0.5), [2]],
    });
    expect(String(dataset)).toBe("Dataset of 2 samples: tokens i32 (2,), images u8 (1, 1), mixed f32 (1,)");
    expect(dataset.sample(1).tokens).toEqual(Int32Array.of(3, 4));
    expectTypeOf(dataset.sample(0).tokens).toEqualTypeOf<Int32Array>();
    expect(() => arrayDataset({ x: [Int32Array.of(1), Float32Array.of(2)] })).toThrow(
      'column "x" has rows of i32 and f32; make them of one kind',
    );
    expect(() => arrayDataset({ x: [Int32Array.of(1), Int32Array.of(2, 3)] })).toThrow(
      'column "x"[1] is an array of 2; expected an array of 1, as the first one',
    );
    expect(() => arrayDataset({ x: [Uint16Array.of(1)] })).toThrow("does not say which dtype it holds");
  });

  test("shapes that are not known to the types stay unknown", () => {
    const array: HostArray = hostArray("f32", [2, 3]);
    const dataset = arrayDataset({ array, nested: [[[1]], [[2]]] });
    expectTypeOf(dataset.columns.array).toEqualTypeOf<Column<readonly number[]>>();
    expect(dataset.columns.nested.shape).toEqual([1, 1]);
  });

  test("mistakes", () => {
    expect(() => arrayDataset({})).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: arrayDataset: there are no columns; give at least one, for example { images, labels }]`,
    );
    expect(() =>
      arrayDataset({ images: new Float32Array(3), labels: new Int32Array(2) }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: arrayDataset: column "images" has 3 samples, column "labels" has 2; every column needs one entry for each sample]`,
    );
    expect(() => arrayDataset({ x: [[1, 2], [3]] })).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: column "x"[1] is an array of 1; expected an array of 2, as the first one]`,
    );
    expect(() => arrayDataset({ x: [[1], 2] })).toThrow(ShapeError);
    expect(() => arrayDataset({ x: [1, "2" as unknown as number] })).toThrow("expected a number");
    expect(() => arrayDataset({ x: new Uint16Array(2) })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: column "x": a Uint16Array does not say which dtype it holds; use hostArray(dtype, shape, data) with f16 or bf16]`,
    );
    expect(() => arrayDataset({ x: new BigInt64Array(2) as never })).toThrow(ArgumentError);
    expect(() => arrayDataset({ x: undefined as never })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: arrayDataset: column "x" is undefined; it must be an array of numbers or a HostArray]`,
    );
    expect(() => arrayDataset({ x: { ...hostArray("f32", [2]), shape: [3] } })).toThrow("does not fit");
  });
});

describe("selections", () => {
  test("take, slice, subset, filter, and each of another", () => {
    expect(numbersOf(digits.take(3))).toEqual([0, 1, 2]);
    expect(digits.take(100).length).toBe(12);
    expect(digits.take(0).length).toBe(0);
    expect(numbersOf(digits.slice(-3))).toEqual([9, 10, 11]);
    expect(numbersOf(digits.slice(2, -8))).toEqual([2, 3]);
    expect(digits.slice(5, 2).length).toBe(0);
    expect(numbersOf(digits.subset([7, 7, 0]))).toEqual([7, 7, 0]);
    expect(numbersOf(digits.filter(({ labels }) => labels === 1))).toEqual([1, 4, 7, 10]);
    expect(numbersOf(digits.filter((_, index) => index > 9))).toEqual([10, 11]);
    const nested = digits
      .slice(2)
      .subset([9, 0, 5])
      .filter(({ images }) => images[0]! > 20)
      .take(1);
    expect(numbersOf(nested)).toEqual([11]);
  });

  test("mistakes", () => {
    expect(() => digits.take(-1)).toThrow(ArgumentError);
    expect(() => digits.slice(0.5)).toThrow(ArgumentError);
    expect(() => digits.subset([0, 12])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: subset: indices[1] is 12; a position must be an integer from 0 to 11]`,
    );
    expect(() => digits.subset([NaN])).toThrow("indices[0] is NaN");
    expect(() => digits.sample(-1)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: sample is -1; a position must be an integer from 0 to 11]`,
    );
    expect(() => digits.batch([1.5])).toThrow("batch: indices[0] is 1.5");
  });

  test("a sample and a batch are copies, what filter sees is not", () => {
    const [first, second] = [digits.sample(0), digits.sample(1)];
    expect(first.images).toEqual(Float32Array.of(0, 1));
    expect(second.images).toEqual(Float32Array.of(10, 11));
    const seen = new Set<Float32Array>();
    digits.filter(({ images }) => seen.add(images) !== seen);
    expect(seen.size).toBe(1);
  });
});

describe("concat", () => {
  test("one after the other, gathered across the borders in any order", () => {
    const joined = digits.take(2).concat(digits.slice(5, 7), digits.take(0), digits.slice(11));
    expect(joined.length).toBe(5);
    expect(numbersOf(joined)).toEqual([0, 1, 5, 6, 11]);
    expect(numbersOf(joined.subset([4, 3, 0, 2, 1, 4]))).toEqual([11, 6, 0, 5, 1, 11]);
    expect(joined.batch([4, 0]).labels.data).toEqual(Int32Array.of(2, 0));
    expect(joined.column("labels").data).toEqual(Int32Array.of(0, 1, 2, 0, 2));
  });

  test("columns must agree", () => {
    const other = arrayDataset({ images: new Float32Array(2), labels: new Int32Array(2) });
    expect(() => digits.concat(other as never)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: concat: column "images" is f32 (2,) in one dataset and f32 () in another]`,
    );
    const fewer = arrayDataset({ images: hostArray("f32", [1, 2]) });
    expect(() => digits.concat(fewer as never)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: concat: column "labels" is i32 () in one dataset and missing in another]`,
    );
  });
});

describe("map", () => {
  test("numbers, arrays that keep or change their shape, HostArrays", () => {
    const mapped = digits.map(({ images, labels }, index) => ({
      images: images.map((x) => -x),
      labels: labels * 2,
      index,
      sum: Float64Array.of(images[0]! + images[1]!, 0, 0),
      grid: hostArray("u8", [1, 2], Uint8Array.from(images)),
    }));
    expect(String(mapped)).toMatchInlineSnapshot(
      `"Dataset of 12 samples: images f32 (2,), labels i32 (), index f32 (), sum f64 (3,), grid u8 (1, 2)"`,
    );
    expect(mapped.sample(3)).toEqual({
      images: Float32Array.of(-30, -31),
      labels: 0,
      index: 3,
      sum: Float64Array.of(61, 0, 0),
      grid: Uint8Array.of(30, 31),
    });
    expectTypeOf(mapped.columns.images).toEqualTypeOf<Column<[2], "f32">>();
    expectTypeOf(mapped.columns.labels).toEqualTypeOf<Column<[], "i32">>();
    expectTypeOf(mapped.columns.index).toEqualTypeOf<Column<[], "f32">>();
    expectTypeOf(mapped.columns.grid).toEqualTypeOf<Column<[1, 2], "u8">>();
    expect(mapped.take(2).concat(mapped.slice(10)).column("index").data).toEqual(
      Float32Array.of(0, 1, 10, 11),
    );
  });

  test("numbers of 16-bit float columns are numbers, not bits", () => {
    const halves = arrayDataset({ x: hostArray("f16", [2], Uint16Array.of(0x3c00, 0x4000)) });
    expect(halves.sample(1).x).toBe(2);
    const doubled = halves.map(({ x }) => ({ x: x * 1.5 }));
    expect(doubled.column("x")).toEqual(hostArray("f16", [2], Uint16Array.of(0x3e00, 0x4200)));
  });

  test("is computed at delivery, for the samples delivered", () => {
    let calls = 0;
    const counted = digits.map(({ labels }) => ({ labels: labels + 0 * calls++ }));
    expect(calls).toBe(1);
    counted.subset([3, 4]).batch();
    expect(calls).toBe(3);
  });

  test("the function is told the shapes", () => {
    const shapes = digits.map((_, _index, _key, { images }) => ({ size: images.shape[0] }));
    expect(shapes.sample(1)).toEqual({ size: 2 });
  });

  test("mistakes", () => {
    expect(() => digits.take(0).map(({ labels }) => ({ labels }))).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: map: the dataset is empty, so no sample can tell what the function gives]`,
    );
    expect(() => digits.map(() => undefined as never)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: map: the function must give an object of columns, for example { images, labels }]`,
    );
    expect(() => digits.map(() => ({ x: "no" as never }))).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: map: the function gave string for column "x"; it must give a number, a typed array or a HostArray]`,
    );
    const growing = digits.map((_, index) => ({ x: new Float32Array(2 + (index >> 2)) }));
    expect(() => growing.batch()).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: map: the function gave a Float32Array of 3 for column "x" of sample 4; the first sample had 2 of f32, and every sample must have the same]`,
    );
    const missing = digits.map((_, index): Record<string, number> => (index < 5 ? { x: 1 } : {}));
    expect(() => missing.batch()).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: map: the function gave nothing for column "x" of sample 5; the first sample had 1 of f32, and every sample must have the same]`,
    );
    const dtypes = digits.map((_, index) => ({ x: index < 5 ? new Float32Array(2) : new Float64Array(2) }));
    expect(() => dtypes.batch()).toThrow("a Float64Array of 2");
  });
});

describe("split", () => {
  test("every sample falls to one part, in an order drawn from the seed", () => {
    const [first, second] = digits.split(0.75, { seed: 3 });
    expect([first.length, second.length]).toEqual([9, 3]);
    const all = [...numbersOf(first), ...numbersOf(second)];
    expect(all).not.toEqual(range(12));
    expect(all.sort((a, b) => a - b)).toEqual(range(12));
    expect(numbersOf(digits.split(0.75, { seed: 3 })[0])).toEqual(numbersOf(first));
    expect(numbersOf(digits.split(0.75)[0])).not.toEqual(numbersOf(first));
  });

  test("stratified: each label in the same proportion, whatever the counts", () => {
    const labels = Int32Array.from({ length: 1000 }, (_, i) => (i < 700 ? 0 : i < 990 ? 1 : 2));
    const [first, second] = arrayDataset({ labels }).split(0.855, { stratify: "labels", seed: 1 });
    const count = (part: typeof first, label: number): number =>
      part.column("labels").data.filter((x) => x === label).length;
    expect([0, 1, 2].map((label) => count(first, label))).toEqual([598, 248, 9]);
    expect([0, 1, 2].map((label) => count(second, label))).toEqual([102, 42, 1]);
    // Shuffled, not sorted by label.
    expect(Array.from(first.column("labels").data.subarray(0, 20))).toContain(1);
  });

  test("mistakes", () => {
    for (const fraction of [0, 1, -1, NaN]) expect(() => digits.split(fraction)).toThrow("between 0 and 1");
    expect(() => digits.take(3).split(0.9)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: split: 0.9 of 3 samples leaves an empty part; use more samples or another fraction]`,
    );
    expect(() => digits.split(0.5, { stratify: "images" })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: split: stratify needs a column of one number a sample, "images" has samples of shape (2,)]`,
    );
    expect(() => digits.split(0.5, { stratify: "label" as never })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: split: stratify needs a column of one number a sample, "label" is none of images, labels]`,
    );
    expect(() => digits.split(0.5, { sed: 1 } as never)).toThrow('did you mean "seed"');
  });
});
