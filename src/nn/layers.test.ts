import { afterEach, describe, expect, expectTypeOf, it } from "vitest";
import { seed } from "../base/default-key.ts";
import { randomKey } from "../base/random.ts";
import { Adam, SGD } from "../optim/index.ts";
import { dimension, type Tensor, tensor, zeros } from "../tensor/index.ts";
import {
  Flatten,
  GELU,
  initializers,
  Linear,
  Module,
  Parameter,
  ReLU,
  Sequential,
  Sigmoid,
  SiLU,
  Softmax,
  Tanh,
} from "./index.ts";

afterEach(() => seed(42));

describe("Linear", () => {
  it("is x·Wᵀ + b, with PyTorch's layout of W", async () => {
    const layer = new Linear(2, 3);
    layer.weight.assign([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    layer.bias!.assign([10, 20, 30]);
    const y = layer.forward(
      tensor([
        [1, 1],
        [0, 2],
      ]),
    );
    expect(await y.toArray()).toEqual([
      [13, 27, 41],
      [14, 28, 42],
    ]);
  });

  it("works on any number of leading axes", () => {
    const layer = new Linear(4, 2, { bias: false });
    expect(layer.bias).toBeUndefined();
    expect(layer.forward(zeros([4])).shape).toEqual([2]);
    expect(layer.forward(zeros([5, 3, 4])).shape).toEqual([5, 3, 2]);
    expect([...layer.namedParameters().keys()]).toEqual(["weight"]);
  });

  it("has types", () => {
    const layer = new Linear(784, 64);
    expectTypeOf(layer.weight).toEqualTypeOf<Parameter<[64, 784]>>();
    expectTypeOf(layer.forward(zeros([32, 784]))).toEqualTypeOf<Tensor<[32, 64], "f32">>();
    const refused = () => {
      // @ts-expect-error Linear expects 784 features, the last axis has 783
      layer.forward(zeros([32, 783]));
    };
    expect(refused).toThrow("Linear(784 → 64) expects 784 features, the last axis of (32, 783) has 783");
    const unknown = tensor([[1]]) as Tensor;
    expect(() => layer.forward(unknown)).toThrow("expects 784 features");
    expect(() => layer.forward(tensor(1) as Tensor)).toThrow("expects 784 features, a scalar has none");
  });

  it("begins with Glorot uniform weights and zero biases, the same for the same seed", async () => {
    const first = new Linear(100, 50);
    const weight = await first.weight.data();
    const limit = Math.sqrt(6 / 150);
    expect(Math.max(...weight)).toBeLessThanOrEqual(limit);
    expect(Math.max(...weight)).toBeGreaterThan(0.99 * limit);
    expect(await first.bias!.data()).toEqual(new Float32Array(50));
    expect(await new Linear(100, 50).weight.data()).not.toEqual(weight);
    seed(42);
    expect(await new Linear(100, 50).weight.data()).toEqual(weight);
  });

  it("takes initializers and keys", async () => {
    const options = {
      weightInit: initializers.fanInUniform(),
      biasInit: initializers.fanInUniform(),
      key: 7,
    };
    const layer = new Linear(25, 40, options);
    expect(Math.max(...(await layer.bias!.data()))).toBeLessThanOrEqual(0.2);
    expect((await layer.bias!.data()).some((x) => x !== 0)).toBe(true);
    const again = new Linear(25, 40, { ...options, key: randomKey(7) });
    expect(await again.weight.data()).toEqual(await layer.weight.data());
    expect(await again.weight.data()).not.toEqual(
      await new Linear(25, 40, { ...options, key: 8 }).weight.data(),
    );
  });

  it("refuses sizes that are none", () => {
    expect(() => new Linear(0, 3)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Linear: inFeatures must be a positive integer, got 0]`,
    );
    expect(() => new Linear(3, 1.5)).toThrow("outFeatures must be a positive integer, got 1.5");
    expect(() => new Linear(3, 1, { Bias: false } as object)).toThrow(
      'no option "Bias"; did you mean "bias"?',
    );
  });
});

describe("Sequential", () => {
  it("knows the features of its chain", () => {
    const model = new Sequential(new Linear(784, 64), new Linear(64, 10));
    expectTypeOf<(typeof model)["features"]["in"]>().toEqualTypeOf<784>();
    expectTypeOf<(typeof model)["features"]["out"]>().toEqualTypeOf<10>();
    expect(model.forward(zeros([2, 784])).shape).toEqual([2, 10]);
    expect(model.layers[1].outFeatures).toBe(10);
    // @ts-expect-error Linear expects 63 features, the layer before gives 64
    new Sequential(new Linear(784, 64), new Linear(63, 10));
    // @ts-expect-error Linear expects 3 features, the layer before gives 10
    new Sequential(model, new Linear(3, 2));
  });

  it("takes modules of any kind", () => {
    class Head extends Module {
      readonly layer = new Linear(64, 10);
      forward(x: Tensor<[number, 64]>): Tensor<[number, 10]> {
        return this.layer.forward(x);
      }
    }
    const model = new Sequential(new Linear(4, 64), new Head());
    expect([...model.stateDict().keys()]).toEqual(["0.weight", "0.bias", "1.layer.weight", "1.layer.bias"]);
    // @ts-expect-error this layer expects 64 features, the layer before gives 63
    new Sequential(new Linear(4, 63), new Head());
  });
});

describe("activations", () => {
  const x = tensor([-2, 0, 3]);
  const rows: [string, Module & { forward(x: Tensor): Tensor }, number[]][] = [
    ["ReLU()", new ReLU(), [0, 0, 3]],
    ["Sigmoid()", new Sigmoid(), [0.1192029, 0.5, 0.9525741]],
    ["Tanh()", new Tanh(), [-0.9640276, 0, 0.9950548]],
    ["GELU()", new GELU(), [-0.0455003, 0, 2.9959502]],
    ["GELU(tanh)", new GELU({ approximate: "tanh" }), [-0.0454023, 0, 2.9963627]],
    ["SiLU()", new SiLU(), [-0.2384058, 0, 2.8577224]],
    ["Softmax(axis -1)", new Softmax(), [0.0063775, 0.0471234, 0.9464991]],
  ];
  it.each(rows)("%s", async (text, layer, expected) => {
    const y: number[] = await layer.forward(x).toArray();
    y.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 6);
    });
    expect(String(layer)).toBe(text);
    expect(layer.parameters()).toEqual([]);
  });

  it("keep types, and pass features on in a chain", () => {
    expectTypeOf(new ReLU().forward(zeros([2, 3]))).toEqualTypeOf<Tensor<[2, 3], "f32">>();
    const model = new Sequential(
      new Linear(784, 64),
      new ReLU(),
      new Linear(64, 64),
      new Tanh(),
      new Linear(64, 10),
    );
    expectTypeOf<(typeof model)["features"]["out"]>().toEqualTypeOf<10>();
    // @ts-expect-error Linear expects 63 features, the layer before gives 64
    new Sequential(new Linear(784, 64), new ReLU(), new Linear(63, 10));
  });
});

describe("Flatten", () => {
  it("keeps the first axis", () => {
    expect(new Flatten().forward(zeros([2, 3, 4])).shape).toEqual([2, 12]);
    expect(new Flatten().forward(zeros([5])).shape).toEqual([5, 1]);
  });
});

describe("Parameter", () => {
  it("is a tensor where one is accepted", async () => {
    const w = new Parameter([1, 2]);
    expect(await tensor([3, 4]).mul(w).toArray()).toEqual([3, 8]);
    expect(await w.add(1).toArray()).toEqual([2, 3]);
    w.assign(w.mul(10));
    expect(await w.toArray()).toEqual([10, 20]);
  });

  it("must be a float", () => {
    expect(() => new Parameter([1], { dtype: "i32" })).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: parameter "parameter" is i32: what is learnt must be a float; use state(…) for the rest]`,
    );
  });
});

describe("summary", () => {
  class Net extends Module {
    readonly hidden = new Linear(784, 64);
    readonly output = new Linear(64, 10, { bias: false });
    forward(x: Tensor): Tensor {
      return this.output.forward(this.hidden.forward(x).mul(2));
    }
  }

  it("has figures for each layer", () => {
    const net = new Net();
    net.hidden.freeze();
    const summary = net.summary([32, 784]);
    expect(
      summary.layers.map(({ path, outputShape, parameters, flop }) => [path, outputShape, parameters, flop]),
    ).toEqual([
      ["", [32, 10], 0, 32 * 64],
      ["hidden", [32, 64], 784 * 64 + 64, 2 * 32 * 784 * 64 + 32 * 64],
      ["output", [32, 10], 640, 2 * 32 * 64 * 10],
    ]);
    expect(summary.parameters).toBe(50_880);
    expect(summary.trainableParameters).toBe(640);
    expect(summary.bytes).toBe(4 * 50_880);
    expect(summary.toString()).toMatchInlineSnapshot(`
      "layer                     output    parameters     bytes    FLOP
      Net                       (32, 10)                         2.0 k
        hidden Linear (frozen)  (32, 64)      50,240  201.0 kB   3.2 M
        output Linear           (32, 10)         640    2.6 kB  41.0 k
      50,880 parameters (203.5 kB), 640 trainable, 50,240 frozen, 3.3 MFLOP forward"
    `);
  });

  it("shows what an optimizer keeps for each layer", () => {
    const net = new Net();
    net.output.freeze();
    const optimizer = new Adam(net.hidden.parameters());
    const summary = net.summary().withOptimizer(optimizer);
    expect(summary.optimizerBytes).toBe(2 * 4 * 50_240);
    expect(summary.toString()).toMatchInlineSnapshot(`
      "layer                     parameters     bytes  optimizer
      Net
        hidden Linear               50,240  201.0 kB   401.9 kB
        output Linear (frozen)         640    2.6 kB
      50,880 parameters (203.5 kB), 50,240 trainable, 640 frozen, optimizer 401.9 kB"
    `);
    expect(net.summary().withOptimizer(new SGD(net.parameters())).optimizerBytes).toBe(0);
  });

  it("takes tensors and dimensions, or nothing", () => {
    const net = new Net();
    expect(net.summary(zeros([3, 784])).layers[0]!.outputShape).toEqual([3, 10]);
    const batch = dimension("batch", { max: 8 });
    expect(String(net.summary([batch, 784]))).toContain("(batch, 10)");
    expect(net.summary().toString()).toMatchInlineSnapshot(`
      "layer            parameters     bytes
      Net
        hidden Linear      50,240  201.0 kB
        output Linear         640    2.6 kB
      50,880 parameters (203.5 kB)"
    `);
  });

  it("counts tied parameters once", () => {
    const layer = new Linear(2, 2);
    expect(new Sequential(layer, layer).summary().parameters).toBe(6);
  });
});
