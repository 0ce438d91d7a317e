/** What holds of every layer: samples know nothing of each other and of their order, none are fine, and gradients have gradients. */
import { describe, expect, it } from "vitest";
import { compile, grad, type Tensor, tensor } from "../tensor/index.ts";
import * as nn from "./index.ts";

const key = 7;
type Layer = (x: Tensor) => Tensor;

const numbers = (seed: number, shape: readonly number[]): Tensor => {
  const count = shape.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length: count }, (_, i) => Math.sin(i * 1.7 + seed * 0.9) * 0.8);
  return tensor(data, { shape: [...shape] }) as Tensor;
};

const of =
  (layer: nn.Module & { forward(x: Tensor): Tensor }): Layer =>
  (x) =>
    layer.forward(x);
const recurrent =
  (layer: nn.RNN | nn.GRU | nn.LSTM): Layer =>
  (x) =>
    layer.forward(x).output;
const attention = new nn.MultiheadAttention(4, 2, { batchFirst: true, key });
const block = { batchFirst: true, dropout: 0, dimFeedforward: 6, key } as const;
const bidirectional = { batchFirst: true, bidirectional: true, key } as const;
const luong = new nn.LuongAttention(4, { score: "general", key });
const bahdanau = new nn.BahdanauAttention(4, 4, 3, { key });
const decoder = new nn.TransformerDecoderLayer(4, 2, block);
const transformer = new nn.Transformer({
  dModel: 4,
  nhead: 2,
  numEncoderLayers: 1,
  numDecoderLayers: 1,
  ...block,
});
const bilinear = new nn.Bilinear(4, 4, 3, { key });
const lstmCell = new nn.LSTMCell(3, 4, { key });
const unpool = new nn.MaxUnpool2d(2);
const image = [2, 4, 5];

