/**
 * What a run's folder holds, and what each file says. Every file is JSON, or JSON by the line: a person or another program reads
 * it with what is at hand.
 *
 *     runs/2026-11-24-103012/
 *       config.json        what was asked for: options, model, data, program       written when it begins
 *       environment.json   where it ran: versions, machine, arithmetic, code       written when it begins
 *       metrics.jsonl      a line a step, a line an epoch                          grows
 *       histograms.jsonl   weights and gradients of each parameter                 grows
 *       checkpoints/       step-00000120.safetensors: states to go on from
 *       evaluation.json    what the model answered on the validation data          written at the end
 *       result.json        how it ended; missing for a run that was killed         written at the end
 *       events/            the same numbers for TensorBoard, where asked for       grows
 */
import type { Scores } from "../train/index.ts";

/** It rises when a reader of before could no longer read a folder as it was meant. */
export const layoutVersion = 1;

export const files = {
  config: "config.json",
  environment: "environment.json",
  metrics: "metrics.jsonl",
  histograms: "histograms.jsonl",
  checkpoints: "checkpoints",
  evaluation: "evaluation.json",
  result: "result.json",
  events: "events",
} as const;

/** What can be said of an option's value in JSON: numbers and texts as they are, functions and objects by their names. */
export type Described =
  | string
  | number
  | boolean
  | null
  | readonly Described[]
  | { readonly [key: string]: Described };

/** The program that made a run. */
export interface ProgramFacts {
  /** Its file; undefined where the platform does not tell. */
  readonly file?: string;
  readonly arguments: readonly string[];
  /** Of `netwright train CONFIG`: what replays the run. */
  readonly config?: {
    readonly path: string;
    readonly sha256: string;
    /** What `--set` changed, as it was written. */
    readonly set: readonly string[];
  };
}

/** A data set by what is in it. */
export interface DatasetFacts {
  readonly samples: number;
  /** `f32 (28, 28)` by name. */
  readonly columns: Readonly<Record<string, string>>;
  /** Of `digestedSamples` of them: all, or as many spread evenly where all would take long. */
  readonly sha256: string;
  readonly digestedSamples: number;
}

export interface ModelFacts {
  readonly name: string;
  readonly parameters: number;
  readonly trainableParameters: number;
  readonly layers: readonly { readonly path: string; readonly name: string; readonly parameters: number }[];
  /** Of the weights before the first step. */
  readonly sha256: string;
}

export interface RunConfig {
  readonly layout: number;
  readonly name: string;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly program: ProgramFacts;
  /** Of `fit`, described; or what a loop of one's own gave. */
  readonly options: Readonly<Record<string, Described>>;
  readonly epochs?: number;
  readonly stepsPerEpoch?: number;
  readonly model?: ModelFacts;
  readonly data?: Readonly<Record<string, DatasetFacts>>;
}

/** The state of the program's files under git. */
export interface CodeVersion {
  readonly commit: string;
  readonly branch: string;
  /** Files that differ from the commit, or are not part of it. */
  readonly changed: readonly string[];
  /** Of `git diff HEAD`; undefined where nothing differs. */
  readonly diffSha256: string | undefined;
}

export interface Environment {
  readonly runtime: string;
  readonly system: string;
  readonly architecture: string;
  readonly processor: string;
  readonly target: string;
  /** Equal arithmetic, equal bits. */
  readonly arithmetic: string;
  readonly threads: number;
  readonly packages: Readonly<Record<string, string>>;
  /** Variables of the environment that Netwright reads, where set. */
  readonly settings: Readonly<Record<string, string>>;
  readonly code: CodeVersion | undefined;
}

/** Training begins, or goes on after `step` steps: what lines before said of later ones no longer counts. */
export interface StartLine {
  readonly type: "start";
  readonly step: number;
  readonly at: string;
}
export interface StepLine {
  readonly type: "step";
  readonly step: number;
  readonly epoch?: number;
  /** The loss, and the norm of the gradients where it is known; what a loop of one's own gave. */
  readonly values: Scores;
  readonly learningRate?: number;
  /** Milliseconds waiting for data, computing, and in callbacks since the step before. */
  readonly ms?: { readonly data: number; readonly compute: number; readonly other: number };
  /** SHA-256 of the weights after the step, where asked for. */
  readonly weights?: string;
}
export interface EpochLine {
  readonly type: "epoch";
  readonly epoch: number;
  readonly step: number;
  readonly scores: Scores;
  readonly seconds: number;
  readonly validationSeconds: number;
  readonly learningRate?: number;
  readonly weights?: string;
}
export interface WarningLine {
  readonly type: "warning";
  readonly step: number;
  readonly message: string;
}
export type MetricsLine = StartLine | StepLine | EpochLine | WarningLine;

/** A distribution of numbers. */
export interface Distribution {
  /** Of the first bin's left and the last bin's right edge: the smallest and largest finite number. */
  readonly low: number;
  readonly high: number;
  /** Numbers in bins of equal width. */
  readonly counts: readonly number[];
  readonly mean: number;
  readonly deviation: number;
  /** √Σx². */
  readonly norm: number;
  /** NaN or infinite. */
  readonly notFinite: number;
}
export interface HistogramLine {
  readonly step: number;
  readonly epoch: number;
  readonly parameter: string;
  readonly weights: Distribution;
  readonly gradients?: Distribution;
}

export interface RunResult {
  readonly endedAt: string;
  readonly status: "finished" | "stopped" | "failed";
  /** Why it stopped or failed. */
  readonly reason?: string;
  /** Of all its parts, where it was resumed. */
  readonly steps: number;
}

/** A file name that sorts by step. */
export const checkpointName = (step: number): string => `step-${String(step).padStart(8, "0")}.safetensors`;

/** The step in a checkpoint's name; undefined for another file. */
export function stepOfCheckpoint(name: string): number | undefined {
  const digits = /^step-(\d+)\.safetensors$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
