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

/** Name, layer, and the shape of a sample. */
const layers: readonly [name: string, layer: Layer, sample: readonly number[]][] = [
  ["Linear", of(new nn.Linear(4, 3, { key })), [4]],
  ["Conv1d", of(new nn.Conv1d(2, 3, 3, { padding: 1, key })), [2, 5]],
  ["Conv2d", of(new nn.Conv2d(4, 4, 3, { stride: 2, padding: 1, groups: 2, key })), [4, 5, 4]],
  ["Conv3d", of(new nn.Conv3d(1, 2, 2, { key })), [1, 3, 3, 2]],
  ["ConvTranspose2d", of(new nn.ConvTranspose2d(2, 3, 3, { stride: 2, key })), [2, 3, 2]],
  ["MaxPool2d", of(new nn.MaxPool2d(2)), [2, 4, 4]],
  ["AvgPool2d", of(new nn.AvgPool2d(3, { stride: 2, padding: 1 })), [2, 5, 4]],
  ["AdaptiveAvgPool2d", of(new nn.AdaptiveAvgPool2d(2)), [2, 5, 3]],
  ["BatchNorm2d, evaluation", of(new nn.BatchNorm2d(2).eval()), [2, 3, 2]],
  ["LayerNorm", of(new nn.LayerNorm(4)), [3, 4]],
  ["GroupNorm", of(new nn.GroupNorm(2, 4)), [4, 3]],
  ["RMSNorm", of(new nn.RMSNorm(4)), [3, 4]],
  ["Upsample", of(new nn.Upsample({ scaleFactor: 2, mode: "bilinear" })), [2, 3, 2]],
  ["PReLU", of(new nn.PReLU()), [4]],
  ["GLU", of(new nn.GLU({ gate: "silu" })), [4]],
  ["RNN", recurrent(new nn.RNN(3, 4, bidirectional)), [4, 3]],
  ["GRU", recurrent(new nn.GRU(3, 4, bidirectional)), [4, 3]],
  ["LSTM", recurrent(new nn.LSTM(3, 4, bidirectional)), [4, 3]],
  ["MultiheadAttention", (x) => attention.forward(x, x, x, { causal: true }).output, [3, 4]],
  ["TransformerEncoderLayer", of(new nn.TransformerEncoderLayer(4, 2, block)), [3, 4]],
];

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

/** Where the slope of a slope exists everywhere near the point. */
const smooth = layers.filter(([name]) => !["MaxPool2d", "PReLU"].includes(name));

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