/** Name, layer, and the shape of a sample. */
const layers: readonly [name: string, layer: Layer, sample: readonly number[]][] = [
  ["Linear", of(new nn.Linear(4, 3, { key })), [4]],
  ["Bilinear", (x) => bilinear.forward(x, x.neg() as Tensor), [4]],
  ["Conv1d", of(new nn.Conv1d(2, 3, 3, { padding: 1, key })), [2, 5]],
  ["Conv2d", of(new nn.Conv2d(4, 4, 3, { stride: 2, padding: 1, groups: 2, key })), [4, 5, 4]],
  ["Conv2d, reflect", of(new nn.Conv2d(2, 3, 3, { padding: 1, paddingMode: "reflect", key })), image],
  ["Conv3d", of(new nn.Conv3d(1, 2, 2, { key })), [1, 3, 3, 2]],
  ["ConvTranspose1d", of(new nn.ConvTranspose1d(2, 3, 3, { stride: 2, key })), [2, 4]],
  ["ConvTranspose2d", of(new nn.ConvTranspose2d(2, 3, 3, { stride: 2, key })), [2, 3, 2]],
  ["ConvTranspose3d", of(new nn.ConvTranspose3d(1, 2, 2, { key })), [1, 2, 2, 3]],
  ["MaxPool1d", of(new nn.MaxPool1d(2)), [2, 5]],
  ["MaxPool2d", of(new nn.MaxPool2d(2)), [2, 4, 4]],
  ["MaxPool3d", of(new nn.MaxPool3d(2)), [1, 2, 3, 2]],
  ["AvgPool1d", of(new nn.AvgPool1d(2)), [2, 5]],
  ["AvgPool2d", of(new nn.AvgPool2d(3, { stride: 2, padding: 1 })), [2, 5, 4]],
  ["AvgPool3d", of(new nn.AvgPool3d(2)), [1, 2, 3, 2]],
  ["LPPool1d", (x) => new nn.LPPool1d(2, 2).forward(x.square().add(0.1) as Tensor), [2, 5]],
  ["LPPool2d", (x) => new nn.LPPool2d(2, 2).forward(x.square().add(0.1) as Tensor), image],
  ["LPPool3d", (x) => new nn.LPPool3d(2, 2).forward(x.square().add(0.1) as Tensor), [1, 2, 3, 2]],
  ["AdaptiveAvgPool1d", of(new nn.AdaptiveAvgPool1d(2)), [2, 5]],
  ["AdaptiveAvgPool2d", of(new nn.AdaptiveAvgPool2d(2)), [2, 5, 3]],
  ["AdaptiveAvgPool3d", of(new nn.AdaptiveAvgPool3d(2)), [1, 2, 3, 2]],
  ["AdaptiveMaxPool1d", of(new nn.AdaptiveMaxPool1d(2)), [2, 5]],
  ["AdaptiveMaxPool2d", of(new nn.AdaptiveMaxPool2d(2)), [2, 5, 3]],
  ["AdaptiveMaxPool3d", of(new nn.AdaptiveMaxPool3d(2)), [1, 2, 3, 2]],
  ["MaxUnpool2d", (x) => unpooled(x), [2, 4, 4]],
  ["BatchNorm2d, evaluation", of(new nn.BatchNorm2d(2).eval()), [2, 3, 2]],
  ["LayerNorm", of(new nn.LayerNorm(4)), [3, 4]],
  ["GroupNorm", of(new nn.GroupNorm(2, 4)), [4, 3]],
  ["InstanceNorm1d", of(new nn.InstanceNorm1d(2, { affine: true })), [2, 5]],
  ["InstanceNorm2d", of(new nn.InstanceNorm2d(2)), image],
  ["InstanceNorm3d", of(new nn.InstanceNorm3d(1)), [1, 2, 3, 2]],
  ["LocalResponseNorm", of(new nn.LocalResponseNorm(3)), [4, 3]],
  ["RMSNorm", of(new nn.RMSNorm(4)), [3, 4]],
  ["Dropout, evaluation", of(new nn.Dropout(0.5).eval()), [4]],
  ["GaussianNoise, evaluation", of(new nn.GaussianNoise(0.5).eval()), [4]],
  ["Upsample", of(new nn.Upsample({ scaleFactor: 2, mode: "bilinear" })), [2, 3, 2]],
  ["Upsample, bicubic", of(new nn.Upsample({ scaleFactor: 2, mode: "bicubic" })), [1, 3, 4]],
  ["PixelShuffle", of(new nn.PixelShuffle(2)), [4, 2, 3]],
  ["PixelUnshuffle", of(new nn.PixelUnshuffle(2)), [1, 4, 2]],
  ["ChannelShuffle", of(new nn.ChannelShuffle(2)), [4, 3, 2]],
  ["Unfold", of(new nn.Unfold(2)), image],
  ["Fold", of(new nn.Fold([3, 4], 2)), [4, 6]],
  ["ReflectionPad2d", of(new nn.ReflectionPad2d(1)), image],
  ["ReplicationPad1d", of(new nn.ReplicationPad1d(2)), [2, 3]],
  ["CircularPad3d", of(new nn.CircularPad3d(1)), [1, 2, 3, 2]],
  ["ConstantPad2d", of(new nn.ConstantPad2d([1, 0, 2, 1], 0.5)), image],
  ["Flatten", of(new nn.Flatten()), [2, 3]],
  ["Unflatten", of(new nn.Unflatten(1, [2, 3])), [6]],
  ["Permute", of(new nn.Permute([0, 2, 1])), [2, 3]],
  ["Reshape", of(new nn.Reshape([3, 2])), [2, 3]],
  ["PReLU", of(new nn.PReLU()), [4]],
  ["GLU", of(new nn.GLU({ gate: "silu" })), [4]],
  ["GELU", of(new nn.GELU()), [4]],
  ["Mish", of(new nn.Mish()), [4]],
  ["SELU", of(new nn.SELU()), [4]],
  ["Softmax", of(new nn.Softmax()), [4]],
  ["Softmax2d", of(new nn.Softmax2d()), image],
  ["LogSoftmax", of(new nn.LogSoftmax()), [4]],
  ["Entmax15", of(new nn.Entmax15()), [4]],
  ["Sparsemax", of(new nn.Sparsemax()), [4]],
  ["CosineSimilarity", (x) => new nn.CosineSimilarity().forward(x, x.square().add(1) as Tensor), [4]],
  ["PairwiseDistance", (x) => new nn.PairwiseDistance().forward(x, x.square().add(1) as Tensor), [4]],
  ["weightNorm", of(nn.weightNorm(new nn.Linear(4, 3, { key }))), [4]],
  ["spectralNorm, evaluation", of(nn.spectralNorm(new nn.Linear(4, 3, { key })).eval()), [4]],
  ["Residual", of(new nn.Residual(new nn.Linear(4, 4, { key }))), [4]],
  ["Concat", of(new nn.Concat([new nn.Linear(4, 4, { key }), new nn.Tanh()])), [4]],
  ["RNN", recurrent(new nn.RNN(3, 4, bidirectional)), [4, 3]],
  ["GRU", recurrent(new nn.GRU(3, 4, bidirectional)), [4, 3]],
  ["LSTM", recurrent(new nn.LSTM(3, 4, bidirectional)), [4, 3]],
  ["RNNCell", (x) => new nn.RNNCell(3, 4, { key }).forward(x), [3]],
  ["GRUCell", (x) => new nn.GRUCell(3, 4, { key }).forward(x), [3]],
  ["LSTMCell", (x) => lstmCell.forward(x)[0], [3]],
  ["MultiheadAttention", (x) => attention.forward(x, x, x, { causal: true }).output, [3, 4]],
  ["LuongAttention", (x) => luong.forward(x, x).context, [3, 4]],
  ["BahdanauAttention", (x) => bahdanau.forward(x, x).context, [3, 4]],
  ["RotaryEmbedding", (x) => new nn.RotaryEmbedding(4).forward(x), [2, 3, 4]],
  ["SinusoidalPositions", of(new nn.SinusoidalPositions(4)), [3, 4]],
  ["TransformerEncoderLayer", of(new nn.TransformerEncoderLayer(4, 2, block)), [3, 4]],
  ["TransformerDecoderLayer", (x) => decoder.forward(x, x.neg() as Tensor), [3, 4]],
  ["Transformer", (x) => transformer.forward(x, x.neg() as Tensor), [3, 4]],
];

