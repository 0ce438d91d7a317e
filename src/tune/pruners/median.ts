/** Stopping below the median: Golovin et al., "Google Vizier", KDD 2017. */
import { ArgumentError } from "../../base/errors.ts";
import { checkOptions } from "../../base/options.ts";
import { requireCount } from "../samplers/tpe.ts";
import { isComplete, lossOf, type TrialRecord } from "../trial-record.ts";
import { type Pruner, type PrunerContext, shown } from "./pruner.ts";

export interface MedianOptions {
  /** Complete trials before any is pruned; 5 unless told otherwise. */
  readonly startupTrials?: number;
  /** Steps below this are never the last; 0 unless told otherwise. */
  readonly warmupSteps?: number;
  /** Steps from one decision to the next; 1 unless told otherwise. */
  readonly interval?: number;
  /** The part of the trials that goes on, in percent; 50, the median, unless told otherwise. */
  readonly percentile?: number;
}

/**
 * Ends a trial whose best report so far is worse than the median of what complete trials reported at the same step. The decisions are those
 * of Optuna's `MedianPruner` (`PercentilePruner` with another percentile).
 *
 * @throws ArgumentError for a percentile outside of 0 to 100
 * @example
 * const search = await study({ space: space({ x: uniform(0, 1) }), pruner: medianStopping({ startupTrials: 3 }) });
 */
export function medianStopping(options: MedianOptions = {}): Pruner {
  checkOptions("medianStopping", options, ["startupTrials", "warmupSteps", "interval", "percentile"]);
  const { startupTrials = 5, warmupSteps = 0, interval = 1, percentile = 50 } = options;
  requireCount("medianStopping", "startupTrials", startupTrials, 0);
  requireCount("medianStopping", "warmupSteps", warmupSteps, 0);
  requireCount("medianStopping", "interval", interval, 1);
  if (!(percentile >= 0 && percentile <= 100)) {
    throw new ArgumentError(`medianStopping: a percentile is from 0 to 100, got ${percentile}`);
  }
  return {
    name: "median",
    verdict(context) {
      const { step, trial, direction } = context;
      const complete = context.trials.filter(isComplete);
      if (complete.length === 0 || complete.length < startupTrials || step < warmupSteps) return undefined;
      if (!isDue(context, warmupSteps, interval)) return undefined;
      const own = [...trial.reports.values()].filter((value) => !Number.isNaN(value));
      if (own.length === 0) return `it reported NaN at step ${step}`;
      const best = Math.min(...own.map((value) => lossOf(value, direction)));
      const threshold = lossPercentile(complete, context, percentile);
      if (threshold === undefined || !(best > threshold)) return undefined;
      const limit = shown(lossOf(threshold, direction));
      const what = percentile === 50 ? "the median" : `the ${percentile}th percentile`;
      return `its best value by step ${step}, ${shown(lossOf(best, direction))}, is worse than ${what} of complete trials, ${limit}`;
    },
  };
}

/** Whether this is the first report since the last step at which a decision fell due. */
function isDue({ step, trial }: PrunerContext, warmupSteps: number, interval: number): boolean {
  const due = Math.floor((step - warmupSteps) / interval) * interval + warmupSteps;
  const before = Math.max(-1, ...[...trial.reports.keys()].filter((other) => other !== step));
  return before < due;
}

function lossPercentile(
  trials: readonly TrialRecord[],
  { step, direction }: PrunerContext,
  percentile: number,
): number | undefined {
  const losses = trials
    .map(({ reports }) => reports.get(step))
    .filter((value): value is number => value !== undefined && !Number.isNaN(value))
    .map((value) => lossOf(value, direction))
    .sort((a, b) => a - b);
  if (losses.length === 0) return undefined;
  const at = (percentile / 100) * (losses.length - 1);
  const [low, high] = [losses[Math.floor(at)]!, losses[Math.ceil(at)]!];
  return low === high ? low : low + (high - low) * (at - Math.floor(at));
}
