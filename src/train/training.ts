/** The loop of `fit`: epochs, steps, validation, checkpoints. */
import { fileSize, monotonicMs } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { load, save } from "../checkpoint/index.ts";
import { type Dataset, type Loader, loader } from "../data/index.ts";
import type { Module } from "../nn/index.ts";
import { type Optimizer, parameterGroups } from "../optim/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { Breather } from "./breather.ts";
import { type Callback, notify, type StepRecord } from "./callback.ts";
import { type ColumnRoles, columnRoles, divisorsOf, pick } from "./columns.ts";
import { evaluator } from "./evaluate.ts";
import { explained } from "./failed-step.ts";
import type { FitOptions } from "./fit.ts";
import { type Scores, validationName } from "./history.ts";
import { describeResumption, type Progress, progressOf } from "./resumption.ts";
import { Run } from "./run.ts";
import { type Pass, Scoring } from "./scoring.ts";
import { type BatchProgram, trainProgram } from "./step.ts";

type Step = Pick<StepRecord, "samples" | "loss" | "learningRate" | "gradientNorm" | "gradients">;

export class Training {
  readonly run: Run;
  readonly #model: Module;
  readonly #options: FitOptions;
  readonly #callbacks: readonly Callback[];
  readonly #optimizer: Optimizer;
  readonly #batches: Loader<any>;
  readonly #columns: ColumnRoles;
  readonly #scoring: Scoring;
  readonly #program: BatchProgram;
  /** The same step, which also gives its gradients; made when it is first asked for. */
  #gradientProgram: BatchProgram | undefined;
  readonly #makeProgram: (keeping: { readonly keepGradients: boolean }) => BatchProgram;
  readonly #validate: (() => Promise<Scores>) | undefined;
  /** What a checkpoint says of the epoch it was taken in. */
  #unfinished: Progress["unfinished"];
  /** Of the epoch that is going on: what a checkpoint needs to know. */
  #unfinishedNow: (() => Progress["unfinished"]) | undefined;
  /** Checkpoints asked for after an epoch's last step: they are written when it has ended. */
  #atEpochEnd: string[] = [];

