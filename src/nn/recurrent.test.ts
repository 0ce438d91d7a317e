import { describe, expect, it } from "vitest";
import { compile, grad, type Tensor, tensor, zeros } from "../tensor/index.ts";
import { GRU, LSTM, RNN } from "./index.ts";

const numbers = (...shape: number[]): Tensor =>
  tensor(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i * 1.7)),
    { shape },
  ) as Tensor;

describe.each([
  ["RNN", () => new RNN(3, 4, { bidirectional: true, key: 1 })],
  ["GRU", () => new GRU(3, 4, { bidirectional: true, key: 1 })],
  ["LSTM", () => new LSTM(3, 4, { bidirectional: true, key: 1 })],
] as const)("%s", (_, make) => {
  it("never looks at what follows a sequence's length, in values and gradients", async () => {
    const layer = make();
    const lengths = tensor([2, 4], { dtype: "i32" }) as Tensor;
    const run = compile((x: Tensor) => {
      const { output, hidden } = layer.forward(x, undefined, { lengths });
      const loss = output.mul(output).sum().add(hidden.sum()) as Tensor;
      return [output, hidden, ...grad(loss, layer.parameters())] as Tensor[];
    });
    const clean = numbers(4, 2, 3);
    const data = (await clean.data()).slice() as Float32Array;
    // Steps 2 and 3 of the first sequence.
    for (const step of [2, 3]) data.fill(NaN, step * 6, step * 6 + 3);
    const [a, b] = [run(clean), run(tensor(data, { shape: [4, 2, 3] }) as Tensor)];
    for (const [i, value] of a.entries()) expect(await b[i]!.toArray()).toEqual(await value.toArray());
  });

  it("takes sequences in any order of the batch", async () => {
    const layer = make();
    const x = numbers(5, 3, 3);
    const swapped = x.gather([2, 0, 1], 1) as Tensor;
    const [straight, other] = [layer.forward(x).output, layer.forward(swapped).output];
    expect(await other.toArray()).toEqual(await (straight.gather([2, 0, 1], 1) as Tensor).toArray());
  });

  it("compiles to as many kernels for 64 steps as for 1,024, but for how long sums are cut", () => {
    const layer = make();
    const kernels = (length: number): number => {
      const step = compile((x: Tensor) => grad(layer.forward(x).output.sum() as Tensor, layer.parameters()));
      return step.describe(zeros([length, 2, 3]) as Tensor).kernels.length;
    };
    expect(kernels(1024) - kernels(64)).toBeLessThanOrEqual(2);
  });
});

it("says which features are wrong", () => {
  expect(() => new LSTM(3, 4).forward(zeros([5, 2, 7]) as Tensor)).toThrow(
    /LSTM\(3 → 4\) expects 3 features, got \(5, 2, 7\)/,
  );
  expect(() => new GRU(3, 4, { batchFirst: true }).forward(zeros([5, 3]) as Tensor)).toThrow(
    /GRU\(3 → 4\) expects 3 axes, \(N, T, features\), got \(5, 3\)/,
  );
});
