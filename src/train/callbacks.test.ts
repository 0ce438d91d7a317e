import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { blobs } from "../../test/blobs.ts";
import { seed } from "../base/default-key.ts";
import { load, weightsSha256 } from "../checkpoint/index.ts";
import { crossEntropy, l1Penalty, l2Penalty } from "../losses/index.ts";
import { accuracy } from "../metrics/index.ts";
import { Linear, Parameter, ReLU, Sequential } from "../nn/index.ts";
import { constant, SGD, sgd, WeightAverage } from "../optim/index.ts";
import { compile, grad, tensor } from "../tensor/index.ts";
import { History, validationName } from "./history.ts";
import {
  type Callback,
  csvLog,
  type FitOptions,
  fit,
  jsonLog,
  modelCheckpoint,
  type PlateauOptions,
  reduceOnPlateau,
} from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-callbacks-"));
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => seed(1));

const makeModel = () => new Sequential(new Linear(2, 8), new ReLU(), new Linear(8, 3));
const options = {
  loss: crossEntropy,
  metrics: [accuracy],
  progress: "none",
} as const satisfies Partial<FitOptions>;

describe("modelCheckpoint", () => {
  test("keeps weights of each epoch, or of the best", async () => {
    const model = makeModel();
    const hashes: string[] = [];
    const remember: Callback = { onEpochEnd: async () => void hashes.push(await weightsSha256(model)) };
    const all = modelCheckpoint({ path: join(folder, "epoch-{epoch}.safetensors") });
    const best = modelCheckpoint({
      path: ({ scores }) => join(folder, `best-${scores["validationLoss"]!.toFixed(6)}.safetensors`),
      onlyBest: true,
    });
    const history = await fit(model, blobs(120), {
      ...options,
      optimizer: sgd({ learningRate: 0.1 }),
      epochs: 3,
      validation: blobs(30, 2),
      callbacks: [all, best, remember],
    });
    for (const epoch of [1, 2, 3]) {
      const again = makeModel();
      await load(again, join(folder, `epoch-${epoch}.safetensors`));
      expect(await weightsSha256(again)).toBe(hashes[epoch - 1]);
    }
    let least = Infinity;
    const improvements = history.series("validationLoss").filter((loss) => {
      const isLess = loss < least;
      least = Math.min(least, loss);
      return isLess;
    });
    expect(readdirSync(folder).filter((name) => name.startsWith("best"))).toHaveLength(improvements.length);
  });
});

describe("csvLog and jsonLog", () => {
  test("hold every epoch, also after a resumed run", async () => {
    const [csv, json, checkpoint] = ["run.csv", "run.json", "state.safetensors"].map((name) =>
      join(folder, name),
    );
    const common = {
      ...options,
      optimizer: sgd({ learningRate: 0.1 }),
      checkpoint: checkpoint!,
      resume: true,
    };
    const callbacks = [csvLog(csv!), jsonLog(json!)];
    await fit(makeModel(), blobs(60), { ...common, epochs: 2, callbacks });
    await fit(makeModel(), blobs(60), { ...common, epochs: 3, callbacks });
    const lines = readFileSync(csv!, "utf8").trimEnd().split("\n");
    expect(lines[0]).toBe("epoch,steps,seconds,loss,accuracy");
    expect(lines.slice(1).map((line) => line.split(",").slice(0, 2))).toEqual([
      ["1", "2"],
      ["2", "2"],
      ["3", "2"],
    ]);
    const { epochs } = JSON.parse(readFileSync(json!, "utf8")) as History;
    expect(epochs.map(({ epoch }) => epoch)).toEqual([1, 2, 3]);
    expect(Number(lines[3]!.split(",")[3])).toBe(epochs[2]!.scores["loss"]);
  });
});

describe("reduceOnPlateau", () => {
  /** Learning rates after epochs with these values of a score. */
  async function rates(values: readonly number[], given: PlateauOptions): Promise<number[]> {
    const optimizer = new SGD([new Parameter([1])], { learningRate: 1 });
    const callback = reduceOnPlateau(given);
    const run = { optimizer, history: new History() } as never;
    await callback.onTrainBegin?.(run);
    const found: number[] = [];
    for (const [at, value] of values.entries()) {
      const scores = { [validationName("loss")]: value };
      await callback.onEpochEnd?.({ epoch: at + 1, scores } as never, run);
      found.push(Number(await optimizer.learningRate().item()));
    }
    return found;
  }

  test("multiplies rates after `patience` epochs without improvement", async () => {
    expect(await rates([5, 4, 4, 4, 4, 4, 3], { factor: 0.5, patience: 2 })).toEqual([
      1, 1, 1, 0.5, 0.5, 0.25, 0.25,
    ]);
  });
  test("waits for the cooldown, and keeps the least rate", async () => {
    const given = { factor: 0.5, patience: 1, cooldown: 2, minLearningRate: 0.4 };
    expect(await rates([1, 1, 1, 1, 1, 1], given)).toEqual([
      1,
      0.5,
      0.5,
      0.5,
      Math.fround(0.4),
      Math.fround(0.4),
    ]);
  });
  test("says what it cannot do", async () => {
    expect(() => reduceOnPlateau({ factor: 2 })).toThrow("factor must be between 0 and 1, got 2");
    expect(() => reduceOnPlateau({ patience: 0 })).toThrow(
      "patience must be an integer of at least 1, got 0",
    );
    const plateau = reduceOnPlateau({ monitor: "loss", patience: 1, minDelta: 100 });
    const run = fit(makeModel(), blobs(30), {
      ...options,
      optimizer: sgd({ learningRate: constant(0.1) }),
      epochs: 3,
      callbacks: [plateau],
    });
    await expect(run).rejects.toThrow(
      "the learning rate is a schedule; make the optimizer with a number to set it",
    );
  });
});

