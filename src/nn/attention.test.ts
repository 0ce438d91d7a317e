import { describe, expect, it } from "vitest";
import { compile, grad, type Tensor, tensor, zeros } from "../tensor/index.ts";
import {
  MultiheadAttention,
  scaledDotProductAttention,
  Transformer,
  TransformerEncoderLayer,
} from "./index.ts";

const numbers = (seed: number, ...shape: number[]): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.7 + seed)),
    { shape },
  ) as Tensor;
const rows = async (x: Tensor): Promise<number[]> => Array.from((await x.data()) as Float32Array);

describe("scaledDotProductAttention", () => {
  it("is a mean of values by how keys match", async () => {
    const q = tensor([[[1, 0]]]) as Tensor;
    const k = tensor([
      [
        [1, 0],
        [0, 1],
      ],
    ]) as Tensor;
    const v = tensor([[[1], [3]]]) as Tensor;
    const weight = 1 / (1 + Math.exp(-1 / Math.sqrt(2)));
    expect((await rows(scaledDotProductAttention(q, k, v)))[0]).toBeCloseTo(weight + 3 * (1 - weight), 6);
    expect(
      await rows(scaledDotProductAttention(q, k, v, { mask: tensor([[false, true]]) as Tensor })),
    ).toEqual([3]);
  });

  it("is causal when asked: later keys change nothing", async () => {
    const [q, k, v] = [1, 2, 3].map((seed) => numbers(seed, 2, 5, 4)) as [Tensor, Tensor, Tensor];
    const first = scaledDotProductAttention(q, k, v, { causal: true }).at("...", 0, [0, 1, 2]) as Tensor;
    const changed = (x: Tensor) => x.set(100, [0, 4]) as Tensor;
    const other = scaledDotProductAttention(q, changed(k), changed(v), { causal: true }).at(
      "...",
      0,
      [0, 1, 2],
    ) as Tensor;
    expect(await rows(other)).toEqual(await rows(first));
  });

  it("shares heads of keys and values among heads of queries", async () => {
    const [q, k, v] = [numbers(1, 1, 4, 3, 2), numbers(2, 1, 2, 3, 2), numbers(3, 1, 2, 3, 2)];
    const grouped = scaledDotProductAttention(q, k, v);
    const repeated = scaledDotProductAttention(q, k.repeat(2, 1) as Tensor, v.repeat(2, 1) as Tensor);
    expect(await rows(grouped)).toEqual(await rows(repeated));
    expect(() =>
      scaledDotProductAttention(numbers(1, 3, 3, 2), numbers(2, 2, 3, 2), numbers(3, 2, 3, 2)),
    ).toThrow(/3 heads of queries \(3, 3, 2\) are no multiple of 2 of keys and values \(2, 3, 2\)/);
  });
});

describe("MultiheadAttention", () => {
  it("never looks at padding, in values and gradients", async () => {
    const layer = new MultiheadAttention(4, 2, { batchFirst: true, key: 1 });
    const padding = tensor([[false, false, true]]) as Tensor;
    const run = compile((x: Tensor) => {
      const { output } = layer.forward(x.slice(1, 0, 2) as Tensor, x, x, { keyPaddingMask: padding });
      return [output, ...grad(output.sum() as Tensor, layer.parameters())] as Tensor[];
    });
    const clean = numbers(1, 1, 3, 4);
    const a = run(clean);
    const b = run(clean.set(Number.NaN, [0, 2]) as Tensor);
    for (const [i, value] of a.entries()) expect(await rows(b[i]!)).toEqual(await rows(value));
  });

  it("gives weights that sum to 1", async () => {
    const layer = new MultiheadAttention(4, 2, { batchFirst: true, key: 1 });
    const { weights } = layer.forward(numbers(1, 2, 3, 4), undefined, undefined, { needWeights: true });
    for (const sum of await rows(weights!.sum(-1) as Tensor)) expect(sum).toBeCloseTo(1, 6);
  });

  it("says what does not fit", () => {
    expect(() => new MultiheadAttention(6, 4)).toThrow("MultiheadAttention: 4 heads must divide embedDim 6");
    expect(() => new MultiheadAttention(6, 2).forward(zeros([3, 2, 5]) as Tensor)).toThrow(
      /MultiheadAttention\(6, 2 heads\) expects a query of 3 axes with 6 features, got \(3, 2, 5\)/,
    );
  });
});

describe("Transformer", () => {
  it("lists PyTorch's names", () => {
    const layer = new TransformerEncoderLayer(4, 2, { dimFeedforward: 8 });
    expect([...layer.stateDict().keys()].sort()).toEqual(
      [
        "self_attn.in_proj_weight",
        "self_attn.in_proj_bias",
        "self_attn.out_proj.weight",
        "self_attn.out_proj.bias",
      ]
        .concat(
          ["linear1", "linear2", "norm1", "norm2"].flatMap((name) => [`${name}.weight`, `${name}.bias`]),
        )
        .sort(),
    );
  });

  it("treats samples of a batch alike", async () => {
    const sizes = {
      numEncoderLayers: 1,
      numDecoderLayers: 1,
      dimFeedforward: 8,
      dropout: 0,
      batchFirst: true,
    };
    const model = new Transformer({ dModel: 4, nhead: 2, ...sizes, key: 1 });
    const [source, target] = [numbers(1, 2, 3, 4), numbers(2, 2, 3, 4)];
    const swap = (x: Tensor): Tensor => x.flip(0) as Tensor;
    const straight = model.forward(source, target, { causal: true });
    const swapped = model.forward(swap(source), swap(target), { causal: true });
    expect(await rows(swap(swapped))).toEqual(await rows(straight));
  });
});
