import { describe, expect, it } from "vitest";
import { compile, grad, ones, type Tensor, tensor, zeros } from "../tensor/index.ts";
import {
  AlphaDropout,
  Bilinear,
  FeatureDropout,
  GLU,
  Identity,
  Linear,
  Module,
  ModuleDict,
  ModuleList,
  PReLU,
  ReLU,
  Sequential,
  Unflatten,
} from "./index.ts";

describe("ModuleList", () => {
  it("holds modules by number and forgets none", () => {
    const list = new ModuleList<Module>([new Linear(4, 3)]);
    list
      .append(new ReLU())
      .extend([new Linear(3, 2)])
      .insert(0, new Identity());
    expect(list.length).toBe(4);
    expect([...list].map((layer) => layer.constructor.name)).toEqual([
      "Identity",
      "Linear",
      "ReLU",
      "Linear",
    ]);
    expect(list.at(-1)).toBe(list.at(3));
    expect([...list.stateDict().keys()]).toEqual(["1.weight", "1.bias", "3.weight", "3.bias"]);
    expect(() => list.at(4)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: ModuleList: index 4 is out of range for 4 modules]`,
    );
    expect(() => list.forward()).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: ModuleList: holds layers and computes nothing; call its layers one by one, or use Sequential for a chain]`,
    );
  });

  it("traces a compiled function again when it changes", async () => {
    const list = new ModuleList<Module>([new ReLU()]);
    class Model extends Module {
      readonly layers = list;
      forward(x: Tensor): Tensor {
        return [...this.layers].reduce<Tensor>((y, layer) => layer.forward(y), x);
      }
    }
    const model = new Model();
    const run = compile((x: Tensor) => model.forward(x));
    expect(await run(tensor([-1, 2]) as Tensor).toArray()).toEqual([0, 2]);
    list.append(new PReLU());
    list.insert(0, new Identity());
    list.remove(1);
    expect(await run(tensor([-1, 2]) as Tensor).toArray()).toEqual([-0.25, 2]);
  });
});

