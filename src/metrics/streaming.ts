/** Metrics that are no mean over batches: they are counted on the host over a whole pass. */
import { decode } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { shapeText } from "../base/shape.ts";
import { ConfusionMatrix, type ConfusionMatrixOptions } from "./confusion-matrix.ts";
import { RankingScores } from "./ranking.ts";
import { RegressionScores } from "./regression.ts";

/** What an evaluation loop needs of such a metric. */
export interface StreamingMetric<Result = number> {
  /** The name under which the result is shown. */
  readonly metricName: string;
  /** Adds a batch: scores (N, classes) or classes (N), and labels as classes (N) or one-hot rows (N, classes). */
  update(predictions: HostArray, labels: HostArray): void;
  result(): Result;
  reset(): void;
  /** What it has counted, as JSON can hold it, so that a pass can go on after a stop; without it the pass begins anew. */
  state?(): unknown;
  restore?(state: any): void;
}

/**
 * A metric read from the confusion matrix of a whole pass. A macro F1 of batches is not the mean of their F1s.
 *
 * @param metricName the name under which it is shown
 * @param read what to take from the matrix
 * @example
 * const macroF1 = streaming("macroF1", (matrix) => matrix.f1Score({ average: "macro" }));
 */
export function streaming<Result = number>(
  metricName: string,
  read: (matrix: ConfusionMatrix) => Result,
  options: ConfusionMatrixOptions = {},
): StreamingMetric<Result> {
  const matrix = new ConfusionMatrix(options);
  return {
    metricName,
    update: (predictions, labels) => {
      matrix.update(classesOf(predictions, metricName), classesOf(labels, metricName));
    },
    result: () => read(matrix),
    reset: () => matrix.reset(),
    state: () => matrix.state(),
    restore: (state) => matrix.restore(state),
  };
}

/** Class indices: rank 1 as they are, rank 2 by the largest score of each row (the first NaN wins, as in NumPy). */
function classesOf({ shape, dtype, data }: HostArray, what: string): ArrayLike<number> {
  const values = decode(dtype, data);
  if (shape.length === 1) return values;
  const [rows, columns] = shape;
  if (shape.length !== 2 || columns === 0) {
    throw new ShapeError(`${what}: expected classes (N) or scores (N, classes), got ${shapeText(shape)}`);
  }
  return Array.from({ length: rows! }, (_, row) =>
    largestAt(values.subarray(row * columns!, (row + 1) * columns!)),
  );
}

function largestAt(row: Float64Array): number {
  const nan = row.findIndex(Number.isNaN);
  if (nan >= 0) return nan;
  return row.reduce((best, value, index) => (value > row[best]! ? index : best), 0);
}

/**
 * A metric of real-valued predictions over a whole pass; predictions and targets are taken element by element.
 *
 * @example
 * const r2 = streamingRegression("r2", (scores) => scores.r2());
 */
export function streamingRegression(
  metricName: string,
  read: (scores: RegressionScores) => number,
): StreamingMetric {
  const scores = new RegressionScores();
  return {
    metricName,
    update: (predictions, targets) => {
      scores.update(decode(predictions.dtype, predictions.data), decode(targets.dtype, targets.data));
    },
    result: () => read(scores),
    reset: () => scores.reset(),
    state: () => scores.state(),
    restore: (state) => scores.restore(state),
  };
}

/**
 * A metric of scores of two classes over a whole pass: scores (N) or (N, 1), or (N, 2) of which the second is the positive's.
 *
 * @example
 * const auc = streamingRanking("rocAuc", (ranking) => ranking.rocAuc());
 */
export function streamingRanking(
  metricName: string,
  read: (ranking: RankingScores) => number,
): StreamingMetric {
  const ranking = new RankingScores();
  return {
    metricName,
    update: (predictions, labels) => {
      ranking.update(positiveScores(predictions, metricName), decode(labels.dtype, labels.data));
    },
    result: () => read(ranking),
    reset: () => ranking.reset(),
    state: () => ranking.state(),
    restore: (state) => ranking.restore(state),
  };
}

function positiveScores({ shape, dtype, data }: HostArray, what: string): ArrayLike<number> {
  const values = decode(dtype, data);
  const columns = shape.length === 2 ? shape[1] : 1;
  if (shape.length > 2 || (columns !== 1 && columns !== 2))
    throw new ShapeError(`${what}: expected scores (N), (N, 1) or (N, 2), got ${shapeText(shape)}`);
  return columns === 1 ? values : values.filter((_, i) => i % 2 === 1);
}
