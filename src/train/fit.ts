/** Training a model on a dataset. */
import { onInterrupt } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { Dataset, LoaderOptions } from "../data/index.ts";
import type { Module } from "../nn/index.ts";
import type { NamedGroup, Optimizer, OptimizerFactory } from "../optim/index.ts";
import type { Precision, Tensor } from "../tensor/index.ts";
import type { Callback } from "./callback.ts";
import { withCaller } from "./caller.ts";
import type { CheckpointOptions } from "./checkpoint-options.ts";
import type { ColumnOptions } from "./columns.ts";
import { requireSamples } from "./evaluate.ts";
import type { GradientLimits } from "./gradients.ts";
import type { History } from "./history.ts";
import { inMode } from "./mode.ts";
import { type LossOptions, lossOptionNames } from "./objective.ts";
import type { ProgressStyle } from "./progress.ts";
import type { Run } from "./run.ts";
import type { CheckOptions } from "./run-report.ts";
import type { Metrics } from "./scoring.ts";
import { Training } from "./training.ts";

/** How batches are read, as `loader` has it: how many ahead, and what becomes of damaged samples. */
export type LoadingOptions = Pick<LoaderOptions, "prefetch" | "corrupt">;

export interface FitOptions extends ColumnOptions, LossOptions, GradientLimits, LoadingOptions {
  /** `adam()`, `sgd({ learningRate: 0.1 })` …, or an optimizer made for the model's parameters. */
  readonly optimizer: OptimizerFactory | Optimizer;
  /**
   * Parameters by name with options of their own, or frozen: `[{ match: "encoder", learningRateScale: 0.1 }]`. As
   * `parameterGroups` of `netwright/optim`; goes with a factory.
   */
  readonly parameterGroups?: readonly NamedGroup<any>[];
  /** Shown beside the loss; none unless given. A list; for a model of several outputs also a list for each, by name. */
  readonly metrics?: Metrics;
  /** Passes over the dataset, 1 unless told otherwise. */
  readonly epochs?: number;
  /** Samples a step, 32 unless told otherwise; the last step of an epoch takes what is left. */
  readonly batchSize?: number;
  /**
   * How many batches make one step, 1 unless told otherwise: their gradients are put together to that of the mean over all their
   * samples. The last step of an epoch takes what is left.
   */
  readonly gradientAccumulationSteps?: number;
  /** Whether each epoch has an order of its own, drawn from the seed; true unless told otherwise. */
  readonly shuffle?: boolean;
  /** Of the shuffling, 0 unless told otherwise. */
  readonly seed?: number;
  /** Scored after each epoch. */
  readonly validation?: Dataset;
  /** A fraction of the samples, drawn by the seed, that is scored after each epoch instead of trained on. */
  readonly validationSplit?: number;
  /** Added to the loss of each step, and to what is shown: `(model) => l2Penalty(model.parameters(), 1e-4)`. */
  readonly penalty?: (model: any) => Tensor;
  /**
   * Whether steps tell the norm of their gradients, and fail where it is not finite: true unless told otherwise. It costs a small model
   * a few percent of a step.
   */
  readonly gradientNorm?: boolean;
  /**
   * What products of the model are computed from and stored in, `f32` unless told otherwise: see `autocast`. Parameters, sums, losses and
   * updates stay f32. With `f16` the loss is scaled, and steps whose gradients overflow are skipped.
   */
  readonly precision?: Precision;
  /**
   * What is looked at before the first step, true unless told otherwise: whether it fits into memory (an error if not), labels and
   * ranges of inputs, rows that validation shares with training, the first loss, parameters without a gradient. It costs milliseconds.
   */
  readonly checks?: boolean | CheckOptions;
  readonly callbacks?: readonly Callback[];
  /** `auto` unless told otherwise: a line that is redrawn on a terminal, a line an epoch elsewhere. */
  readonly progress?: ProgressStyle;
  /** A file for the whole training state, written after each epoch and on Ctrl-C; or when, where and how many. */
  readonly checkpoint?: string | CheckpointOptions;
  /** Goes on from the checkpoint, where there is one, as if training had never stopped; false unless told otherwise. */
  readonly resume?: boolean;
}

