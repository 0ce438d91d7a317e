import { describe, expect, it } from "vitest";
import { Parameter } from "../nn/index.ts";
import { compile, grad, type Tensor, tensor, zeros } from "../tensor/index.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { checkGradients } from "../testing/index.ts";
import { binaryCrossEntropy, crossEntropy, huber, mae, mse } from "./index.ts";

/** The error's text; places lose their folders and lines. */
async function messageOf(body: () => unknown): Promise<string> {
  try {
    await body();
  } catch (error) {
    return String(error).replace(/\S*\/([\w.]+):\d+:\d+/g, "$1");
  }
  return "no error";
}

describe("shapes", () => {
  it("must be equal: losses do not broadcast", async () => {
    expect(await messageOf(() => mse(zeros([32, 1]) as Tensor, zeros([32])))).toMatchInlineSnapshot(
      `"ShapeError: mse: predictions (32, 1) and targets (32,) differ in shape, and losses do not broadcast; reshape one: targets.reshape([32, 1]) (at losses.test.ts)"`,
    );
    expect(await messageOf(() => mae(zeros([2, 3]) as Tensor, zeros([3])))).toMatchInlineSnapshot(
      `"ShapeError: mae: predictions (2, 3) and targets (3,) differ in shape, and losses do not broadcast; give each prediction its target (at losses.test.ts)"`,
    );
    expect(await messageOf(() => huber(zeros([2]) as Tensor, 0))).toMatchInlineSnapshot(
      `"ShapeError: huber: predictions (2,) and targets () differ in shape, and losses do not broadcast; give each prediction its target (at losses.test.ts)"`,
    );
    expect(
      await messageOf(() => binaryCrossEntropy(zeros([4, 1]) as Tensor, [0, 1, 1, 0])),
    ).toMatchInlineSnapshot(
      `"ShapeError: binaryCrossEntropy: predictions (4, 1) and targets (4,) differ in shape, and losses do not broadcast; reshape one: targets.reshape([4, 1]) (at losses.test.ts)"`,
    );
  });

  it("are red in the editor where they are known", () => {
    const [column, row] = [zeros([32, 1]), zeros([32])];
    const refused = () => {
      // @ts-expect-error mse: predictions (32, 1) and targets (32,) differ, losses do not broadcast
      mse(column, row);
      // @ts-expect-error huber: predictions (32,) and targets (2,) differ, losses do not broadcast
      huber(row, [1, 2]);
    };
    expect(refused).toThrow("losses do not broadcast");
    const unknown: Tensor = zeros([32]);
    expect(mse(unknown, row).shape).toEqual([]);
    expect(mae(zeros([2]), [1, 2]).shape).toEqual([]);
  });

  it("of labels are those of the samples or of the logits", async () => {
    expect(await messageOf(() => crossEntropy(zeros([32, 10]), zeros([32, 1])))).toMatchInlineSnapshot(
      `"ShapeError: crossEntropy: logits (32, 10) need labels (32,) of class indices or (32, 10) of probabilities, got (32, 1) (at losses.test.ts)"`,
    );
    expect(await messageOf(() => crossEntropy(zeros([]), 0))).toMatchInlineSnapshot(
      `"ShapeError: crossEntropy: logits () need labels () of class indices or () of probabilities, got () (at losses.test.ts)"`,
    );
    const weighted = () => crossEntropy(zeros([2, 3]), [0, 1], { classWeights: [1, 2] });
    expect(await messageOf(weighted)).toMatchInlineSnapshot(
      `"ShapeError: crossEntropy: classWeights must have shape (3,), one for each class, got (2,) (at losses.test.ts)"`,
    );
  });
});

describe("options", () => {
  it("are checked", async () => {
    const logits = zeros([1, 2]);
    expect(await messageOf(() => crossEntropy(logits, [0], { labelSmoothing: 1 }))).toMatchInlineSnapshot(
      `"ArgumentError: crossEntropy: labelSmoothing must be from 0 to below 1, got 1 (at losses.test.ts)"`,
    );
    expect(
      await messageOf(() => crossEntropy(logits, [0], { smoothing: 1 } as object)),
    ).toMatchInlineSnapshot(
      `"ArgumentError: crossEntropy: there is no option "smoothing"; it takes reduction, mask, weights, from, labelSmoothing, ignoreIndex, classWeights (at losses.test.ts)"`,
    );
    expect(await messageOf(() => crossEntropy(logits, [[0, 1]], { ignoreIndex: 1 }))).toMatchInlineSnapshot(
      `"ArgumentError: crossEntropy: ignoreIndex goes with class indices; these labels are probabilities (at losses.test.ts)"`,
    );
    expect(
      await messageOf(() => mse(logits, [[0, 1]], { reduction: "max" } as object)),
    ).toMatchInlineSnapshot(
      `"ArgumentError: mse: reduction "max" is unknown; use "mean", "sum" or "none" (at losses.test.ts)"`,
    );
    expect(await messageOf(() => huber(logits, [[0, 1]], { delta: 0 }))).toMatchInlineSnapshot(
      `"ArgumentError: huber: delta must be above 0, got 0 (at losses.test.ts)"`,
    );
  });
});

