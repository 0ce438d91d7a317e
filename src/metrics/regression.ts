/** How near real-valued predictions are: scikit-learn's scores of regression, batch by batch. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { RunningMean, type RunningMeanState } from "./running-mean.ts";

/** A mean and the sum of squared distances from it, one value at a time (Welford 1962). */
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

  add(value: number): void {
    const before = value - this.mean;
    this.mean += before / ++this.count;
    this.squares += before * (value - this.mean);
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

  /** @throws ShapeError when the lengths differ */
  update(predictions: ArrayLike<number>, targets: ArrayLike<number>): this {
    if (predictions.length !== targets.length) {
      throw new ShapeError(
        `RegressionScores: ${predictions.length} predictions and ${targets.length} targets; give each its own`,
      );
    }
    for (let i = 0; i < targets.length; i++) this.add(predictions[i]!, targets[i]!);
    return this;
  }

  private add(prediction: number, target: number): void {
    const error = target - prediction;
    this.absolute.update(Math.abs(error));
    this.squared.update(error ** 2);
    this.relative.update(Math.abs(error) / Math.max(Math.abs(target), Number.EPSILON));
    this.targets.add(target);
    this.errors.add(error);
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

const shareExplained = (left: number, all: number): number =>
  all === 0 ? Number(left === 0) : 1 - left / all;

const scoresOf = (predictions: ArrayLike<number>, targets: ArrayLike<number>): RegressionScores =>
  new RegressionScores().update(predictions, targets);

/** The mean of |y − x|. @example meanAbsoluteError([2.5, 0, 2, 8], [3, -0.5, 2, 7]) // 0.5 */
export const meanAbsoluteError = (predictions: ArrayLike<number>, targets: ArrayLike<number>): number =>
  scoresOf(predictions, targets).meanAbsoluteError();

/** The mean of (y − x)². @example meanSquaredError([2.5, 0, 2, 8], [3, -0.5, 2, 7]) // 0.375 */
export const meanSquaredError = (predictions: ArrayLike<number>, targets: ArrayLike<number>): number =>
  scoresOf(predictions, targets).meanSquaredError();

/** √ of the mean squared error. @example rootMeanSquaredError([0, 0], [3, 3]) // 3 */
export const rootMeanSquaredError = (predictions: ArrayLike<number>, targets: ArrayLike<number>): number =>
  scoresOf(predictions, targets).rootMeanSquaredError();

/** 1 − Σ(y − x)² / Σ(y − ȳ)². @example r2Score([2.5, 0, 2, 8], [3, -0.5, 2, 7]) // 0.9486081370449679 */
export const r2Score = (predictions: ArrayLike<number>, targets: ArrayLike<number>): number =>
  scoresOf(predictions, targets).r2();

/**
 * The middle |y − x|, which outliers do not move; of an even count the mean of the middle two.
 *
 * @throws ArgumentError for no samples, ShapeError when the lengths differ
 * @example
 * medianAbsoluteError([2.5, 0, 2, 8], [3, -0.5, 2, 7]); // 0.5
 */
export function medianAbsoluteError(predictions: ArrayLike<number>, targets: ArrayLike<number>): number {
  if (predictions.length !== targets.length)
    throw new ShapeError(
      `medianAbsoluteError: ${predictions.length} predictions and ${targets.length} targets`,
    );
  if (targets.length === 0) throw new ArgumentError("medianAbsoluteError: no samples have no median");
  const errors = Float64Array.from(targets, (target, i) => Math.abs(target - predictions[i]!)).sort();
  const middle = errors.length / 2;
  return (errors[Math.ceil(middle) - 1]! + errors[Math.floor(middle)]!) / 2;
}