  constructor(model: Module, given: Dataset<any>, options: FitOptions, callbacks: readonly Callback[]) {
    const { dataset, validation } = parts(given, options);
    const { epochs = 1, batchSize = 32, shuffle = true, seed = 0, metrics = [], loss } = options;
    this.#model = model;
    this.#options = options;
    this.#callbacks = callbacks;
    this.#columns = columnRoles("fit", dataset, options);
    const divisors = divisorsOf(dataset, this.#columns.inputs, this.#columns.labels);
    const shuffling = shuffle ? { shuffle: { seed } } : {};
    this.#batches = loader(dataset, { batchSize, ...shuffling, stored: divisors !== undefined });
    this.#optimizer = optimizerOf(model, options);
    this.#scoring = new Scoring(loss, metrics);
    const programParts = { model, scoring: this.#scoring, divisors };
    this.#makeProgram = (keeping) => trainProgram(programParts, this.#optimizer, options, keeping);
    this.#program = this.#makeProgram({ keepGradients: false });
    if (validation) {
      this.#validate = evaluator("fit: validation", model, validation, { loss, metrics, ...this.#columns });
    }
    this.run = new Run({
      ...{ model, optimizer: this.#optimizer, options, dataset, validation, columns: this.#columns },
      ...{ epochs, stepsPerEpoch: this.#batches.length, samplesPerEpoch: dataset.length },
      saveCheckpoint: (path) => this.#saveNow(path),
    });
  }

  async start(): Promise<void> {
    const { run } = this;
    if (this.#options.resume) await this.#resume();
    await notify(this.#callbacks, "onTrainBegin", run);
    while (!run.isStopped && this.#batches.position.epoch < run.epochs) await this.#epoch();
    await notify(this.#callbacks, "onTrainEnd", run);
  }

  async #epoch(): Promise<void> {
    const { run } = this;
    const [pass, secondsBefore] = this.#startPass();
    run.epoch = this.#batches.position.epoch + 1;
    await notify(this.#callbacks, "onEpochBegin", run);
    const started = monotonicMs();
    const elapsed = (): number => secondsBefore + (monotonicMs() - started) / 1000;
    this.#unfinishedNow = () => ({ pass: pass.state(), seconds: elapsed() });
    await this.#steps(pass);
    this.#unfinishedNow = undefined;
    const seconds = elapsed();
    if (this.#batches.position.epoch < run.epoch) {
      await this.#saveCheckpoint(this.#options.checkpoint, { pass: pass.state(), seconds });
      return;
    }
    await this.#endEpoch(pass, seconds);
  }

  async #steps(pass: Pass): Promise<void> {
    const { inputs, labels } = this.#columns;
    const names = [...inputs, labels];
    const breather = new Breather();
    let asked = monotonicMs();
    for await (const batch of this.#batches) {
      const started = monotonicMs();
      const wantsGradients = this.#callbacks.some((callback) => callback.wantsGradients?.(this.run));
      const step = await this.#step(pass, pick(batch, names), wantsGradients);
      const { position } = this.#batches;
      const record = {
        stepOfEpoch: position.epoch < this.run.epoch ? position.step : this.#batches.length,
        ...{ ...step, samplesOfEpoch: pass.samples, runningScores: () => pass.scores() },
        milliseconds: { data: started - asked, compute: monotonicMs() - started },
      };
      await notify(this.#callbacks, "onStepEnd", record, this.run);
      await breather.pause();
      if (this.run.isStopped) return;
      asked = monotonicMs();
    }
  }

  /** One step: its loss before the update, and its gradients where they are wanted. */
  async #step(pass: Pass, columns: readonly HostArray[], wantsGradients: boolean): Promise<Step> {
    if (wantsGradients) this.#gradientProgram ??= this.#makeProgram({ keepGradients: true });
    const program = wantsGradients ? this.#gradientProgram! : this.#program;
    try {
      const { update, gradients, ...results } = program(...columns);
      const labels = columns[columns.length - 1]!;
      const [loss, learningRate, gradientNorm] = await Promise.all([
        pass.add(results, labels),
        read(update!.learningRate),
        update!.gradientNorm && read(update!.gradientNorm),
      ]);
      this.run.step++;
      const named = gradients && this.#named(gradients);
      return { samples: labels.shape[0]!, loss, learningRate, gradientNorm, gradients: named };
    } catch (error) {
      const place = `epoch ${this.run.epoch}, step ${this.run.step + 1}`;
      throw await explained(error, this.#program, columns, place);
    }
  }

  #named(gradients: readonly Tensor[]): ReadonlyMap<string, Tensor> {
    const names = new Map([...this.#model.namedParameters()].map(([name, parameter]) => [parameter, name]));
    return new Map(
      this.#optimizer.parameters.map((parameter, i) => [names.get(parameter) ?? `${i}`, gradients[i]!]),
    );
  }

  async #endEpoch(pass: Pass, seconds: number): Promise<void> {
    const { run } = this;
    const started = monotonicMs();
    const validation = await this.#validation();
    const validationSeconds = (monotonicMs() - started) / 1000;
    const scores = { ...pass.scores(), ...validation };
    const sizes = { steps: this.#batches.length, samples: pass.samples };
    const record = { epoch: run.epoch, scores, ...sizes, seconds, validationSeconds };
    run.history.epochs.push(record);
    await this.#saveCheckpoint();
    for (const path of this.#atEpochEnd.splice(0)) await this.#saveCheckpoint(path);
    await notify(this.#callbacks, "onEpochEnd", record, run);
  }

  async #validation(): Promise<Scores> {
    if (this.#validate === undefined) return {};
    await notify(this.#callbacks, "onValidationBegin", this.run);
    const scores = await this.#validate();
    await notify(this.#callbacks, "onValidationEnd", scores, this.run);
    return Object.fromEntries(Object.entries(scores).map(([name, value]) => [validationName(name), value]));
  }

  /** Sums of a new epoch, or of the one that a checkpoint was taken in. */
  #startPass(): [pass: Pass, secondsBefore: number] {
    const pass = this.#scoring.start();
    const unfinished = this.#unfinished;
    this.#unfinished = undefined;
    if (unfinished === undefined) return [pass, 0];
    pass.restore(unfinished.pass);
    return [pass, unfinished.seconds];
  }

  /** A checkpoint that a callback asks for, in the middle of an epoch or between two. */
  async #saveNow(path: string): Promise<void> {
    const isEpochOver = this.#unfinishedNow !== undefined && this.#batches.position.epoch >= this.run.epoch;
    if (isEpochOver) this.#atEpochEnd.push(path);
    else await this.#saveCheckpoint(path, this.#unfinishedNow?.());
  }

  async #saveCheckpoint(path = this.#options.checkpoint, unfinished?: Progress["unfinished"]): Promise<void> {
    if (path === undefined) return;
    const progress: Progress = { step: this.run.step, epochs: this.run.history.epochs, unfinished };
    const started = monotonicMs();
    await save(this.#model, path, { optimizer: this.#optimizer, loader: this.#batches, progress });
    const seconds = (monotonicMs() - started) / 1000;
    const record = { path, sizeBytes: (await fileSize(path)) ?? 0, seconds };
    await notify(this.#callbacks, "onCheckpoint", record, this.run);
  }

  async #resume(): Promise<void> {
    const { checkpoint } = this.#options;
    if (checkpoint === undefined || (await fileSize(checkpoint)) === undefined) return;
    const loaded = await load(this.#model, checkpoint, { optimizer: this.#optimizer, loader: this.#batches });
    const { step, epochs, unfinished } = progressOf(checkpoint, loaded);
    this.run.step = step;
    this.run.epoch = epochs.length;
    this.run.history.epochs.push(...epochs);
    this.#unfinished = unfinished;
    this.run.resumedFrom = describeResumption(checkpoint, loaded, step);
  }
}

const read = async (scalar: Tensor): Promise<number> => Number(await scalar.item());

function optimizerOf(model: Module, { optimizer, parameterGroups: groups }: FitOptions): Optimizer {
  if (typeof optimizer === "function")
    return optimizer(groups === undefined ? model.parameters() : parameterGroups<any>(model, groups));
  if (groups === undefined) return optimizer;
  throw new ArgumentError(
    "fit: parameterGroups goes with a factory (adam()); this optimizer was made for its parameters: make it with parameterGroups(model, …)",
  );
}

/** What is trained on and what is validated on. */
function parts(
  dataset: Dataset<any>,
  { validation, validationSplit, seed = 0 }: FitOptions,
): { dataset: Dataset<any>; validation: Dataset<any> | undefined } {
  if (validationSplit === undefined) return { dataset, validation };
  if (validation !== undefined)
    throw new ArgumentError("fit: give validation (a dataset) or validationSplit (a fraction), not both");
  if (!(validationSplit > 0 && validationSplit < 1))
    throw new ArgumentError(`fit: validationSplit must be between 0 and 1, got ${validationSplit}`);
  const [rest, part] = dataset.split(1 - validationSplit, { seed });
  return { dataset: rest, validation: part };
}
