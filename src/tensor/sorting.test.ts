import { describe, expect, it, test } from "vitest";
import { fillUniform, randomKey } from "../base/random.ts";
import { compile, grad, type Tensor, tensor, vectorize } from "./index.ts";

const random = (seed: number, count: number): Float32Array => {
  const out = new Float32Array(count);
  fillUniform(randomKey(seed), out, -1, 1);
  return out;
};

describe("sort and argsort", () => {
  it.each(["f32", "f64", "i32", "u8", "i8", "u32", "f16", "bf16", "bool"] as const)(
    "%s, both ways",
    async (dtype) => {
      const values = [3, 1, 200, 0, 1, 100, 7, 3].map((x) =>
        dtype === "bool" ? x % 2 : dtype === "i8" ? x - 100 : x,
      );
      const x = tensor(values, { dtype }) as Tensor;
      const plain = Array.from((await x.data()) as ArrayLike<number>, Number);
      const order = plain.map((_, i) => i);
      const rising = [...order].sort((a, b) => plain[a]! - plain[b]! || a - b);
      const falling = [...order].sort((a, b) => plain[b]! - plain[a]! || a - b);
      expect(await x.argsort().toArray()).toEqual(rising);
      expect(await x.argsort(0, { descending: true }).toArray()).toEqual(falling);
      expect((await x.sort().toArray()).map(Number)).toEqual(rising.map((i) => plain[i]!));
    },
  );

  it("a long row, in a compiled function", async () => {
    const data = random(3, 100_000);
    const sorted = compile((x: Tensor) => x.sort());
    expect(await sorted(tensor(data) as Tensor).data()).toEqual(data.slice().sort());
  });

  it("each row on its own, also under vectorize", async () => {
    const x = tensor([
      [3, 1, 2],
      [6, 5, 4],
    ]) as Tensor;
    expect(await x.sort(0, { descending: true }).toArray()).toEqual([
      [6, 5, 4],
      [3, 1, 2],
    ]);
    expect(await vectorize((row: Tensor) => row.sort())(x).toArray()).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
  });

  it("gradients go where elements came from, and to second order", async () => {
    const x = tensor([3, 1, 2]) as Tensor;
    const loss = x
      .sort()
      .square()
      .mul(tensor([1, 10, 100]))
      .sum();
    const g = grad(loss, x) as Tensor;
    expect(await g.toArray()).toEqual([600, 2, 40]);
    expect(await grad(g.sum(), x).toArray()).toEqual([200, 2, 20]);
  });

  it("f64 by all its bits: NaN last, zeros alike, neighbours told apart", async () => {
    const step = 2 ** -52;
    const values = [
      NaN,
      1 + step,
      -Infinity,
      0,
      1,
      -0,
      -1 - step,
      1e300,
      -1,
      Infinity,
      1 + 2 * step,
      -1e-300,
    ];
    const x = tensor([values, values.toReversed()], { dtype: "f64" }) as Tensor<[number, number], "f64">;
    const order = [2, 6, 8, 11, 3, 5, 4, 1, 10, 7, 9, 0];
    const plain = (row: ArrayLike<unknown>): number[] => Array.from(row, (value) => (value as number) + 0);
    expect(await x.at(0).argsort().toArray()).toEqual(order);
    const [, falling] = await x.sort(1, { descending: true }).toArray();
    expect(plain(falling!)).toEqual(plain(order.map((i) => values[i]!).reverse()));
    const columns = await x.transpose().sort(0).transpose().toArray();
    expect(plain(columns[0]!)).toEqual(plain(order.map((i) => values[i]!)));
    expect(await x.at(0).topk(2).indices.toArray()).toEqual([0, 9]);
    const { values: different, count } = x.unique({ size: 12 });
    expect(await count.item()).toBe(11);
    expect((await different.toArray()).slice(0, 2)).toEqual([-Infinity, -1 - step]);
    expect(
      await tensor([1 + step, 1, 1 + 2 * step], { dtype: "f64" })
        .median(0)
        .item(),
    ).toBe(1 + step);
  });

  it("refuses scalars", () => {
    expect(() => (tensor(1) as Tensor).argsort()).toThrow("axis");
  });
});

