/** What a mask leaves out changes nothing, whatever stands there; losses are right to second order. */
import { describe, expect, it } from "vitest";
import { hashedUniform } from "../../test/fixtures.ts";
import { Parameter } from "../nn/index.ts";
import { grad, type Tensor, tensor } from "../tensor/index.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { checkGradients } from "../testing/index.ts";
import * as losses from "./index.ts";

type Loss = (...inputs: readonly (Tensor | object)[]) => Tensor;
const all = losses as unknown as Record<string, Loss>;

/** How a loss is called: predictions (3, 2), what else it takes, whether its values are samples, not elements. */
interface Row {
  readonly others: readonly (readonly number[] | readonly (readonly number[])[])[];
  readonly ofSamples?: true;
  readonly options?: object;
}
const numbers = [
  [0.2, 0.5],
  [0.9, 0.3],
  [0.4, 0.7],
];
const signs = [
  [1, -1],
  [-1, -1],
  [1, 1],
];
const answers = [
  [1, 0],
  [0, 0],
  [1, 1],
];
const labels = [1, 0, 1];
const elements = (...names: string[]): Record<string, Row> =>
  Object.fromEntries(names.map((name) => [name, { others: [numbers] }]));
const rows: Record<string, Row> = {
  ...elements("mse", "mae", "huber", "smoothL1", "logCosh", "quantileLoss", "poissonNll", "klDivergence"),
  ...elements(
    "meanSquaredLogarithmicError",
    "meanAbsolutePercentageError",
    "binaryCrossEntropy",
    "binaryFocal",
  ),
  ...Object.fromEntries(
    ["hinge", "squaredHinge", "softMargin", "hingeEmbedding"].map((name) => [name, { others: [signs] }]),
  ),
  marginRanking: { others: [numbers, signs] },
  gaussianNll: { others: [numbers, numbers] },
  crossEntropy: { others: [labels], ofSamples: true },
  nll: { others: [labels], ofSamples: true },
  focal: { others: [labels], ofSamples: true, options: { gamma: 1.5, classWeights: [1, 2] } },
  multiMargin: { others: [labels], ofSamples: true },
  multiLabelMargin: { others: [answers], ofSamples: true },
  multiLabelSoftMargin: { others: [answers], ofSamples: true },
  cosineEmbedding: { others: [numbers, [1, -1, 1]], ofSamples: true },
  tripletMargin: { others: [numbers, signs], ofSamples: true, options: { swap: true } },
  contrastive: { others: [numbers, [1, 0, 1]], ofSamples: true },
  dpo: { others: [numbers, numbers, signs], options: { labelSmoothing: 0.1 } },
  distillation: { others: [numbers], ofSamples: true },
};

describe("a mask", () => {
  it.each(Object.entries(rows))("of %s makes what it leaves out count for nothing", async (name, row) => {
    const { others, ofSamples, options } = row;
    const mask = tensor(
      ofSamples
        ? [true, false, true]
        : [
            [true, false],
            [false, false],
            [true, true],
          ],
    ) as Tensor;
    const isOut = (place: number): boolean => (ofSamples ? [2, 3] : [1, 2, 3]).includes(place);
    const run = async (filler: number) => {
      const spoilt = (values: readonly unknown[]): unknown[] => {
        let place = 0;
        const isVector = values.length === 3 && typeof values[0] === "number";
        const take = (value: unknown): unknown => {
          if (Array.isArray(value)) return value.map(take);
          const at = place++;
          return (isVector ? at === 1 : isOut(at)) ? filler || value : value;
        };
        return values.map(take);
      };
      const start = [
        [0.3, -0.4],
        [1.5, 0.1],
        [-0.7, 0.8],
      ];
      const x = new Parameter(spoilt(start) as number[][]);
      const loss = all[name]!(x.add(0), ...others.map((values) => tensor(spoilt(values) as number[])), {
        mask,
        ...options,
      });
      return { loss: await loss.item(), gradient: Array.from((await grad(loss, x).data()) as Float32Array) };
    };
    const plain = await run(0);
    expect(await run(Number.NaN)).toEqual(plain);
    expect(plain.loss).not.toBeNaN();
    expect(plain.gradient.filter((_, i) => isOut(i)).every((g) => g === 0)).toBe(true);
    expect(plain.gradient.some((g) => g !== 0)).toBe(true);
  });

  it("must be bool and broadcast to the values", () => {
    const [x, y] = [tensor([[1, 2]]) as Tensor, tensor([[1, 2]])];
    expect(() => losses.mse(x, y, { weights: [[1], [2]] })).toThrow(
      "mse: weights (2, 1) must broadcast to the values (1, 2); add axes at the end with expandDims(-1)",
    );
    expect(() => losses.crossEntropy(x, [0], { mask: [1] })).toThrow(
      "where: the condition is f32, not bool; compare it first: x.notEqual(0)",
    );
  });

  it("that lets nothing through gives 0", async () => {
    expect(await losses.mse(tensor([1, 2]), [3, 4], { mask: [false, false] }).item()).toBe(0);
  });
});

