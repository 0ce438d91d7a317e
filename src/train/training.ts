/** The loop of `fit`: epochs, steps, validation. */
import { monotonicMs } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { type Dataset, type Loader, loader } from "../data/index.ts";
import type { Module } from "../nn/index.ts";
import { type Optimizer, parameterGroups } from "../optim/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { Breather } from "./breather.ts";
import { type Callback, notify, type StepRecord } from "./callback.ts";
import { BatchLayout, type ColumnRoles, columnRoles, divisorsOf } from "./columns.ts";
import { evaluator } from "./evaluate.ts";
import { explained } from "./failed-step.ts";
import type { FitOptions } from "./fit.ts";
import { type Scores, validationName } from "./history.ts";
import { headsOf, lossOptions } from "./objective.ts";
import type { Unfinished } from "./resumption.ts";
import { Run } from "./run.ts";
import { RunFiles } from "./run-files.ts";
import { type Pass, Scoring } from "./scoring.ts";
import { StepPrograms } from "./step.ts";
import { StepWindow } from "./step-window.ts";

/** An epoch that goes on. */
interface Epoch {
  readonly pass: Pass;
  readonly window: StepWindow;
  seconds(): number;
}

export class Training {
  readonly run: Run;
  readonly #model: Module;
  readonly #callbacks: readonly Callback[];
  readonly #optimizer: Optimizer;
  readonly #batches: Loader<any>;
  readonly #layout: BatchLayout;
  readonly #scoring: Scoring;
  readonly #programs: StepPrograms;
  readonly #validate: (() => Promise<Scores>) | undefined;
  readonly #files: RunFiles;
  readonly #batchesPerStep: number;
  #epoch: Epoch | undefined;

