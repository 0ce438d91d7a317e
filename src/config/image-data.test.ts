/** A folder of images, by name in a config. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runProgram } from "../../test/cli-program.ts";
import { hashedUnit } from "../../test/fixtures.ts";
import { hostArray } from "../base/host-array.ts";
import { readRun } from "../runs/index.ts";
import { writeImage } from "../vision/index.ts";
import { readConfig, replayStep, trainConfig, writeConfig } from "./index.ts";
import { resolveConfig } from "./resolve.ts";

const root = mkdtempSync(join(tmpdir(), "netwright-image-data-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Dark ones and light ones. */
async function fill(folder: string, count: number): Promise<void> {
  for (const [kind, name] of ["dark", "light"].entries()) {
    mkdirSync(join(folder, name), { recursive: true });
    for (let i = 0; i < count; i++) {
      const data = Uint8Array.from(
        { length: 300 },
        (_, at) => 120 * kind + 60 * hashedUnit(i + kind * 99, at),
      );
      await writeImage(join(folder, name, `${i}.png`), hostArray("u8", [10, 10, 3], data));
    }
  }
}

beforeAll(async () => {
  await fill(join(root, "whole"), 20);
  for (const [part, count] of Object.entries({ train: 6, val: 3, test: 2 }))
    await fill(join(root, "parted", part), count);
});

const config = (data: object) => ({
  data: { imageFolder: data },
  model: {
    Sequential: [
      { Conv2d: [3, 4, 3] },
      "ReLU",
      { AdaptiveAvgPool2d: [1] },
      "Flatten",
      { Linear: [4, "classes"] },
    ],
  },
  fit: {
    ...{
      loss: "crossEntropy",
      metrics: ["accuracy"],
      epochs: 6,
      batchSize: 6,
      progress: "none",
      corrupt: "skip",
    },
    optimizer: { adam: { learningRate: 0.05 } },
  },
  run: { folder: join(root, "runs") },
});
const read = async (data: object) => {
  const path = join(root, "images.json");
  await writeConfig(path, config(data));
  return readConfig(path);
};

test("is parted by class, augmented, and learnt from", async () => {
  const file = await read({
    ...{ path: join(root, "whole"), size: 8, normalize: { mean: 0.5, deviation: 0.5 } },
    augment: ["randomFlip", { randomRotation: 10 }, { randomErasing: { scale: [0.02, 0.1] } }],
  });
  const { data, history, path } = await trainConfig(file);
  expect(data.classes).toEqual(["dark", "light"]);
  expect([data.train.length, data.validation!.length, data.test!.length]).toEqual([24, 8, 8]);
  expect(history.series("validationAccuracy").at(-1)).toBe(1);
  const { config } = await readRun(path);
  const evaluation = JSON.parse(readFileSync(join(path, "evaluation.json"), "utf8"));
  expect(config.data!["train"]).toMatchObject({ samples: 24, digestedSamples: 24 });
  expect(evaluation).toMatchObject({ kind: "classification", accuracy: 1, classes: ["dark", "light"] });
  expect(await replayStep(path, 7)).toMatchObject({ isEqual: true });
  for (const [kind, name] of ["dark", "light"].entries()) {
    const file = join(root, "whole", name, "3.png");
    const answers = await runProgram("predict", path, file);
    expect(answers).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(answers.stdout)).toMatchObject({ prediction: ["dark", "light"][kind] });
  }
  const all = await runProgram("predict", path, join(root, "whole", "dark"));
  expect(all.stdout.trim().split("\n")).toHaveLength(20);
  expect((await runProgram("predict", path, join(root, "none.png"))).stderr).toContain(
    "there is no such file",
  );
});

test("may come in parts", async () => {
  const path = join(root, "parted");
  const { data } = await resolveConfig(await read({ path, size: [8, 6] }));
  expect([data.train.length, data.validation!.length, data.test!.length]).toEqual([12, 6, 4]);
  expect(data.train.columns["images"]).toMatchObject({ dtype: "f32", shape: [3, 8, 6] });
  const refused = async (options: object) =>
    resolveConfig(await read({ path, size: 8, ...options })).catch((error: Error) => error.message);
  expect(await refused({ test: 0.1 })).toContain("has its parts in folders: leave validation and test out");
  expect(await refused({ augment: ["randomFlop"] })).toContain('augment[0] names no transform: "randomFlop"');
  expect(await refused({ size: undefined })).toContain("needs {");
});
