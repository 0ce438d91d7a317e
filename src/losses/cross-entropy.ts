/** Cross-entropy of classes, from logits. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { asTensor, onesLike, type Tensor, type TensorLike, where } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import { checked, surpriseOfProbability } from "./checks.ts";
import { classCount, classIndices, placesOf, wideLabels } from "./classes.ts";
import { type LossOptions, reduce } from "./reduction.ts";

/** What the scores of classes are. */
export type ScoreKind = "logits" | "probabilities" | "logProbabilities";

export interface CrossEntropyOptions extends LossOptions {
  /**
   * What the first argument holds, default "logits". Prefer those: a probability that was rounded to 0 has lost how wrong it
   * was, and counts as e⁻¹⁰⁰.
   */
  readonly from?: ScoreKind;
  /** ε, default 0: each label becomes (1 − ε)·label + ε / classes. */
  readonly labelSmoothing?: number;
  /** Samples with this label count for nothing, in the mean too. Only with class indices; none by default. */
  readonly ignoreIndex?: number;
  /** A weight for each class, shape (classes); the mean is then weighted by them. Only with class indices. */
  readonly classWeights?: TensorLike;
}

/**
 * −log of the probability that softmax gives the label: −Σ_c y_c·log softmax(x)_c.
 *
 * Labels of the shape of the samples are class indices (integers of any dtype, floats that hold integers); labels of the
 * shape of the logits are probabilities of the classes (one-hot or soft). Computed from x − max x, so that logits of any
 * size are right. Label smoothing: Szegedy et al., "Rethinking the Inception architecture", CVPR 2016.
 *
 * @param logits x, (…, classes), before softmax
 * @param labels class indices (…), or probabilities (…, classes)
 * @returns the mean over samples as (), their sum, or with reduction "none" the values (…)
 * @throws ShapeError when labels have neither shape. A label out of range, or NaN, fails the step, which changes nothing.
 * @example
 * await crossEntropy(tensor([[1000, 0]]), tensor([1])).item(); // 1000
 */
export function crossEntropy(logits: Tensor, labels: TensorLike, options: CrossEntropyOptions = {}): Tensor {
  return located(() => dispatch(logits, labels, options));
}

/**
 * The negative log-likelihood of classes: {@link crossEntropy} of logarithms of probabilities, as `logSoftmax` gives them.
 *
 * @param logProbabilities (…, classes)
 * @param labels class indices (…)
 * @throws ShapeError when labels do not fit. A label out of range, or NaN, fails the step, which changes nothing.
 * @example
 * await nll(tensor([[-0.5, -2]]), tensor([1])).item(); // 2
 */
export function nll(
  logProbabilities: Tensor,
  labels: TensorLike,
  options: Omit<CrossEntropyOptions, "from" | "labelSmoothing"> = {},
): Tensor {
  return located(() => {
    checkOptions("nll", options, ["reduction", "ignoreIndex", "classWeights"]);
    return dispatch(logProbabilities, labels, { ...options, from: "logProbabilities" });
  });
}

/** −log of each class's probability. */
function surpriseOf(scores: Tensor, from: ScoreKind = "logits"): Tensor {
  switch (from) {
    case "logits":
      return scores.logSoftmax(-1).neg();
    case "logProbabilities":
      return scores.neg();
    case "probabilities":
      return surpriseOfProbability("crossEntropy", scores);
    default:
      from satisfies never;
      throw new ArgumentError(
        `crossEntropy: from "${from}" is unknown; use "logits", "probabilities" or "logProbabilities"`,
      );
  }
}

