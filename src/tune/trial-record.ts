/** What is known of a trial: plain data, as it is kept. */
import type { ChoiceValue, Distribution } from "./distribution.ts";

/** `running` until it has ended; `complete` has a value, `pruned` was given up early, `failed` threw or lost its process. */
export type TrialState = "running" | "complete" | "pruned" | "failed";

/** Better is lower, or higher. */
export type Direction = "minimize" | "maximize";

export interface TrialRecord {
  /** From 0 on, in the order in which trials began. */
  readonly number: number;
  readonly state: TrialState;
  /** Of a complete trial; of a pruned one the last that it reported. */
  readonly value: number | undefined;
  readonly parameters: ReadonlyMap<string, ChoiceValue>;
  readonly distributions: ReadonlyMap<string, Distribution>;
  /** Values on the way, by step, in the order in which they were reported. */
  readonly reports: ReadonlyMap<number, number>;
  /** What samplers and users keep beside. */
  readonly attributes: ReadonlyMap<string, string>;
  /** Why it failed or was pruned. */
  readonly reason: string | undefined;
  /** Milliseconds since 1970. */
  readonly startedMs: number;
  readonly endedMs: number | undefined;
}

export const isEnded = ({ state }: TrialRecord): boolean => state !== "running";

/** A complete trial, whose value there is. */
export type CompleteTrial = TrialRecord & { readonly value: number };

export const isComplete = (trial: TrialRecord): trial is CompleteTrial => trial.state === "complete";

/** The value as something to make small. */
export const lossOf = (value: number, direction: Direction): number =>
  direction === "minimize" ? value : -value;

/** The complete trial with the best value, the earliest of equals. */
export function bestOf(trials: readonly TrialRecord[], direction: Direction): CompleteTrial | undefined {
  let best: CompleteTrial | undefined;
  for (const trial of trials) {
    if (!isComplete(trial)) continue;
    if (best === undefined || lossOf(trial.value, direction) < lossOf(best.value, direction)) best = trial;
  }
  return best;
}
