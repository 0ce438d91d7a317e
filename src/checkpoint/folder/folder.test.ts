import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { readSafetensors } from "../../formats/index.ts";
import * as nn from "../../nn/index.ts";
import { columns, oneHot, pipeline, standardize, table } from "../../tabular/index.ts";
import { random, type Tensor } from "../../tensor/index.ts";
import { Vocabulary } from "../../text/index.ts";
import { weightsSha256 } from "../digest.ts";
import { loadPartial } from "../partial.ts";
import { describeModel, modelOf } from "./architecture.ts";
import { loadModel } from "./load.ts";
import { saveModel } from "./save.ts";

const root = mkdtempSync(join(tmpdir(), "netwright-models-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const newFolder = (): string => join(root, String(folders++));

class Classifier extends nn.Module {
  readonly hidden: nn.Linear;
  readonly output = new nn.Linear(8, 2);
  constructor({ inputs }: { inputs: number }) {
    super();
    this.hidden = new nn.Linear(inputs, 8);
  }
  forward(x: Tensor): Tensor {
    return this.output.forward(this.hidden.forward(x as never).relu() as never) as Tensor;
  }
}

const rows = table({
  age: [20, 40, 60, 35],
  city: ["Rome", "Paris", "Rome", "Oslo"],
  buys: ["no", "yes", "yes", "no"],
});
const prepare = pipeline(columns({ age: standardize(), city: oneHot() })).fit(rows, { target: "buys" });

describe("a model comes back from its folder alone", () => {
  test("with its pipeline, labels, scores and card; it predicts from raw rows", async () => {
    const folder = newFolder();
    const model = new nn.Sequential(new nn.Linear(4, 8), new nn.Dropout(0.5), new nn.Linear(8, 2));
    await saveModel(folder, model, {
      preprocessing: prepare,
      metrics: { accuracy: 0.9375, loss: 0.21 },
      card: {
        title: "Buyers",
        description: "Who buys.",
        license: "mit",
        tags: ["tabular"],
        limitations: "Four rows.",
      },
    });
    expect(readdirSync(folder).sort()).toEqual([
      "README.md",
      "config.json",
      "metrics.json",
      "model.safetensors",
      "preprocessing.json",
    ]);
    const loaded = await loadModel(folder);
    expect(await weightsSha256(loaded.model)).toBe(await weightsSha256(model));
    expect(loaded.metrics).toEqual({ accuracy: 0.9375, loss: 0.21 });
    expect(loaded.report).toMatchObject({ missing: [], unexpected: [], mismatched: [] });
    const raw = [
      { age: 33, city: "Oslo" },
      { age: 50, city: "Rome" },
    ];
    const outputs = await loaded.predict(raw);
    model.eval();
    const { data, shape } = prepare.features(raw as never);
    const expected = await model
      .forward(
        random
          .normal(1, shape)
          .mul(0)
          .add(await tensorOf(data, shape)) as Tensor,
      )
      .toHost();
    expect(outputs).toEqual(expected);
    expect(loaded.model.training).toBe(true);
    const [first] = await loaded.classify(raw);
    const [a, b] = Array.from(outputs.data);
    expect(first).toEqual({
      index: a! >= b! ? 0 : 1,
      label: a! >= b! ? "no" : "yes",
      probability: expect.closeTo(1 / (1 + Math.exp(-Math.abs(a! - b!))), 10),
    });
    const card = readFileSync(join(folder, "README.md"), "utf8");
    for (const part of [
      'license: "mit"',
      "# Buyers",
      "| accuracy | 0.9375 |",
      "Four rows.",
      "58 parameters",
      'loadModel("this-folder")',
    ])
      expect(card).toContain(part);
  });

  test("each layer that has a row is made again with the same structure and outputs", async () => {
    const layers = [
      new nn.Conv2d(3, 4, [3, 2], { stride: [2, 1], padding: [2, 1], bias: false, paddingMode: "reflect" }),
      new nn.BatchNorm2d(4, { epsilon: 1e-3, momentum: 0.2 }),
      new nn.GELU({ approximate: "tanh" }),
      new nn.MaxPool2d(2, { stride: 1, ceilMode: true }),
      new nn.Sequential(new nn.Conv2d(4, 4, 1, { groups: 2 }), new nn.Dropout2d(0.3), new nn.SiLU()),
      new nn.AvgPool2d(2, { countIncludePad: false, padding: 1 }),
      new nn.Flatten(),
      new nn.Identity(),
    ] as const;
    const model = new nn.Sequential(...(layers as unknown as never[])) as unknown as nn.Sequential;
    const description = JSON.parse(JSON.stringify(describeModel(model)));
    const again = modelOf("a file", description) as nn.Sequential;
    expect(String(again)).toBe(String(model));
    again.loadStateDict(model.stateDict());
    const x = random.normal(3, [2, 3, 8, 8]) as Tensor;
    for (const each of [model, again]) each.eval();
    expect(await again.forward(x).toHost()).toEqual(await model.forward(x).toHost());
    for (const layer of [
      new nn.LayerNorm([4], { bias: false }),
      new nn.LayerNorm(4, { elementwiseAffine: false }),
      new nn.Embedding(5, 3, { paddingIndex: 0 }),
      new nn.BatchNorm1d(3, { trackRunningStats: false, affine: false, momentum: null }),
      ...[
        new nn.Conv1d(2, 4, 3, { dilation: 2 }),
        new nn.Conv1d(2, 4, 2, { padding: "same" }),
        new nn.Unflatten(1, [2, 2]),
        new nn.Permute([0, 2, 1]),
      ],
      ...[new nn.RMSNorm(4, { epsilon: 1e-3 }), new nn.GroupNorm(2, 4, { affine: false })],
      ...[new nn.AdaptiveAvgPool1d(2), new nn.AdaptiveMaxPool3d([1, 2, 3]), new nn.PReLU(3)],
    ]) {
      const twin = modelOf("a file", JSON.parse(JSON.stringify(describeModel(layer))));
      expect(String(twin)).toBe(String(layer));
      expect([...twin.stateDict().keys()]).toEqual([...layer.stateDict().keys()]);
    }
  });

  test("activations do what they did", async () => {
    const x = random.normal(5, [4, 6]) as Tensor;
    const layers: { forward(x: Tensor): unknown }[] = [
      ...[new nn.ELU({ alpha: 0.5 }), new nn.CELU({ alpha: 2 }), new nn.LeakyReLU({ negativeSlope: 0.2 })],
      ...[new nn.Softplus({ beta: 3 }), new nn.HardTanh({ low: -0.5, high: 0.25 }), new nn.HardSwish()],
      ...[new nn.SELU(), new nn.TanhShrink(), new nn.Softmax({ axis: 0 }), new nn.LogSoftmax()],
    ];
    for (const layer of layers) {
      const twin = modelOf("a file", JSON.parse(JSON.stringify(describeModel(layer as never))));
      const both = [layer, twin as unknown as typeof layer].map((each) => each.forward(x) as Tensor);
      expect(await both[1]!.toHost(), layer.constructor.name).toEqual(await both[0]!.toHost());
    }
  });

  test("a model of one's own is made from the saved config, or given", async () => {
    const folder = newFolder();
    const model = new Classifier({ inputs: 5 });
    await saveModel(folder, model, { config: { inputs: 5 }, preprocessing: new Vocabulary(["a", "b"]) });
    const loaded = await loadModel(folder, (config) => new Classifier(config));
    expect(await weightsSha256(loaded.model)).toBe(await weightsSha256(model));
    expect([loaded.config, loaded.vocabulary?.tokens]).toEqual([{ inputs: 5 }, ["a", "b"]]);
    const given = new Classifier({ inputs: 5 });
    expect((await loadModel(folder, given)).model).toBe(given);
    await expect(loadModel(folder)).rejects.toThrow(
      "holds a Classifier, which is no chain of common layers; say how it is made: loadModel(folder, (config) => new Classifier(config))",
    );
    await expect(loadModel(folder, new Classifier({ inputs: 6 }))).rejects.toThrow("(8, 6)");
    await expect(loaded.predict([])).rejects.toThrow("was saved with a vocabulary; raw rows need a pipeline");
    await expect(loaded.classify([])).rejects.toThrow("has no labels");
  });
});

async function tensorOf(data: Float32Array, shape: readonly number[]): Promise<Tensor> {
  const { tensor } = await import("../../tensor/index.ts");
  return tensor({ dtype: "f32", shape: [...shape], data }) as Tensor;
}

test("what fits is loaded; the rest is told with the nearest name", async () => {
  const folder = newFolder();
  await saveModel(folder, new nn.Sequential(new nn.Linear(4, 8), new nn.Linear(8, 10)));
  const { model, report } = await loadModel(
    folder,
    new nn.Sequential(new nn.Linear(4, 8), new nn.Linear(8, 3)),
    { partial: true },
  );
  expect(report.mismatched).toEqual([
    { name: "1.weight", model: "(3, 8)", file: "(10, 8)" },
    { name: "1.bias", model: "(3,)", file: "(10,)" },
  ]);
  expect(report.loaded).toEqual(["0.weight", "0.bias"]);
  expect(model.stateDict().get("1.bias")!.shape).toEqual([3]);
  const values = new Map([
    ["hiden.weight", { dtype: "f32", shape: [8, 4], data: new Float32Array(32) }],
    ["old", { dtype: "f32", shape: [1], data: new Float32Array(1) }],
  ] as const);
  const renamed = loadPartial(new Classifier({ inputs: 4 }), values);
  expect(renamed.missing).toContainEqual({ name: "hidden.weight", nearest: "hiden.weight" });
  expect(String(renamed)).toContain("missing: hidden.weight (the file has hiden.weight)\n");
  expect(String(renamed)).toContain("unexpected: old");
});

describe("a folder that is not whole is refused", () => {
  const save = async (): Promise<string> => {
    const folder = newFolder();
    const model = new nn.Sequential(new nn.Linear(4, 2));
    await saveModel(folder, model, { preprocessing: prepare, metrics: { accuracy: 1 } });
    return folder;
  };

  test("files of two savings, changed files, missing ones", async () => {
    const [one, two] = [await save(), await save()];
    writeFileSync(join(one, "model.safetensors"), readFileSync(join(two, "model.safetensors")));
    await expect(loadModel(one)).rejects.toThrow("does not belong to config.json beside it");
    writeFileSync(join(two, "metrics.json"), '{ "accuracy": 2 }');
    await expect(loadModel(two)).rejects.toThrow(
      'metrics.json" is not the file that was saved with config.json',
    );
    const three = await save();
    rmSync(join(three, "preprocessing.json"));
    await expect(loadModel(three)).rejects.toThrow("preprocessing.json");
    await expect(loadModel(newFolder())).rejects.toThrow("config.json");
  });

  test("configurations that are none", async () => {
    const folder = await save();
    const path = join(folder, "config.json");
    const config = JSON.parse(readFileSync(path, "utf8"));
    for (const [change, message] of [
      [{ format: "x" }, 'its format is "x"'],
      [{ version: 2 }, "its version is 2; this release reads version 1"],
      [{ labels: [1] }, "labels are no list of texts"],
      [{ preprocessing: "pickle" }, 'preprocessing is "pickle"'],
      [{ digests: null }, "its key or digests are missing"],
      [
        { architecture: { layer: "Linar", arguments: [4, 2] } },
        'a layer "Linar", which is none of those that are made from files (the nearest is "Linear")',
      ],
      [{ architecture: { layer: "constructor" } }, 'a layer "constructor"'],
      [{ architecture: { layer: "Linear", arguments: [-4, 2] } }, "its layer Linear cannot be made"],
    ] as const) {
      writeFileSync(path, JSON.stringify({ ...config, ...change }));
      await expect(loadModel(folder)).rejects.toThrow(message);
    }
    writeFileSync(path, "{");
    await expect(loadModel(folder)).rejects.toThrow("is not JSON");
  });

  test("what JSON cannot hold is refused when it is saved", async () => {
    const model = new nn.Linear(1, 1);
    await expect(saveModel(newFolder(), model, { config: { size: Number.NaN } })).rejects.toThrow(
      "config.size is NaN",
    );
    await expect(saveModel(newFolder(), model, { config: { make: () => 1 } })).rejects.toThrow(
      "which JSON cannot hold",
    );
    await expect(saveModel(newFolder(), model, { metrics: { loss: Infinity } })).rejects.toThrow(
      "metrics.loss is Infinity",
    );
    await expect(saveModel(newFolder(), model, { preprocessing: {} as never })).rejects.toThrow(
      "preprocessing must be a fitted pipeline",
    );
  });
});

test("the weights are a model's file of their own, with their own names", async () => {
  const folder = newFolder();
  await saveModel(folder, new nn.Sequential(new nn.Linear(2, 1)));
  const { tensors } = await readSafetensors(join(folder, "model.safetensors"));
  expect([...tensors.keys()].sort()).toEqual(["0.bias", "0.weight"]);
});
