/** Predictions of a quantile: of the median, or of a value that a given share of targets stays below. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { checkSamples, quantileOf, type SampleOptions, sampleMean, shareExplained } from "./samples.ts";

/** The quantile that is predicted, 0 … 1; the median, 0.5, unless told otherwise. */
interface Alpha {
  readonly alpha?: number;
}
export interface PinballOptions extends SampleOptions, Alpha {}

function checkedAlpha(what: string, { alpha = 0.5 }: Alpha): number {
  if (alpha >= 0 && alpha <= 1) return alpha;
  throw new ArgumentError(`${what}: alpha must be from 0 to 1, got ${alpha}`);
}

/**
 * The mean of α·(y − x) where a prediction x is too low and (1 − α)·(x − y) where it is too high: least for the α-quantile.
 * Koenker and Bassett, "Regression quantiles", 1978.
 *
 * @param predictions numbers
 * @param targets numbers, as many
 * @throws ArgumentError for α outside 0 … 1, ShapeError when the lengths differ
 * @example
 * meanPinballLoss([0, 2], [1, 1], { alpha: 0.75 }); // 0.5
 */
export function meanPinballLoss(
  predictions: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: PinballOptions = {},
): number {
  const { alpha: given, ...weighing } = options;
  const alpha = checkedAlpha("meanPinballLoss", { alpha: given });
  return sampleMean("meanPinballLoss", predictions, targets, weighing, (i) => {
    const error = targets[i]! - predictions[i]!;
    return error >= 0 ? alpha * error : (alpha - 1) * error;
  });
}

/**
 * D² of quantiles: 1 − pinball loss / that of the targets' own α-quantile. 1 is perfect, 0 as good as the constant. Where all
 * targets are the same: 1 if met, else 0.
 *
 * @throws ArgumentError for no samples or α outside 0 … 1, ShapeError when the lengths differ
 * @example
 * d2PinballScore([2.5, 0, 2, 8], [3, -0.5, 2, 7], { alpha: 0.1 }).toFixed(4); // "0.2222"
 */
export function d2PinballScore(
  predictions: ArrayLike<number>,
  targets: ArrayLike<number>,
  given: Alpha = {},
): number {
  checkOptions("d2PinballScore", given, ["alpha"]);
  const options = { alpha: checkedAlpha("d2PinballScore", given) };
  const loss = meanPinballLoss(predictions, targets, options);
  const constant = quantileOf(Float64Array.from(targets).sort(), options.alpha);
  return shareExplained(
    loss,
    meanPinballLoss(new Float64Array(targets.length).fill(constant), targets, options),
  );
}

/**
 * D² of absolute errors: 1 − Σ|y − x| / Σ|y − median(y)|.
 *
 * @example d2AbsoluteErrorScore([2.5, 0, 2, 8], [3, -0.5, 2, 7]).toFixed(4) // "0.7647"
 */
export const d2AbsoluteErrorScore = (predictions: ArrayLike<number>, targets: ArrayLike<number>): number =>
  d2PinballScore(predictions, targets);

/**
 * The middle |y − x|, which outliers do not move; of an even count the mean of the middle two.
 *
 * @throws ArgumentError for no samples, ShapeError when the lengths differ
 * @example
 * medianAbsoluteError([2.5, 0, 2, 8], [3, -0.5, 2, 7]); // 0.5
 */
export function medianAbsoluteError(predictions: ArrayLike<number>, targets: ArrayLike<number>): number {
  checkSamples("medianAbsoluteError", predictions, targets);
  if (targets.length === 0) throw new ArgumentError("medianAbsoluteError: no samples have no median");
  return quantileOf(
    Float64Array.from(targets, (target, i) => Math.abs(target - predictions[i]!)).sort(),
    0.5,
  );
}
