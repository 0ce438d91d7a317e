/** Training in mixed precision: against PyTorch's autocast, in fit and in a loop written out. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { blobs } from "../../test/blobs.ts";
import { decodeArray, type EncodedArray, hashedUniform, readFixture } from "../../test/fixtures.ts";
import { seed } from "../base/default-key.ts";
import { weightsSha256 } from "../checkpoint/index.ts";
import { arrayDataset } from "../data/index.ts";
import { crossEntropy, mse } from "../losses/index.ts";
import {
  BatchNorm2d,
  Conv2d,
  GELU,
  LayerNorm,
  Linear,
  LSTM,
  type Module,
  MultiheadAttention,
  ReLU,
  Sequential,
} from "../nn/index.ts";
import { adam, LossScaler, SGD, sgd } from "../optim/index.ts";
import {
  autocast,
  compile,
  grad,
  ones,
  type Precision,
  scan,
  type Tensor,
  tensor,
  zeros,
} from "../tensor/index.ts";
import { evaluate, type FitOptions, fit, on } from "./index.ts";

const fixture = readFixture<
  Record<"x" | "targets", EncodedArray> & {
    readonly start: readonly EncodedArray[];
    readonly autocast: Record<"bf16" | "f32", readonly number[]>;
  }
>("training.json");
const folder = mkdtempSync(join(tmpdir(), "netwright-precision-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fixtureModel() {
  const model = new Sequential(new Linear(2, 3), new LayerNorm(3), new GELU(), new Linear(3, 2));
  const [weight, bias, , boxBias] = fixture.start.map((array) => decodeArray(array) as Float32Array);
  const turned = Float32Array.from({ length: 6 }, (_, at) => weight![(at % 2) * 3 + Math.floor(at / 2)]!);
  const [first, , , last] = model.layers;
  first.weight.assign({ dtype: "f32", shape: [3, 2], data: turned });
  first.bias!.assign({ dtype: "f32", shape: [3], data: bias! });
  last.weight.assign({ dtype: "f32", shape: [2, 3], data: hashedUniform(8, 6, 2) });
  last.bias!.assign({ dtype: "f32", shape: [2], data: boxBias! });
  return model;
}

const rows = (array: EncodedArray): number[][] => {
  const values = decodeArray(array);
  return Array.from({ length: array.shape[0]! }, (_, i) => Array.from(values.subarray(2 * i, 2 * i + 2)));
};
const dataset = arrayDataset({ x: rows(fixture.x), y: rows(fixture.targets) });

test.each(["f32", "bf16", "f16"] as const)(
  "losses in %s are near PyTorch's under autocast",
  async (precision) => {
    const losses: number[] = [];
    await fit(fixtureModel(), dataset, {
      ...{
        loss: mse,
        optimizer: sgd({ learningRate: 0.1 }),
        batchSize: 10,
        epochs: 10,
        shuffle: false,
        precision,
      },
      ...{ progress: "none", callbacks: [on("stepEnd", ({ loss }) => void losses.push(loss))] },
    });
    const want = fixture.autocast[precision === "bf16" ? "bf16" : "f32"];
    const tolerance = { f32: 1e-5, f16: 2e-3, bf16: 1e-2 }[precision];
    // A step that f16 leaves out is made again, with a smaller scale.
    const made = losses.filter((loss, i) => loss !== losses[i - 1]);
    made.forEach((loss, i) => void expect(Math.abs(loss / want[i]! - 1)).toBeLessThan(tolerance));
    expect(made.length).toBeGreaterThan(precision === "f16" ? 6 : 9);
  },
);

test("which operations take 16 bits and which f32", () => {
  const x = ones([2, 4]);
  const found = autocast("bf16", () => {
    const y = new Linear(4, 4).forward(x);
    return {
      ...{ x, y, matmul: x.matmul(ones([4, 2])), relu: y.relu(), add: y.add(y), mixed: y.add(x) },
      ...{ softmax: y.softmax(), sum: y.sum(), exp: y.exp(), norm: new LayerNorm(4).forward(y) },
    };
  });
  const dtypes = Object.fromEntries(
    Object.entries(found).map(([name, value]) => [name, (value as Tensor).dtype]),
  );
  expect(dtypes).toEqual({
    ...{ x: "f32", y: "bf16", matmul: "bf16", relu: "bf16", add: "bf16", mixed: "f32" },
    ...{ softmax: "f32", sum: "f32", exp: "f32", norm: "f32" },
  });
  expect(new Linear(4, 4).forward(x).dtype).toBe("f32");
  expect(() => autocast("fp16" as "f16", () => x)).toThrow('must be "bf16", "f16" or "f32", got "fp16"');
  expect(() => autocast("f16", async () => x)).toThrow("the function is asynchronous");
  const step = compile((y: Tensor) => y.sum());
  expect(() => autocast("f16", () => step(x))).toThrow("autocast does not reach into a compiled function");
});

test("layers with loops, attention and running statistics run in it, with gradients of their parameters in f32", async () => {
  const layers: [Module, Tensor, (result: any) => Tensor][] = [
    [new LSTM(4, 8, { batchFirst: true }), ones([2, 5, 4]), ({ output }) => output],
    [new MultiheadAttention(8, 2, { batchFirst: true }), ones([2, 5, 8]), ({ output }) => output],
    [new Sequential(new Conv2d(1, 4, 3), new BatchNorm2d(4)), ones([2, 1, 6, 6]), (y) => y],
  ];
  for (const [layer, x, outputOf] of layers) {
    const y = autocast("bf16", () => outputOf((layer.forward as (x: Tensor) => unknown)(x)));
    const gradients = grad(y.cast("f32").square().sum(), layer.parameters(), {
      allowUnused: true,
    }) as Tensor[];
    for (const gradient of gradients) {
      expect(gradient.dtype).toBe("f32");
      expect(Number(await gradient.isFinite().all().item())).toBe(1);
    }
  }
});

test("products of a loop are in 16 bits, what it carries is f32", async () => {
  const numbers = (count: number, seed: number): Tensor =>
    tensor(hashedUniform(seed, count, 1), { shape: [count / 6, 6] }) as Tensor;
  const [x, weight] = [numbers(24, 1), numbers(36, 2)];
  const run = (): { carry: Tensor; outputs: Tensor } =>
    scan(
      (h: Tensor, row: Tensor) => {
        const output = h.add(row).expandDims(0).matmul(weight).squeeze(0) as Tensor;
        return { carry: output.tanh() as Tensor, output };
      },
      zeros([6]) as Tensor,
      x,
    ) as { carry: Tensor; outputs: Tensor };
  const [full, low] = [run(), autocast("bf16", run)];
  expect([full.outputs.dtype, low.outputs.dtype, low.carry.dtype]).toEqual(["f32", "bf16", "f32"]);
  const [wanted, found] = [await full.carry.data(), await low.carry.data()];
  expect(found).not.toEqual(wanted);
  found.forEach((value, i) => void expect(value).toBeCloseTo(Number(wanted[i]), 1));

  const layer = new LSTM(6, 5, { projSize: 3, key: 3 });
  const sequence = x.reshape([4, 1, 6]) as Tensor;
  const slopes = (precision: Precision): Tensor[] => {
    const { output } = autocast(precision, () => layer.forward(sequence));
    return [output, ...(grad(output.square().sum() as Tensor, layer.parameters()) as Tensor[])];
  };
  const [exact, rounded] = [slopes("f32"), slopes("bf16")];
  for (const [i, value] of exact.entries()) {
    expect(rounded[i]!.dtype).toBe("f32");
    const [a, b] = [await value.data(), await rounded[i]!.data()];
    expect(b).not.toEqual(a);
    const largest = Math.max(...[...a].map((y) => Math.abs(Number(y))));
    b.forEach((y, at) => void expect(Math.abs(Number(y) - Number(a[at])) / largest).toBeLessThan(0.03));
  }
});

const makeModel = () => new Sequential(new Linear(2, 16), new ReLU(), new Linear(16, 3));

test("a scale that is too large is found: steps are left out, nothing is lost; it grows again", async () => {
  seed(1);
  const model = makeModel();
  const optimizer = new SGD(model.parameters(), { learningRate: 0.1, momentum: 0.9 });
  const scaler = new LossScaler({ initialScale: 2 ** 24, growthInterval: 3 });
  const step = compile((x: Tensor, y: Tensor) => {
    const loss = crossEntropy(autocast("f16", () => model.forward(x as never)).cast("f32"), y);
    scaler.step(optimizer, scaler.unscale(grad(scaler.scale(loss), optimizer.parameters)));
    return loss;
  });
  const { points, labels } = blobs(30).batch();
  const scales: number[] = [];
  const digests: string[] = [];
  for (let i = 0; i < 24; i++) {
    await step(points as never, labels as never).item();
    scales.push(Number(await scaler.factor.item()));
    digests.push(await weightsSha256(model));
  }
  const skippedFirst = digests.findIndex((digest) => digest !== digests[0]);
  expect(skippedFirst).toBeGreaterThan(0);
  // Halved each time, then doubled after three good steps.
  const lowest = 2 ** (24 - skippedFirst);
  expect(scales.slice(0, skippedFirst + 3)).toEqual([
    ...Array.from({ length: skippedFirst }, (_, i) => 2 ** (23 - i)),
    ...[lowest, lowest, 2 * lowest],
  ]);
  expect(Number(await optimizer.stepCount.item())).toBe(24 - Number(await scaler.skippedSteps.item()));
});

test("in fit: learns in f16 and bf16, the weights stay f32, a resumed run ends in the same bits", async () => {
  const run = (changed: Partial<FitOptions>, firstSeed = 1) => {
    seed(firstSeed);
    const model = makeModel();
    const common = {
      loss: crossEntropy,
      optimizer: adam({ learningRate: 0.02 }),
      epochs: 4,
      progress: "none",
    } as const;
    return { model, history: fit(model, blobs(120), { ...common, ...changed }) };
  };
  for (const precision of ["bf16", "f16"] as const) {
    const { model, history } = run({ precision });
    const losses = (await history).series("loss");
    expect(losses[3]).toBeLessThan(losses[0]! / 2);
    expect(model.parameters().every(({ dtype }) => dtype === "f32")).toBe(true);
    const scores = await evaluate(model, blobs(60), { loss: crossEntropy, precision });
    expect(scores.loss).not.toBe((await evaluate(model, blobs(60), { loss: crossEntropy })).loss);
  }
  const whole = run({ precision: "f16" });
  await whole.history;
  const checkpoint = join(folder, "run.safetensors");
  const stop = on("stepEnd", (_, own) => void (own.step === 6 && own.stop("test")));
  await run({ precision: "f16", checkpoint, callbacks: [stop] }).history;
  const resumed = run({ precision: "f16", checkpoint, resume: true }, 9);
  await resumed.history;
  expect(await weightsSha256(resumed.model)).toBe(await weightsSha256(whole.model));
});
