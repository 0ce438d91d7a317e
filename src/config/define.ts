/** What a config says: data, a model, and how it is trained. */
import type { Dataset } from "../data/index.ts";
import type { Module } from "../nn/index.ts";
import type { RecordOptions } from "../runs/index.ts";
import type { FittedPipeline } from "../tabular/index.ts";
import type { FitOptions, Metric } from "../train/index.ts";

/** What is trained on, and what is known of it. */
export interface TrainingData {
  readonly train: Dataset;
  /** Scored after each epoch. */
  readonly validation?: Dataset;
  /** Scored by `netwright eval` alone. */
  readonly test?: Dataset;
  /** Names of the classes, in the order of their labels. */
  readonly classes?: readonly string[];
  /** Makes features of raw rows: it is saved beside the model, and `netwright predict` takes files of rows then. */
  readonly pipeline?: FittedPipeline;
  /** Makes samples of a file that holds none of rows, an image or a folder of them: `netwright predict` takes it then. */
  readonly prepare?: (path: string) => Promise<Dataset>;
}

/** A value by its name: `"relu"`, or `{ "Linear": [784, 64] }` with its arguments. */
export type Named = string | { readonly [name: string]: unknown };

type Given<Value, Argument extends readonly unknown[] = []> =
  | Value
  | ((...args: Argument) => Value | Promise<Value>);

export interface TrainConfig {
  /** Of the first weights, of dropout, and of shuffling where `fit.seed` says nothing else; 0 unless told otherwise. */
  readonly seed?: number;
  readonly data: Given<TrainingData> | Named;
  readonly model: Given<Module, [data: TrainingData]> | Named;
  /** Options of `fit`; in JSON and YAML loss, optimizer, metrics and callbacks by name. */
  readonly fit: Omit<
    FitOptions,
    "validation" | "checkpoint" | "resume" | "loss" | "optimizer" | "metrics" | "callbacks"
  > & {
    readonly loss: FitOptions["loss"] | Named;
    readonly optimizer: FitOptions["optimizer"] | Named;
    readonly metrics?: readonly (Metric | Named)[];
    readonly callbacks?: readonly (NonNullable<FitOptions["callbacks"]>[number] | Named)[];
  };
  /** Where and how the run is recorded: options of `recordRun`. */
  readonly run?: Omit<RecordOptions, "program" | "options">;
}

/**
 * A config as a value, for `netwright train config.ts`: what it is given, with the editor's help.
 *
 * Functions for data and model are called when training begins: the model after the seed is set, so that the same seed gives
 * the same first weights. A model made while the config is read has other ones each time, and such a run cannot be replayed.
 *
 * @example
 * export const config = defineConfig({
 *   seed: 1,
 *   data: () => mnist(),
 *   model: () => new Sequential(new Linear(784, 64), new ReLU(), new Linear(64, 10)),
 *   fit: { loss: crossEntropy, optimizer: adam(), metrics: [accuracy], epochs: 10 },
 * });
 */
export const defineConfig = (config: TrainConfig): TrainConfig => config;
