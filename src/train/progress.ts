/**
 * Progress for people and machines: one line that is redrawn on a terminal, plain lines when piped, JSON lines on request.
 *
 * Drawing happens at most ten times a second, so it costs nothing that could be measured.
 */
import { monotonicMs, terminal, write } from "#platform";
import type { Callback, StepRecord, TrainingRun } from "./callback.ts";
import { headerText, warningText } from "./header.ts";
import type { EpochRecord, Scores } from "./history.ts";

/** `auto`: `bar` on a terminal, else `lines`. */
export type ProgressStyle = "auto" | "bar" | "lines" | "json" | "none";

/** Where progress goes and what time it is: the process's own unless told otherwise. */
export interface ProgressOutput {
  write(text: string): void;
  isTerminal: boolean;
  columns: number;
  now(): number;
}

function processOutput(): ProgressOutput {
  const { isTerminal, columns } = terminal("stdout");
  return { isTerminal, columns, now: monotonicMs, write: (text) => write("stdout", text) };
}

/**
 * A callback that shows how training goes; `fit` adds one by itself.
 *
 * @example await fit(model, train, { loss: crossEntropy, optimizer: adam(), callbacks: [progress("none")] });
 */
export function progress(style: ProgressStyle = "auto", output: ProgressOutput = processOutput()): Callback {
  switch (style) {
    case "none":
      return {};
    case "json":
      return jsonLines(output);
    case "lines":
      return lines(output);
    case "bar":
      return bar(output);
    case "auto":
      return output.isTerminal ? bar(output) : lines(output);
  }
}

const redrawMs = 100;

/** Where the rate is measured from: the end of an epoch's first step, which may have compiled the program. */
interface Start {
  readonly ms: number;
  readonly samples: number;
  /** Waited for batches since then. */
  dataMs: number;
}

function bar(output: ProgressOutput): Callback {
  let start: Start | undefined;
  let drawn = 0;
  const clear = (): void => output.write("\r\x1b[K");
  return {
    onTrainBegin: (run) => writeResumption(output, run),
    onChecks: (report) => void output.write(headerText(report)),
    onWarning(message) {
      clear();
      output.write(`${warningText(message)}\n`);
    },
    onError: clear,
    onEpochBegin() {
      start = undefined;
    },
    onStepEnd(step, run) {
      const now = output.now();
      if (start === undefined) {
        start = { ms: now, samples: step.samplesOfEpoch, dataMs: -step.milliseconds.data };
        drawn = now;
      }
      start.dataMs += step.milliseconds.data;
      if (now - drawn < redrawMs) return;
      drawn = now;
      output.write(`\r${barLine(step, run, start, now).slice(0, output.columns - 1)}\x1b[K`);
    },
    onEpochEnd(record, run) {
      clear();
      output.write(`${epochLine(record, run)}\n`);
    },
    onTrainEnd(run) {
      clear();
      writeStopReason(output, run);
    },
  };
}

/** How often a long epoch says something when no terminal shows it. */
const plainLineMs = 10_000;

function lines(output: ProgressOutput): Callback {
  let start: Start | undefined;
  let written = 0;
  return {
    onTrainBegin: (run) => writeResumption(output, run),
    onChecks: (report) => void output.write(headerText(report)),
    onWarning: (message) => void output.write(`${warningText(message)}\n`),
    onEpochBegin() {
      start = undefined;
    },
    onStepEnd(step, run) {
      const now = output.now();
      if (start === undefined) {
        start = { ms: now, samples: step.samplesOfEpoch, dataMs: -step.milliseconds.data };
        written = now;
      }
      start.dataMs += step.milliseconds.data;
      if (now - written < plainLineMs) return;
      written = now;
      output.write(`${statusText(step, run, start, now).join("  ")}\n`);
    },
    onEpochEnd(record, run) {
      output.write(`${epochLine(record, run)}\n`);
    },
    onTrainEnd: (run) => writeStopReason(output, run),
  };
}

function jsonLines(output: ProgressOutput): Callback {
  const line = (value: object): void => output.write(`${JSON.stringify(value)}\n`);
  return {
    onChecks: (report) => line({ report }),
    onWarning: (warning) => line({ warning }),
    onEpochEnd(record) {
      line(record);
    },
    onTrainEnd({ history }) {
      if (history.stopReason !== undefined) line({ stopReason: history.stopReason });
    },
  };
}

