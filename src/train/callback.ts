/** Hooks into `fit`: what a callback is told, and when. */
import type { EpochRecord, History, Scores } from "./history.ts";

/** The run a callback belongs to. */
export interface TrainingRun {
  readonly epochs: number;
  readonly stepsPerEpoch: number;
  readonly samplesPerEpoch: number;
  readonly history: History;
  /** The current epoch, counted from 1. */
  readonly epoch: number;
  /** Optimizer steps so far, in all epochs. */
  readonly step: number;
  /** Ends training after the current step (or epoch, from `onEpochEnd`); the reason is kept in the history. */
  stop(reason: string): void;
  /** A copy of the model's parameters as they are now, to be given to `restore`. */
  snapshot(): Snapshot;
  restore(snapshot: Snapshot): void;
}

/** Values of parameters and buffers, opaque to callbacks. */
export interface Snapshot {
  readonly values: ReadonlyMap<string, unknown>;
}

export interface StepRecord {
  /** Counted from 1 within the epoch. */
  readonly stepOfEpoch: number;
  /** Samples of this epoch so far. */
  readonly samplesOfEpoch: number;
  readonly loss: number;
  /** Means over the epoch so far: `loss` and the metrics. Computed when called. */
  runningScores(): Scores;
}

/** Every hook is optional; a promise it returns is awaited before training goes on. */
export interface Callback {
  onTrainBegin?(run: TrainingRun): void | Promise<void>;
  onEpochBegin?(run: TrainingRun): void | Promise<void>;
  onStepEnd?(step: StepRecord, run: TrainingRun): void | Promise<void>;
  onEpochEnd?(record: EpochRecord, run: TrainingRun): void | Promise<void>;
  /** Also after an error or an interruption. */
  onTrainEnd?(run: TrainingRun): void | Promise<void>;
}
