import { describe, expect, it, test } from "vitest";
import {
  arange,
  concat,
  einsum,
  grad,
  kron,
  meshgrid,
  ones,
  stack,
  type Tensor,
  tensor,
  tensordot,
} from "./index.ts";

const message = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return (error as Error).message.replace(/ \(at .*\)/, "");
  }
  throw new Error("nothing was thrown");
};

test("concat and stack promote dtypes", async () => {
  const joined = concat([tensor([1], { dtype: "i32" }), tensor([2.5])]);
  expect([joined.dtype, await joined.toArray()]).toEqual(["f32", [1, 2.5]]);
  expect(await stack([tensor([1, 2]), tensor([3, 4])], -1).toArray()).toEqual([
    [1, 3],
    [2, 4],
  ]);
});

test("meshgrid exchanges the first two axes for xy", async () => {
  const [x, y] = meshgrid(
    [
      [0, 1, 2],
      [5, 6],
    ],
    { indexing: "xy" },
  );
  expect(await x!.toArray()).toEqual([
    [0, 1, 2],
    [0, 1, 2],
  ]);
  expect(await y!.toArray()).toEqual([
    [5, 5, 5],
    [6, 6, 6],
  ]);
});

test("tensordot pairs axes", async () => {
  const [a, b] = [arange(6).reshape([2, 3]), arange(6).reshape([3, 2])];
  const paired = tensordot(a, b, [[0], [-1]]);
  expect(await paired.toArray()).toEqual(await a.transpose().matmul(b.transpose()).toArray());
  expect(await tensordot(a, a).item()).toBe(55);
});

test("errors", () => {
  expect(message(() => stack([ones([2]), ones([3])]))).toMatchInlineSnapshot(
    `"stack: shapes (2,) and (3,) differ; all must be equal"`,
  );
  expect(message(() => einsum("ij,jk", ones([2, 3])))).toMatchInlineSnapshot(
    `"einsum: "ij,jk" names 2 arrays, got 1"`,
  );
  expect(message(() => einsum("ij,jk", ones([2, 3]), ones([2, 3])))).toMatchInlineSnapshot(
    `"einsum: "ij,jk": letter j is 3 and 2; its sizes must be equal"`,
  );
  expect(message(() => einsum("i...", ones([2])))).toMatchInlineSnapshot(
    `"einsum: "i..." is no equation; write letters such as "bij,bjk->bik""`,
  );
  expect(message(() => tensordot(ones([2]), ones([2]), [[1], [0]]))).toMatchInlineSnapshot(
    `"tensordot: axes [1] must be different axes of a tensor of rank 1"`,
  );
  expect(message(() => ones([2, 3]).takeAlong([[0]], 1))).toMatchInlineSnapshot(
    `"takeAlong: indices (1, 1) into (2, 3): all axes but axis 1 must be equal"`,
  );
  expect(message(() => ones([2]).clamp({}))).toMatchInlineSnapshot(
    `"clamp: neither min nor max is given; write clamp({ min: 0 })"`,
  );
});

describe("kron", () => {
  it("puts blocks where elements were, as NumPy", async () => {
    const a = tensor([
      [1, 2],
      [3, 4],
    ]);
    expect(await kron(a, [[0, 1]]).toArray()).toEqual([
      [0, 1, 0, 2],
      [0, 3, 0, 4],
    ]);
    expect(await kron([1, 2], a).toArray()).toEqual([
      [1, 2, 2, 4],
      [3, 4, 6, 8],
    ]);
    expect(kron(ones([2, 3]), ones([4, 5])).shape).toEqual([8, 15]);
  });
});

describe("pad with what is there", () => {
  const x = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]) as Tensor;
  it("along several axes, as NumPy", async () => {
    const widths = [
      [1, 0],
      [2, 1],
    ] as const;
    expect(await x.pad(widths, { mode: "reflect" }).toArray()).toEqual([
      [6, 5, 4, 5, 6, 5],
      [3, 2, 1, 2, 3, 2],
      [6, 5, 4, 5, 6, 5],
    ]);
    expect(await x.pad(widths, { mode: "symmetric" }).toArray()).toEqual([
      [2, 1, 1, 2, 3, 3],
      [2, 1, 1, 2, 3, 3],
      [5, 4, 4, 5, 6, 6],
    ]);
    expect(await x.pad(widths, { mode: "replicate" }).toArray()).toEqual([
      [1, 1, 1, 2, 3, 3],
      [1, 1, 1, 2, 3, 3],
      [4, 4, 4, 5, 6, 6],
    ]);
    expect(await x.pad(widths, { mode: "circular" }).toArray()).toEqual([
      [5, 6, 4, 5, 6, 4],
      [2, 3, 1, 2, 3, 1],
      [5, 6, 4, 5, 6, 4],
    ]);
  });
  it("gradients add up where an element is taken twice", async () => {
    const row = tensor([1, 2, 3]) as Tensor;
    const padded = row.pad([[1, 1]], { mode: "reflect" });
    expect(await grad(padded.mul(tensor([1, 10, 100, 1000, 10000])).sum(), row).toArray()).toEqual([
      10, 10101, 1000,
    ]);
  });
  it("refuses what cannot be", () => {
    expect(() =>
      x.pad(
        [
          [0, 0],
          [3, 0],
        ],
        { mode: "reflect" },
      ),
    ).toThrow('pad: axis 1 of size 3 has too few elements for mode "reflect"');
    expect(() => x.pad([[1, 1]], { mode: "circular" })).toThrow(
      "pad: takes [before, after] for each of 2 axes, got 1",
    );
    expect(() =>
      x.pad(
        [
          [1, 1],
          [0, 0],
        ],
        { mode: "wrap" as never },
      ),
    ).toThrow('pad: mode "wrap" is unknown');
  });
});
