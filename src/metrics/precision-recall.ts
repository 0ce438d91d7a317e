/**
 * Precision, recall and F-score of predicted against true classes, with scikit-learn's conventions.
 *
 * Arguments come as everywhere in Netwright: predictions first, then labels (scikit-learn has them the other way round).
 */
import { type ConfusionMatrixOptions, confusionMatrix } from "./confusion-matrix.ts";
import type { ScoreOptions } from "./scores.ts";

export interface ClassificationScoreOptions extends ScoreOptions, ConfusionMatrixOptions {
  /** How much each sample counts; all count 1 without it. */
  readonly sampleWeights?: ArrayLike<number>;
}

type Unaveraged = ClassificationScoreOptions & { average: "none" };

/**
 * Of what was predicted as a class, the share that is of it: TP / (TP + FP).
 *
 * @param predictions predicted classes, integers from 0
 * @param labels true classes, as many
 * @param options how classes are averaged; 0 ÷ 0 is 0 unless `zeroDivision` says otherwise
 * @example
 * precision([1, 1, 0], [1, 0, 0]);                                  // 0.5
 * precision([0, 2, 1, 2], [0, 1, 1, 2], { average: "none" });       // [1, 1, 0.5]
 */
export function precision(p: ArrayLike<number>, labels: ArrayLike<number>, options: Unaveraged): number[];
export function precision(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
  options?: ClassificationScoreOptions,
): number;
export function precision(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
  options: ClassificationScoreOptions = {},
): number | number[] {
  const { averaging, counting } = parted(options);
  return confusionMatrix(predictions, labels, counting).precision(averaging);
}

/**
 * Of what is of a class, the share that was predicted so: TP / (TP + FN).
 *
 * @example
 * recall([1, 1, 0], [1, 0, 0]);                                     // 1
 */
export function recall(p: ArrayLike<number>, labels: ArrayLike<number>, options: Unaveraged): number[];
export function recall(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
  options?: ClassificationScoreOptions,
): number;
export function recall(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
  options: ClassificationScoreOptions = {},
): number | number[] {
  const { averaging, counting } = parted(options);
  return confusionMatrix(predictions, labels, counting).recall(averaging);
}

/**
 * The harmonic mean of precision and recall: 2·TP / (2·TP + FP + FN).
 *
 * @example
 * f1Score([1, 1, 0], [1, 0, 0]);                                    // 0.6666666666666666
 */
export function f1Score(p: ArrayLike<number>, labels: ArrayLike<number>, options: Unaveraged): number[];
export function f1Score(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
  options?: ClassificationScoreOptions,
): number;
export function f1Score(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
  options: ClassificationScoreOptions = {},
): number | number[] {
  const { averaging, counting } = parted(options);
  return confusionMatrix(predictions, labels, counting).f1Score(averaging);
}

/** What counts samples, and what averages classes. */
function parted({ numClasses, sampleWeights, ...averaging }: ClassificationScoreOptions) {
  const counting = {
    ...(numClasses !== undefined && { numClasses }),
    ...(sampleWeights && { sampleWeights }),
  };
  return { averaging, counting };
}
