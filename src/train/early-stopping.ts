/** Stops training when it no longer helps, and says why. */
import { ArgumentError } from "../base/errors.ts";
import type { Callback, Snapshot } from "./callback.ts";
import { isLowerBetter, scoreOf } from "./history.ts";

export interface EarlyStoppingOptions {
  /** The score watched, `validationLoss` unless told otherwise. Losses and errors should fall, others rise. */
  readonly monitor?: string;
  /** Epochs without improvement before training stops; 3 unless told otherwise. */
  readonly patience?: number;
  /** A smaller change is no improvement; 0 unless told otherwise. */
  readonly minDelta?: number;
  /** Whether the weights of the best epoch come back at the end; true unless told otherwise. */
  readonly restoreBest?: boolean;
}

interface Best {
  readonly value: number;
  readonly epoch: number;
  /** Missing for an epoch before the run was resumed. */
  snapshot: Snapshot | undefined;
}

/**
 * A callback for `fit` that ends training when a score has not improved for `patience` epochs.
 *
 * @throws ArgumentError for a patience below 1, or when the monitored score is not recorded
 * @example
 * const stopping = earlyStopping({ monitor: "validationAccuracy", patience: 5 });
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): Callback {
  const { monitor = "validationLoss", patience = 3, minDelta = 0, restoreBest = true } = options;
  if (!Number.isInteger(patience) || patience < 1) {
    throw new ArgumentError(`earlyStopping: patience must be an integer of at least 1, got ${patience}`);
  }
  const sign = isLowerBetter(monitor) ? 1 : -1;
  let best: Best | undefined;
  /** Whether the value is the best so far; it is then kept. */
  const judge = (value: number, epoch: number): boolean => {
    const isBest = best === undefined || sign * (best.value - value) > minDelta;
    if (isBest) best = { value, epoch, snapshot: undefined };
    return isBest;
  };
  const reason = ({ value, epoch, snapshot }: Best): string =>
    `${monitor} did not improve for ${patience === 1 ? "1 epoch" : `${patience} epochs`} ` +
    `(best ${value.toPrecision(4)} at epoch ${epoch}${snapshot ? ", restored" : ""})`;
  return {
    onTrainBegin({ history }) {
      best = undefined;
      for (const { epoch, scores } of history.epochs) judge(scoreOf(scores, monitor), epoch);
    },
    async onEpochEnd({ epoch, scores }, run) {
      if (judge(scoreOf(scores, monitor), epoch)) {
        if (restoreBest) best!.snapshot = await run.snapshot();
      } else if (epoch - best!.epoch >= patience) {
        run.stop(reason(best!));
      }
    },
    onTrainEnd(run) {
      if (best?.snapshot && best.epoch !== run.epoch) run.restore(best.snapshot);
    },
  };
}
