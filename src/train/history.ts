/** What a training run went through, epoch by epoch. */
import { ArgumentError, nearestName } from "../base/errors.ts";

import type { RunReport } from "./run-report.ts";

/** Values by name: `loss`, the metrics' names, and both with `validation` before them (`validationLoss` …). */
export type Scores = Readonly<Record<string, number>>;

export interface EpochRecord {
  /** Counted from 1. */
  readonly epoch: number;
  /** Means over the epoch's samples; the validation's are taken after it. */
  readonly scores: Scores;
  readonly steps: number;
  readonly samples: number;
  /** Wall time of the training loop: loading and reading the loss included, validation not. */
  readonly seconds: number;
  readonly validationSeconds: number;
  /** Of the last step. */
  readonly learningRate?: number;
  /** The mean over the steps; missing with the option `gradientNorm: false`. */
  readonly gradientNorm?: number;
  /** Of `seconds`: waiting for batches. */
  readonly dataSeconds?: number;
  /** Samples that were left out, with the option `corrupt: "skip"`; missing where there were none. */
  readonly skipped?: number;
}

/**
 * The record of a run, in the order of its epochs.
 *
 * @example new History().epochs.length; // 0
 */
export class History {
  readonly epochs: EpochRecord[] = [];
  /** Why training ended before its last epoch; undefined when it did not. */
  stopReason: string | undefined;
  /** What was known after the first step; undefined before it, and with the option `checks: false`. */
  report: RunReport | undefined;

  /** One score over the epochs: `history.series("validationLoss")`. @throws ArgumentError for a name not recorded */
  series(name: string): number[] {
    return this.epochs.map((record) => scoreOf(record.scores, name));
  }

  /** The record in which a score was best: lowest for losses, highest otherwise, the first of equals. */
  best(name: string): EpochRecord | undefined {
    const sign = isLowerBetter(name) ? 1 : -1;
    const better = (a: EpochRecord, b: EpochRecord): boolean =>
      sign * scoreOf(b.scores, name) < sign * scoreOf(a.scores, name);
    return this.epochs.reduce<EpochRecord | undefined>(
      (best, record) => (best === undefined || better(best, record) ? record : best),
      undefined,
    );
  }
}

/** A score by name; an error that names those there are. */
export function scoreOf(scores: Scores, name: string): number {
  const value = scores[name];
  if (value !== undefined) return value;
  const names = Object.keys(scores);
  const near = nearestName(name, names);
  throw new ArgumentError(
    `no score "${name}" is recorded; there are ${names.join(", ")}${near ? `. Did you mean "${near}"?` : ""}` +
      (name.startsWith("validation") && !names.some((n) => n.startsWith("validation"))
        ? " (validation scores need the option validation)"
        : ""),
  );
}

/** Losses, errors, deviances, perplexity and Brier's score fall, everything else rises. @example isLowerBetter("validationLoss") // true */
export const isLowerBetter = (name: string): boolean => /loss|error|deviance|perplexity|brier/i.test(name);

/** `loss` → `validationLoss`. */
export const validationName = (name: string): string => `validation${name[0]!.toUpperCase()}${name.slice(1)}`;
