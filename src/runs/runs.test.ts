import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { blobs } from "../../test/blobs.ts";
import { seed } from "../base/default-key.ts";
import { weightsSha256 } from "../checkpoint/index.ts";
import { crossEntropy } from "../losses/index.ts";
import { accuracy } from "../metrics/index.ts";
import { Linear, ReLU, Sequential } from "../nn/index.ts";
import { adam } from "../optim/index.ts";
import { type Callback, csvLog, type FitOptions, fit, jsonLog, on } from "../train/index.ts";
import { codeVersion } from "./environment.ts";
import {
  compareRuns,
  diffRuns,
  listRuns,
  type RecordOptions,
  readCheckpoints,
  readEvaluation,
  readHistograms,
  readRun,
  recordRun,
} from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-runs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** 3 epochs of 4 steps. */
async function train(name: string, changed: Partial<FitOptions> = {}, options: Partial<RecordOptions> = {}) {
  seed(1);
  const model = new Sequential(new Linear(2, 8), new ReLU(), new Linear(8, 3));
  const run = recordRun({ folder, name, ...options });
  const { callbacks = [], ...rest } = changed;
  await fit(model, blobs(60), {
    ...{ loss: crossEntropy, metrics: [accuracy], optimizer: adam({ learningRate: 0.05 }), seed: 5 },
    ...{ epochs: 3, batchSize: 16, progress: "none", validation: blobs(30, 3) },
    ...rest,
    callbacks: [run, ...callbacks],
  });
  return { model, path: run.path! };
}

let first: Awaited<ReturnType<typeof train>>;
beforeAll(async () => {
  first = await train(
    "first",
    {},
    { tensorboard: true, digests: 2, evaluation: { classes: ["a", "b", "c"] } },
  );
});

describe("a run leaves", () => {
  test("what was asked for, on which data, and where", async () => {
    const { config, environment } = await readRun(first.path);
    expect(config).toMatchObject({ layout: 1, name: "first", epochs: 3, stepsPerEpoch: 4 });
    expect(config.options).toMatchObject({
      ...{ loss: "crossEntropy", metrics: ["accuracy"], batchSize: 16, seed: 5, shuffle: true },
      ...{ inputs: ["points"], labels: "labels" },
      optimizer: { name: "Adam", learningRate: 0.05 },
    });
    expect(config.options).not.toHaveProperty("progress");
    expect(config.model).toMatchObject({ name: "Sequential", parameters: 51 });
    expect(config.model!.layers.map(({ path }) => path)).toEqual(["", "0", "1", "2"]);
    const data = config.data!["train"]!;
    expect(data).toMatchObject({ samples: 60, digestedSamples: 60, columns: { points: "f32 (2,)" } });
    expect(data.sha256).not.toBe(config.data!["validation"]!.sha256);
    expect(environment!.threads).toBeGreaterThan(0);
    expect(environment!.arithmetic).not.toBe("none");
    expect(environment!.packages["netwright"]).toMatch(/^\d/);
  });

  test("each step and each epoch, with times and digests", async () => {
    const { steps, epochs, result } = await readRun(first.path);
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(steps.every(({ values }) => Math.fround(values["loss"]!) === values["loss"])).toBe(true);
    expect(steps.every(({ ms }) => ms!.compute > 0 && ms!.data >= 0)).toBe(true);
    expect(steps.map(({ weights }) => weights !== undefined)).toEqual(
      steps.map(({ step }) => step % 2 === 0),
    );
    expect(epochs.map(({ epoch, step }) => [epoch, step])).toEqual([
      [1, 4],
      [2, 8],
      [3, 12],
    ]);
    expect(Object.keys(epochs[0]!.scores)).toEqual([
      "loss",
      "accuracy",
      "validationLoss",
      "validationAccuracy",
    ]);
    expect(epochs[2]!.learningRate).toBeCloseTo(0.05);
    expect(epochs[2]!.weights).toBe(await weightsSha256(first.model));
    expect(result).toMatchObject({ status: "finished", steps: 12 });
  });

  test("histograms of weights and of the gradients of an epoch's last step", async () => {
    const lines = await readHistograms(first.path);
    expect(lines.map(({ epoch, parameter }) => `${epoch} ${parameter}`).slice(0, 5)).toEqual([
      ...["1 0.weight", "1 0.bias", "1 2.weight", "1 2.bias", "2 0.weight"],
    ]);
    for (const { weights, gradients, parameter } of lines) {
      const count = { "0.weight": 16, "0.bias": 8, "2.weight": 24, "2.bias": 3 }[parameter];
      expect(weights.counts.reduce((sum, n) => sum + n, 0)).toBe(count);
      expect(gradients!.counts.reduce((sum, n) => sum + n, 0)).toBe(count);
      expect(gradients!.norm).toBeGreaterThan(0);
    }
  });

  test("the last checkpoints, from which training goes on bit for bit", async () => {
    const kept = await readCheckpoints(first.path);
    expect(kept.map(({ step }) => step)).toEqual([4, 8, 12]);
    const other = await train("from-8", { checkpoint: kept[1]!.path, resume: true });
    expect(await weightsSha256(other.model)).toBe(await weightsSha256(first.model));
    const { parting, equalUntil, sharedSteps } = diffRuns(
      await readRun(first.path),
      await readRun(other.path),
    );
    // The file that it went on from was its own checkpoint: it holds the later epochs alone.
    expect({ parting, equalUntil, sharedSteps }).toEqual({
      parting: undefined,
      equalUntil: 12,
      sharedSteps: 4,
    });
  });

  test("answers on the validation data", async () => {
    const found = (await readEvaluation(first.path))!;
    if (found.kind !== "classification") throw new Error("blobs have classes");
    expect(found).toMatchObject({ samples: 30, classes: ["a", "b", "c"] });
    const { epochs } = await readRun(first.path);
    expect(found.accuracy).toBeCloseTo(epochs[2]!.scores["validationAccuracy"]!, 6);
    expect(found.confusion.flat().reduce((sum, n) => sum + n, 0)).toBe(30);
    expect(found.roc.map(({ name }) => name)).toEqual(["a", "b", "c"]);
    expect(found.roc[0]!.x.at(-1)).toBe(1);
    expect(found.mistakes.length).toBe(Math.round(30 * (1 - found.accuracy)));
  });

  test("events for TensorBoard: records with checksums", () => {
    const [name] = readdirSync(join(first.path, "events")) as [string];
    expect(name).toMatch(/^events\.out\.tfevents\.\d{10}\.netwright$/);
    const bytes = readFileSync(join(first.path, "events", name));
    expect(bytes.includes("validationAccuracy")).toBe(true);
    expect(bytes.includes("gradients/0.weight")).toBe(true);
  });
});

