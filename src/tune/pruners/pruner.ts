/** What a pruner is told, and what it answers. */
import type { Direction, TrialRecord } from "../trial-record.ts";

export interface PrunerContext {
  /** The running trial, the newest report included. */
  readonly trial: Pick<TrialRecord, "number" | "reports">;
  /** The step of the newest report. */
  readonly step: number;
  readonly direction: Direction;
  /** The other trials that the decision may depend on. */
  readonly trials: readonly TrialRecord[];
  readonly studyName: string;
}

/** Gives trials up that will not become good. Its state is the trials' reports. */
export interface Pruner {
  readonly name: string;
  /** Why the trial should end now; undefined when it should go on. */
  verdict(context: PrunerContext): string | undefined;
}

/** Numbers in messages. */
export const shown = (value: number): string => String(Number(value.toPrecision(4)));
