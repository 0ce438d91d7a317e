/** What is looked at before the first step is over. */
import { beforeEach, describe, expect, test } from "vitest";
import { blobs } from "../../test/blobs.ts";
import { hashedUniform } from "../../test/fixtures.ts";
import { seed } from "../base/default-key.ts";
import { weightsSha256 } from "../checkpoint/index.ts";
import { arrayDataset, type Dataset, floatColumn } from "../data/index.ts";
import { crossEntropy, mse } from "../losses/index.ts";
import { Linear, Module, ReLU, Sequential } from "../nn/index.ts";
import { sgd } from "../optim/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { headerText } from "./header.ts";
import { type FitOptions, fit, type RunReport } from "./index.ts";

beforeEach(() => seed(1));
const makeModel = () => new Sequential(new Linear(2, 8), new ReLU(), new Linear(8, 3));

async function reportOf(
  data: Dataset,
  changed: Partial<FitOptions> = {},
  model: Module = makeModel(),
): Promise<RunReport | undefined> {
  const options = { loss: crossEntropy, optimizer: sgd(), progress: "none", ...changed } as FitOptions;
  return (await fit(model, data, options)).report;
}

const texts = (report: RunReport | undefined, isOk?: boolean): string[] =>
  report!.findings.filter((finding) => isOk === undefined || finding.isOk === isOk).map(({ text }) => text);

test("a run that is well: sizes, memory, and what was found, in three lines", async () => {
  const report = await reportOf(blobs(64), { validation: blobs(30, 2) });
  expect(texts(report)).toEqual([
    "labels balanced",
    expect.stringMatching(/^inputs in \[-2\.\d+, 2\.\d+\]$/),
    "no rows in both sets",
    expect.stringMatching(/^first loss \d\.\d\d \(ln 3 = 1\.10\)$/),
    "gradients reach all parameters",
  ]);
  expect(report).toMatchObject({
    model: "Sequential",
    parameters: 51,
    trainableParameters: 51,
    parameterBytes: 204,
  });
  expect(report!.plannedMemoryBytes).toBeGreaterThan(204);
  expect(report!.plannedMemoryBytes).toBeLessThan(50_000);
  const plain = {
    ...report!,
    arithmetic: "x64 avx2",
    target: "x64",
    threads: 2,
    plannedMemoryBytes: 12_345,
    kernels: 9,
    compileSeconds: 0.12,
  };
  expect(
    headerText({ ...plain, flopPerSample: 2_100_000, findings: plain.findings.slice(0, 1) }),
  ).toMatchInlineSnapshot(`
    "seed 0 · x64 avx2, 2 threads · f32 · deterministic · 9 kernels in 0.1 s
    model  Sequential   51 params (204 B)   peak memory 12.3 kB (planned)   2.1 MFLOP/sample
    data   64 train / 30 validation   labels balanced ✓
    "
  `);
});

test("false looks at nothing; the checks change no bit", async () => {
  const digests: string[] = [];
  for (const checks of [true, false]) {
    seed(1);
    const model = makeModel();
    expect((await reportOf(blobs(64), { checks }, model)) === undefined).toBe(!checks);
    digests.push(await weightsSha256(model));
  }
  expect(digests[0]).toBe(digests[1]);
});