describe("a folder that a process left in the middle", () => {
  const copyOfFirst = (name: string): string => {
    const path = join(folder, name);
    mkdirSync(path);
    for (const file of ["config.json", "metrics.jsonl"])
      writeFileSync(join(path, file), readFileSync(join(first.path, file)));
    return path;
  };

  test("a torn last line is left out, what a resumed run did again counts once", async () => {
    const path = copyOfFirst("torn");
    const line = (value: object): string => `${JSON.stringify(value)}\n`;
    appendFileSync(join(path, "metrics.jsonl"), line({ type: "start", step: 8, at: "now" }));
    appendFileSync(join(path, "metrics.jsonl"), line({ type: "step", step: 9, values: { loss: "NaN" } }));
    appendFileSync(join(path, "metrics.jsonl"), '{"type":"step","step":10,"val');
    const { steps, epochs, result } = await readRun(path);
    expect(steps.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(steps[8]!.values["loss"]).toBeNaN();
    expect(epochs).toHaveLength(2);
    expect(result).toBeUndefined();
  });

  test("what is no run, or damaged, is named", async () => {
    await expect(readRun(join(folder, "frist"))).rejects.toThrow(`did you mean "${join(folder, "first")}"?`);
    const path = copyOfFirst("damaged");
    writeFileSync(join(path, "config.json"), '{"layout": 1');
    await expect(readRun(path)).rejects.toThrow("is damaged: it is not a JSON object");
    writeFileSync(join(path, "config.json"), '{"layout": 99, "name": "x", "options": {}}');
    await expect(readRun(path)).rejects.toThrow("read it with the release that wrote it");
    expect((await listRuns(folder)).map(({ config }) => config.name)).not.toContain("damaged");
  });
});

test("a run that goes on keeps its folder; another of the same name is refused", async () => {
  const checkpoint = join(folder, "state.safetensors");
  const stop = {
    onStepEnd: (_: unknown, run: { step: number; stop(why: string): void }) =>
      void (run.step === 6 && run.stop("enough")),
  };
  const { path } = await train("resumed", { checkpoint, callbacks: [stop] });
  expect((await readRun(path)).result).toMatchObject({ status: "stopped", reason: "enough", steps: 6 });
  await train("resumed", { checkpoint, resume: true });
  const [whole, parts] = [await readRun(first.path), await readRun(path)];
  expect(parts.result).toMatchObject({ status: "finished", steps: 12 });
  expect(diffRuns(whole, parts)).toMatchObject({ parting: undefined, equalUntil: 12, sharedSteps: 12 });
  await expect(train("resumed")).rejects.toThrow('already holds a run "resumed"; choose another name');
});

test("runs that part: the first step, and what they were asked for", async () => {
  const { path } = await train("slower", { optimizer: adam({ learningRate: 0.01 }), batchSize: 16 });
  const found = diffRuns(await readRun(first.path), await readRun(path));
  expect(found.options).toEqual([{ name: "options.optimizer.learningRate", first: 0.05, second: 0.01 }]);
  expect([found.model, found.data, found.environment, found.code]).toEqual([[], [], [], []]);
  expect(found.parting).toMatchObject({ step: 2, what: "loss" });
  expect(found.equalUntil).toBe(1);
  const rows = compareRuns([await readRun(first.path), await readRun(path)]);
  expect(rows.map(({ name, options }) => [name, options])).toEqual([
    ["first", { "optimizer.learningRate": 0.05 }],
    ["slower", { "optimizer.learningRate": 0.01 }],
  ]);
  expect(rows[0]!.best["loss"]).toBeLessThan(rows[1]!.best["loss"]!);
});

test("training that fails says so", async () => {
  const failing = {
    onStepEnd: (): void => {
      throw new RangeError("lost");
    },
  };
  await expect(train("failing", { callbacks: [failing] })).rejects.toThrow("lost");
  expect((await readRun(join(folder, "failing"))).result).toMatchObject({
    status: "failed",
    reason: "RangeError: lost",
  });
});

describe("a full disk", () => {
  function onSmallDisk(skip: (why: string) => void, use: (disk: string) => Promise<void>): Promise<void> {
    const disk = join(folder, "disk");
    mkdirSync(disk, { recursive: true });
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], { stdio: "ignore" });
    } catch {
      skip("mounting a small file system needs root");
    }
    return use(disk).finally(() => execFileSync("umount", ["-l", disk]));
  }

  function fillUp(path: string): void {
    try {
      for (;;) appendFileSync(path, Buffer.alloc(64));
    } catch (error) {
      expect((error as { code: string }).code).toBe("ENOSPC");
    }
  }

  test("training goes on with a warning, and the record is whole once there is room", async ({ skip }) => {
    await onSmallDisk(skip, async (disk) => {
      const filler = join(disk, "filler");
      const warnings: string[] = [];
      const callbacks = [
        on("warning", (text) => void warnings.push(text.replaceAll(folder, "FOLDER"))),
        on("epochEnd", (_, { epoch }) => (epoch === 1 ? fillUp(filler) : rmSync(filler, { force: true }))),
      ] as Callback[];
      const { model, path } = await train("full", { callbacks }, { folder: disk, tensorboard: true });
      expect(await weightsSha256(model)).toBe(await weightsSha256(first.model));
      expect(warnings.join("\n")).toMatch(
        /cannot write "FOLDER\/disk\/full\/histograms.jsonl": the disk is full; .*; training goes on, and what is recorded waits in memory/,
      );
      const { steps, epochs } = await readRun(path);
      const { steps: expected } = await readRun(first.path);
      expect(steps.map(({ values }) => values)).toEqual(expected.map(({ values }) => values));
      expect(epochs).toHaveLength(3);
      expect(await readHistograms(path)).toEqual(await readHistograms(first.path));
    });
  });

  test("one that stays full loses the record, not the model", async ({ skip }) => {
    await onSmallDisk(skip, async (disk) => {
      const warnings: string[] = [];
      const callbacks = [
        on("warning", (text) => void warnings.push(text.replaceAll(folder, "FOLDER"))),
        on("epochEnd", (_, { epoch }) => (epoch === 1 ? fillUp(join(disk, "filler")) : undefined)),
        csvLog(join(disk, "log.csv")),
        jsonLog(join(disk, "log.json")),
      ] as Callback[];
      const { model } = await train("full", { callbacks }, { folder: disk });
      expect(await weightsSha256(model)).toBe(await weightsSha256(first.model));
      expect(warnings.filter((text) => text.includes("histograms.jsonl"))).toHaveLength(1);
      expect(warnings.at(-1)).toMatch(/the disk is full/);
    });
  });
});

