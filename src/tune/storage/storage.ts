/** Where trials are kept. */
import type { ChoiceValue, Distribution } from "../distribution.ts";
import type { Direction, TrialRecord, TrialState } from "../trial-record.ts";

/** How a trial ended. */
export interface Ending {
  readonly state: Exclude<TrialState, "running">;
  readonly value?: number | undefined;
  readonly reason?: string | undefined;
}

/** The trials of one study. Each call has taken effect, for every process, when it returns. */
export interface TrialStore {
  /** Where, in words, for messages. */
  readonly place: string;
  /** All trials by number. */
  trials(): readonly TrialRecord[];
  /** A new running trial's number; undefined when there are `limit` trials already. */
  begin(limit: number): number | undefined;
  setParameter(number: number, name: string, value: ChoiceValue, distribution: Distribution): void;
  setAttribute(number: number, name: string, value: string): void;
  report(number: number, step: number, value: number): void;
  /** Nothing where the trial has ended already: another process may have declared it lost. */
  end(number: number, ending: Ending): void;
  /** Trials whose processes are gone have failed. Gives their numbers. */
  endLost(): readonly number[];
  close(): void;
}

export interface StudyKey {
  readonly name: string;
  readonly direction: Direction;
  /** Whether there may be trials already. */
  readonly resume: boolean;
}

export const lostReason = "its process ended before it did";

/** How a trial ended that gave this: the pruner's word stands above the value. */
export function endingOf(
  store: TrialStore,
  number: number,
  value: number | string,
  pruned: string | undefined,
): Ending {
  if (pruned !== undefined) {
    const last = [...(store.trials()[number]?.reports ?? [])].reduce(
      (latest, report) => (report[0] >= latest[0] ? report : latest),
      [-1, Number.NaN] as readonly [number, number],
    );
    return { state: "pruned", value: Number.isNaN(last[1]) ? undefined : last[1], reason: pruned };
  }
  return typeof value === "string" ? { state: "failed", reason: value } : { state: "complete", value };
}