describe("ModuleDict", () => {
  it("holds modules by name", () => {
    const heads = new ModuleDict({ digit: new Linear(8, 10), parity: new Linear(8, 2) });
    expect(heads.get("digit").outFeatures).toBe(10);
    expect(heads.keys()).toEqual(["digit", "parity"]);
    heads.set("parity", new Linear(8, 1)).set("colour", new Identity());
    expect(heads.size).toBe(3);
    expect([...heads].map(([name]) => name)).toEqual(["digit", "parity", "colour"]);
    expect(heads.stateDict().get("parity.weight")!.shape).toEqual([1, 8]);
    expect(() => heads.get("partiy" as "parity")).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: ModuleDict: nothing is named "partiy"; did you mean "parity"?]`,
    );
    expect(() => new ModuleDict().get("a")).toThrow('nothing is named "a"; there are none');
  });
});

describe("layers of shapes", () => {
  it("Unflatten, Identity and GLU", async () => {
    expect(new Unflatten(-1, [2, 3]).forward(zeros([4, 6])).shape).toEqual([4, 2, 3]);
    expect(() => new Unflatten(1, [2, 2]).forward(zeros([4, 6]))).toThrow("reshape");
    const x = tensor([1, 2]);
    expect(new Identity().forward(x)).toBe(x);
    expect(await new GLU({ gate: "relu" }).forward(tensor([[2, 3, -1, 4]])).toArray()).toEqual([[0, 12]]);
    expect(await new GLU({ axis: 0, gate: "none" }).forward(tensor([2, 3])).toArray()).toEqual([6]);
    expect(() => new GLU().forward(zeros([3]))).toThrow(
      "glu: axis -1 of (3,) has no two equal halves; give it an even size",
    );
    expect(() => new GLU({ gate: "swish" as never }).forward(zeros([2]))).toThrow(
      'glu: "swish" is no gate; gates are sigmoid, silu, gelu, relu, tanh, none',
    );
  });
});

describe("Bilinear", () => {
  it("is x₁ᵀ·W·x₂ + b", async () => {
    const layer = new Bilinear(2, 3, 1);
    layer.weight.assign([
      [
        [1, 2, 3],
        [4, 5, 6],
      ],
    ]);
    layer.bias!.assign([10]);
    const y = layer.forward(tensor([[1, 2]]), tensor([[1, 0, -1]]));
    // 1·(1 − 3) + 2·(4 − 6) + 10
    expect(await y.toArray()).toEqual([[4]]);
    expect(layer.forward(zeros([5, 4, 2]), zeros([5, 4, 3])).shape).toEqual([5, 4, 1]);
    expect(new Bilinear(2, 3, 4, { bias: false }).parameters()).toHaveLength(1);
    expect(() => layer.forward(zeros([1, 2]), zeros([1, 2]))).toThrow("second input, expects 3 features");
    expect(() => new Bilinear(2, 0, 1)).toThrow("in2Features must be a positive integer, got 0");
  });

  it("begins within ±1/√in1", async () => {
    const weight = await new Bilinear(25, 4, 10, { key: 1 }).weight.data();
    expect(Math.max(...weight)).toBeLessThanOrEqual(0.2);
    expect(Math.max(...weight)).toBeGreaterThan(0.19);
  });
});

describe("PReLU", () => {
  it("has a slope for each channel", async () => {
    const layer = new PReLU(2);
    layer.weight.assign([0.5, -1]);
    const x = tensor([
      [
        [-2, 2],
        [-3, 3],
      ],
    ]);
    expect(await layer.forward(x).toArray()).toEqual([
      [
        [-1, 2],
        [3, 3],
      ],
    ]);
    const slopes = grad(layer.forward(x).sum(), layer.weight);
    expect(await slopes.toArray()).toEqual([-2, -3]);
    expect(await new PReLU(1, { init: 0.1 }).forward(tensor([[-10]])).toArray()).toEqual([[-1]]);
    expect(() => new PReLU(3).forward(x)).toThrow("broadcast");
  });
});

describe("dropout of other kinds", () => {
  it("FeatureDropout drops whole channels", async () => {
    const layer = new FeatureDropout(0.5, { key: 3 });
    const y = (await layer.forward(ones([20, 30, 7])).data()) as Float32Array;
    const channels = Array.from({ length: 600 }, (_, i) => new Set(y.subarray(7 * i, 7 * i + 7)));
    expect(channels.every((values) => values.size === 1)).toBe(true);
    const dropped = channels.filter((values) => values.has(0)).length;
    expect(Math.abs(dropped / 600 - 0.5)).toBeLessThan(0.07);
    expect(() => layer.forward(ones([2, 2]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: FeatureDropout: expects (batch, channels, …) with at least three axes, got (2, 2); use Dropout for vectors]`,
    );
    expect(layer.eval().forward(ones([2, 2])).shape).toEqual([2, 2]);
  });

  it("AlphaDropout keeps mean and variance", async () => {
    const layer = new AlphaDropout(0.2, { key: 5 });
    const count = 200_000;
    const x = Float32Array.from(
      { length: count },
      (_, i) => Math.SQRT2 * Math.sin((2 * Math.PI * i) / count),
    );
    const y = (await layer.forward(tensor(x)).data()) as Float32Array;
    const mean = y.reduce((sum, value) => sum + value, 0) / count;
    const variance = y.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count;
    expect(mean).toBeCloseTo(0, 1);
    expect(variance).toBeCloseTo(1, 1);
    expect(await new AlphaDropout(1).forward(tensor([3])).toArray()).toEqual([0]);
    expect(() => new AlphaDropout(2)).toThrow("AlphaDropout: the probability must be from 0 to 1, got 2");
  });

  it("stands in a Sequential", () => {
    const model = new Sequential(
      new Linear(4, 4),
      new AlphaDropout(),
      new PReLU(),
      new Identity(),
      new Linear(4, 2),
    );
    expect(model.forward(zeros([1, 4])).shape).toEqual([1, 2]);
  });
});
