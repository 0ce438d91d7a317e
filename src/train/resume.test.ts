import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { blobs } from "../../test/blobs.ts";
import { seed } from "../base/default-key.ts";
import { save, weightsSha256 } from "../checkpoint/index.ts";
import type { Dataset } from "../data/index.ts";
import { crossEntropy } from "../losses/index.ts";
import { accuracy } from "../metrics/index.ts";
import { Linear, ReLU, Sequential } from "../nn/index.ts";
import { adam, linear, sgd } from "../optim/index.ts";
import { type FitOptions, fit, type TrainingRun } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-resume-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A run of 3 epochs of 4 steps (the last one small); other first weights each time it is not resumed from the same file. */
function start(changed: Partial<FitOptions>, firstSeed = 1, data: Dataset = blobs(60)) {
  seed(firstSeed);
  const model = new Sequential(new Linear(2, 8), new ReLU(), new Linear(8, 3));
  const learningRate = linear({ from: 0.01, to: 0, steps: 12 });
  const options: FitOptions = {
    ...{ loss: crossEntropy, metrics: [accuracy], optimizer: adam({ learningRate }) },
    ...{ epochs: 3, batchSize: 16, seed: 5, progress: "none", validation: blobs(20, 3) },
    ...changed,
  };
  return { model, history: fit(model, data, options) };
}

const stopAt = (step: number): Partial<FitOptions> => ({
  callbacks: [{ onStepEnd: (_, run) => void (run.step === step && run.stop("test")) }],
});

const never = (async () => {
  const { model, history } = start({});
  return {
    scores: (await history).epochs.map((record) => record.scores),
    digest: await weightsSha256(model),
  };
})();

test.each([1, 3, 4, 6, 11, 12])(
  "stopped after step %i and resumed equals never stopped, bit for bit",
  async (step) => {
    const checkpoint = join(folder, `${step}.safetensors`);
    const stopped = start({ checkpoint, ...stopAt(step) });
    await stopped.history;
    const resumed = start({ checkpoint, resume: true }, 99);
    const { epochs } = await resumed.history;
    const expected = await never;
    expect(epochs.map(({ scores }) => scores)).toEqual(expected.scores);
    expect(await weightsSha256(resumed.model)).toBe(expected.digest);
  },
);

test("a checkpoint that a callback asks for after any step is one to go on from", async () => {
  const path = (step: number): string => join(folder, `asked-${step}.safetensors`);
  const asking = start({ callbacks: [{ onStepEnd: (_, run) => run.saveCheckpoint(path(run.step)) }] });
  await asking.history;
  const expected = await never;
  for (const step of [2, 4, 7, 8]) {
    const resumed = start({ checkpoint: path(step), resume: true }, 99);
    expect((await resumed.history).epochs.map(({ scores }) => scores)).toEqual(expected.scores);
    expect(await weightsSha256(resumed.model)).toBe(expected.digest);
  }
});

test("gradients come with the steps for which they are asked, and change no bit", async () => {
  const seen = new Map<number, Map<string, number[]>>();
  const { model, history } = start({
    callbacks: [
      {
        wantsGradients: ({ step }) => step === 0 || step === 5,
        async onStepEnd({ gradients }, { step }) {
          if (gradients === undefined) return;
          const read = [...gradients].map(async ([name, g]) => [name, Array.from(await g.data())] as const);
          seen.set(step, new Map(await Promise.all(read)));
        },
      },
    ],
  });
  await history;
  expect(await weightsSha256(model)).toBe((await never).digest);
  expect([...seen.keys()]).toEqual([1, 6]);
  expect([...seen.get(6)!.keys()]).toEqual(["0.weight", "0.bias", "2.weight", "2.bias"]);
  // Of a mean over softmaxes: the gradients of the last biases sum to zero.
  const [a, b, c] = seen.get(6)!.get("2.bias")! as [number, number, number];
  expect(Math.abs(a)).toBeGreaterThan(1e-4);
  expect(a + b + c).toBeCloseTo(0, 6);
});

const inThrees = { batchSize: 6, gradientAccumulationSteps: 3 };

