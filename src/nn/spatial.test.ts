import { describe, expect, it } from "vitest";
import { compile, type Tensor, tensor, zeros } from "../tensor/index.ts";
import {
  AvgPool2d,
  BatchNorm2d,
  Conv1d,
  Conv2d,
  ConvTranspose2d,
  Embedding,
  Flatten,
  GroupNorm,
  LayerNorm,
  Linear,
  MaxPool2d,
  ReLU,
  Sequential,
} from "./index.ts";

const messageOf = (body: () => unknown): string => {
  try {
    body();
  } catch (error) {
    return (error as Error).message.replace(/ \(at .*\)$/s, "");
  }
  return "no error";
};

describe("wrong sizes and options", () => {
  it.each([
    [
      "channels",
      () => new Conv2d(3, 32, 3).forward(zeros([8, 1, 28, 28]) as Tensor),
      "Conv2d(3 → 32, kernel 3) expects 3 channels on axis 1, (8, 1, 28, 28) has 1",
    ],
    [
      "axes",
      () => new Conv1d(3, 4, 3).forward(zeros([3, 9]) as Tensor),
      "Conv1d(3 → 4, kernel 3) expects 3 axes, (N, C, L), got (3, 9)",
    ],
    [
      "groups",
      () => new Conv2d(3, 4, 3, { groups: 2 }),
      "Conv2d: 2 groups must divide the channels, got 3 → 4",
    ],
    [
      "kernel",
      () => new Conv2d(3, 4, [3, 3, 3]),
      "Conv2d: kernelSize must be one number or 2, each an integer of at least 1, got [3, 3, 3]",
    ],
    [
      "same",
      () => new Conv2d(3, 4, 3, { padding: "same", stride: 2 }),
      'Conv2d: padding "same" needs stride 1, got 2, 2; give numbers',
    ],
    [
      "padding",
      () => new Conv2d(3, 4, 3, { padding: "full" as never }),
      'Conv2d: padding "full" is unknown; use "same", "valid" or numbers',
    ],
    [
      "a large kernel",
      () => new Conv2d(1, 1, 5).forward(zeros([1, 1, 4, 4]) as Tensor),
      "windows: a window reaches over 5 elements of an axis of 4; pad it first",
    ],
    [
      "output padding",
      () => new ConvTranspose2d(1, 1, 2, { stride: 2, outputPadding: 2 }),
      "ConvTranspose2d: outputPadding 2 must be less than the stride 2",
    ],
    [
      "pool padding",
      () => new MaxPool2d(2, { padding: 2 }),
      "MaxPool2d: padding 2 must be at most half of the window's 2",
    ],
    [
      "an option",
      () => new AvgPool2d(2, { countIncludePadding: true } as never),
      'AvgPool2d: there is no option "countIncludePadding"; did you mean "countIncludePad"?',
    ],
    [
      "batch norm",
      () => new BatchNorm2d(3).forward(zeros([8, 4, 2, 2]) as Tensor),
      "BatchNorm2d(3) expects 3 channels on axis 1, (8, 4, 2, 2) has 4",
    ],
    [
      "layer norm",
      () => new LayerNorm([4, 3]).forward(zeros([8, 3, 4]) as Tensor),
      "LayerNorm(4×3) expects (…, 4, 3), got (8, 3, 4)",
    ],
    ["group norm", () => new GroupNorm(4, 6), "GroupNorm: 4 groups must divide 6 channels"],
    [
      "embedding",
      () => new Embedding(5, 2, { paddingIndex: 5 }),
      "Embedding: paddingIndex 5 is outside of 5 rows",
    ],
  ] as const)("%s", (_, body, message) => {
    expect(messageOf(body)).toContain(message);
  });
});

describe("a small convolutional network", () => {
  const model = new Sequential(
    new Conv2d(1, 4, 3, { padding: 1 }),
    new BatchNorm2d(4),
    new ReLU(),
    new MaxPool2d(2),
    new Flatten(),
    new Linear(64, 10),
  );

  it("is summed up with shapes and FLOP", () => {
    const { layers } = model.summary([2, 1, 8, 8]);
    expect(layers.map(({ name, outputShape, parameters }) => [name, outputShape, parameters])).toEqual([
      ["Sequential", [2, 10], 0],
      ["Conv2d", [2, 4, 8, 8], 40],
      ["BatchNorm2d", [2, 4, 8, 8], 8],
      ["ReLU", [2, 4, 8, 8], 0],
      ["MaxPool2d", [2, 4, 4, 4], 0],
      ["Flatten", [2, 64], 0],
      ["Linear", [2, 10], 650],
    ]);
    expect(layers[1]!.flop).toBeGreaterThanOrEqual(2 * 2 * 4 * 64 * 9);
  });

  it("keeps statistics while training, and only then", async () => {
    const norm = model.layers[1] as BatchNorm2d;
    const step = compile((x: Tensor) => model.forward(x as never).sum());
    const x = tensor(
      Float32Array.from({ length: 64 }, (_, i) => i % 7),
      { shape: [1, 1, 8, 8] },
    ) as Tensor;
    await step(x).item();
    const after = await norm.runningMean!.toArray();
    expect(await norm.numBatchesTracked!.item()).toBe(1);
    model.eval();
    await step(x).item();
    expect(await norm.runningMean!.toArray()).toEqual(after);
    model.train();
  });
});