test("a loop of one's own logs what it likes", async () => {
  const run = recordRun({ folder, name: "own", options: { depth: 3 } });
  for (let step = 1; step <= 5; step++) {
    run.log({ loss: 1 / step }, step);
    run.log({ accuracy: step / 5 }, step);
  }
  await run.close();
  const { steps, config, result } = await readRun(run.path!);
  expect(config.options).toEqual({ depth: 3 });
  expect(steps).toHaveLength(5);
  expect(steps[4]!.values).toEqual({ loss: 0.2, accuracy: 1 });
  expect(result).toMatchObject({ status: "finished", steps: 5 });
  expect(() => run.log({ loss: 1 }, 0.5)).toThrow("step must be an integer");
  expect(() => recordRun({ nmae: "x" } as never)).toThrow('did you mean "name"?');
});

test("the state of the code: a commit, and whether files differ from it", async () => {
  const checkout = join(folder, "code");
  mkdirSync(checkout);
  const git = (...args: string[]): void =>
    void execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b", ...args], {
      cwd: checkout,
      stdio: "ignore",
    });
  git("init");
  writeFileSync(join(checkout, "a.txt"), "one\n");
  git("add", ".");
  git("commit", "-m", "first");
  const clean = (await codeVersion(checkout))!;
  expect(clean.commit).toMatch(/^[0-9a-f]{40}$/);
  expect({ changed: clean.changed, diffSha256: clean.diffSha256 }).toEqual({
    changed: [],
    diffSha256: undefined,
  });
  writeFileSync(join(checkout, "a.txt"), "two\n");
  const changed = (await codeVersion(checkout))!;
  expect(changed.changed).toEqual(["a.txt"]);
  expect(changed.diffSha256).toMatch(/^[0-9a-f]{64}$/);
  expect(await codeVersion(tmpdir())).toBeUndefined();
});