describe("gradients to second order", () => {
  const host = (seed: number, ...shape: number[]) => {
    const count = shape.reduce((n, size) => n * size, 1);
    return { shape, dtype: "f64", data: Float64Array.from(hashedUniform(seed, count, 1.5)) } as const;
  };
  const integers = (...data: number[]) =>
    ({ shape: [data.length], dtype: "i32", data: Float64Array.from(data) }) as const;
  type Check = Parameters<typeof checkGradients>[1];
  const cases: Record<string, [loss: (...x: Tensor[]) => Tensor, inputs: Check]> = {
    ctc: [
      (x, y, n, m) => losses.ctc(x!.logSoftmax(), y!.reshape([2, 2]) as Tensor, { inputs: n!, targets: m! }),
      [host(1, 4, 2, 3), integers(1, 2, 2, 2), integers(4, 4), integers(2, 2)],
    ],
    binaryFocal: [(x) => losses.binaryFocal(x!, [1, 0, 0.3], { gamma: 1.5 }), [host(2, 3)]],
    focal: [(x, y) => losses.focal(x!, y!), [host(3, 2, 3), integers(2, 0)]],
    infoNce: [(x, y) => losses.infoNce(x!, y!, { temperature: 0.7 }), [host(4, 3, 2), host(5, 3, 2)]],
    ntXent: [(x, y) => losses.ntXent(x!, y!), [host(6, 2, 2), host(7, 2, 2)]],
    contrastive: [
      (x, y) => losses.contrastive(x!, y!, [1, 0], { margin: 9 }),
      [host(8, 2, 2), host(9, 2, 2)],
    ],
    dpo: [(x, y) => losses.dpo(x!, y!, [-1, 2], [0.5, 1], { beta: 2 }), [host(11, 2), host(12, 2)]],
    orpo: [
      (x, y) => losses.orpo(x!.sub(2) as Tensor, y!.sub(2) as Tensor, { beta: 2 }),
      [host(13, 2), host(14, 2)],
    ],
    distillation: [(x) => losses.distillation(x!, [[1, 0, -1]], { temperature: 3 }), [host(15, 1, 3)]],
    dice: [(x) => losses.dice(x!, [[1, 0, 1]] as never, { from: "logits" }), [host(10, 1, 3)]],
  };
  it.each(Object.entries(cases))("of %s", (_, [loss, inputs]) => {
    checkGradients((nodes) => nodeOf(loss(...nodes.map((node) => fromNode(node!)))), inputs);
  });
});

describe("preferences", () => {
  it("need shapes that fit and options that mean something", () => {
    const x = tensor([-1, -2]) as Tensor;
    const run = (options: object) => () => losses.dpo(x, x, x, x, options);
    expect(run({ beta: 0 })).toThrow("dpo: beta must be above 0, got 0");
    expect(run({ labelSmoothing: 0.5 })).toThrow("dpo: labelSmoothing must be from 0 to below 0.5, got 0.5");
    expect(run({ kind: "ipo", labelSmoothing: 0.1 })).toThrow('labelSmoothing goes with kind "sigmoid"');
    expect(run({ kind: "hinge" })).toThrow('dpo: kind must be "sigmoid" or "ipo", got "hinge"');
    expect(() => losses.dpo(x, x, x, [1])).toThrow("dpo: predictions (2,) and targets (1,) differ in shape");
    expect(() => losses.orpo(x, x, { beta: -1 })).toThrow("orpo: beta must be above 0, got -1");
    expect(() => losses.distillation(x, x, { temperature: 0 })).toThrow("temperature must be above 0, got 0");
    expect(() => losses.sequenceLogProbability(tensor([[[1, 2]]]), [1])).toThrow(
      "sequenceLogProbability: logits (1, 1, 2) need labels (1, 1) of class indices, got (1,)",
    );
  });

  it("of a certain answer are finite", async () => {
    expect(await losses.orpo(tensor([0]), [-3]).item()).toBeLessThan(1e-6);
    expect(await losses.orpo(tensor([-3]), [0]).item()).toBeLessThan(10);
  });
});

describe("ctc", () => {
  it("checks shapes, lengths and labels", async () => {
    const x = tensor([[[0, 0]], [[0, 0]]]).logSoftmax() as Tensor;
    const lengths = { inputs: [2], targets: [1] };
    expect(() => losses.ctc(x, [1], lengths)).toThrow("ctc: targets must be (1, S) class indices, got (1,)");
    expect(() => losses.ctc(x, [[1]], { ...lengths, inputs: 2 })).toThrow(
      "ctc: lengths of inputs must be (1,), got ()",
    );
    expect(() => losses.ctc(x, [[1]], lengths, { blank: 2 })).toThrow(
      "ctc: the blank must be a class 0 … 1, got 2",
    );
    await expect(losses.ctc(x, [[5]], lengths).item()).rejects.toThrow("labels must be classes 0 … 1");
    await expect(losses.ctc(x, [[1]], { ...lengths, inputs: [3] }).item()).rejects.toThrow(
      "ctc: lengths of inputs must be 0 … 2",
    );
  });

  it("takes nothing from what follows a length", async () => {
    const lengths = { inputs: [2], targets: [1] };
    const run = (rest: number, label: number): Promise<number> => {
      const x = tensor([[[0.1, 0.4]], [[-0.2, 0.3]], [[rest, rest]]]).logSoftmax() as Tensor;
      return losses.ctc(x, tensor([[1, label]]), lengths).item() as Promise<number>;
    };
    expect(await run(Number.NaN, -7)).toBe(await run(0, 1));
  });
});
