/** Focal losses: what is already told apart well counts less. Lin et al., "Focal loss for dense object detection", ICCV 2017. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { TensorShape } from "../base/shape-types.ts";
import { type Tensor, type TensorLike, where } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import type { ShapeOf } from "../tensor/types.ts";
import { checked } from "./checks.ts";
import { classCount, classIndices, classWeightsOf, placesOf, wideLabels } from "./classes.ts";
import { type CrossEntropyOptions, countedSamples, crossEntropy } from "./cross-entropy.ts";
import { pairLoss } from "./pairs.ts";
import { type LossOptions, masked, reduce, sharedOptions } from "./reduction.ts";
import type { TargetsCheck } from "./shape-check.ts";

export interface BinaryFocalOptions extends LossOptions {
  /** α, the weight of positives, that of negatives is 1 − α; default 0.25, null for none. */
  readonly alpha?: number | null;
  /** γ, default 2: how much what is told apart well is faded out; 0 is the cross-entropy. */
  readonly gamma?: number;
}

/**
 * α_t·(1 − p_t)^γ·(−log p_t) with p_t the probability that σ(x) gives to the label y; α_t is α for positives, 1 − α for
 * negatives. Computed from logits of any size.
 *
 * @param logits x, any shape, before the sigmoid
 * @param labels y, the same shape: 0 or 1, or probabilities between
 * @throws ShapeError when the shapes differ. A label outside [0, 1], or NaN, fails the step, which changes nothing.
 * @example
 * (await binaryFocal(tensor([0]), tensor([1])).item()).toFixed(5); // "0.04332"
 */
export function binaryFocal<S extends TensorShape, const T extends TensorLike>(
  logits: Tensor<S>,
  labels: T & TargetsCheck<"binaryFocal", S, ShapeOf<T>>,
  options: BinaryFocalOptions = {},
): Tensor {
  const values = (x: Tensor, targets: Tensor): Tensor => {
    const { alpha = 0.25, gamma = 2 } = options;
    requireFocus("binaryFocal", gamma);
    if (alpha !== null && !(alpha >= 0 && alpha <= 1))
      throw new ArgumentError(`binaryFocal: alpha must be from 0 to 1, or null, got ${alpha}`);
    const y = targets.cast(x.dtype) as Tensor;
    const isProbability = y.greaterEqual(0).and(y.lessEqual(1)) as Tensor;
    const label = checked(y, isProbability, "binaryFocal: labels must be from 0 to 1");
    const surprise: Tensor = x.softplus().sub(x.mul(label));
    // 1 − p_t = σ(−x) for positives, σ(x) for negatives; between them the mixture.
    const p: Tensor = x.sigmoid();
    const missing: Tensor = label.mul(x.neg().sigmoid()).add(label.neg().add(1).mul(p));
    const focused: Tensor = surprise.mul(power(missing, gamma));
    if (alpha === null) return focused;
    return focused.mul(label.mul(2 * alpha - 1).add(1 - alpha));
  };
  return pairLoss({ what: "binaryFocal", options: ["alpha", "gamma"], values }, logits, labels, options);
}

export interface FocalOptions extends Omit<CrossEntropyOptions, "from" | "labelSmoothing"> {
  /** γ, default 2: how much what is told apart well is faded out; 0 is the cross-entropy. */
  readonly gamma?: number;
}

/**
 * (1 − p_y)^γ·(−log p_y) with p_y the probability that softmax gives to the label: the focal loss of classes. `classWeights` are
 * the paper's α; the mean is over samples, not over the weights.
 *
 * @param logits (…, classes), before softmax
 * @param labels class indices (…)
 * @throws ShapeError when labels do not fit. A label out of range, or NaN, fails the step, which changes nothing.
 * @example
 * (await focal(tensor([[0, 0]]), tensor([1])).item()).toFixed(4); // "0.1733"
 */
export function focal(logits: Tensor, labels: TensorLike, options: FocalOptions = {}): Tensor {
  return located(() => {
    checkOptions("focal", options, ["gamma", "ignoreIndex", "classWeights", ...sharedOptions]);
    const { gamma = 2, classWeights, reduction, weights, ...rest } = options;
    requireFocus("focal", gamma);
    const surprise = crossEntropy(logits, labels, { ...rest, reduction: "none" }); // (…)
    const missing: Tensor = surprise.neg().expm1().neg(); // 1 − p
    const focused: Tensor = surprise.mul(power(missing, gamma));
    const counting = { ...rest, reduction, weights, mask: countedSamples(wideLabels(labels), rest) };
    if (classWeights === undefined) return reduce("focal", focused, counting);
    return reduce("focal", focused.mul(weightsOfLabels(logits, labels, classWeights, counting)), counting);
  });
}

/** The weight of each sample's class; that of class 0 where a sample does not count. */
function weightsOfLabels(
  logits: Tensor,
  labels: TensorLike,
  classWeights: TensorLike,
  options: LossOptions,
): Tensor {
  const classes = classCount("focal", logits);
  const label = classIndices("focal", masked(wideLabels(labels), options), classes);
  return where(placesOf(label, classes), classWeightsOf("focal", classWeights, classes), 0).sum(-1) as Tensor;
}

/** (1 − p)^γ, whose gradient at p = 1 is that of the power, not NaN. */
function power(missing: Tensor, gamma: number): Tensor {
  if (gamma === 0) return missing.onesLike() as Tensor;
  if (gamma === 1) return missing;
  if (gamma === 2) return missing.square() as Tensor;
  const isSome = missing.greater(0);
  return where(isSome, where(isSome, missing, 1).pow(gamma), 0) as Tensor;
}

function requireFocus(what: string, gamma: number): void {
  if (!(gamma >= 0)) throw new ArgumentError(`${what}: gamma must be 0 or more, got ${gamma}`);
}
