import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readRun, recordRun } from "../runs/index.ts";
import { fit } from "../train/index.ts";
import { readConfig, replayStep, trainConfig, writeConfig } from "./index.ts";
import { resolveConfig } from "./resolve.ts";
import { openRun, scoresOf, type Trained } from "./train.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-config-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rows = Array.from({ length: 120 }, (_, i) => {
  const kind = i % 3;
  return `${kind * 2 + Math.sin(i)},${Math.cos(i) - kind},${["red", "blue"][i % 2]},${["a", "b", "c"][kind]}`;
});
writeFileSync(join(folder, "rows.csv"), `x,y,colour,kind\n${rows.join("\n")}\n`);

const base = {
  seed: 3,
  data: { csv: { path: join(folder, "rows.csv"), target: "kind" } },
  model: {
    Sequential: [{ Linear: ["features", 8] }, "ReLU", { Dropout: [0.1] }, { Linear: [8, "classes"] }],
  },
  fit: {
    ...{ loss: "crossEntropy", metrics: ["accuracy", "f1Score"], epochs: 3, batchSize: 16, progress: "none" },
    optimizer: { adam: { learningRate: { cosine: { from: 0.02, steps: 15 } } } },
  },
  run: { folder: join(folder, "runs"), checkpoints: { every: 4, keep: 10 }, digests: 3 },
};

const written = async (name: string, config: object): Promise<string> => {
  const path = join(folder, name);
  await writeConfig(path, config as Record<string, unknown>);
  return path;
};

/** What is said of a config, without the folder. */
const complaint = (config: object, set: readonly string[] = []): Promise<string> =>
  written("bad.json", config)
    .then((path) => readConfig(path, set))
    .then(resolveConfig)
    .then(
      () => "nothing",
      (error: Error) =>
        `${error.name}: ${error.message.replaceAll(join(folder, ""), "").replace(/there are .*?;/, "there are …;")}`,
    );

describe("errors name the key, what came, what is allowed and the nearest name", () => {
  const fit = (changed: object): object => ({ ...base, fit: { ...base.fit, ...changed } });
  test.each([
    [
      { ...base, modle: 1 },
      'has no key "modle"; keys are seed, data, model, fit, run; did you mean "model"?',
    ],
    [{ data: "mnist", fit: base.fit }, "the config lacks model: a value, or one by name"],
    [fit({ epochs: "three" }), 'fit.epochs must be an integer of 0 or more, got "three"'],
    [fit({ progres: "none" }), 'did you mean "progress"?'],
    [fit({ progress: "loud" }), 'fit.progress must be one of auto, bar, lines, json, none, got "loud"'],
    [
      fit({ loss: "crossEntropi" }),
      'fit.loss names no loss: "crossEntropi"; there are …; did you mean "crossEntropy"?',
    ],
    [
      fit({ optimizer: { adan: {} } }),
      'fit.optimizer names no optimizer: "adan"; there are …; did you mean "adam"?',
    ],
    [
      fit({ optimizer: { adam: { learningRate: { cosin: {} } } } }),
      'fit.optimizer.adam[0].learningRate names no schedule: "cosin"',
    ],
    [
      fit({ metrics: ["acuracy"] }),
      'fit.metrics[0] names no metric: "acuracy"; there are …; did you mean "accuracy"?',
    ],
    [{ ...base, model: { Sequential: [{ Linear: [4] }, "Relu"] } }, "model.Sequential[0].Linear is refused:"],
    [
      { ...base, model: { Linaer: [1, 2] } },
      'model names no layer or model: "Linaer"; there are …; did you mean "Linear"?',
    ],
    [
      { ...base, model: { Linear: [1], ReLU: [] } },
      'model must be a layer or model by name, such as { "name": arguments }',
    ],
    [{ ...base, data: { csv: { path: 3 } } }, "data.csv is refused: csv: path must be a text, got 3"],
    [{ ...base, run: { checkpoints: true, nam: 1 } }, 'run has no key "nam"'],
  ])("%#", async (config, expected) => {
    expect(await complaint(config)).toContain(expected);
  });

  test("what is no config, what is no change", async () => {
    expect(await complaint(base, ["fit.epochs"])).toContain("--set takes key=value, such as fit.epochs=3");
    expect(await complaint(base, ["fit.epochs.x=1"])).toContain('"x" lies inside of what is no plain object');
    await expect(readConfig(join(folder, "rows.csv"))).rejects.toThrow("must end in .ts, .js, .mjs, .json");
    writeFileSync(join(folder, "torn.json"), '{"data": ');
    await expect(readConfig(join(folder, "torn.json"))).rejects.toThrow("is not valid JSON");
    writeFileSync(join(folder, "empty.mjs"), "export const a = 1;");
    await expect(readConfig(join(folder, "empty.mjs"))).rejects.toThrow("exports no config");
  });
});

test("YAML says the same as JSON, and --set changes values", async () => {
  const path = join(folder, "config.yaml");
  writeFileSync(
    path,
    "data: mnist\nmodel:\n  Sequential:\n    - Linear: [features, classes]\nfit:\n  loss: mse\n  optimizer: sgd\n",
  );
  const { config } = await readConfig(path, [
    "fit.epochs=7",
    "fit.labels=digits",
    'fit.metrics=["accuracy"]',
    "run.name=x",
  ]);
  expect(config.model).toEqual({ Sequential: [{ Linear: ["features", "classes"] }] });
  expect(config.fit).toMatchObject({ loss: "mse", epochs: 7, labels: "digits", metrics: ["accuracy"] });
  expect(config.run).toEqual({ name: "x" });
});