  constructor(model: Module, given: Dataset<any>, options: FitOptions, callbacks: readonly Callback[]) {
    const { dataset, validation } = parts(given, options);
    const { epochs = 1, batchSize = 32, shuffle = true, seed = 0, metrics = [] } = options;
    const { gradientAccumulationSteps = 1 } = options;
    this.#model = model;
    this.#callbacks = callbacks;
    this.#batchesPerStep = gradientAccumulationSteps;
    const columns = columnRoles("fit", dataset, options, headsOf(options));
    this.#layout = new BatchLayout(columns);
    const divisors = divisorsOf(dataset, columns.inputs, this.#layout.names.slice(columns.inputs.length));
    const shuffling = shuffle ? { shuffle: { seed } } : {};
    this.#batches = loader(dataset, { batchSize, ...shuffling, stored: divisors !== undefined });
    this.#optimizer = optimizerOf(model, options);
    this.#scoring = new Scoring("fit", options, metrics);
    const programParts = { model, scoring: this.#scoring, layout: this.#layout, divisors };
    this.#programs = new StepPrograms(programParts, this.#optimizer, options);
    if (validation) {
      const scored = { ...lossOptions(options), metrics, ...evaluated(columns) };
      this.#validate = evaluator("fit: validation", model, validation, scored);
    }
    this.run = new Run({
      ...{ model, optimizer: this.#optimizer, options, dataset, validation, columns },
      ...{ epochs, samplesPerEpoch: dataset.length },
      stepsPerEpoch: Math.ceil(this.#batches.length / this.#batchesPerStep),
      saveCheckpoint: (path) => this.#files.save(path),
    });
    this.#files = new RunFiles({
      ...{ run: this.run, batches: this.#batches, accumulator: this.#programs.accumulator, callbacks },
      unfinished: () => this.#unfinished(),
    });
  }

  #unfinished(): Unfinished | undefined {
    if (this.#epoch === undefined) return undefined;
    const { pass, window, seconds } = this.#epoch;
    return { pass: pass.state(), seconds: seconds(), ...(window.batches > 0 && { window: window.state() }) };
  }

  async start(): Promise<void> {
    const { run } = this;
    const unfinished = await this.#files.resume();
    await notify(this.#callbacks, "onTrainBegin", run);
    if (unfinished !== undefined) await this.#runEpoch(unfinished);
    while (!run.isStopped && this.#batches.position.epoch < run.epochs) await this.#runEpoch();
    await notify(this.#callbacks, "onTrainEnd", run);
  }

  async #runEpoch(unfinished?: Unfinished): Promise<void> {
    const { run } = this;
    const epoch = this.#beginEpoch(unfinished);
    this.#epoch = epoch;
    run.epoch = run.history.epochs.length + 1;
    if (!this.#areStepsDone()) {
      await notify(this.#callbacks, "onEpochBegin", run);
      await this.#steps(epoch);
    }
    if (this.#areStepsDone()) await this.#endEpoch(epoch);
    if (this.#epoch !== undefined) await this.#files.saveStopped();
    this.#epoch = undefined;
  }

  /** A new epoch, or the rest of the one that a checkpoint was taken in. */
  #beginEpoch(unfinished: Unfinished | undefined): Epoch {
    const [pass, window] = [this.#scoring.start(), new StepWindow(this.#batchesPerStep)];
    if (unfinished !== undefined) {
      pass.restore(unfinished.pass);
      if (unfinished.window !== undefined) window.restore(unfinished.window);
    }
    const started = monotonicMs();
    const before = unfinished?.seconds ?? 0;
    return { pass, window, seconds: () => before + (monotonicMs() - started) / 1000 };
  }

  /** Whether the loader stands behind the last batch of the current epoch. */
  #areStepsDone(): boolean {
    return this.#batches.position.epoch >= this.run.epoch;
  }

  async #steps(epoch: Epoch): Promise<void> {
    const { window } = epoch;
    const breather = new Breather();
    let asked = monotonicMs();
    for await (const batch of this.#batches) {
      const started = monotonicMs();
      const update = await this.#batch(epoch, this.#layout.pick(batch));
      window.addTime(started - asked, monotonicMs() - started);
      if (update !== undefined) await this.#endStep(epoch, update);
      await breather.pause();
      if (this.run.isStopped) return;
      asked = monotonicMs();
    }
  }

  /** One batch. What its update was made with, where it ends a step. */
  async #batch({ pass, window }: Epoch, columns: readonly HostArray[]): Promise<Update | undefined> {
    const isLast = window.batches + 1 === window.of || this.#areStepsDone();
    const wantsGradients = isLast && this.#callbacks.some((callback) => callback.wantsGradients?.(this.run));
    const program = this.#programs.of(
      wantsGradients ? "update, gradients kept" : isLast ? "update" : "accumulate",
    );
    try {
      const { update, gradients, ...results } = program(...columns);
      const samples = columns[0]!.shape[0]!;
      const [added, learningRate, gradientNorm] = await Promise.all([
        pass.add(results, this.#layout.labels(columns), samples),
        update && read(update.learningRate),
        update?.gradientNorm && read(update.gradientNorm),
      ]);
      window.add(added, samples);
      if (learningRate === undefined) return undefined;
      return { learningRate, gradientNorm, gradients: gradients && this.#named(gradients) };
    } catch (error) {
      throw await explained(error, program, columns, `epoch ${this.run.epoch}, step ${this.run.step + 1}`);
    }
  }

  async #endStep({ pass, window }: Epoch, update: Update): Promise<void> {
    this.run.step++;
    const { position, length } = this.#batches;
    const { samples, loss, milliseconds } = window;
    const batchOfEpoch = this.#areStepsDone() ? length : position.step;
    const record: StepRecord = {
      ...{ ...update, samples, loss, milliseconds, samplesOfEpoch: pass.samples },
      stepOfEpoch: Math.ceil(batchOfEpoch / this.#batchesPerStep),
      runningScores: () => pass.scores(),
    };
    window.reset();
    await this.#files.after(() => notify(this.#callbacks, "onStepEnd", record, this.run));
  }

  #named(gradients: readonly Tensor[]): ReadonlyMap<string, Tensor> {
    const names = new Map([...this.#model.namedParameters()].map(([name, parameter]) => [parameter, name]));
    return new Map(
      this.#optimizer.parameters.map((parameter, i) => [names.get(parameter) ?? `${i}`, gradients[i]!]),
    );
  }

  async #endEpoch({ pass, seconds }: Epoch): Promise<void> {
    const { run } = this;
    const trainSeconds = seconds();
    const started = monotonicMs();
    const validation = await this.#validation();
    const validationSeconds = (monotonicMs() - started) / 1000;
    const scores = { ...pass.scores(), ...validation };
    const sizes = { steps: run.stepsPerEpoch, samples: pass.samples };
    const record = { epoch: run.epoch, scores, ...sizes, seconds: trainSeconds, validationSeconds };
    run.history.epochs.push(record);
    this.#epoch = undefined;
    await this.#files.after(() => notify(this.#callbacks, "onEpochEnd", record, run), { isEpochEnd: true });
  }

  async #validation(): Promise<Scores> {
    if (this.#validate === undefined) return {};
    await notify(this.#callbacks, "onValidationBegin", this.run);
    const scores = await this.#validate();
    await notify(this.#callbacks, "onValidationEnd", scores, this.run);
    return Object.fromEntries(Object.entries(scores).map(([name, value]) => [validationName(name), value]));
  }
}

type Update = Pick<StepRecord, "learningRate" | "gradientNorm" | "gradients">;

const read = async (scalar: Tensor): Promise<number> => Number(await scalar.item());

/** What validation takes of the roles of columns. */
const evaluated = ({ inputs, labels, namedLabels, sampleWeights }: ColumnRoles) => ({
  ...{ inputs, labels: namedLabels ?? labels },
  ...(sampleWeights !== undefined && { sampleWeights }),
});

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
