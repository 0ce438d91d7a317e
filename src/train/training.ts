/** The loop of `fit`: epochs, steps, validation. */
import { monotonicMs } from "#platform";
import { ArgumentError, StepError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { type Dataset, type Loader, loader } from "../data/index.ts";
import { RunningMean } from "../metrics/index.ts";
import type { Module } from "../nn/index.ts";
import { type Optimizer, parameterGroups } from "../optim/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { Breather } from "./breather.ts";
import { type Callback, notify, type StepRecord } from "./callback.ts";
import { BatchLayout, type ColumnRoles, columnRoles, divisorsOf } from "./columns.ts";
import { type Evaluator, evaluator, loadingOf } from "./evaluate.ts";
import type { FitOptions } from "./fit.ts";
import { type Scores, validationName } from "./history.ts";
import { headsOf, lossOptions } from "./objective.ts";
import type { Unfinished } from "./resumption.ts";
import { Run } from "./run.ts";
import { RunFiles } from "./run-files.ts";
import type { RunReport } from "./run-report.ts";
import { type Pass, Scoring } from "./scoring.ts";
import { type BatchProgram, type ProgramParts, StepPrograms } from "./step.ts";
import { StepWindow } from "./step-window.ts";

/** An epoch that goes on. */
interface Epoch {
  readonly pass: Pass;
  readonly window: StepWindow;
  /** Of gradients. */
  readonly norm: RunningMean;
  seconds(): number;
  dataSeconds: number;
  /** Of the loader, when it began. */
  readonly skippedBefore: number;
  learningRate: number;
}

/** What is known of a run before its first step is done, and what looks at that step. */
interface Described {
  readonly facts: Omit<RunReport, "firstLoss">;
  readonly checks: typeof import("./run-report.ts");
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
  readonly #validate: Evaluator | undefined;
  readonly #files: RunFiles;
  readonly #parts: ProgramParts;
  #isDescribed = false;
  /** Until the first step is done. */
  #described: Described | undefined;
  readonly #batchesPerStep: number;
  #epoch: Epoch | undefined;

  constructor(model: Module, given: Dataset, options: FitOptions, callbacks: readonly Callback[]) {
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
    const loading = loadingOf(options);
    this.#batches = loader(dataset, { batchSize, ...shuffling, ...loading, stored: divisors !== undefined });
    this.#optimizer = optimizerOf(model, options);
    this.#scoring = new Scoring("fit", options, metrics);
    this.#parts = {
      model,
      scoring: this.#scoring,
      layout: this.#layout,
      divisors,
      precision: options.precision,
    };
    this.#programs = new StepPrograms(this.#parts, this.#optimizer, options);
    if (validation) {
      const { precision = "f32" } = options;
      const scored = { ...lossOptions(options), metrics, precision, ...loading, ...evaluated(columns) };
      this.#validate = evaluator("fit: validation", model, validation, scored);
    }
    this.run = new Run({
      ...{ model, optimizer: this.#optimizer, options, dataset, validation, columns },
      ...{ epochs, samplesPerEpoch: dataset.length },
      stepsPerEpoch: Math.ceil(this.#batches.length / this.#batchesPerStep),
      saveCheckpoint: (path) => this.#files.save(path),
      warn: (message) => notify(this.#callbacks, "onWarning", message, this.run),
    });
    this.#files = new RunFiles({
      ...{
        run: this.run,
        batches: this.#batches,
        accumulator: this.#programs.accumulator,
        scaler: this.#programs.scaler,
        callbacks,
      },
      unfinished: () => this.#unfinished(),
    });
  }

  #unfinished(): Unfinished | undefined {
    if (this.#epoch === undefined) return undefined;
    const { pass, window, norm, dataSeconds, seconds } = this.#epoch;
    const sums = { pass: pass.state(), norm: norm.state(), dataSeconds, seconds: seconds() };
    return { ...sums, ...(window.batches > 0 && { window: window.state() }) };
  }

  async start(): Promise<void> {
    const { run } = this;
    const unfinished = await this.#files.resume();
    await notify(this.#callbacks, "onTrainBegin", run);
    if (unfinished !== undefined && !run.isStopped) await this.#runEpoch(unfinished);
    while (!run.isStopped && this.#batches.position.epoch < run.epochs) await this.#runEpoch();
    const failure = await this.#files.finish({ isUnfinished: this.#epoch !== undefined });
    await this.#files.restoreBest();
    await notify(this.#callbacks, "onTrainEnd", run);
    if (failure !== undefined) throw failure;
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
  }

  /** A new epoch, or the rest of the one that a checkpoint was taken in. */
  #beginEpoch(unfinished: Unfinished | undefined): Epoch {
    const [pass, window] = [this.#scoring.start(), new StepWindow(this.#batchesPerStep)];
    const norm = new RunningMean();
    if (unfinished !== undefined) {
      pass.restore(unfinished.pass);
      if (unfinished.window !== undefined) window.restore(unfinished.window);
      if (unfinished.norm !== undefined) norm.restore(unfinished.norm);
    }
    const started = monotonicMs();
    const before = unfinished?.seconds ?? 0;
    const seconds = (): number => before + (monotonicMs() - started) / 1000;
    return {
      pass,
      window,
      norm,
      seconds,
      dataSeconds: unfinished?.dataSeconds ?? 0,
      skippedBefore: this.#batches.skippedCount,
      learningRate: Number.NaN,
    };
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
      epoch.dataSeconds += (started - asked) / 1000;
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
    if (!this.#isDescribed) await this.#describe(program, columns);
    try {
      const { update, gradients, ...results } = program(...columns);
      const samples = columns[0]!.shape[0]!;
      const [added, learningRate, gradientNorm] = await Promise.all([
        pass.add(results, this.#layout.labels(columns), samples),
        update && read(update.learningRate),
        update?.gradientNorm && read(update.gradientNorm),
      ]);
      window.add(added, samples);
      if (update === undefined || learningRate === undefined) return undefined;
      if (this.#described !== undefined)
        await this.#report(this.#described, added.loss, update.gradientSquares);
      return { learningRate, gradientNorm, gradients: gradients && this.#named(gradients) };
    } catch (error) {
      throw error instanceof StepError ? await this.#explained(error, program, columns) : error;
    }
  }

  /** A page loads the explanation when it is needed; one that has lost its server since has the error as it came. */
  async #explained(error: StepError, program: BatchProgram, columns: readonly HostArray[]): Promise<unknown> {
    const loaded = await import("./failed-step.ts").catch(() => undefined);
    const place = `epoch ${this.run.epoch}, step ${this.run.step + 1}`;
    return loaded === undefined ? error : loaded.explained(error, program, columns, place);
  }

  /** Before the first batch. A page loads the checks when they are wanted; without its server it goes on without. */
  async #describe(program: BatchProgram, columns: readonly HostArray[]): Promise<void> {
    this.#isDescribed = true;
    if (this.run.options.checks === false) return;
    const checks = await import("./run-report.ts").catch(() => undefined);
    if (checks === undefined) return;
    this.#described = { facts: checks.describeRun(this.run, this.#layout, program, columns), checks };
  }

  /** After the first step. */
  async #report({ facts, checks }: Described, firstLoss: number, squares: Tensor | undefined): Promise<void> {
    const { run } = this;
    const { options } = run;
    const isPlain =
      options.classWeights === undefined && options.sampleWeights === undefined && run.step === 0;
    const findings = [
      ...facts.findings,
      isPlain ? checks.firstLossFinding(firstLoss, options.loss, this.#parts.classes) : undefined,
      squares && checks.gradientFinding(await this.#squaresByName(squares)),
    ].filter((finding) => finding !== undefined);
    run.history.report = { ...facts, firstLoss, findings };
    this.#described = undefined;
    await notify(this.#callbacks, "onChecks", run.history.report, run);
  }

  async #squaresByName(squares: Tensor): Promise<Map<string, number>> {
    const values = await squares.data();
    const names = new Map([...this.#model.namedParameters()].map(([name, parameter]) => [parameter, name]));
    const trained = this.#optimizer.parameters.filter((parameter) => parameter.trainable);
    return new Map(trained.map((parameter, i) => [names.get(parameter) ?? String(i), Number(values[i])]));
  }

  async #endStep(epoch: Epoch, update: Update): Promise<void> {
    const { pass, window } = epoch;
    epoch.learningRate = update.learningRate;
    if (update.gradientNorm !== undefined) epoch.norm.update(update.gradientNorm);
    this.run.step++;
    const { position, length } = this.#batches;
    const { samples, loss, milliseconds } = window;
    const batchOfEpoch = this.#areStepsDone() ? length : position.step;
    const record: StepRecord = {
      ...{ ...update, samples, loss, milliseconds, samplesOfEpoch: pass.samples },
      stepOfEpoch: Math.ceil(batchOfEpoch / this.#batchesPerStep),
      runningScores: () => pass.runningScores(),
    };
    window.reset();
    await this.#files.afterStep(() => notify(this.#callbacks, "onStepEnd", record, this.run));
  }

  #named(gradients: readonly Tensor[]): ReadonlyMap<string, Tensor> {
    const names = new Map([...this.#model.namedParameters()].map(([name, parameter]) => [parameter, name]));
    return new Map(
      this.#optimizer.parameters.map((parameter, i) => [names.get(parameter) ?? `${i}`, gradients[i]!]),
    );
  }

  /** Validates, and is done with the epoch; interrupted while it validates, the epoch stays as it is. */
  async #endEpoch({ pass, norm, seconds, learningRate, dataSeconds, skippedBefore }: Epoch): Promise<void> {
    const { run } = this;
    const trainSeconds = seconds();
    const started = monotonicMs();
    // Validation counts with the same metrics: what they have counted is read before, and is theirs again after.
    const [trained, counted] = [pass.scores(), pass.state()];
    const validation = await this.#validation();
    pass.restore(counted);
    if (validation === undefined) return;
    const validationSeconds = (monotonicMs() - started) / 1000;
    const scores = { ...trained, ...validation };
    const skipped = this.#batches.skippedCount - skippedBefore;
    if (skipped > 0) await this.#warnOfSkipped(skipped);
    const sizes = { steps: run.stepsPerEpoch, samples: pass.samples, ...(skipped > 0 && { skipped }) };
    const times = { seconds: trainSeconds, validationSeconds, dataSeconds };
    const rates = { learningRate, ...(norm.count > 0 && { gradientNorm: norm.result() }) };
    const record = { epoch: run.epoch, scores, ...sizes, ...times, ...rates };
    run.history.epochs.push(record);
    this.#epoch = undefined;
    await this.#files.afterEpoch(() => notify(this.#callbacks, "onEpochEnd", record, run));
  }

  async #warnOfSkipped(count: number): Promise<void> {
    const last = this.#batches.skipped.at(-1)!.message;
    const what = count === 1 ? "a sample was" : `${count} samples were`;
    await this.run.warn(`${what} left out in epoch ${this.run.epoch}: ${last}`);
  }

  async #validation(): Promise<Scores | undefined> {
    const { run } = this;
    if (this.#validate === undefined) return {};
    if (run.isInterrupted) return undefined;
    await notify(this.#callbacks, "onValidationBegin", run);
    const scores = await this.#validate(() => run.isInterrupted);
    if (scores === undefined) return undefined;
    await notify(this.#callbacks, "onValidationEnd", scores, run);
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
  dataset: Dataset,
  { validation, validationSplit, seed = 0 }: FitOptions,
): { dataset: Dataset; validation: Dataset | undefined } {
  if (validationSplit === undefined) return { dataset, validation };
  if (validation !== undefined)
    throw new ArgumentError("fit: give validation (a dataset) or validationSplit (a fraction), not both");
  if (!(validationSplit > 0 && validationSplit < 1))
    throw new ArgumentError(`fit: validationSplit must be between 0 and 1, got ${validationSplit}`);
  const [rest, part] = dataset.split(1 - validationSplit, { seed });
  return { dataset: rest, validation: part };
}
