import { describe, expect, it } from "vitest";
import { svdvals } from "../linalg/index.ts";
import { compile, grad, type Tensor, tensor } from "../tensor/index.ts";
import {
  Conv2d,
  Linear,
  ReLU,
  removeParametrization,
  Sequential,
  spectralNorm,
  weightNorm,
} from "./index.ts";

const x = tensor([
  [1, -2, 0.5],
  [0.25, 1, -1],
]) as Tensor;
const values = async (y: Tensor): Promise<number[]> => Array.from((await y.data()) as Float32Array);
const closeTo = (a: readonly number[], b: readonly number[]): void =>
  a.forEach((value, i) => {
    expect(value).toBeCloseTo(b[i]!, 5);
  });

describe("weightNorm", () => {
  it("changes nothing at first, learns length and direction, and can be taken off", async () => {
    const model = new Sequential(new Linear(3, 4, { key: 1 }), new ReLU());
    const before = await values(model.forward(x));
    const step = compile((input: Tensor) => model.forward(input));
    await step(x).data();
    weightNorm(model.layers[0] as Linear);
    closeTo(await values(model.forward(x)), before);
    expect([...model.stateDict().keys()]).toEqual([
      "0.bias",
      "0.parametrizations.weight.original0",
      "0.parametrizations.weight.original1",
    ]);
    const [length] = [model.namedParameters().get("0.parametrizations.weight.original0")!];
    length.assign(length.mul(2));
    const doubled = await values(model.forward(x));
    closeTo(
      doubled,
      before.map((value) => 2 * value),
    ); // the bias is 0
    // What was compiled before notices.
    closeTo(await values(step(x)), doubled);
    removeParametrization(model.layers[0] as Linear);
    closeTo(await values(model.forward(x)), doubled);
    expect([...model.stateDict().keys()]).toEqual(["0.weight", "0.bias"]);
    expect(model.layers[0]!.weight.trainable).toBe(true);
  });

  it("gives the direction no gradient along itself", async () => {
    const layer = weightNorm(new Linear(3, 1, { key: 2 }));
    const direction = layer.namedParameters().get("parametrizations.weight.original1")!;
    const slope = grad(
      layer
        .forward(x as never)
        .square()
        .sum() as Tensor,
      direction,
    ) as Tensor;
    expect(Number(await slope.mul(direction).sum().item())).toBeCloseTo(0, 5);
  });
});

describe("spectralNorm", () => {
  it("makes the largest singular value 1, in evaluation by the vectors that training left", async () => {
    const layer = spectralNorm(new Linear(3, 4, { key: 3 }), { key: 4 });
    for (let i = 0; i < 20; i++) await layer.forward(x as never).data();
    layer.eval();
    const [largest] = await values(svdvals(layer.weight.value ?? (layer.weight as Tensor)) as Tensor);
    expect(largest).toBeCloseTo(1, 4);
    const before = await values(layer.forward(x as never) as Tensor);
    expect(await values(layer.forward(x as never) as Tensor)).toEqual(before);
  });
});

describe("a parametrization", () => {
  it("needs a parameter that is not computed already", () => {
    const layer = weightNorm(new Linear(2, 2));
    expect(() => weightNorm(layer)).toThrow('"weight" of Linear is computed already; remove that first');
    expect(() => weightNorm(new Linear(2, 2, { bias: false }), { name: "bias" })).toThrow(
      'Linear has no parameter "bias" in a field of its own',
    );
    expect(() => spectralNorm(new Linear(2, 2), { name: "bias" })).toThrow(
      "is a vector; it takes matrices and kernels",
    );
    expect(() => removeParametrization(new Conv2d(1, 1, 1))).toThrow("is not computed");
  });
});
