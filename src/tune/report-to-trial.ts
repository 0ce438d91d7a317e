/** A callback for `fit` that tells a trial how training goes. */
import { checkOptions } from "../base/options.ts";
import { scoreOf } from "../train/history.ts";
import type { Callback } from "../train/index.ts";
import type { Trial } from "./trial.ts";

export interface ReportOptions {
  /** The score that is reported after each epoch; `validationLoss` unless told otherwise. */
  readonly monitor?: string;
}

/**
 * A callback for `fit` that reports a score after each epoch to the trial, the epoch as the step, and ends training when the trial is pruned.
 * `fit` then returns as usual, and whatever the objective gives, the trial counts as pruned.
 *
 * @throws ArgumentError when the score is not recorded
 * @example
 * const search = await study({ space: space({ learningRate: logUniform(1e-3, 1) }), pruner: medianStopping() });
 * await search.optimize(async ({ learningRate }, trial) => {
 *   const model = new Sequential(new Linear(784, 10));
 *   const history = await fit(model, train, {
 *     loss: crossEntropy, optimizer: adam({ learningRate }), validation: test, progress: "none", callbacks: [reportTo(trial)],
 *   });
 *   return history.series("validationLoss").at(-1)!;
 * }, { trials: 2 });
 */
export function reportTo(trial: Trial, options: ReportOptions = {}): Callback {
  checkOptions("reportTo", options, ["monitor"]);
  const { monitor = "validationLoss" } = options;
  return {
    async onEpochEnd({ epoch, scores }, run) {
      try {
        await trial.report(epoch, scoreOf(scores, monitor));
      } catch (error) {
        if ((error as Error).name !== "TrialPruned") throw error;
        run.stop(`trial ${trial.number} is pruned: ${(error as Error).message}`);
      }
    },
  };
}