describe("options of fit", () => {
  test("penalty is part of the loss and of the gradients", async () => {
    const heavy = makeModel();
    seed(1);
    const plain = makeModel();
    const size = async (model: Sequential): Promise<number> =>
      Number(await l1Penalty(model.parameters(), 1).item());
    const common = { ...options, optimizer: sgd({ learningRate: 0.05 }), epochs: 4 };
    const penalised = await fit(heavy as unknown as Sequential, blobs(120), {
      ...common,
      penalty: (model) => l2Penalty(model.parameters(), 0.1),
    });
    const free = await fit(plain as unknown as Sequential, blobs(120), common);
    expect(await size(heavy as unknown as Sequential)).toBeLessThan(
      0.95 * (await size(plain as unknown as Sequential)),
    );
    expect(penalised.series("loss")[0]).toBeGreaterThan(free.series("loss")[0]!);
  });

  test("clipValue limits each element of a gradient", async () => {
    const model = new Sequential(new Linear(2, 3));
    const before = await model.layers[0].weight.data();
    await fit(model, blobs(32), {
      ...options,
      optimizer: sgd({ learningRate: 1 }),
      clipValue: 1e-4,
      batchSize: 32,
    });
    const after = await model.layers[0].weight.data();
    const moves = after.map((value, i) => Math.abs(value - before[i]!));
    expect(Math.max(...moves)).toBeLessThan(1.01e-4);
    expect(Math.max(...moves)).toBeGreaterThan(0.99e-4);
  });

  test("validationSplit takes a part out, by the seed", async () => {
    const run = (validationSplit: number, fitSeed = 0) =>
      fit(makeModel(), blobs(100), {
        ...options,
        optimizer: sgd({ learningRate: 0.1 }),
        validationSplit,
        seed: fitSeed,
      });
    const [first, again, other] = [await run(0.2), await run(0.2), await run(0.2, 5)];
    expect(first.epochs[0]!.samples).toBe(80);
    expect(other.epochs[0]!.samples).toBe(80);
    seed(1);
    expect(Object.keys(again.epochs[0]!.scores)).toEqual([
      "loss",
      "accuracy",
      "validationLoss",
      "validationAccuracy",
    ]);
    await expect(run(1)).rejects.toThrow("validationSplit must be between 0 and 1, got 1");
    await expect(
      fit(makeModel(), blobs(10), {
        ...options,
        optimizer: sgd(),
        validationSplit: 0.5,
        validation: blobs(10),
      }),
    ).rejects.toThrow("give validation (a dataset) or validationSplit (a fraction), not both");
  });
});

describe("WeightAverage", () => {
  test("follows the weights within a compiled step", async () => {
    const model = new Linear(2, 1, { key: 1 });
    const average = new WeightAverage(model.parameters(), { decay: 0.9 });
    const optimizer = new SGD(model.parameters(), { learningRate: 0.1 });
    const step = compile((x: ReturnType<typeof tensor>) => {
      const loss = model
        .forward(x as never)
        .square()
        .sum();
      optimizer.step(grad(loss, optimizer.parameters));
      average.update();
      return loss;
    });
    const expected = Float64Array.from(await model.weight.data());
    for (let i = 0; i < 5; i++) {
      await step(tensor([[1, 2]]) as never).item();
      const own = await model.weight.data();
      expected.forEach((value, at) => {
        expected[at] = 0.9 * value + 0.1 * own[at]!;
      });
    }
    const own = await model.weight.toArray();
    average.swap();
    const mean = (await model.weight.data()) as Float32Array;
    mean.forEach((value, at) => {
      expect(value).toBeCloseTo(expected[at]!, 6);
    });
    average.swap();
    expect(await model.weight.toArray()).toEqual(own);
    expect([...average.stateDict().keys()]).toEqual(["weight", "bias"]);
    expect(() => new WeightAverage([], { decay: 1 })).toThrow("decay must be from 0 to below 1, got 1");
  });
});
