/** Stops training when it no longer helps, and says why. */
import { ArgumentError } from "../base/errors.ts";
import { BestScore, type WatchOptions } from "./best-score.ts";
import type { Callback, Snapshot } from "./callback.ts";

export interface EarlyStoppingOptions extends WatchOptions {
  /** Epochs without improvement before training stops; 3 unless told otherwise. */
  readonly patience?: number;
  /** Whether the weights of the best epoch come back at the end; true unless told otherwise. */
  readonly restoreBest?: boolean;
}

/**
 * A callback for `fit` that ends training when a score has not improved for `patience` epochs.
 *
 * @throws ArgumentError for a patience below 1, or when the monitored score is not recorded
 * @example
 * const stopping = earlyStopping({ monitor: "validationAccuracy", patience: 5 });
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): Callback {
  const { patience = 3, restoreBest = true } = options;
  requirePatience("earlyStopping", patience);
  let best = new BestScore(options);
  /** Missing where only the weights of later epochs are at hand. */
  let snapshot: Snapshot | undefined;
  const reason = (): string =>
    `${best.monitor} did not improve for ${patience === 1 ? "1 epoch" : `${patience} epochs`} ` +
    `(best ${best.value.toPrecision(4)} at epoch ${best.epoch}${snapshot ? ", restored" : ""})`;
  return {
    stateName: "earlyStopping",
    saveState: () => (snapshot === undefined ? {} : { arrays: snapshot }),
    restoreState({ arrays }) {
      snapshot = arrays !== undefined && arrays.size > 0 ? arrays : undefined;
    },
    onTrainBegin(run) {
      const { history } = run;
      best = new BestScore(options);
      if (history.epochs.length === 0) snapshot = undefined;
      for (const { epoch, scores } of history.epochs) best.judge(scores, epoch);
      // A run that had come to its end stays there.
      if (history.epochs.length - best.epoch >= patience) run.stop(reason());
    },
    async onEpochEnd({ epoch, scores }, run) {
      if (best.judge(scores, epoch)) snapshot = restoreBest ? await run.snapshot() : undefined;
      else if (epoch - best.epoch >= patience) run.stop(reason());
    },
    onTrainEnd(run) {
      if (snapshot && best.epoch !== run.epoch) run.restore(snapshot);
    },
  };
}

export function requirePatience(what: string, patience: number): void {
  if (Number.isInteger(patience) && patience >= 1) return;
  throw new ArgumentError(`${what}: patience must be an integer of at least 1, got ${patience}`);
}