describe("what is worth a look", () => {
  const labelled = (labels: Int32Array) =>
    blobs(labels.length).map((sample, i) => ({ ...(sample as object), labels: labels[i]! }));
  const stored = (labels: Int32Array, points: number[][]) => arrayDataset({ points, labels });
  const points = (count: number, scale = 1) =>
    Array.from({ length: count }, (_, i) => [Math.sin(i) * scale, Math.cos(i) * scale]);

  test("labels", async () => {
    const rare = Int32Array.from({ length: 100 }, (_, i) => (i % 20 === 0 ? 1 : 0));
    expect(texts(await reportOf(stored(rare, points(100))), false)).toMatchInlineSnapshot(`
      [
        "labels are not balanced: 95 % are 0, 5.0 % are 1; consider classWeights, and look at more than the accuracy",
      ]
    `);
    const one = new Int32Array(40).fill(2);
    expect(texts(await reportOf(stored(one, points(40))), false)[0]).toMatchInlineSnapshot(
      `"every label is 2: there is nothing to tell apart"`,
    );
    // Samples that are computed are not all looked at.
    expect(texts(await reportOf(labelled(rare) as never), false)).toEqual([]);
  });

  test("inputs", async () => {
    const labels = Int32Array.from({ length: 40 }, (_, i) => i % 3);
    const found = texts(
      await reportOf(stored(labels, points(40, 255)), {
        loss: (p: Tensor, y: Tensor) => crossEntropy(p, y).mul(1e-6),
      }),
      false,
    );
    expect(found).toMatchInlineSnapshot(`
      [
        "inputs in [-255, 255]: that is large; scale them, to [0, 1] or to mean 0 and deviation 1",
      ]
    `);
    const holed = points(40).map((row, i) => (i === 33 ? [NaN, 0] : row));
    const nan = reportOf(stored(labels, holed), { shuffle: false, batchSize: 8 });
    await expect(nan).rejects.toThrow("is not finite");
    const bytes = {
      dtype: "u8" as const,
      shape: [40, 2],
      data: Uint8Array.from({ length: 80 }, (_, i) => (i * 7) % 256),
    };
    const images = arrayDataset({ images: floatColumn(bytes, { divideBy: 255 }), labels });
    expect(texts(await reportOf(images))).toContain("inputs in [0, 1]");
  });

  test("rows in both sets", async () => {
    const data = blobs(300);
    const found = texts(await reportOf(data, { validation: data.slice(290).concat(blobs(20, 7)) }), false);
    expect(found).toMatchInlineSnapshot(`
      [
        "10 of 30 validation rows are trained on too (row 0 is row 290 of the training set): their scores say little",
      ]
    `);
  });

  test("the first loss, and parameters without a gradient", async () => {
    const model = makeModel();
    model.layers[2].weight.assign({ dtype: "f32", shape: [3, 8], data: hashedUniform(3, 24, 60) });
    model.layers[0].bias!.assign([-9, 0, 0, 0, 0, 0, 0, 0]);
    const found = texts(await reportOf(blobs(64), {}, model), false);
    expect(found[0]).toMatch(
      /^first loss \d+\.\d\d, ln 3 = 1\.10 would know nothing: the first outputs are far from even/,
    );
    class Gated extends Module {
      readonly layer = new Linear(2, 3);
      readonly gate = new Linear(2, 3);
      forward(x: Tensor): Tensor {
        return this.layer.forward(x as never).add(
          this.gate
            .forward(x as never)
            .sub(1e6)
            .relu(),
        ) as Tensor;
      }
    }
    expect(texts(await reportOf(blobs(64), {}, new Gated()), false)).toMatchInlineSnapshot(`
      [
        "the first batch gives no gradient to gate.weight, gate.bias: a dead activation, a detached part, or a mask that hides it",
      ]
    `);
  });
});

test("parameters that the loss does not depend on are an error that names them all", async () => {
  class Unused extends Module {
    readonly layer = new Linear(2, 3);
    readonly head = new Linear(2, 3);
    forward(x: Tensor): Tensor {
      return this.layer.forward(x as never);
    }
  }
  await expect(reportOf(blobs(8), {}, new Unused())).rejects.toThrow(
    "fit: the loss does not depend on head.weight, head.bias, which would never learn; use them in forward, or freeze() them",
  );
});

test("a step that does not fit is an error with a batch that would; nothing has run", async () => {
  const model = makeModel();
  const before = await weightsSha256(model);
  const options = { batchSize: 256, checks: { memoryLimitBytes: 20_000 } };
  const run = reportOf(blobs(512), options, model);
  await expect(run).rejects.toThrow(
    /^fit: a step of 256 samples needs [\d.]+ kB \(planned\) and does not fit: there are 20 kB; batchSize \d+ would fit; with gradientAccumulationSteps: \d+ it learns the same/,
  );
  expect(await weightsSha256(model)).toBe(before);
  const batch = Number(/batchSize (\d+) would fit/.exec(await run.then(String, String))![1]);
  await reportOf(blobs(512), { ...options, batchSize: batch, gradientAccumulationSteps: 256 / batch }, model);
  expect(await weightsSha256(model)).not.toBe(before);
});

test("a regression has no labels to count and no loss to expect", async () => {
  const data = arrayDataset({ x: [[1], [2], [3]], y: [[2], [4], [6]] });
  const report = await reportOf(data, { loss: mse }, new Linear(1, 1));
  expect(texts(report)).toEqual(["inputs in [1, 3]", "gradients reach all parameters"]);
});
