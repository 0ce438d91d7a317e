import { describe, expect, it } from "vitest";
import {
  arange,
  compile,
  dimension,
  grad,
  ones,
  slice,
  type Tensor,
  type TensorIndex,
  tensor,
  zeros,
} from "./index.ts";

const x = arange(24).reshape([2, 3, 4]) as Tensor;
const at = (...indices: readonly TensorIndex[]): Promise<unknown> => x.at(...indices).toArray();

describe("at, as NumPy", () => {
  it("integers take their axis away", async () => {
    expect(await at(1)).toEqual([
      [12, 13, 14, 15],
      [16, 17, 18, 19],
      [20, 21, 22, 23],
    ]);
    expect(await at(-1, 0)).toEqual([12, 13, 14, 15]);
    expect(await at(0, -1, -2)).toBe(10);
  });

  it("slices walk both ways, and stop at the ends", async () => {
    expect(await at(0, slice(1))).toEqual([
      [4, 5, 6, 7],
      [8, 9, 10, 11],
    ]);
    expect(await at(0, 0, slice(undefined, undefined, -1))).toEqual([3, 2, 1, 0]);
    expect(await at(0, 0, slice(-1, 0, -2))).toEqual([3, 1]);
    expect(await at(0, 0, slice(-100, 100, 3))).toEqual([0, 3]);
    expect(await at(0, 0, slice(3, 1))).toEqual([]);
    expect(await at(0, 0, slice(0, 4, -1))).toEqual([]);
    expect((x.at(slice(0, 0)) as Tensor).shape).toEqual([0, 3, 4]);
  });

  it("an ellipsis stands for all between, null is a new axis", async () => {
    expect(await at("...", 1)).toEqual([
      [1, 5, 9],
      [13, 17, 21],
    ]);
    expect(await at(0, "...", 1)).toEqual([1, 5, 9]);
    expect(x.at(null, 0, "...", null).shape).toEqual([1, 3, 4, 1]);
    expect(x.at("...").shape).toEqual([2, 3, 4]);
    expect(x.at(0, 0, 0, "...").shape).toEqual([]);
  });

  it("lists are broadcast together; side by side in their place, else in front", async () => {
    expect(await at(0, [2, 0, -1])).toEqual([
      [8, 9, 10, 11],
      [0, 1, 2, 3],
      [8, 9, 10, 11],
    ]);
    expect(await at([0, 1], [2, 1], [0, 3])).toEqual([8, 19]);
    expect(x.at([[0], [1]], [1, 2]).shape).toEqual([2, 2, 4]);
    expect(x.at(slice(), [0, 1], [1, 2]).shape).toEqual([2, 2]);
    expect(await at(slice(), [0, 1], [1, 2])).toEqual([
      [1, 6],
      [13, 18],
    ]);
    expect(await at([0, 1], slice(), [1, 2])).toEqual([
      [1, 5, 9],
      [14, 18, 22],
    ]);
    // An integer counts as a list beside lists: separated, so the axes come in front.
    expect(x.at(0, slice(), [1, 2]).shape).toEqual([2, 3]);
    expect(await at(0, slice(), [1, 2])).toEqual([
      [1, 5, 9],
      [2, 6, 10],
    ]);
    expect(x.at([[0, 1]], "...", slice(0, 2)).shape).toEqual([1, 2, 3, 2]);
  });

  it("lists of booleans pick where they are true", async () => {
    expect(await at(slice(), [true, false, true], 0)).toEqual([
      [0, 8],
      [12, 20],
    ]);
    const mask = [
      [true, false, false],
      [false, false, true],
    ];
    expect(await at(mask)).toEqual([
      [0, 1, 2, 3],
      [20, 21, 22, 23],
    ]);
  });

  it("tensors of indices are part of a compiled function, and fail the run outside", async () => {
    const pick = compile((i: Tensor) => x.at(1, i));
    expect(await pick(tensor([0, -3], { dtype: "i32" }) as Tensor).toArray()).toEqual([
      [12, 13, 14, 15],
      [12, 13, 14, 15],
    ]);
    await expect(pick(tensor([0, 3], { dtype: "i32" }) as Tensor).toArray()).rejects.toThrow(
      "at: indices into axis 1 of size 3 must be -3 … 2, but element [1] is 3",
    );
  });

  it("works along sizes known late", async () => {
    const batch = dimension("batch", { min: 1, max: 8 });
    const f = compile((t: Tensor) => t.at("...", slice(1, 3)), { shapes: [[batch, 4]] });
    expect(await f(arange(8).reshape([2, 4]) as Tensor).toArray()).toEqual([
      [1, 2],
      [5, 6],
    ]);
  });

  it("has gradients, also where an element is taken twice", async () => {
    const w = tensor([1, 2, 3]) as Tensor;
    const loss = w
      .at([0, 0, 2])
      .mul(tensor([1, 10, 100]))
      .sum();
    expect(await grad(loss, w).toArray()).toEqual([11, 0, 100]);
    expect(
      await grad(
        w
          .at(slice(undefined, undefined, -2))
          .mul(tensor([5, 7]))
          .sum(),
        w,
      ).toArray(),
    ).toEqual([7, 0, 5]);
  });

  it.each<[string, () => unknown, string]>([
    ["outside", () => x.at(2), "at: index 2 is outside axis 0 of (2, 3, 4)"],
    ["outside, beside a list", () => x.at(5, [0]), "at: index 5 is outside axis 0 of (2, 3, 4)"],
    ["too many", () => x.at(0, 0, 0, 0), "at: 4 indices for 3 axes of (2, 3, 4); leave some out"],
    ["two ellipses", () => x.at("...", "..."), 'at: "..." may stand once among the indices'],
    ["a step of 0", () => x.at(slice(0, 1, 0)), "at: the step of a range must not be 0"],
    ["a fraction", () => x.at(0.5), "at: index 0.5 is outside axis 0"],
    [
      "a fraction in a slice",
      () => x.at(slice(0.5)),
      "at: bounds and steps of a range must be integers, got 0.5",
    ],
    ["floats", () => x.at(tensor([0.5])), "at: index 0 is f32; indices are integers, cast it to i32"],
    [
      "a mask",
      () => x.at(tensor([true, false])),
      "at: how many elements a mask picks is known only when the program runs",
    ],
    ["lists that differ", () => x.at([0, 1], [0, 1, 2]), "at: cannot broadcast (2,) with (3,)"],
  ])("refuses %s", (_, index, message) => {
    expect(index).toThrow(message);
  });
});