describe("labels that are none fail the step, which changes nothing", () => {
  const weight = new Parameter([[1, 2, 3]], { name: "weight" });
  const step = compile((labels: Tensor, loss: (logits: Tensor, labels: Tensor) => Tensor) => {
    const value = loss(weight.add(0), labels);
    weight.assign(weight.sub(grad(value, weight)));
    return value;
  });
  const outcome = (labels: Tensor, loss: typeof crossEntropy): Promise<string> =>
    messageOf(() => step(labels, loss as never).item());

  it.each([
    ["out of range", tensor([3], { dtype: "i32" })],
    ["negative", tensor([-1], { dtype: "i32" })],
    ["above 8 bits", tensor([255], { dtype: "u8" })],
    ["NaN", tensor([Number.NaN])],
    ["a fraction", tensor([0.5])],
  ])("%s", async (_, labels) => {
    expect(await outcome(labels as Tensor, crossEntropy)).toMatch(
      /^StepError: crossEntropy: labels must be classes 0 … 2, but element \[0\] is (3|-1|255|NaN|0\.5) .*changed nothing/,
    );
    expect(await weight.toArray()).toEqual([[1, 2, 3]]);
  });

  it("NaN or negative probabilities, NaN answers", async () => {
    expect(await outcome(tensor([[0, Number.NaN, 1]]) as Tensor, crossEntropy)).toContain(
      "crossEntropy: label probabilities must be 0 or more, but element [0, 1] is NaN",
    );
    expect(await outcome(tensor([[0, -1, 1]]) as Tensor, crossEntropy)).toContain("element [0, 1] is -1");
    expect(await outcome(tensor([[0, 2, 1]]) as Tensor, binaryCrossEntropy as never)).toContain(
      "binaryCrossEntropy: labels must be from 0 to 1, but element [0, 1] is 2",
    );
    expect(await weight.toArray()).toEqual([[1, 2, 3]]);
  });

  it("and the next step goes on", async () => {
    expect(await step(tensor([0]) as Tensor, crossEntropy as never).item()).toBeCloseTo(2.407606, 5);
    expect(await weight.toArray()).not.toEqual([[1, 2, 3]]);
  });
});

describe("crossEntropy", () => {
  it("takes classes in any dtype, and on any number of axes", async () => {
    const logits = tensor([
      [0, 0, 5],
      [5, 0, 0],
    ]);
    const expected = await crossEntropy(logits, tensor([2, 1], { dtype: "i32" })).item();
    for (const dtype of ["u8", "i8", "u32", "f32"] as const) {
      expect(await crossEntropy(logits, tensor([2, 1], { dtype })).item()).toBe(expected);
    }
    expect(await crossEntropy(logits.reshape([1, 2, 3]), tensor([[2, 1]])).item()).toBe(expected);
  });

  it("of impossible classes is finite where they are not the label", async () => {
    const logits = tensor([[0, -Infinity]]);
    expect(await crossEntropy(logits, [0]).item()).toBe(0);
    expect(await crossEntropy(logits, [[1, 0]]).item()).toBe(0);
    expect(await crossEntropy(logits, [1]).item()).toBe(Infinity);
    const w = new Parameter([[0, -Infinity]]);
    const gradient = await grad(crossEntropy(w.add(0), [0]), w).data();
    expect(Array.from(gradient, Math.abs)).toEqual([0, 0]);
  });

  it("is 0 where every label is ignored", async () => {
    const w = new Parameter([[1, 2]]);
    const loss = crossEntropy(w.add(0), tensor([-100]), { ignoreIndex: -100 });
    expect(await loss.item()).toBe(0);
    expect(Array.from(await grad(loss, w).data(), Math.abs)).toEqual([0, 0]);
  });

  it("has right gradients to second order", () => {
    const label = { shape: [2], dtype: "i32", data: Float64Array.of(2, 0) } as const;
    const logits = {
      shape: [2, 3],
      dtype: "f64",
      data: Float64Array.of(0.3, -1, 2, 0.5, 0.1, -0.7),
    } as const;
    for (const options of [{}, { labelSmoothing: 0.1 }, { ignoreIndex: 0 }]) {
      checkGradients(([x, y]) => nodeOf(crossEntropy(fromNode(x!), fromNode(y!), options)), [logits, label]);
    }
  });
});

describe("gradients at the edges", () => {
  const slope = async (loss: (x: Tensor) => Tensor, at: number): Promise<number> => {
    const w = new Parameter([at]);
    return (await grad(loss(w.add(0)), w).toArray())[0];
  };
  it("are those of the middle", async () => {
    expect(await slope((x) => mae(x, [1]), 1)).toBe(0);
    expect(await slope((x) => binaryCrossEntropy(x, [1]), 0)).toBe(-0.5);
    expect(await slope((x) => binaryCrossEntropy(x, [0]), -100)).toBeLessThan(1e-30);
    expect(await slope((x) => binaryCrossEntropy(x, [1]), -100)).toBe(-1);
    expect(await slope((x) => huber(x, [0]), 1)).toBe(1);
    expect(await slope((x) => huber(x, [0]), -3)).toBe(-1);
  });
});
