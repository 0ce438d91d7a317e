import { expect, test } from "vitest";
import type { StepRecord, TrainingRun } from "./callback.ts";
import { type EpochRecord, History } from "./history.ts";
import { minutes, type ProgressStyle, progress } from "./progress.ts";

/** An output that remembers what was written, with a clock that the test sets. */
function recorder(isTerminal: boolean, columns = 150) {
  const written: string[] = [];
  const clock = { ms: 0 };
  const output = {
    isTerminal,
    columns,
    now: () => clock.ms,
    write: (text: string) => void written.push(text),
  };
  return { written, clock, output };
}

const run = (history = new History()): TrainingRun => ({
  epochs: 10,
  stepsPerEpoch: 100,
  samplesPerEpoch: 3200,
  history,
  epoch: 3,
  step: 0,
  model: undefined as never,
  optimizer: undefined as never,
  stop: () => {},
  ...{ options: undefined as never, dataset: undefined as never, validation: undefined },
  ...{ columns: { inputs: [], labels: "labels" }, saveCheckpoint: async () => {}, warn: async () => {} },
  resumedFrom: undefined,
  snapshot: async () => new Map(),
  restore: () => {},
});

const step = (stepOfEpoch: number): StepRecord => ({
  stepOfEpoch,
  samplesOfEpoch: stepOfEpoch * 32,
  samples: 32,
  loss: 0.5,
  learningRate: 1e-3,
  gradientNorm: 0.9,
  milliseconds: { data: 1, compute: 19 },
  gradients: undefined,
  runningScores: () => ({ loss: 0.0712, accuracy: 0.979 }),
});

const epoch: EpochRecord = {
  epoch: 3,
  scores: { loss: 0.0712, accuracy: 0.979, validationLoss: 0.0901, validationAccuracy: 0.9722 },
  steps: 100,
  samples: 3200,
  seconds: 1.25,
  validationSeconds: 0.1,
};

/** An epoch of 100 steps, 20 ms each. */
async function runEpoch(style: ProgressStyle, isTerminal: boolean, msPerStep = 20) {
  const { written, clock, output } = recorder(isTerminal);
  const callback = progress(style, output);
  const current = run();
  await callback.onEpochBegin?.(current);
  for (let i = 1; i <= 100; i++) {
    clock.ms += msPerStep;
    await callback.onStepEnd?.(step(i), current);
  }
  await callback.onEpochEnd?.(epoch, current);
  return written;
}

test("a terminal's line is redrawn at most ten times a second", async () => {
  const written = await runEpoch("auto", true);
  const drawn = written.filter((text) => text.includes("left"));
  expect(drawn).toHaveLength(19);
  expect(drawn[11]).toBe(
    "\repoch  3/10 ━━━━━━━━━━━━────────  61 %  0:01 left  1,600 samples/s  loss 0.0712  accuracy 0.9790  lr 1.0e-3  |g| 0.9  data wait 5 %\x1b[K",
  );
});

test("the line never wraps", async () => {
  const { written, clock, output } = recorder(true, 40);
  const callback = progress("bar", output);
  await callback.onEpochBegin?.(run());
  await callback.onStepEnd?.(step(1), run());
  clock.ms = 1000;
  await callback.onStepEnd?.(step(50), run());
  expect(written.join("").replace(/\r|\x1b\[K/g, "")).toHaveLength(39);
});

test("a first step that compiles does not count in the rate", async () => {
  const { written, clock, output } = recorder(true);
  const callback = progress("bar", output);
  await callback.onEpochBegin?.(run());
  clock.ms = 5000;
  await callback.onStepEnd?.(step(1), run());
  clock.ms = 5100;
  await callback.onStepEnd?.(step(11), run());
  expect(written.join("")).toContain("11 %  0:01 left  3,200 samples/s");
});

test("piped, an epoch is one plain line", async () => {
  expect(await runEpoch("auto", false)).toEqual([
    "epoch  3/10  1.3 s  2,560 samples/s  loss 0.0712  accuracy 0.9790  validation loss 0.0901  validation accuracy 0.9722\n",
  ]);
});

test("piped, a long epoch says something every ten seconds", async () => {
  const written = await runEpoch("lines", false, 1000);
  expect(written).toHaveLength(10);
  expect(written[0]).toBe(
    "epoch  3/10   11 %  1:29 left  32 samples/s  loss 0.0712  accuracy 0.9790  lr 1.0e-3  |g| 0.9  data wait 0 %\n",
  );
});

test("for machines, an epoch is one line of JSON", async () => {
  const [line, ...rest] = await runEpoch("json", true);
  expect(rest).toEqual([]);
  expect(JSON.parse(line!)).toEqual(epoch);
});

test("none writes nothing", async () => {
  expect(await runEpoch("none", true)).toEqual([]);
});

test("the reason of an early end is shown", async () => {
  const { written, output } = recorder(false);
  const history = new History();
  history.stopReason = "interrupted";
  await progress("lines", output).onTrainEnd?.(run(history));
  expect(written).toEqual(["stopped: interrupted\n"]);
});

test("minutes", () => {
  expect([4, 90, 3723, Number.POSITIVE_INFINITY].map(minutes)).toEqual(["0:04", "1:30", "1:02:03", "0:00"]);
});