describe("set", () => {
  it("puts values at indices and leaves the tensor as it was", async () => {
    const zero = zeros([3, 3]);
    expect(await zero.set(5, [slice(), 1]).toArray()).toEqual([
      [0, 5, 0],
      [0, 5, 0],
      [0, 5, 0],
    ]);
    expect(await zero.set([1, 2, 3], [slice(undefined, undefined, 2)]).toArray()).toEqual([
      [1, 2, 3],
      [0, 0, 0],
      [1, 2, 3],
    ]);
    expect(
      await zero
        .set(
          [7, 8],
          [
            [0, 0],
            [1, 1],
          ],
        )
        .toArray(),
    ).toEqual([
      [0, 8, 0],
      [0, 0, 0],
      [0, 0, 0],
    ]);
    expect(await zero.sum().item()).toBe(0);
    expect(() => zero.set([1, 2], [0])).toThrow("(2,) does not broadcast to (3,)");
  });

  it("has gradients to both", async () => {
    const [base, value] = [ones([4]) as Tensor, tensor([2, 3]) as Tensor];
    const y = base.set(value, [slice(1, 3)]);
    const [gBase, gValue] = grad(y.mul(tensor([1, 10, 100, 1000])).sum(), [base, value] as const);
    expect(await gBase!.toArray()).toEqual([1, 0, 0, 1000]);
    expect(await gValue!.toArray()).toEqual([10, 100]);
  });
});

describe("scatter, scatterAdd, maskedFill, nonzero", () => {
  it("replace and add in the order of the indices", async () => {
    expect(await zeros([3]).scatter([1, 1, 0], [4, 5, 6]).toArray()).toEqual([6, 5, 0]);
    expect(await zeros([3]).scatterAdd([1, 1, 0], [4, 5, 6]).toArray()).toEqual([6, 9, 0]);
    expect(
      await zeros([2, 3])
        .scatter([2], [[1], [2]], 1)
        .toArray(),
    ).toEqual([
      [0, 0, 1],
      [0, 0, 2],
    ]);
    await expect(zeros([3]).scatter([3], [1]).toArray()).rejects.toThrow(
      "scatter: indices into axis 0 of size 3 must be 0 … 2, but element [0] is 3",
    );
  });

  it("maskedFill broadcasts the mask", async () => {
    const y = ones([2, 2]).maskedFill([true, false], -Infinity);
    expect(await y.toArray()).toEqual([
      [-Infinity, 1],
      [-Infinity, 1],
    ]);
  });

  it("nonzero gives rows of indices within a bound", async () => {
    const { indices, count } = tensor([
      [0, 3],
      [5, 0],
      [0, 7],
    ]).nonzero();
    expect(await count.item()).toBe(3);
    expect((await indices.toArray()).slice(0, 3)).toEqual([
      [0, 1],
      [1, 0],
      [2, 1],
    ]);
    expect(indices.shape).toEqual([6, 2]);
    await expect(tensor([1, 1]).nonzero({ size: 1 }).count.item()).rejects.toThrow(
      "nonzero: there must be at most 1 elements other than 0 (size)",
    );
    expect(() => tensor([1]).nonzero({ size: 0 })).toThrow(
      "size, the largest number of results, must be a positive",
    );
  });
});

describe("set under a mask", () => {
  const y = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]) as Tensor;
  it("over all axes, or the first: NumPy's x[mask] = value", async () => {
    expect(await y.set(0, [y.greater(4)]).toArray()).toEqual([
      [1, 2, 3],
      [4, 0, 0],
    ]);
    const rows = tensor([3, 5]).greater(4);
    expect(await y.set([7, 8, 9], [rows]).toArray()).toEqual([
      [1, 2, 3],
      [7, 8, 9],
    ]);
  });
  it("gradients go to the value where it stands, to the tensor elsewhere", async () => {
    const value = tensor(2) as Tensor;
    const loss = y
      .set(value, [y.greater(4)])
      .square()
      .sum();
    expect(await grad(loss, y).toArray()).toEqual([
      [2, 4, 6],
      [8, 0, 0],
    ]);
    expect(await grad(loss, value).toArray()).toBe(8);
  });
  it("a mask of other sizes is refused", () => {
    expect(() => y.set(0, [tensor([true, false, true])])).toThrow(
      "set: the mask has shape (3,), the tensor (2, 3): a mask has the first axes' sizes",
    );
  });
});
