/** Shares of right predictions, as tensors: part of the step that they measure. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { classCount, classIndices, placesOf, wideLabels } from "../losses/classes.ts";
import { arange, type Tensor, type TensorLike, where } from "../tensor/index.ts";

/** A mean over the samples of a batch, f32 of shape (); its name is the function's. */
export type BatchMetric = (predictions: Tensor, labels: TensorLike) => Tensor;

/**
 * The share of samples whose largest score is at their label; of equal scores the first counts, and a NaN counts as the
 * largest. The mean over a batch, so a pass is the mean of batches weighted by their sizes.
 *
 * @param predictions scores (…, classes): logits or probabilities
 * @param labels class indices (…), or one-hot rows (…, classes)
 * @returns f32 of shape ()
 * @throws ShapeError when labels have neither shape
 * @example
 * await accuracy(tensor([[2, 1], [0, 3]]), tensor([0, 0])).item(); // 0.5
 */
export const accuracy = /* @__PURE__ */ named("accuracy", (predictions, labels) => {
  const label = labelsOf("accuracy", predictions, labels);
  return predictions.argmax(-1).equal(label).cast("f32").mean();
});

/**
 * As `accuracy`, but a sample is right when its label is among the `k` largest scores. Of equal scores those of smaller index
 * come first; with a NaN among them a sample is wrong.
 *
 * @example
 * const topTwo = topKAccuracy(2);
 * await topTwo(tensor([[3, 2, 1], [3, 2, 1]]), tensor([1, 2])).item(); // 0.5
 */
export function topKAccuracy(k: number): BatchMetric {
  if (!Number.isInteger(k) || k < 1)
    throw new ArgumentError(`topKAccuracy: k must be an integer from 1, got ${k}`);
  const name = `top${k}Accuracy`;
  return named(name, (predictions, labels) => {
    const label = labelsOf(name, predictions, labels);
    return isAmong(k, predictions, label).cast("f32").mean();
  });
}

/** Gives a metric the name under which it is shown, also where a bundler renames functions. */
function named(name: string, metric: BatchMetric): BatchMetric {
  return Object.defineProperty(metric, "name", { value: name });
}

/** Class indices (…) as i32 from indices or rows. */
function labelsOf(what: string, predictions: Tensor, labels: TensorLike): Tensor {
  const y = wideLabels(labels);
  const samples = predictions.shape.slice(0, -1);
  const isRanked = predictions.shape.length > 0;
  if (isRanked && sameShape(y.shape, samples)) return classIndices(what, y, classCount(what, predictions));
  if (isRanked && sameShape(y.shape, predictions.shape)) return y.argmax(-1);
  throw new ShapeError(
    `${what}: predictions ${shapeText(predictions.shape)} need labels ${shapeText(samples)} of class indices or ` +
      `${shapeText(predictions.shape)} of one-hot rows, got ${shapeText(y.shape)}`,
  );
}

/** Whether fewer than k scores come before the label's. */
function isAmong(k: number, scores: Tensor, label: Tensor): Tensor {
  const classes = classCount("topKAccuracy", scores);
  const isLabel = placesOf(label, classes); // (…, classes)
  const own = where(isLabel, scores, 0).sum(-1, { keepDims: true }); // (…, 1)
  const isEarlier = arange(classes).less(label.reshape([...label.shape, 1])); // (…, classes)
  const isBefore = scores.greater(own).or(scores.equal(own).and(isEarlier));
  const isOrdered = scores.equal(scores).all(-1); // no NaN
  return isBefore.cast("i32").sum(-1).less(k).and(isOrdered);
}
