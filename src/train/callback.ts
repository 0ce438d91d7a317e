/** Hooks into `fit`: what a callback is told, and when. */
import type { HostArray } from "../base/host-array.ts";
import type { Dataset } from "../data/index.ts";
import type { Module } from "../nn/index.ts";
import type { Optimizer } from "../optim/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { CallbackState } from "./callback-state.ts";
import type { ColumnRoles } from "./columns.ts";
import type { FitOptions } from "./fit.ts";
import type { EpochRecord, History, Scores } from "./history.ts";
import type { RunReport } from "./run-report.ts";

/** The run a callback belongs to. */
export interface TrainingRun {
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly samplesPerEpoch: number;
  readonly history: History;
  readonly model: Module;
  readonly optimizer: Optimizer;
  /** What `fit` was given. */
  readonly options: FitOptions;
  /** What is trained on: without the part that `validationSplit` took. */
  readonly dataset: Dataset;
  readonly validation: Dataset | undefined;
  /** The columns given to the model, and to loss and metrics. */
  readonly columns: ColumnRoles;
  /** The current epoch, counted from 1. */
  readonly epoch: number;
  /** Optimizer steps so far, in all epochs. */
  readonly step: number;
  /** Where training went on from a checkpoint, in words; undefined for a new run. */
  readonly resumedFrom: string | undefined;
  /** Ends training after the current step (or epoch, from `onEpochEnd`); the reason is kept in the history. */
  stop(reason: string): void;
  /** A copy of the model's parameters and buffers as they are now, without what training never changes (frozen weights of few bits, say). */
  snapshot(): Promise<Snapshot>;
  /** Sets the model's parameters and buffers to those of a snapshot. */
  restore(snapshot: Snapshot): void;
  /**
   * Writes the whole training state to a file, as the option `checkpoint` does: `fit` goes on from it bit for bit. Asked for by a
   * callback, it is written when all callbacks of the event have run.
   */
  saveCheckpoint(path: string): Promise<void>;
  /** Tells something that people should know and that does not end training: every callback's `onWarning` gets the sentence. */
  warn(message: string): Promise<void>;
}

/** Values of parameters and buffers by name. */
export type Snapshot = ReadonlyMap<string, HostArray>;

export interface StepRecord {
  /** Counted from 1 within the epoch. */
  readonly stepOfEpoch: number;
  /** Samples of this epoch so far. */
  readonly samplesOfEpoch: number;
  /** Samples of this step alone. */
  readonly samples: number;
  /** The batch's loss, before its update. */
  readonly loss: number;
  /** Of the update that ended the step: that of the optimizer's first group. */
  readonly learningRate: number;
  /** √(Σ g²) over all gradients, before they are limited; undefined with the option `gradientNorm: false`. */
  readonly gradientNorm: number | undefined;
  /** Means over the epoch so far: the loss and the metrics. Computed when called. */
  readonly runningScores: () => Scores;
  /** Waiting for the batch, and computing the step until its loss was known. */
  readonly milliseconds: { readonly data: number; readonly compute: number };
  /** By the parameters' names in the model, before they are limited; only where a callback asked: see `wantsGradients`. */
  readonly gradients: ReadonlyMap<string, Tensor> | undefined;
}

/** A file of the training state that was written. */
export interface CheckpointRecord {
  readonly path: string;
  readonly sizeBytes: number;
  readonly seconds: number;
}

/**
 * Hooks, one for each event. Every one is optional; a promise it returns is awaited before training goes on. `on` makes a callback of
 * one function.
 */
export interface Callback {
  /** Under which its state is kept in checkpoints. */
  readonly stateName?: string;
  /** What it needs to go on where a checkpoint was taken; asked for when one is written. */
  saveState?(): CallbackState;
  /** Gets it back, before `onTrainBegin`. */
  restoreState?(state: CallbackState): void;
  onTrainBegin?(run: TrainingRun): void | Promise<void>;
  onEpochBegin?(run: TrainingRun): void | Promise<void>;
  /** The first step is done: what is known of the run, and what was found in its data. Not with the option `checks: false`. */
  onChecks?(report: RunReport, run: TrainingRun): void | Promise<void>;
  /** Asked before each step: whether its gradients shall come with its record. They cost memory, and change no bit of the step. */
  wantsGradients?(run: TrainingRun): boolean;
  onStepEnd?(step: StepRecord, run: TrainingRun): void | Promise<void>;
  /** All steps of the epoch are done; the validation set is looked at next. */
  onValidationBegin?(run: TrainingRun): void | Promise<void>;
  /** The scores have their names without `validation` before them. */
  onValidationEnd?(scores: Scores, run: TrainingRun): void | Promise<void>;
  onEpochEnd?(record: EpochRecord, run: TrainingRun): void | Promise<void>;
  /** A checkpoint is written next: what must be in files of one's own before it. */
  onCheckpointBegin?(run: TrainingRun): void | Promise<void>;
  /** A checkpoint was written; `run` is where it goes on. */
  onCheckpoint?(record: CheckpointRecord, run: TrainingRun): void | Promise<void>;
  /** Something that people should know and that does not end training, in a sentence. */
  onWarning?(message: string, run: TrainingRun): void | Promise<void>;
  /** Training is over: all epochs are done, or it was stopped. */
  onTrainEnd?(run: TrainingRun): void | Promise<void>;
  /** Training failed; the error is thrown to the caller of `fit` afterwards. */
  onError?(error: unknown, run: TrainingRun): void | Promise<void>;
}

/** What can be listened to: `stepEnd` for the hook `onStepEnd`, and so on. */
export type CallbackEvent = {
  [Name in keyof Callback]-?: Name extends `on${infer Event}` ? Uncapitalize<Event> : never;
}[keyof Callback];

/** What is called at an event. */
export type Listener<Event extends CallbackEvent> = NonNullable<Callback[`on${Capitalize<Event>}`]>;

/**
 * A callback of one function, typed by the event it is called at.
 *
 * @example
 * const losses: number[] = [];
 * const collect = on("stepEnd", ({ loss }) => void losses.push(loss));
 * await fit(model, train, { loss: crossEntropy, optimizer: adam(), callbacks: [collect] });
 */
export const on = <Event extends CallbackEvent>(event: Event, listener: Listener<Event>): Callback => ({
  [`on${event[0]!.toUpperCase()}${event.slice(1)}`]: listener,
});

type Hook = `on${Capitalize<Exclude<CallbackEvent, "error">>}`;

/** Calls one hook of all callbacks in order; waits only where there is something to wait for. */
export async function notify<H extends Hook>(
  callbacks: readonly Callback[],
  hook: H,
  ...args: Parameters<NonNullable<Callback[H]>>
): Promise<void> {
  for (const callback of callbacks) {
    const pending = (callback[hook] as ((...args: unknown[]) => void | Promise<void>) | undefined)?.(...args);
    if (pending !== undefined) await pending;
  }
}