function unpooled(x: Tensor): Tensor {
  const { output, indices } = new nn.MaxPool2d(2).withIndices(x);
  return unpool.forward(output, indices);
}

describe.each(layers)("%s", (_, layer, sample) => {
  it("gives each sample what it gives it alone, in any order, and takes none", async () => {
    const x = numbers(1, [3, ...sample]);
    const order = [2, 0, 1];
    const run = compile((all: Tensor) => layer(all));
    const whole = run(x);
    const turned = await run(x.gather(order) as Tensor).data();
    const wanted = await (whole.gather(order) as Tensor).data();
    turned.forEach((y, i) => {
      expect(y).toBeCloseTo(wanted[i] as number, 5);
    });
    const alone = await run(x.slice(0, 1, 2) as Tensor).data();
    const second = await (whole.slice(0, 1, 2) as Tensor).data();
    alone.forEach((y, i) => {
      expect(y).toBeCloseTo(second[i] as number, 5);
    });
    const none = run(numbers(1, [0, ...sample]));
    expect(none.shape).toEqual([0, ...(whole.shape as number[]).slice(1)]);
    expect((await none.data()).length).toBe(0);
  });
});

/** Their slope jumps where what is largest changes, or at 0: differences near the point say nothing. */
const cornered = /^(Adaptive)?Max|PReLU|SELU|Sparsemax|Entmax/;
/** Where the slope of a slope exists everywhere near the point. */
const smooth = layers.filter(([name]) => !cornered.test(name));

describe("gradients of gradients are what differences of gradients say", () => {
  it.each(smooth)("%s", async (_, layer, sample) => {
    const shape = [2, ...sample];
    const [x, direction] = [numbers(2, shape), numbers(3, shape)];
    const slopes = (at: Tensor): Tensor => grad(layer(at).square().sum() as Tensor, [at])[0]!;
    const step = 1 / 256;
    const [product, above, below] = compile((at: Tensor, d: Tensor) => {
      const [second] = grad(slopes(at).mul(d).sum() as Tensor, [at]);
      return [second!, slopes(at.add(d.mul(step)) as Tensor), slopes(at.sub(d.mul(step)) as Tensor)];
    })(x, direction) as [Tensor, Tensor, Tensor];
    const differences = await (above.sub(below).div(2 * step) as Tensor).data();
    const found = await product.data();
    const largest = Math.max(1, ...[...differences].map((y) => Math.abs(Number(y))));
    found.forEach((y, i) => {
      expect(Math.abs(Number(y) - Number(differences[i])) / largest).toBeLessThan(2e-3);
    });
  });
});

describe("what a mask leaves out changes nothing, be it NaN", () => {
  const mask = tensor([
    [false, false, true],
    [false, true, true],
  ]) as Tensor;
  const keys = numbers(5, [2, 3, 4]);
  const broken = keys.set(Number.NaN, [0, 2]).set(Number.NaN, [1, 1]).set(Number.NaN, [1, 2]) as Tensor;
  const query = numbers(6, [2, 2, 4]);

  it.each([
    ["LuongAttention", luong],
    ["BahdanauAttention", bahdanau],
  ] as const)("%s, in values and gradients", async (_, layer) => {
    const run = compile((x: Tensor) => {
      const { context, weights } = layer.forward(query, x, { keyPaddingMask: mask });
      const loss = context.square().sum() as Tensor;
      return [context, weights, ...grad(loss, layer.parameters(), { allowUnused: true })] as Tensor[];
    });
    const [clean, dirty] = [run(keys), run(broken)];
    for (const [i, value] of clean.entries())
      expect(await dirty[i]!.toArray()).toEqual(await value.toArray());
  });

  it("EmbeddingBag passes over its padding index", async () => {
    const bag = new nn.EmbeddingBag(5, 3, { mode: "mean", paddingIndex: 2, key });
    const indices = tensor(
      [
        [0, 2, 4],
        [2, 2, 1],
      ],
      { dtype: "i32" },
    ) as Tensor;
    const clean = await bag.forward(indices).toArray();
    bag.weight.assign(bag.weight.set(Number.NaN, [2]) as Tensor);
    expect(await bag.forward(indices).toArray()).toEqual(clean);
  });
});
