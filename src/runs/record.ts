/** Recording a run: a callback for `fit`, or calls in a loop of one's own, that leave a folder. */
import { monotonicMs } from "#platform";
import { ArgumentError, FileError, SampleError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { weightsSha256 } from "../checkpoint/index.ts";
import type { Callback, EpochRecord, Scores, StepRecord, TrainingRun } from "../train/index.ts";
import { CheckpointKeeper, type CheckpointOptions } from "./checkpoints.ts";
import { type Evaluation, type EvaluationOptions, evaluation } from "./evaluation.ts";
import { configOf, openFolder, type RunFolder } from "./folder.ts";
import type { GrowingFile } from "./growing-file.ts";
import { type HistogramSource, histogramLines } from "./histograms.ts";
import { files, type ProgramFacts, type RunResult, type StepLine } from "./layout.ts";
import { EventFile } from "./tensorboard/event-file.ts";

export interface RecordOptions {
  /** Where runs are kept; `runs` unless told otherwise. */
  readonly folder?: string;
  /** Of the run's own folder; its time unless told otherwise. */
  readonly name?: string;
  /** What a loop of one's own was asked for; of `fit` the options are known. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** States to go on from: after each epoch, the last 3, unless told otherwise. False keeps none. */
  readonly checkpoints?: CheckpointOptions | false;
  /** Histograms of weights and gradients: after each epoch unless told otherwise, after so many steps, or never. */
  readonly histograms?: "epoch" | number | false;
  /** The digest of all weights, for `diff`: after each epoch unless told otherwise, or after so many steps. */
  readonly digests?: "epoch" | number;
  /** What the model answers on the validation data, at the end: for the report. False leaves it out. */
  readonly evaluation?: EvaluationOptions | false;
  /** The same numbers as event files for TensorBoard; false unless told otherwise. */
  readonly tensorboard?: boolean;
  /** What made the run, where it is not the program that runs. */
  readonly program?: ProgramFacts;
}

const optionNames = [
  ...[
    "folder",
    "name",
    "options",
    "checkpoints",
    "histograms",
    "digests",
    "evaluation",
    "tensorboard",
    "program",
  ],
] as const;

/**
 * Records a run: `fit` takes the result as a callback, a loop of one's own calls `log`.
 *
 * The folder then says what was asked for, on which data, with which code, where it ran, and what came of every step; a
 * process that is killed loses at most the last second of it. `netwright runs`, `diff`, `replay` and `report` read it. What cannot
 * be written (a full disk) is told as a warning, kept in memory and tried again: training goes on.
 *
 * @throws ArgumentError for an unknown option; later FileError where the folder cannot be made, ArgumentError for a name
 * that another run has
 * @example
 * const run = recordRun({ folder: "runs" });
 * await fit(model, train, { loss: crossEntropy, optimizer: adam(), callbacks: [run], progress: "none" });
 * (await readRun(run.path!)).result?.status; // "finished"
 * @example
 * const run = recordRun({ name: "by-hand", options: { learningRate: 0.1 } });
 * for (let step = 1; step <= 3; step++) run.log({ loss: 1 / step }, step);
 * await run.close();
 */
export function recordRun(options: RecordOptions = {}): RunRecorder {
  checkOptions("recordRun", options, optionNames);
  return new RunRecorder(options);
}

/**
 * What `recordRun` gives: a callback for `fit`, and `log` for a loop of one's own.
 *
 * @example recordRun({ folder: "runs" }) instanceof RunRecorder; // true
 */
export class RunRecorder implements Callback {
  readonly #options: RecordOptions;
  readonly #keeper: CheckpointKeeper;
  #opening: Promise<RunFolder> | undefined;
  #folder: RunFolder | undefined;
  #events: EventFile | undefined;
  #lastStep = 0;
  #learningRate = Number.NaN;
  /** When the step before ended, within an epoch. */
  #stepEnded: number | undefined;
  /** Of the last step for which they were asked. */
  #gradients: HistogramSource["gradients"];

  constructor(options: RecordOptions) {
    this.#options = options;
    this.#keeper = new CheckpointKeeper(options.checkpoints ?? {});
  }

  /** The run's folder, once it is there. */
  get path(): string | undefined {
    return this.#folder?.path;
  }

  /** Values of a step of one's own loop, counted from 1. They are in the file a second later, or after `close`. */
  log(values: Scores, step: number): void {
    if (!Number.isInteger(step) || step < 0)
      throw new ArgumentError(`RunRecorder.log: step must be an integer of 0 or more, got ${step}`);
    this.#opening ??= this.#open(undefined);
    this.#write({ type: "step", step, values });
  }

  /** Ends a run of one's own loop: everything is in the file. @throws FileError where it could not be written */
  async close(): Promise<void> {
    if (this.#opening === undefined) return;
    await this.#opening;
    await this.#end({ status: "finished" });
  }

  async onTrainBegin(run: TrainingRun): Promise<void> {
    this.#opening = this.#open(run);
    this.#lastStep = run.step;
    const { metrics, path } = await this.#opening;
    metrics.addLine({ type: "start", step: run.step, at: new Date().toISOString() });
    await this.#keeper.open(path);
  }

  onEpochBegin(): void {
    this.#stepEnded = undefined;
  }

  wantsGradients({ step, stepsPerEpoch }: TrainingRun): boolean {
    const every = this.#options.histograms ?? "epoch";
    if (every === false) return false;
    return every === "epoch" ? (step + 1) % stepsPerEpoch === 0 : (step + 1) % every === 0;
  }

  async onStepEnd(record: StepRecord, run: TrainingRun): Promise<void> {
    const { digests } = this.#options;
    const isDigested = typeof digests === "number" && run.step % digests === 0;
    const weights = isDigested ? await weightsSha256(run.model) : undefined;
    this.#write({
      ...{ type: "step", step: run.step, epoch: run.epoch, learningRate: record.learningRate },
      values: {
        loss: record.loss,
        ...(record.gradientNorm === undefined ? {} : { gradientNorm: record.gradientNorm }),
      },
      ms: this.#times(record),
      ...(weights === undefined ? {} : { weights }),
    });
    this.#learningRate = record.learningRate;
    if (record.gradients !== undefined) await this.#keepGradients(record.gradients, run);
    await this.#keeper.trim();
    if (this.#keeper.isDue(run.step)) await this.#keepState(run);
    await this.#warnOfFailures(run);
    this.#stepEnded = monotonicMs();
  }

  async onEpochEnd(record: EpochRecord, run: TrainingRun): Promise<void> {
    const { epoch, scores, seconds, validationSeconds } = record;
    const learningRate = this.#learningRate;
    const weights = await weightsSha256(run.model);
    const { metrics } = this.#folder!;
    metrics.addLine({
      ...{ type: "epoch", epoch, step: run.step, scores, seconds, validationSeconds, learningRate, weights },
    });
    this.#events?.scalars(run.step, { ...scores, learningRate });
    if ((this.#options.histograms ?? "epoch") === "epoch") await this.#histograms(run);
    if (this.#keeper.isAtEpochs) await this.#keepState(run);
    await this.#warnOfFailures(run);
  }

  /** A run that goes on from a checkpoint writes only what comes after it. */
  async onCheckpointBegin(): Promise<void> {
    await this.#folder?.metrics.flush();
  }

  onWarning(message: string, { step }: TrainingRun): void {
    this.#folder?.metrics.addLine({ type: "warning", step, message });
  }

  async onTrainEnd(run: TrainingRun): Promise<void> {
    const { evaluation: options = {} } = this.#options;
    const answered = options === false ? undefined : await this.#answers(run, options);
    const { stopReason } = run.history;
    // The model is worth more than what is told of it: the caller gets it, whatever the disk says.
    if (answered !== undefined)
      await this.#warnOfFileError(run, () => this.#folder!.write(files.evaluation, answered));
    await this.#warnOfFileError(run, () => this.#keeper.trim());
    const ending =
      stopReason === undefined
        ? { status: "finished" as const }
        : { status: "stopped" as const, reason: stopReason };
    await this.#warnOfFileError(run, () => this.#end(ending));
  }

  #keepState(run: TrainingRun): Promise<void> {
    return this.#warnOfFileError(run, () => this.#keeper.save(run));
  }

  async #warnOfFileError(run: TrainingRun, write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      await run.warn(`${error.message}; the record of the run lacks it`);
    }
  }

  async #warnOfFailures(run: TrainingRun): Promise<void> {
    for (const file of this.#growing()) {
      const failure = file.newFailure();
      if (failure !== undefined)
        await run.warn(`${failure.message}; training goes on, and what is recorded waits in memory`);
    }
  }

  #growing(): readonly GrowingFile[] {
    if (this.#folder === undefined) return [];
    const { metrics, histograms } = this.#folder;
    return [metrics, histograms, ...(this.#events === undefined ? [] : [this.#events])];
  }

  /** A damaged sample costs the report its answers, not the run its end. */
  async #answers(run: TrainingRun, options: EvaluationOptions): Promise<Evaluation | undefined> {
    try {
      return await evaluation(run, options);
    } catch (error) {
      if (!(error instanceof SampleError)) throw error;
      this.onWarning(`the report has no answers of the model: ${error.message}`, run);
      return undefined;
    }
  }

  async onError(error: unknown): Promise<void> {
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    // The error that ended training matters more than one of its record.
    await this.#end({ status: "failed", reason }).catch(() => {});
  }

  #open(run: TrainingRun | undefined): Promise<RunFolder> {
    const { folder = "runs", name, options, program, tensorboard } = this.#options;
    const opening = openFolder({ folder, name, isResumed: run?.resumedFrom !== undefined }, (chosen) =>
      configOf(chosen, { run, options, program }),
    );
    return opening.then(async (opened) => {
      if (tensorboard) this.#events = await EventFile.open(opened.path);
      this.#folder = opened;
      return opened;
    });
  }

  #write(line: StepLine): void {
    this.#lastStep = Math.max(this.#lastStep, line.step);
    if (this.#folder !== undefined) {
      this.#folder.metrics.addLine(line);
      this.#events?.scalars(line.step, prefixed(line.values));
      return;
    }
    // In a loop of one's own the folder is made while the loop goes on.
    this.#opening!.then(
      () => this.#write(line),
      () => {},
    );
  }

  #times({ milliseconds: { data, compute } }: StepRecord): NonNullable<StepLine["ms"]> {
    const since = this.#stepEnded === undefined ? data + compute : monotonicMs() - this.#stepEnded;
    return { data: short(data), compute: short(compute), other: short(Math.max(0, since - data - compute)) };
  }

  async #keepGradients(gradients: NonNullable<StepRecord["gradients"]>, run: TrainingRun): Promise<void> {
    const reads = [...gradients].map(async ([name, tensor]) => [name, await tensor.toHost()] as const);
    this.#gradients = new Map(await Promise.all(reads));
    if (typeof this.#options.histograms === "number") await this.#histograms(run);
  }

  async #histograms({ model, step, epoch }: TrainingRun): Promise<void> {
    const lines = await histogramLines({ model, step, epoch, gradients: this.#gradients });
    for (const line of lines) {
      this.#folder!.histograms.addLine(line);
      this.#events?.histogram(step, `weights/${line.parameter}`, line.weights);
      if (line.gradients) this.#events?.histogram(step, `gradients/${line.parameter}`, line.gradients);
    }
    await this.#folder!.histograms.flush();
  }

  async #end(ending: Pick<RunResult, "status" | "reason">): Promise<void> {
    const folder = this.#folder;
    if (folder === undefined) return;
    await Promise.all(this.#growing().map((file) => file.flush()));
    for (const { failure } of this.#growing()) if (failure !== undefined) throw failure;
    await folder.write(files.result, { endedAt: new Date().toISOString(), ...ending, steps: this.#lastStep });
  }
}

const short = (milliseconds: number): number => Math.round(milliseconds * 1000) / 1000;

/** Scores of a step and of an epoch are different curves. */
const prefixed = (values: Scores): Scores =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`step/${name}`, value]));
