import { expect, test } from "vitest";
import { arange, concat, einsum, meshgrid, ones, stack, tensor, tensordot } from "./index.ts";

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
