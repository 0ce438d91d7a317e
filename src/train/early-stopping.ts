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
  let best: { value: number; epoch: number; snapshot: Snapshot | undefined } | undefined;
  return {
    onTrainBegin() {
      best = undefined;
    },
    onEpochEnd({ epoch, scores }, run) {
      const value = scoreOf(scores, monitor);
      if (best === undefined || sign * (best.value - value) > minDelta) {
        best = { value, epoch, snapshot: restoreBest ? run.snapshot() : undefined };
      } else if (epoch - best.epoch >= patience) {
        const restored = restoreBest ? ", restored" : "";
        const epochs = patience === 1 ? "1 epoch" : `${patience} epochs`;
        run.stop(
          `${monitor} did not improve for ${epochs} (best ${best.value.toPrecision(4)} at epoch ${best.epoch}${restored})`,
        );
      }
    },
    onTrainEnd(run) {
      if (best?.snapshot && best.epoch !== run.epoch) run.restore(best.snapshot);
    },
  };
}
