/** Metrics that are no mean over batches: they are counted on the host over a whole pass. */
import { decode } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { shapeText } from "../base/shape.ts";
import { ConfusionMatrix, type ConfusionMatrixOptions } from "./confusion-matrix.ts";
import { MultilabelCounts } from "./multilabel.ts";
import { RankingScores } from "./ranking.ts";
import { RegressionScores } from "./regression.ts";
import { RunningMean } from "./running-mean.ts";

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

/**
 * A mean over the samples of a pass, from a function of the host that gives it for a batch: `logLoss`, `meanPinballLoss`, `coverageError` …
 * Batches are weighted by their sizes, nothing of them is kept.
 *
 * @param mean given predictions and labels: numbers, or a row a sample where they have several
 * @example
 * const pinball = streamingMean("pinball90", (x, y) => meanPinballLoss(x, y, { alpha: 0.9 }));
 */
export function streamingMean(
  metricName: string,
  mean: (predictions: any, labels: any) => number,
): StreamingMetric {
  const running = new RunningMean();
  return {
    metricName,
    update: (predictions, labels) => {
      const count = labels.shape[0]!;
      if (count > 0)
        running.update(mean(samplesOf(predictions, metricName), samplesOf(labels, metricName)), count);
    },
    result: () => running.result(),
    reset: () => running.reset(),
    state: () => running.state(),
    restore: (state) => running.restore(state),
  };
}

/**
 * Any function of the predictions and labels of a whole pass, which are kept until its end: `medianAbsoluteError`, `d2PinballScore`,
 * `rocAucOneVsOne` …
 *
 * @param read given predictions and labels: numbers, or a row a sample where they have several
 * @example
 * const median = streamingWhole("medianAbsoluteError", medianAbsoluteError);
 */
export function streamingWhole(
  metricName: string,
  read: (predictions: any, labels: any) => number,
): StreamingMetric {
  type Samples = (number | number[])[];
  const kept: { predictions: Samples; labels: Samples } = { predictions: [], labels: [] };
  const add = (samples: Samples, array: HostArray): void => {
    for (const value of samplesOf(array, metricName))
      samples.push(typeof value === "number" ? value : Array.from(value));
  };
  const keep = (predictions: Samples, labels: Samples): void => {
    Object.assign(kept, { predictions, labels });
  };
  return {
    metricName,
    update: (predictions, labels) => {
      add(kept.predictions, predictions);
      add(kept.labels, labels);
    },
    result: () => read(kept.predictions, kept.labels),
    reset: () => keep([], []),
    state: () => ({ predictions: [...kept.predictions], labels: [...kept.labels] }),
    restore: ({ predictions, labels }) => keep([...predictions], [...labels]),
  };
}

/**
 * A metric of samples with several labels, from counts of a whole pass.
 *
 * @param options a label is given where its score is above `threshold`: 0 unless told otherwise, for logits; 0.5 for probabilities
 * @example
 * const f1 = streamingMultilabel("f1", (counts) => counts.f1Score({ average: "samples" }));
 */
export function streamingMultilabel<Result = number>(
  metricName: string,
  read: (counts: MultilabelCounts) => Result,
  { threshold = 0 }: { readonly threshold?: number } = {},
): StreamingMetric<Result> {
  const counts = new MultilabelCounts();
  return {
    metricName,
    update: (predictions, labels) => {
      const given = rowsOf(predictions, metricName).map((row) =>
        row.map((score) => Number(score > threshold)),
      );
      counts.update(given, rowsOf(labels, metricName));
    },
    result: () => read(counts),
    reset: () => counts.reset(),
    state: () => counts.state(),
    restore: (state) => counts.restore(state),
  };
}

/** A number a sample, or where there are several a row: (N), (N, 1) or (N, C). */
function samplesOf(array: HostArray, what: string): Float64Array | Float64Array[] {
  const { shape, dtype, data } = array;
  return shape.length === 1 || (shape.length === 2 && shape[1] === 1)
    ? decode(dtype, data)
    : rowsOf(array, what);
}

function rowsOf({ shape, dtype, data }: HostArray, what: string): Float64Array[] {
  const [rows, columns] = shape;
  if (shape.length !== 2)
    throw new ShapeError(
      `${what}: expected a number or a row for each sample, (N) or (N, C), got ${shapeText(shape)}`,
    );
  const values = decode(dtype, data);
  return Array.from({ length: rows! }, (_, row) => values.slice(row * columns!, (row + 1) * columns!));
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