describe("a run from a config", () => {
  let trained: Trained;
  let path: string;
  beforeAll(async () => {
    path = await written("good.json", base);
    trained = await trainConfig(await readConfig(path, ["fit.epochs=4"]), { name: "first" });
  });

  test("is recorded with the config that made it", async () => {
    const { config, steps, result } = await readRun(trained.path);
    expect(config.program.config).toMatchObject({ path, set: ["fit.epochs=4"] });
    expect(config.options).toMatchObject({ epochs: 4, seed: 3, metrics: ["accuracy", "f1Score"] });
    expect(steps).toHaveLength(4 * 5);
    expect(result!.status).toBe("finished");
  });

  test("opens again with its weights: the same scores", async () => {
    const opened = await openRun(trained.path);
    const scores = await scoresOf(opened, "validation");
    const last = trained.history.epochs.at(-1)!.scores;
    expect(scores["loss"]).toBe(last["validationLoss"]);
    expect(scores["accuracy"]).toBe(last["validationAccuracy"]);
    expect(() => scoresOf(opened, "tets")).toThrow(
      'the data has no part "tets"; there are train, validation, test',
    );
  });

  test.each([1, 4, 9, 20])("step %i comes out again, bit for bit", async (step) => {
    const found = await replayStep(trained.path, step);
    expect(found.isEqual).toBe(true);
    expect(found.from).toBe(step === 20 ? 16 : Math.floor((step - 1) / 4) * 4);
    expect(found.loss).toBe(found.recordedLoss);
    expect(found.gradientNorm).toBe(found.recordedGradientNorm);
    if (step === 9) expect(found.weights).toBe(found.recordedWeights);
    expect(found.parameters.map(({ name }) => name)).toEqual(["0.weight", "0.bias", "3.weight", "3.bias"]);
    const norm = Math.sqrt(found.parameters.reduce((sum, { gradient }) => sum + gradient.norm ** 2, 0));
    expect(norm).toBeCloseTo(found.gradientNorm!, 5);
  });

  test("a step that is not there, a config or data that changed, are refused; a record that differs is seen", async () => {
    await expect(replayStep(trained.path, 21)).rejects.toThrow("from 1 to 20");
    const metrics = join(trained.path, "metrics.jsonl");
    const text = readFileSync(metrics, "utf8");
    const { steps } = await readRun(trained.path);
    writeFileSync(metrics, text.replace(String(steps[4]!.values["loss"]), "0.5"));
    expect(await replayStep(trained.path, 5)).toMatchObject({ isEqual: false, recordedLoss: 0.5 });
    writeFileSync(metrics, text);
    const csv = join(folder, "rows.csv");
    const before = readFileSync(csv, "utf8");
    writeFileSync(csv, before.replace("0,1,", "0.5,1,"));
    await expect(replayStep(trained.path, 5)).rejects.toThrow("the training data is not what it was");
    writeFileSync(csv, before);
    const config = readFileSync(path, "utf8");
    writeFileSync(path, config.replace("16", "17"));
    await expect(replayStep(trained.path, 5)).rejects.toThrow("is not what it was when");
    writeFileSync(path, config);
  });

  test("keeps each state once", () => {
    const names = readdirSync(join(trained.path, "checkpoints"));
    expect(names).toEqual(expect.arrayContaining(["step-20.safetensors"]));
    expect(names).toHaveLength(5);
    expect(readdirSync(trained.path).filter((name) => name.endsWith(".safetensors"))).toEqual([
      "model.safetensors",
    ]);
  });

  test("of a program of one's own is replayed with a config that makes it again", async () => {
    const file = await readConfig(path);
    const { data, model, options } = await resolveConfig(file);
    const recorder = recordRun({ folder: join(folder, "runs"), name: "own", checkpoints: false });
    await fit(model, data.train, { ...options, callbacks: [recorder] });
    await expect(replayStep(recorder.path!, 3)).rejects.toThrow("name it: --config FILE");
    expect(await replayStep(recorder.path!, 3, file)).toMatchObject({ isEqual: true, from: 0 });
    const other = await readConfig(path, ["seed=9"]);
    await expect(replayStep(recorder.path!, 3, other)).rejects.toThrow("first weights are not those");
  });

  test("schedules are made of schedules, options of fit are checked", async () => {
    const rate = {
      warmup: [3, { sequential: { boundaries: [5], schedules: [0.1, { cosine: { from: 0.1, steps: 9 } }] } }],
    };
    const written = JSON.parse(readFileSync(path, "utf8"));
    written.fit.optimizer = { adam: { learningRate: rate } };
    const own = join(folder, "schedules.json");
    writeFileSync(own, JSON.stringify(written));
    const { options } = await resolveConfig(await readConfig(own));
    expect(typeof options.optimizer).toBe("function");
    await expect(readConfig(own, ["fit.corrupt=drop"])).rejects.toThrow(
      'fit.corrupt must be one of fail, skip, got "drop"',
    );
  });

  test("goes on where it was stopped", async () => {
    await trainConfig(await readConfig(path, ["fit.epochs=2"]), { name: "parts" });
    const { history } = await trainConfig(await readConfig(path, ["fit.epochs=4"]), {
      name: "parts",
      resume: true,
    });
    expect(history.epochs.map(({ scores }) => scores["loss"])).toEqual(
      trained.history.epochs.map(({ scores }) => scores["loss"]),
    );
    await expect(trainConfig(await readConfig(path), { resume: true })).rejects.toThrow("say which run");
  });
});
