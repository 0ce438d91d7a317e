/** How near real-valued predictions are: scikit-learn's scores of regression, batch by batch. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { RunningMean, type RunningMeanState } from "./running-mean.ts";
import { checkSamples, type SampleOptions, shareExplained } from "./samples.ts";

/** A mean and the sum of squared distances from it, one value at a time, weighted (Welford 1962, West 1979). */
class Moments {
  private count = 0;
  private mean = 0;
  squares = 0;

  state(): readonly number[] {
    return [this.count, this.mean, this.squares];
  }

  restore([count, mean, squares]: readonly number[]): void {
    [this.count, this.mean, this.squares] = [count!, mean!, squares!];
  }

  add(value: number, weight: number): void {
    const before = value - this.mean;
    this.count += weight;
    this.mean += (before * weight) / this.count;
    this.squares += weight * before * (value - this.mean);
  }
}

/** What scores of regression have summed up. */
export interface RegressionState {
  readonly means: readonly RunningMeanState[];
  readonly moments: readonly (readonly number[])[];
  readonly largest: number;
}

/**
 * Errors of predictions x of targets y that grow batch by batch.
 *
 * @example
 * const scores = new RegressionScores().update([2.5, 0, 2, 8], [3, -0.5, 2, 7]);
 * scores.meanAbsoluteError(); // 0.5
 * scores.r2();                // 0.9486081370449679
 */
export class RegressionScores {
  private readonly absolute = new RunningMean();
  private readonly squared = new RunningMean();
  private readonly relative = new RunningMean();
  private targets = new Moments();
  private errors = new Moments();
  private largest = 0;

  /**
   * Adds predictions and targets; each sample counts 1, or its entry in `sampleWeights`.
   *
   * @throws ShapeError when the lengths differ
   */
  update(
    predictions: ArrayLike<number>,
    targets: ArrayLike<number>,
    sampleWeights?: ArrayLike<number>,
  ): this {
    checkSamples("RegressionScores", predictions, targets, sampleWeights);
    for (let i = 0; i < targets.length; i++) this.add(predictions[i]!, targets[i]!, sampleWeights?.[i] ?? 1);
    return this;
  }

  private add(prediction: number, target: number, weight: number): void {
    if (weight === 0) return;
    const error = target - prediction;
    this.absolute.update(Math.abs(error), weight);
    this.squared.update(error ** 2, weight);
    this.relative.update(Math.abs(error) / Math.max(Math.abs(target), Number.EPSILON), weight);
    this.targets.add(target, weight);
    this.errors.add(error, weight);
    this.largest = Math.max(this.largest, Math.abs(error));
  }

  reset(): void {
    for (const mean of [this.absolute, this.squared, this.relative]) mean.reset();
    this.targets = new Moments();
    this.errors = new Moments();
    this.largest = 0;
  }

  /** The sums, as plain numbers. */
  state(): RegressionState {
    return {
      means: [this.absolute, this.squared, this.relative].map((mean) => mean.state()),
      moments: [this.targets.state(), this.errors.state()],
      largest: this.largest,
    };
  }

  /** Goes on from sums. */
  restore({ means, moments, largest }: RegressionState): void {
    [this.absolute, this.squared, this.relative].forEach((mean, i) => void mean.restore(means[i]!));
    [this.targets, this.errors].forEach((own, i) => void own.restore(moments[i]!));
    this.largest = largest;
  }

  get count(): number {
    return this.absolute.count;
  }

  /** The mean of |y − x|. */
  meanAbsoluteError(): number {
    return this.absolute.result();
  }
  /** The mean of (y − x)². */
  meanSquaredError(): number {
    return this.squared.result();
  }
  /** √ of the mean squared error: in the targets' unit. */
  rootMeanSquaredError(): number {
    return Math.sqrt(this.squared.result());
  }
  /** The mean of |y − x| / max(|y|, 2⁻⁵²): a share, not percent. */
  meanAbsolutePercentageError(): number {
    return this.relative.result();
  }
  /** The largest |y − x|. */
  maxError(): number {
    return this.largest;
  }
  /** 1 − Σ(y − x)² / Σ(y − ȳ)²: 1 is perfect, 0 as good as the mean. Where all targets are the same: 1 if met, else 0. */
  r2(): number {
    return shareExplained(this.squared.result() * this.count, this.targets.squares);
  }
  /** As `r2`, but a constant offset of the predictions is forgiven: 1 − Var(y − x) / Var(y). */
  explainedVariance(): number {
    return shareExplained(this.errors.squares, this.targets.squares);
  }
}

function scoresOf(
  what: string,
  predictions: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: SampleOptions,
): RegressionScores {
  checkOptions(what, options, ["sampleWeights"]);
  return new RegressionScores().update(predictions, targets, options.sampleWeights);
}

/** The mean of |y − x|. @example meanAbsoluteError([2.5, 0, 2, 8], [3, -0.5, 2, 7]) // 0.5 */
export const meanAbsoluteError = (
  predictions: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: SampleOptions = {},
): number => scoresOf("meanAbsoluteError", predictions, targets, options).meanAbsoluteError();

/** The mean of (y − x)². @example meanSquaredError([2.5, 0, 2, 8], [3, -0.5, 2, 7]) // 0.375 */
export const meanSquaredError = (
  predictions: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: SampleOptions = {},
): number => scoresOf("meanSquaredError", predictions, targets, options).meanSquaredError();

/** √ of the mean squared error. @example rootMeanSquaredError([0, 0], [3, 3]) // 3 */
export const rootMeanSquaredError = (
  predictions: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: SampleOptions = {},
): number => scoresOf("rootMeanSquaredError", predictions, targets, options).rootMeanSquaredError();

/** 1 − Σ(y − x)² / Σ(y − ȳ)². @example r2Score([2.5, 0, 2, 8], [3, -0.5, 2, 7]) // 0.9486081370449679 */
export const r2Score = (
  predictions: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: SampleOptions = {},
): number => scoresOf("r2Score", predictions, targets, options).r2();

/**
 * The mean of (log(1 + y) − log(1 + x))²: errors as parts of the target, for what grows by factors.
 *
 * @throws ArgumentError for values of −1 and less
 * @example
 * meanSquaredLogError([Math.E - 1], [0]); // 1
 */
export const meanSquaredLogError = (
  predictions: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: SampleOptions = {},
): number => meanSquaredError(logsOf("prediction", predictions), logsOf("target", targets), options);

/** √ of `meanSquaredLogError`. @example rootMeanSquaredLogError([Math.E ** 2 - 1], [0]) // 2 */
export const rootMeanSquaredLogError = (
  predictions: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: SampleOptions = {},
): number => Math.sqrt(meanSquaredLogError(predictions, targets, options));

function logsOf(what: string, values: ArrayLike<number>): Float64Array {
  return Float64Array.from(values, (value, i) => {
    if (value > -1 || Number.isNaN(value)) return Math.log1p(value);
    throw new ArgumentError(
      `meanSquaredLogError: ${what} ${i} is ${value}; log(1 + x) needs more than -1 (clip, or use meanSquaredError)`,
    );
  });
}