/** Stops it once so many batches were asked for: anywhere in a step of three. */
async function stopAtBatch(batch: number, checkpoint: string): Promise<void> {
  let run: TrainingRun | undefined;
  let delivered = 0;
  const stopping = blobs(60).map((sample) => {
    if (++delivered > 6 * batch - 6) run?.stop("test");
    return sample as Readonly<Record<string, Float32Array>>;
  });
  const callbacks = [{ onTrainBegin: (own: TrainingRun) => void (run = own) }];
  await start({ ...inThrees, checkpoint, callbacks }, 1, stopping).history;
}

test.each([1, 2, 4, 7, 10])(
  "stopped after batch %i, within a step of three, and resumed equals never stopped",
  async (batch) => {
    const whole = start(inThrees);
    const expected = (await whole.history).epochs.map(({ scores }) => scores);
    const checkpoint = join(folder, `batch-${batch}.safetensors`);
    await stopAtBatch(batch, checkpoint);
    const resumed = start({ ...inThrees, checkpoint, resume: true }, 99);
    expect((await resumed.history).epochs.map(({ scores }) => scores)).toEqual(expected);
    expect(await weightsSha256(resumed.model)).toBe(await weightsSha256(whole.model));
  },
);

test("in the middle of a step, as many batches must make one as before", async () => {
  const checkpoint = join(folder, "in-a-step.safetensors");
  await stopAtBatch(1, checkpoint);
  const other = start({ ...inThrees, gradientAccumulationSteps: 2, checkpoint, resume: true });
  await expect(other.history).rejects.toThrow(
    "after 1 of the 3 batches of a step; gradientAccumulationSteps is 2 now",
  );
});

test("a finished run that is resumed trains no further; with more epochs it does", async () => {
  const checkpoint = join(folder, "finished.safetensors");
  await start({ checkpoint }).history;
  const again = start({ checkpoint, resume: true }, 99);
  expect((await again.history).epochs).toHaveLength(3);
  expect(await weightsSha256(again.model)).toBe((await never).digest);
  expect((await start({ checkpoint, resume: true, epochs: 4 }).history).epochs).toHaveLength(4);
});

test("without a file to resume from, training begins", async () => {
  const { model, history } = start({ checkpoint: join(folder, "new.safetensors"), resume: true });
  await history;
  expect(await weightsSha256(model)).toBe((await never).digest);
});

test("a checkpoint of another run is refused and changes nothing", async () => {
  const checkpoint = join(folder, "other.safetensors");
  await start({ checkpoint, epochs: 1 }).history;
  const refused = async (changed: Partial<FitOptions>): Promise<string> => {
    const { model, history } = start({ checkpoint, resume: true, ...changed }, 99);
    const before = await weightsSha256(model);
    const message = await history.then(
      () => "",
      (error: Error) => `${error.name}: ${error.message}`,
    );
    expect(await weightsSha256(model)).toBe(before);
    return message.replaceAll(folder, "FOLDER").replace(/ \(fit was called at .*\)$/, "");
  };
  expect(await refused({ batchSize: 8 })).toMatchInlineSnapshot(
    `"ArgumentError: loader: the saved position was taken with batchSize 16, this loader has 8: its batches would be others; make it with batchSize 16, or seek({ epoch, step }) to start somewhere on purpose"`,
  );
  expect(await refused({ seed: 6 })).toMatchInlineSnapshot(
    `"ArgumentError: loader: the saved position was taken with seed 5, this loader has 6: its batches would be others; make it with seed 5, or seek({ epoch, step }) to start somewhere on purpose"`,
  );
  expect(await refused({ optimizer: sgd({ momentum: 0.9 }) })).toMatchInlineSnapshot(
    `"ArgumentError: load: the file holds optimizer state "firstMoment.0.bias", which this optimizer does not keep (it keeps "momentum.0.bias"): it was saved with another optimizer, or for another model"`,
  );

  const { model } = start({});
  await save(model, checkpoint);
  expect(await refused({})).toMatchInlineSnapshot(
    `"ArgumentError: load: the file holds no optimizer; it was saved without { optimizer }. Load the model alone to start its moments anew"`,
  );
  writeFileSync(checkpoint, "not a checkpoint");
  expect(await refused({})).toMatchInlineSnapshot(
    `"FormatError: "FOLDER/other.safetensors" is not a valid safetensors file: its header claims 7521891404167278446 bytes, more than the 100000000 allowed; it is probably of another format"`,
  );
});
