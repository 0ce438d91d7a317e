/** Whether a model is right as often as it says. Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", 2017. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";

/** Predictions of about one confidence. */
export interface CalibrationBin {
  readonly count: number;
  /** The mean of what was said. */
  readonly confidence: number;
  /** The share that was right. */
  readonly accuracy: number;
}

/**
 * Predictions in bins of equal width over 0 … 1, empty ones left out: what a reliability diagram draws. A confidence on an edge belongs to
 * the bin below.
 *
 * @param confidences what the model gave to what it predicted, 0 … 1
 * @param isRight whether it was right (1 or true), as many
 * @throws ShapeError when lengths differ, ArgumentError for a confidence outside 0 … 1
 * @example calibrationCurve([0.9, 0.8, 0.3], [1, 0, 0], { bins: 2 }).map(({ accuracy }) => accuracy) // [0, 0.5]
 */
export function calibrationCurve(
  confidences: ArrayLike<number>,
  isRight: ArrayLike<number | boolean>,
  options: { readonly bins?: number } = {},
): CalibrationBin[] {
  checkOptions("calibrationCurve", options, ["bins"]);
  const { bins = 10 } = options;
  if (confidences.length !== isRight.length)
    throw new ShapeError(
      `calibrationCurve: ${confidences.length} confidences for ${isRight.length} outcomes`,
    );
  if (!Number.isInteger(bins) || bins < 1)
    throw new ArgumentError(`calibrationCurve: bins must be a positive integer, got ${bins}`);
  const sums = Array.from({ length: bins }, () => ({ count: 0, confidence: 0, right: 0 }));
  for (let i = 0; i < confidences.length; i++) {
    const confidence = confidences[i]!;
    if (!(confidence >= 0 && confidence <= 1))
      throw new ArgumentError(`calibrationCurve: confidence ${i} is ${confidence}, must be from 0 to 1`);
    const bin = sums[Math.max(0, Math.ceil(confidence * bins) - 1)]!;
    bin.count++;
    bin.confidence += confidence;
    bin.right += Number(isRight[i]);
  }
  return sums
    .filter(({ count }) => count > 0)
    .map(({ count, confidence, right }) => ({
      count,
      confidence: confidence / count,
      accuracy: right / count,
    }));
}

/**
 * ECE: the mean distance of confidence and accuracy over `calibrationCurve`'s bins, weighted by their counts.
 *
 * @example expectedCalibrationError([0.9, 0.9, 0.6, 0.6], [1, 1, 1, 0]).toFixed(2) // "0.10"
 */
export function expectedCalibrationError(
  confidences: ArrayLike<number>,
  isRight: ArrayLike<number | boolean>,
  options: { readonly bins?: number } = {},
): number {
  const curve = calibrationCurve(confidences, isRight, options);
  return curve.reduce(
    (sum, { count, confidence, accuracy }) =>
      sum + (count / confidences.length) * Math.abs(confidence - accuracy),
    0,
  );
}
