/** A smaller learning rate where training no longer gets better. */
import { ArgumentError } from "../base/errors.ts";
import { BestScore, type WatchOptions } from "./best-score.ts";
import type { Callback } from "./callback.ts";
import { requirePatience } from "./early-stopping.ts";

export interface PlateauOptions extends WatchOptions {
  /** What learning rates are multiplied by; 0.1 unless told otherwise. */
  readonly factor?: number;
  /** Epochs without improvement before that; 10 unless told otherwise. */
  readonly patience?: number;
  /** Epochs after a reduction that are not counted; 0 unless told otherwise. */
  readonly cooldown?: number;
  /** Rates do not fall below; 0 unless told otherwise. */
  readonly minLearningRate?: number;
}

/**
 * A callback for `fit` that multiplies all learning rates by `factor` when a score has not improved for `patience` epochs:
 * Keras's and PyTorch's ReduceLROnPlateau. The optimizer must have been made with a number, not with a schedule.
 *
 * @throws ArgumentError for a factor outside (0, 1), or when the monitored score is not recorded
 * @example
 * const plateau = reduceOnPlateau({ factor: 0.5, patience: 3 });
 */
export function reduceOnPlateau(options: PlateauOptions = {}): Callback {
  const { factor = 0.1, patience = 10, cooldown = 0, minLearningRate = 0 } = options;
  requirePatience("reduceOnPlateau", patience);
  if (!(factor > 0 && factor < 1))
    throw new ArgumentError(`reduceOnPlateau: factor must be between 0 and 1, got ${factor}`);
  let best = new BestScore(options);
  /** Epochs up to this one do not count as waiting. */
  let countedAfter = 0;
  /** Whether rates fall after this epoch. */
  const judge = (scores: Parameters<BestScore["judge"]>[0], epoch: number): boolean => {
    if (best.judge(scores, epoch)) return false;
    if (epoch - Math.max(best.epoch, countedAfter) < patience) return false;
    countedAfter = epoch + cooldown;
    return true;
  };
  return {
    onTrainBegin({ history }) {
      best = new BestScore(options);
      countedAfter = 0;
      // The rates themselves are part of the training state that was resumed.
      for (const { epoch, scores } of history.epochs) judge(scores, epoch);
    },
    async onEpochEnd({ epoch, scores }, { optimizer }) {
      if (!judge(scores, epoch)) return;
      for (let group = 0; group < optimizer.groupCount; group++) {
        const rate = Number(await optimizer.learningRate(group).item());
        optimizer.setLearningRate(Math.max(rate * factor, minLearningRate), group);
      }
    },
  };
}
