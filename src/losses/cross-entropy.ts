/** Cross-entropy of classes, from logits. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { asTensor, type Tensor, type TensorLike, where } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import { checked, surpriseOfProbability } from "./checks.ts";
import { classCount, classIndices, classWeightsOf, placesOf, wideLabels } from "./classes.ts";
import {
  countingWeights,
  type LossOptions,
  masked,
  reduce,
  reduceWeighted,
  sharedOptions,
} from "./reduction.ts";

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
    checkOptions("nll", options, [...sharedOptions, "ignoreIndex", "classWeights"]);
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
    ...sharedOptions,
    "from",
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

function ofIndices(given: Tensor, labels: Tensor, options: CrossEntropyOptions): Tensor {
  const { labelSmoothing = 0, classWeights } = options;
  const classes = classCount("crossEntropy", given);
  const counting = { ...options, mask: countedSamples(labels, options) };
  const logits = masked(given, counting, { features: true }); // (…, classes)
  const label = classIndices("crossEntropy", masked(labels, counting), classes); // (…)
  const isLabel = placesOf(label, classes); // (…, classes)
  const perClass =
    classWeights === undefined ? undefined : classWeightsOf("crossEntropy", classWeights, classes); // (classes)
  const surprise = surpriseOf(logits, options.from); // (…, classes)
  const terms = perClass ? surprise.mul(perClass) : surprise;
  const share = labelSmoothing / classes;
  const picked =
    labelSmoothing === 0
      ? where(isLabel, terms, 0)
      : terms.mul(where(isLabel, 1 - labelSmoothing + share, share).cast(terms.dtype));
  const losses: Tensor = picked.sum(-1); // (…)
  return reduceSamples(losses, perClass && (where(isLabel, perClass, 0).sum(-1) as Tensor), counting);
}

/** The mask, and labels that are not to be ignored. */
export function countedSamples(
  labels: Tensor,
  { mask, ignoreIndex }: Pick<CrossEntropyOptions, "mask" | "ignoreIndex">,
): Tensor | undefined {
  const given = mask === undefined ? undefined : asTensor(mask);
  if (ignoreIndex === undefined) return given;
  const isCounted: Tensor = labels.notEqual(ignoreIndex);
  return given === undefined ? isCounted : (isCounted.and(given) as Tensor);
}

/** Losses that have their label's weight in them already; the mean divides by those weights, too. */
function reduceSamples(losses: Tensor, ofLabel: Tensor | undefined, options: LossOptions): Tensor {
  const ofSample = countingWeights("crossEntropy", losses, options);
  if (ofSample === undefined && ofLabel === undefined) return reduce("crossEntropy", losses, options);
  const weights = ofSample && ofLabel ? (ofSample.mul(ofLabel) as Tensor) : (ofSample ?? ofLabel);
  const weighted = masked(ofSample ? losses.mul(ofSample) : losses, options);
  return reduceWeighted("crossEntropy", weighted, { weights, reduction: options.reduction });
}

function ofProbabilities(given: Tensor, soft: Tensor, options: CrossEntropyOptions): Tensor {
  const { labelSmoothing = 0, ignoreIndex, classWeights } = options;
  if (ignoreIndex !== undefined || classWeights !== undefined) {
    const option = ignoreIndex === undefined ? "classWeights" : "ignoreIndex";
    throw new ArgumentError(
      `crossEntropy: ${option} goes with class indices; these labels are probabilities`,
    );
  }
  const logits = masked(given, options, { features: true });
  const probabilities = masked(soft.cast(logits.dtype), options, { features: true });
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
  const isNothing = target.equal(0).and(surprise.isInfinite()) as Tensor;
  return reduce("crossEntropy", target.mul(where(isNothing, 0, surprise)).sum(-1), options);
}
