import { describe, expect, it } from "vitest";
import { compile, type Tensor, tensor, zeros } from "../tensor/index.ts";
import { accuracy, topKAccuracy } from "./index.ts";

const scores = tensor([
  [3, 2, 1, 0],
  [0, 1, 2, 3],
  [1, 1, 0, 0],
  [0, 0, 5, 0],
]);

describe("accuracy", () => {
  it("is the share of samples whose largest score is at their label", async () => {
    expect(await accuracy(scores, [0, 3, 0, 1]).item()).toBe(0.75);
    expect(await accuracy(scores, tensor([0, 3, 1, 1], { dtype: "u8" })).item()).toBe(0.5);
  });

  it("takes one-hot rows, and any number of axes", async () => {
    const rows = [
      [1, 0, 0, 0],
      [0, 0, 0, 1],
      [0, 1, 0, 0],
      [0, 1, 0, 0],
    ];
    expect(await accuracy(scores, rows).item()).toBe(0.5);
    expect(
      await accuracy(scores.reshape([2, 2, 4]), [
        [0, 3],
        [1, 1],
      ]).item(),
    ).toBe(0.5);
  });

  it("counts a NaN as the largest score", async () => {
    expect(await accuracy(tensor([[1, Number.NaN]]), [0]).item()).toBe(0);
    expect(await accuracy(tensor([[1, Number.NaN]]), [1]).item()).toBe(1);
  });

  it("is part of a compiled step", async () => {
    const step = compile((x: Tensor, y: Tensor) => ({ accuracy: accuracy(x, y) }));
    expect(await step(scores, tensor([0, 3, 0, 1])).accuracy.item()).toBe(0.75);
  });

  it("has the name under which it is shown", () => {
    expect(accuracy.name).toBe("accuracy");
    expect(topKAccuracy(5).name).toBe("top5Accuracy");
  });

  it("refuses labels that are none", async () => {
    expect(() => accuracy(zeros([4, 2]), [[0], [1], [0], [1]])).toThrow(
      "accuracy: predictions (4, 2) need labels (4,) of class indices or (4, 2) of one-hot rows, got (4, 1)",
    );
    await expect(accuracy(scores, [0, 1, 2, 4]).item()).rejects.toThrow(
      "accuracy: labels must be classes 0 … 3, but element [3] is 4",
    );
  });
});

describe("topKAccuracy", () => {
  it("is the share of samples whose label is among the k largest", async () => {
    expect(await topKAccuracy(1)(scores, [0, 3, 0, 1]).item()).toBe(0.75);
    expect(await topKAccuracy(2)(scores, [1, 1, 1, 1]).item()).toBe(0.5);
    expect(await topKAccuracy(3)(scores, [2, 1, 2, 1]).item()).toBe(1);
    expect(await topKAccuracy(4)(scores, [3, 0, 3, 3]).item()).toBe(1);
  });

  it("takes equal scores in their order, and nothing beside a NaN", async () => {
    expect(await topKAccuracy(2)(tensor([[1, 1, 1]]), [1]).item()).toBe(1);
    expect(await topKAccuracy(2)(tensor([[1, 1, 1]]), [2]).item()).toBe(0);
    expect(await topKAccuracy(2)(tensor([[1, Number.NaN, 0]]), [0]).item()).toBe(0);
  });

  it("needs an integer", () => {
    expect(() => topKAccuracy(0)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: topKAccuracy: k must be an integer from 1, got 0]`,
    );
  });
});