function writeResumption(output: ProgressOutput, { resumedFrom }: TrainingRun): void {
  if (resumedFrom !== undefined) output.write(`${resumedFrom}\n`);
}

function writeStopReason(output: ProgressOutput, { history }: TrainingRun): void {
  if (history.stopReason !== undefined) output.write(`stopped: ${history.stopReason}\n`);
}

const barCells = 20;

function barLine(step: StepRecord, run: TrainingRun, start: Start, now: number): string {
  const [head, percent, ...rest] = statusText(step, run, start, now);
  const filled = Math.round((step.samplesOfEpoch / run.samplesPerEpoch) * barCells);
  const cells = "━".repeat(filled) + "─".repeat(barCells - filled);
  return [`${head} ${cells} ${percent}`, ...rest].join("  ");
}

/** `epoch 3/10`, ` 61 %`, `0:04 left`, `23,400 samples/s`, `loss 0.071` … */
function statusText(
  { samplesOfEpoch, runningScores, learningRate, gradientNorm }: StepRecord,
  { epoch, epochs, samplesPerEpoch }: TrainingRun,
  start: Start,
  now: number,
): string[] {
  const seconds = (now - start.ms) / 1000;
  const done = samplesOfEpoch - start.samples;
  const leftSeconds = (seconds * (samplesPerEpoch - samplesOfEpoch)) / done;
  return [
    epochText(epoch, epochs),
    `${String(Math.floor((samplesOfEpoch / samplesPerEpoch) * 100)).padStart(3)} %`,
    `${minutes(leftSeconds)} left`,
    rateText(done, seconds),
    ...scoreTexts(runningScores()),
    ...stepTexts(learningRate, gradientNorm, start.dataMs / 1000 / Math.max(seconds, 1e-9)),
  ];
}

function epochLine(record: EpochRecord, run: TrainingRun): string {
  const { epoch, scores, seconds, samples, learningRate, gradientNorm, dataSeconds } = record;
  const parts = [epochText(epoch, run.epochs), `${seconds.toFixed(1)} s`, rateText(samples, seconds)];
  const waited = dataSeconds === undefined ? undefined : dataSeconds / Math.max(seconds, 1e-9);
  return [...parts, ...scoreTexts(scores), ...stepTexts(learningRate, gradientNorm, waited)].join("  ");
}

const epochText = (epoch: number, epochs: number): string =>
  `epoch ${String(epoch).padStart(String(epochs).length)}/${epochs}`;

const rateText = (samples: number, seconds: number): string =>
  `${Math.round(samples / Math.max(seconds, 1e-9)).toLocaleString("en-US")} samples/s`;

const scoreTexts = (scores: Scores): string[] =>
  Object.entries(scores).map(([name, value]) => `${words(name)} ${scoreText(value)}`);

function stepTexts(rate: number | undefined, norm: number | undefined, waited: number | undefined): string[] {
  return [
    ...(rate === undefined || Number.isNaN(rate) ? [] : [`lr ${short(rate)}`]),
    ...(norm === undefined ? [] : [`|g| ${short(norm)}`]),
    ...(waited === undefined ? [] : [`data wait ${Math.round(Math.min(1, Math.max(0, waited)) * 100)} %`]),
  ];
}

/** Two digits: `0.9`, `8.1e-4`. */
const short = (value: number): string =>
  value !== 0 && (Math.abs(value) < 1e-2 || Math.abs(value) >= 1000)
    ? value.toExponential(1)
    : String(Number(value.toPrecision(2)));

const scoreText = (value: number): string =>
  value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(2) : value.toFixed(4);

/** `validationLoss` → `validation loss`. */
const words = (name: string): string =>
  name.replace(/([a-z0-9])([A-Z])/g, (_, a, b) => `${a} ${b.toLowerCase()}`);

/** Seconds as `0:04`, `12:30` or `1:02:03`. */
export function minutes(seconds: number): string {
  const whole = Math.max(0, Math.round(Number.isFinite(seconds) ? seconds : 0));
  const two = (n: number): string => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
