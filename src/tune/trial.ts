/** A running trial, as the objective sees it. */
import { ArgumentError, NetwrightError, nearestName } from "../base/errors.ts";
import {
  type ChoiceValue,
  type Distribution,
  distributionText,
  sameDistribution,
  type ValueOf,
} from "./distribution.ts";

/**
 * Thrown by `trial.report` when the pruner gives the trial up. Let it pass: the study counts the trial as pruned.
 *
 * @example new TrialPruned("worse than the median").message // "worse than the median"
 */
export class TrialPruned extends NetwrightError {
  override name = "TrialPruned";
}

/** What an objective may ask of its trial. */
export interface Trial {
  /** From 0 on, in the order in which trials began: a seed for whatever the trial draws. */
  readonly number: number;
  /**
   * The value of a parameter that the study's space does not declare: it is chosen now. Asked again, it is the same. Only in the study's own
   * process; trials in other processes need a declared space.
   */
  suggest<D extends Distribution>(name: string, distribution: D): ValueOf<D>;
  /**
   * A value on the way: after an epoch, the score so far. The study's pruner may then end the trial.
   *
   * @throws TrialPruned when it does
   */
  report(step: number, value: number): Promise<void>;
  /** Keeps a text beside the trial. */
  note(name: string, text: string): void;
}

/** What a trial in this process needs of its study. */
export interface TrialHost {
  /** Values that were chosen when the trial began. */
  readonly chosen: ReadonlyMap<string, ChoiceValue>;
  choose(name: string, distribution: Distribution): ChoiceValue;
  /** The verdict of the pruner: why the trial is to end. */
  report(step: number, value: number): string | undefined;
  note(name: string, text: string): void;
}

/** A trial in this process. */
export class LocalTrial implements Trial {
  readonly number: number;
  /** Why the pruner gave it up. */
  pruned: string | undefined;
  readonly #host: TrialHost;
  readonly #asked = new Map<string, { readonly value: ChoiceValue; readonly distribution: Distribution }>();

  constructor(number: number, host: TrialHost) {
    this.number = number;
    this.#host = host;
  }

  suggest<D extends Distribution>(name: string, distribution: D): ValueOf<D> {
    const asked = this.#asked.get(name);
    if (asked === undefined) {
      const value = this.#host.choose(name, distribution);
      this.#asked.set(name, { value, distribution });
      return value as ValueOf<D>;
    }
    if (asked.distribution !== distribution && !sameDistribution(asked.distribution, distribution)) {
      throw new ArgumentError(
        `trial ${this.number}: "${name}" was ${distributionText(asked.distribution)} before and is ${distributionText(distribution)} now`,
      );
    }
    return asked.value as ValueOf<D>;
  }

  async report(step: number, value: number): Promise<void> {
    checkReport(this.number, step, value);
    this.pruned ??= this.#host.report(step, value);
    if (this.pruned !== undefined) throw new TrialPruned(this.pruned);
  }

  note(name: string, text: string): void {
    this.#host.note(name, text);
  }
}

export function checkReport(number: number, step: number, value: unknown): void {
  if (!Number.isSafeInteger(step) || step < 0) {
    throw new ArgumentError(`trial ${number}: a step is a whole number from 0 on, got ${step}`);
  }
  if (typeof value !== "number")
    throw new ArgumentError(`trial ${number}: reported a ${typeof value}, not a number`);
}

/** What an objective returned, checked; the reason why it is none otherwise. */
export function valueOrReason(value: unknown): number | string {
  if (typeof value !== "number")
    return `the objective gave ${value === undefined ? "nothing" : `a ${typeof value}`}, not a number`;
  return Number.isNaN(value) ? "the objective gave NaN" : value;
}

export function unknownParameter(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known);
  return nearest === undefined ? `there are ${known.join(", ")}` : `did you mean "${nearest}"?`;
}
