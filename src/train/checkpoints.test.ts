/** Checkpoints: when, where, how many; and that every one of them is a place to go on from. */
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { blobs } from "../../test/blobs.ts";
import { byTier } from "../../test/tier.ts";
import { seed } from "../base/default-key.ts";
import { weightsSha256 } from "../checkpoint/index.ts";
import { crossEntropy } from "../losses/index.ts";
import { accuracy, streaming } from "../metrics/index.ts";
import { Dropout, Linear, ReLU, Sequential } from "../nn/index.ts";
import { adam } from "../optim/index.ts";
import { type CheckpointOptions, earlyStopping, type FitOptions, fit, on, reduceOnPlateau } from "./index.ts";

const folder = mkdtempSync(join(tmpdir(), "netwright-checkpoints-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string): string => join(folder, name);

/** At most 5 epochs of 3 steps with everything that has a state; other first weights where it should go on. */
function start(changed: Partial<FitOptions>, firstSeed = 1) {
  seed(firstSeed);
  const model = new Sequential(new Linear(2, 8), new ReLU(), new Dropout(0.3), new Linear(8, 3));
  const recall = streaming("recall", (matrix) => matrix.recall({ average: "macro" }));
  const { callbacks = [], ...rest } = changed;
  const history = fit(model, blobs(40), {
    ...{ loss: crossEntropy, metrics: [accuracy, recall], optimizer: adam({ learningRate: 2 }), epochs: 5 },
    ...{ batchSize: 16, seed: 5, progress: "none", validation: blobs(20, 3), ...rest },
    callbacks: [reduceOnPlateau({ factor: 0.5, patience: 1 }), earlyStopping({ patience: 2 }), ...callbacks],
  });
  return { model, history };
}

async function outcome({ model, history }: ReturnType<typeof start>) {
  const { epochs, stopReason } = await history;
  return { digest: await weightsSha256(model), scores: epochs.map(({ scores }) => scores), stopReason };
}

test("from each of its checkpoints a run goes on to the same end: rates, best weights, scores, the reason of its end", async () => {
  const copies: string[] = [];
  const keep = on("checkpoint", ({ path }) => {
    copies.push(file(`copy-${copies.length}`));
    copyFileSync(path, copies.at(-1)!);
  });
  const checkpoint: CheckpointOptions = { path: file("all.safetensors"), everySteps: 1 };
  const expected = await outcome(start({ checkpoint, callbacks: [keep] }));
  expect(expected).toEqual(await outcome(start({})));
  expect(expected.stopReason).toMatch(/did not improve for 2 epochs .*restored/);
  // Each step, the last of an epoch before and after its validation.
  expect(copies).toHaveLength(4 * expected.scores.length);
  const some = copies.filter((_, i) => i % byTier(5, 1) === 0 || i === copies.length - 1);
  for (const copy of some)
    expect(await outcome(start({ checkpoint: copy, resume: true }, 99))).toEqual(expected);
});

test("files for each state, the last of them kept; the best weights come back", async () => {
  const place = file("run");
  mkdirSync(place);
  const checkpoint = {
    ...{ path: join(place, "at-{epoch}-{step}.safetensors"), everySteps: 2, keepLast: 3 },
    ...{ best: join(place, "best.safetensors"), restoreBest: true },
  };
  const run = start({ checkpoint });
  const expected = await outcome(run);
  const names = readdirSync(place).filter((name) => name.startsWith("at"));
  const last = 3 * expected.scores.length;
  expect(names).toHaveLength(3);
  expect(names).toContain(`at-${expected.scores.length}-${last}.safetensors`);
  expect(expected).toEqual(await outcome(start({})));

  // The newest is cut short: the one before is taken, and that is said.
  truncateSync(join(place, `at-${expected.scores.length}-${last}.safetensors`), 1000);
  const warnings: string[] = [];
  const resumed = start(
    { checkpoint, resume: true, callbacks: [on("warning", (text) => void warnings.push(text))] },
    99,
  );
  expect(await outcome(resumed)).toEqual(expected);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/is not a valid safetensors file.*; going on from the one before$/);
});

test("everyMinutes and everyEpochs", async () => {
  const written: number[] = [];
  const count = on("checkpoint", (_, { step }) => void written.push(step));
  await start({ checkpoint: { path: file("rare"), everyEpochs: 4 }, epochs: 2, callbacks: [count] }).history;
  expect(written.splice(0)).toEqual([6]);
  await start({
    checkpoint: { path: file("often"), everyEpochs: 4, everyMinutes: 1e-9 },
    epochs: 1,
    callbacks: [count],
  }).history;
  expect(written).toEqual([1, 2, 3, 3]);
});

test("options that mean nothing are errors, before anything is trained", async () => {
  const message = (checkpoint: object): Promise<string> =>
    start({ checkpoint: checkpoint as CheckpointOptions }).history.then(
      () => "",
      (error: Error) => error.message.replaceAll(folder, "FOLDER").replace(/ \(fit was called.*/, ""),
    );
  expect(await message({ path: "a", keepLast: 2 })).toMatchInlineSnapshot(
    `"fit: checkpoint: keepLast needs a file for each state: put {step} or {epoch} into the name of "a""`,
  );
  expect(await message({ path: "a", everyStep: 2 })).toMatchInlineSnapshot(
    `"fit: checkpoint: there is no option "everyStep"; did you mean "everySteps"?"`,
  );
  expect(await message({ path: "a", everySteps: 0 })).toMatchInlineSnapshot(
    `"fit: checkpoint: everySteps must be an integer of 1 or more, got 0"`,
  );
  expect(await message({ path: "a", restoreBest: true })).toMatchInlineSnapshot(
    `"fit: checkpoint: restoreBest needs a file for the best weights: { best: path }"`,
  );
  expect(await message({ path: "{step}/a" })).toMatchInlineSnapshot(
    `"fit: checkpoint: {step} and {epoch} belong into the file's name, not its folder: "{step}/a""`,
  );
  expect(await message({ path: "a", best: { path: "b", monitor: "validationLos" } })).toMatchInlineSnapshot(
    `"no score "validationLos" is recorded; there are loss, accuracy, recall, validationLoss, validationAccuracy, validationRecall. Did you mean "validationLoss"?"`,
  );
  expect(await message({ path: file("missing/a") })).toMatchInlineSnapshot(
    `"cannot write "FOLDER/missing/a": there is no such file or folder; check the path; nothing was written"`,
  );
});

function fillUp(path: string): void {
  try {
    for (;;) appendFileSync(path, Buffer.alloc(1024));
  } catch (error) {
    expect((error as { code: string }).code).toBe("ENOSPC");
  }
}

test("a full disk: training goes on, the file before stays; at the end it is an error that says what to do", async ({
  skip,
}) => {
  const disk = file("disk");
  mkdirSync(disk);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], { stdio: "ignore" });
  } catch {
    skip("mounting a small file system needs root");
  }
  try {
    const path = join(disk, "state.safetensors");
    const filler = join(disk, "filler");
    const warnings: string[] = [];
    const fill = (from: number, to: number) => [
      on("warning", (text) => void warnings.push(text.replaceAll(folder, "FOLDER"))),
      on("stepEnd", (_, { step }) => {
        if (step === from) fillUp(filler);
        if (step === to) rmSync(filler);
      }),
    ];
    const checkpoint = { path, everySteps: 1 };
    const expected = await outcome(start({}));
    expect(await outcome(start({ checkpoint, callbacks: fill(4, 6) }))).toEqual(expected);
    expect(warnings.length).toBeGreaterThan(0);
    expect(warnings[0]).toMatchInlineSnapshot(
      `"cannot write "FOLDER/disk/state.safetensors": the disk is full; free some space or choose another folder; the old file is unchanged; training goes on, and tries again"`,
    );

    const run = start({ checkpoint, callbacks: fill(4, 99) });
    await expect(run.history).rejects.toThrow(
      /the disk is full; .* the old file is unchanged. Training has ended and its last state is in no file; the model in memory has it/,
    );
    expect(await weightsSha256(run.model)).toBe(expected.digest);
    rmSync(filler);
    expect(readdirSync(disk)).toEqual(["state.safetensors"]);

    warnings.length = 0;
    const best = { path: join(disk, "best.safetensors"), monitor: "loss" };
    const apart = { path: file("apart.safetensors"), best };
    expect(await outcome(start({ checkpoint: apart, callbacks: fill(1, 99) }))).toEqual(expected);
    expect(warnings[0]).toMatch(
      /best.safetensors": the disk is full; .*; training goes on, and the best weights are/,
    );
    rmSync(filler);
    expect(await outcome(start({ checkpoint, resume: true }, 99))).toEqual(expected);
  } finally {
    execFileSync("umount", [disk]);
  }
  expect(existsSync(join(disk, "state.safetensors"))).toBe(false);
});