const optionNames = [
  ...[...lossOptionNames, "optimizer", "metrics", "epochs", "batchSize", "shuffle", "seed", "validation"],
  ...["validationSplit", "penalty", "clipValue", "clipNorm", "gradientNorm", "parameterGroups"],
  ...["gradientAccumulationSteps", "precision", "checks", "sampleWeights", "inputs", "labels"],
  ...["prefetch", "corrupt"],
  ...["callbacks", "progress", "checkpoint", "resume"],
] as const satisfies readonly (keyof FitOptions)[];

/**
 * Trains a model. Defaults are Keras's: 1 epoch, batches of 32, shuffled.
 *
 * A step (forward, loss, metrics, gradients, update) is one compiled program. A loss that is not finite, or a norm of the
 * gradients, ends training with an error that names the first operation that went wrong; the step that failed has changed nothing.
 * Ctrl-C ends training after the current step; a checkpoint is then written, if one is asked for.
 *
 * The same seed, model and data give the same weights, bit for bit; so does going on from a checkpoint.
 *
 * @param dataset a column called `labels` (or as `options.labels` says), and the columns that `forward` takes
 * @returns scores by epoch, and why training ended early if it did
 * @throws ArgumentError for options and columns that mean nothing; ShapeError naming the layer for data that does not fit the
 * model; StepError for a loss or gradients that are not finite and for labels out of range
 * @example
 * const model = new Sequential(new Linear(784, 10));
 * const history = await fit(model, train, { loss: crossEntropy, optimizer: adam(), metrics: [accuracy], batchSize: 8 });
 * history.series("loss").length; // 1
 */
export function fit(model: Module, dataset: Dataset, options: FitOptions): Promise<History> {
  return withCaller("fit", () => train(model, dataset, options));
}

async function train(model: Module, dataset: Dataset, options: FitOptions): Promise<History> {
  checkOptions("fit", options, optionNames);
  const { epochs = 1, resume = false, checkpoint } = options;
  if (!Number.isInteger(epochs) || epochs < 0) {
    throw new ArgumentError(`fit: epochs must be an integer of 0 or more, got ${epochs}`);
  }
  const { gradientAccumulationSteps = 1 } = options;
  if (!Number.isInteger(gradientAccumulationSteps) || gradientAccumulationSteps < 1) {
    throw new ArgumentError(
      `fit: gradientAccumulationSteps must be an integer of 1 or more, got ${gradientAccumulationSteps}`,
    );
  }
  if (resume && checkpoint === undefined) {
    throw new ArgumentError("fit: resume needs the file to go on from: { checkpoint: path }");
  }
  requireSamples("fit", dataset);
  const shown = options.progress === "none" ? [] : await progressOf(options.progress);
  const callbacks = [...shown, ...(options.callbacks ?? [])];
  // A page that keeps no checkpoints fetches nothing of them.
  const { checkpointPlan, pathOf } = checkpoint ? await import("./checkpoint-options.ts") : {};
  const plan = checkpoint && checkpointPlan?.(checkpoint);
  const training = new Training(model, dataset, options, callbacks);
  const { run } = training;
  const forgetInterrupt = onInterrupt(() =>
    run.interrupt(interruption(run, plan && pathOf?.(plan.path, run))),
  );
  try {
    await inMode(model, "train", () => training.start());
  } catch (error) {
    for (const callback of callbacks) await callback.onError?.(error, run);
    throw error;
  } finally {
    forgetInterrupt();
  }
  return run.history;
}

/** A page loads it where it shows any; one that has lost its server since trains without. */
async function progressOf(style: ProgressStyle | undefined): Promise<Callback[]> {
  const loaded = await import("./progress.ts").catch(() => undefined);
  return loaded === undefined ? [] : [loaded.progress(style)];
}

function interruption({ epoch, step }: Run, where: string | undefined): string {
  return (
    `interrupted in epoch ${epoch} after ${step} steps` +
    (where === undefined ? "" : `; saved to "${where}", go on with { resume: true }`)
  );
}
