import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test } from "vitest";
import { blobs } from "../../test/blobs.ts";
import { seed } from "../base/default-key.ts";
import { weightsSha256 } from "../checkpoint/index.ts";
import { crossEntropy } from "../losses/index.ts";
import { Dropout, Linear, ReLU, Sequential } from "../nn/index.ts";
import { adam, sgd } from "../optim/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { dryRun, findLearningRate, overfitOneBatch } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-probes-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => seed(1));
const makeModel = () => new Sequential(new Linear(2, 16), new ReLU(), new Dropout(0.1), new Linear(16, 3));

test("a range test: rates rise until the loss explodes, the suggestion learns, the model is as before", async () => {
  const model = makeModel();
  const before = await weightsSha256(model);
  const curve = await findLearningRate(
    model,
    blobs(120),
    { loss: crossEntropy, optimizer: sgd({ momentum: 0.9 }) },
    { to: 1e5 },
  );
  expect(await weightsSha256(model)).toBe(before);
  expect(curve.rates[0]).toBeCloseTo(1e-7, 12);
  expect(curve.rates.length).toBeLessThan(100);
  expect(curve.losses.at(-1)).toBeGreaterThan(Math.min(...curve.losses));
  expect(curve.suggestion).toBeGreaterThan(1e-4);
  expect(curve.suggestion).toBeLessThan(curve.minimum!);
  expect(curve.minimum).toBeLessThan(100);
  const again = await findLearningRate(
    model,
    blobs(120),
    { loss: crossEntropy, optimizer: sgd({ momentum: 0.9 }) },
    { to: 1e5 },
  );
  expect(again).toEqual(curve);
  const made = sgd()(model.parameters());
  await expect(findLearningRate(model, blobs(9), { loss: crossEntropy, optimizer: made })).rejects.toThrow(
    "must be a factory",
  );
});

test("one batch is learnt by heart; where the gradient cannot help it is not", async () => {
  const model = makeModel();
  const before = await weightsSha256(model);
  const options = { loss: crossEntropy, optimizer: adam({ learningRate: 0.02 }), batchSize: 12 };
  const good = await overfitOneBatch(model, blobs(60), options);
  expect(good.isLearnt).toBe(true);
  expect(good.losses).toHaveLength(200);
  const broken = (logits: Tensor, y: Tensor): Tensor => crossEntropy(logits.mul(1e-6) as Tensor, y);
  expect(
    (await overfitOneBatch(model, blobs(60), { ...options, loss: broken }, { steps: 20 })).isLearnt,
  ).toBe(false);
  expect(await weightsSha256(model)).toBe(before);
});

test("a dry run goes through everything and keeps nothing", async () => {
  const model = makeModel();
  const before = await weightsSha256(model);
  const checkpoint = {
    path: join(folder, "at-{step}.safetensors"),
    best: join(folder, "best.safetensors"),
    restoreBest: true,
  };
  const options = {
    loss: crossEntropy,
    optimizer: adam(),
    batchSize: 8,
    gradientAccumulationSteps: 2,
    epochs: 50,
  };
  const { scores, report } = await dryRun(model, blobs(60), {
    ...options,
    validation: blobs(60, 2),
    checkpoint,
  });
  expect(Object.keys(scores)).toEqual(["loss", "validationLoss"]);
  expect(report!.findings.map(({ about }) => about)).toContain("firstLoss");
  expect(readdirSync(folder)).toEqual([]);
  expect(await weightsSha256(model)).toBe(before);
  await expect(
    dryRun(model, blobs(9), { ...options, checkpoint: join(folder, "none/file") }),
  ).rejects.toThrow("there is no such file or folder");
});