describe("topk, quantile, median", () => {
  it("topk says when there are too few", async () => {
    const { values, indices } = tensor([
      [1, 5, 3],
      [9, 7, 8],
    ]).topk(2, { axis: 1 });
    expect(await values.toArray()).toEqual([
      [5, 3],
      [9, 8],
    ]);
    expect(await indices.toArray()).toEqual([
      [1, 2],
      [0, 2],
    ]);
    expect(() => tensor([1]).topk(2)).toThrow(
      "topk: k must be an integer from 0 to 1, the size of axis -1, got 2",
    );
  });

  it("median of one, of few, with NaN", async () => {
    expect(await tensor([4]).median(0).item()).toBe(4);
    expect(await tensor([1, 9, 2]).median(0).item()).toBe(2);
    expect(await tensor([1, Number.NaN, 2]).median(0).item()).toBeNaN();
    expect(() => tensor([1]).quantile(1.5, 0)).toThrow("quantile: q must be from 0 to 1, got 1.5");
    expect(() => tensor([1]).quantile([0.5, -0.1], 0)).toThrow("quantile: q must be from 0 to 1, got -0.1");
    expect(() => tensor([] as number[]).median(0)).toThrow("has no elements to choose of");
  });
});

test("quantiles of a list of shares stand along a new first axis", async () => {
  const x = tensor([
    [1, 2, 3],
    [Number.NaN, 5, 6],
  ]);
  expect(await x.quantile([0, 0.75], 1).toArray()).toEqual([
    [1, Number.NaN],
    [2.5, Number.NaN],
  ]);
  expect(x.quantile([], 1).shape).toEqual([0, 2]);
  expect(await x.quantile([], 1).data()).toHaveLength(0);
});

describe("unique, searchSorted, bincount, histogram", () => {
  it("unique holds what is different within a bound", async () => {
    const x = tensor([
      [2, -1, 2],
      [Number.NaN, 7, Number.NaN],
    ]) as Tensor;
    const { values, count, inverse, counts } = x.unique();
    expect(await count.item()).toBe(4);
    expect(await values.toArray()).toEqual([-1, 2, 7, Number.NaN, 0, 0]);
    expect(await inverse.toArray()).toEqual([
      [1, 0, 1],
      [3, 2, 3],
    ]);
    expect(await counts.toArray()).toEqual([1, 2, 1, 2, 0, 0]);
    expect(await tensor([5, 5, 5]).unique({ size: 1 }).values.toArray()).toEqual([5]);
    for (const name of ["values", "inverse", "counts"] as const) {
      await expect(x.unique({ size: 3 })[name].toArray()).rejects.toThrow(
        "unique: there must be at most 3 different elements (size)",
      );
    }
  });

  it("searchSorted agrees with a plain search, for every length", async () => {
    for (const length of [0, 1, 2, 3, 7, 8, 9, 100]) {
      const sorted = random(length + 1, length).sort();
      const values = Float32Array.from([
        ...random(7, 20),
        ...sorted.slice(0, 5),
        Number.NaN,
        Infinity,
        -Infinity,
      ]);
      for (const side of ["left", "right"] as const) {
        const found = await tensor(sorted).searchSorted(tensor(values), { side }).toArray();
        const isBefore = (a: number, v: number): boolean =>
          Number.isNaN(v) || (side === "left" ? a < v : a <= v);
        expect(found).toEqual(Array.from(values, (v) => sorted.filter((a) => isBefore(a, v)).length));
      }
    }
  });

  it("bincount adds weights, and refuses what has no bin", async () => {
    const x = tensor([2, 0, 2], { dtype: "i32" });
    expect(await x.bincount(4, { weights: [0.5, 1, 0.25] }).toArray()).toEqual([1, 0, 0.75, 0]);
    await expect(x.bincount(2).toArray()).rejects.toThrow("must be 0 … 1, but element [0] is 2");
    expect(() => x.bincount(-1)).toThrow("bincount: the length must be an integer of 0 or more, got -1");
  });

  it("histogram counts both ends and nothing outside", async () => {
    const x = tensor([-0.1, 0, 0.25, 0.5, 0.999, 1, 1.1, Number.NaN]);
    const { counts, edges } = x.histogram({ bins: 4, low: 0, high: 1 });
    expect(await counts.toArray()).toEqual([1, 1, 1, 2]);
    expect(await edges.toArray()).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(() => x.histogram({ bins: 0, low: 0, high: 1 })).toThrow("needs 1 or more bins and low < high");
  });
});
