/** Means over samples that each have a prediction, a label and perhaps a weight. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { RunningMean } from "./running-mean.ts";

export interface SampleOptions {
  /** How much each sample counts; all count 1 without it. */
  readonly sampleWeights?: ArrayLike<number> | undefined;
}

/** Scores of several classes or labels, a row a sample. */
export type Rows = readonly ArrayLike<number>[];

interface Counted {
  readonly length: number;
}

/** @throws ShapeError unless there are as many predictions as targets, and as many weights where there are some */
export function checkSamples(
  what: string,
  predictions: Counted,
  targets: Counted,
  sampleWeights?: Counted,
): void {
  if (predictions.length !== targets.length)
    throw new ShapeError(
      `${what}: ${predictions.length} predictions and ${targets.length} targets; give each its own`,
    );
  if (sampleWeights !== undefined && sampleWeights.length !== targets.length)
    throw new ShapeError(`${what}: ${sampleWeights.length} sampleWeights for ${targets.length} targets`);
}

/**
 * The weighted mean of a value of each sample; NaN of no samples.
 *
 * @throws ShapeError as {@link checkSamples}
 */
export function sampleMean(
  what: string,
  predictions: Counted,
  targets: Counted,
  options: SampleOptions,
  value: (sample: number) => number,
): number {
  checkOptions(what, options, ["sampleWeights"]);
  const { sampleWeights } = options;
  checkSamples(what, predictions, targets, sampleWeights);
  const mean = new RunningMean();
  for (let i = 0; i < targets.length; i++) mean.update(value(i), sampleWeights?.[i] ?? 1);
  return mean.result();
}

/** 1 − error / that of a constant prediction; where the constant has none, 1 if there is no error, else 0. */
export const shareExplained = (error: number, ofConstant: number): number =>
  ofConstant === 0 ? Number(error === 0) : 1 - error / ofConstant;

/** The value below which a share of ascending values lies, linear between two. */
export function quantileOf(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) throw new ArgumentError("quantile: no samples have none");
  const place = share * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
  return low + (high - low) * (place - Math.floor(place));
}
