/** What `fit` keeps in a checkpoint beside model, optimizer and the loader's position. */

import { FormatError } from "../base/errors.ts";
import type { Loaded } from "../checkpoint/index.ts";
import type { RunningMeanState } from "../metrics/index.ts";
import type { EpochRecord } from "./history.ts";
import type { PassState } from "./scoring.ts";
import type { WindowState } from "./step-window.ts";

/** An epoch in the middle of it: its sums so far, and the seconds it took. */
export interface Unfinished {
  readonly pass: PassState;
  readonly seconds: number;
  readonly dataSeconds?: number;
  readonly norm?: RunningMeanState;
  /** Of a step of several batches: those that were added. */
  readonly window?: WindowState;
}

export interface Progress {
  readonly step: number;
  readonly epochs: readonly EpochRecord[];
  /** The epoch that the checkpoint was taken in the middle of, or behind its last step and before it was validated. */
  readonly unfinished: Unfinished | undefined;
  /** What callbacks keep, by their names. */
  readonly callbacks?: Readonly<Record<string, unknown>>;
}
/** The progress in a checkpoint. @throws FormatError when it was not written by `fit` */
export function progressOf(path: string, { progress }: Loaded): Progress {
  const found = progress as Partial<Progress> | undefined;
  if (Number.isInteger(found?.step) && Array.isArray(found?.epochs)) return found as Progress;
  throw new FormatError(
    `"${path}" is no checkpoint of fit: it says nothing of steps and epochs; load() it as a model to start from its weights`,
  );
}

/** One sentence for whoever watches. */
export function describeResumption(
  path: string,
  { loader, arithmetic, isSameArithmetic }: Loaded,
  step: number,
): string {
  const where = `resumed from "${path}": epoch ${loader!.epoch + 1}, step ${step}`;
  if (isSameArithmetic) return where;
  return `${where}; it was saved under the arithmetic "${arithmetic}", so results agree within rounding, not bit for bit`;
}