function dispatch(logits: Tensor, labels: TensorLike, options: CrossEntropyOptions): Tensor {
  checkOptions("crossEntropy", options, [
    "from",
    "reduction",
    "labelSmoothing",
    "ignoreIndex",
    "classWeights",
  ]);
  const { labelSmoothing = 0 } = options;
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    throw new ArgumentError(`crossEntropy: labelSmoothing must be from 0 to below 1, got ${labelSmoothing}`);
  }
  const y = wideLabels(labels);
  const samples = logits.shape.slice(0, -1);
  if (logits.shape.length > 0 && sameShape(y.shape, samples)) return ofIndices(logits, y, options);
  if (logits.shape.length > 0 && sameShape(y.shape, logits.shape)) return ofProbabilities(logits, y, options);
  throw new ShapeError(
    `crossEntropy: logits ${shapeText(logits.shape)} need labels ${shapeText(samples)} of class indices or ` +
      `${shapeText(logits.shape)} of probabilities, got ${shapeText(y.shape)}`,
  );
}

function ofIndices(logits: Tensor, labels: Tensor, options: CrossEntropyOptions): Tensor {
  const { reduction = "mean", labelSmoothing = 0, ignoreIndex, classWeights } = options;
  const classes = classCount("crossEntropy", logits);
  const isCounted = ignoreIndex === undefined ? undefined : labels.notEqual(ignoreIndex); // (…)
  const label = classIndices("crossEntropy", isCounted ? where(isCounted, labels, 0) : labels, classes); // (…)
  const isLabel = placesOf(label, classes); // (…, classes)
  const weights = classWeights === undefined ? undefined : weightsOf(classWeights, classes); // (classes)
  const surprise = surpriseOf(logits, options.from); // (…, classes)
  const terms = weights ? surprise.mul(weights) : surprise;
  const share = labelSmoothing / classes;
  const picked =
    labelSmoothing === 0
      ? where(isLabel, terms, 0)
      : terms.mul(where(isLabel, 1 - labelSmoothing + share, share).cast(terms.dtype));
  const all: Tensor = picked.sum(-1); // (…)
  const losses: Tensor = isCounted ? where(isCounted, all, 0) : all;
  if (reduction !== "mean" || (weights === undefined && isCounted === undefined)) {
    return reduce("crossEntropy", losses, reduction);
  }
  const weight: Tensor = weights ? where(isLabel, weights, 0).sum(-1) : onesLike(losses); // (…)
  return weightedMean(losses, isCounted ? where(isCounted, weight, 0) : weight);
}

/** Σ losses / Σ weights; 0 where nothing counts (PyTorch has NaN there, which would spoil a model's weights for good). */
function weightedMean(losses: Tensor, weights: Tensor): Tensor {
  const total = weights.sum();
  return losses.sum().div(where(total.equal(0), 1, total));
}

function ofProbabilities(logits: Tensor, labels: Tensor, options: CrossEntropyOptions): Tensor {
  const { reduction, labelSmoothing = 0, ignoreIndex, classWeights } = options;
  if (ignoreIndex !== undefined || classWeights !== undefined) {
    const option = ignoreIndex === undefined ? "classWeights" : "ignoreIndex";
    throw new ArgumentError(
      `crossEntropy: ${option} goes with class indices; these labels are probabilities`,
    );
  }
  const probabilities = labels.cast(logits.dtype);
  const y = checked(
    probabilities,
    probabilities.greaterEqual(0),
    "crossEntropy: label probabilities must be 0 or more",
  );
  const target =
    labelSmoothing === 0
      ? y
      : y.mul(1 - labelSmoothing).add(labelSmoothing / classCount("crossEntropy", logits));
  const surprise = surpriseOf(logits, options.from); // (…, classes)
  // A class that is impossible (logit −Infinity) and has label 0 counts 0, not 0 · Infinity.
  const terms = where(target.equal(0), 0, target.mul(surprise));
  return reduce("crossEntropy", terms.sum(-1), reduction);
}

function weightsOf(classWeights: TensorLike, classes: number): Tensor {
  const weights = asTensor(classWeights);
  if (sameShape(weights.shape, [classes])) return weights;
  throw new ShapeError(
    `crossEntropy: classWeights must have shape ${shapeText([classes])}, one for each class, got ${shapeText(weights.shape)}`,
  );
}
