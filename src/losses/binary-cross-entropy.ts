/** Cross-entropy of independent yes-or-no answers. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { TensorShape } from "../base/shape-types.ts";
import { asTensor, type Tensor, type TensorLike } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import type { ShapeOf } from "../tensor/types.ts";
import { checked, surpriseOfProbability } from "./checks.ts";
import { type LossOptions, masked, reduce, requireEqualShapes, sharedOptions } from "./reduction.ts";
import type { TargetsCheck } from "./shape-check.ts";

export interface BinaryCrossEntropyOptions extends LossOptions {
  /** What the first argument holds, default "logits"; probabilities that were rounded to 0 or 1 count as e⁻¹⁰⁰. */
  readonly from?: "logits" | "probabilities";
  /** A weight for the positive part, a number or one that broadcasts to the labels: the share of negatives to positives. */
  readonly posWeight?: TensorLike;
  /** ε, default 0: each label becomes (1 − ε)·y + ε/2. */
  readonly labelSmoothing?: number;
}

/**
 * −y·log σ(x) − (1 − y)·log(1 − σ(x)), computed as softplus(x) − x·y, which is right for logits of any size. Its gradient
 * is σ(x) − y.
 *
 * @param logits x, any shape, before the sigmoid (or after it, with `from: "probabilities"`)
 * @param labels y, the same shape: 0 or 1, or probabilities between
 * @throws ShapeError when the shapes differ. A label outside [0, 1], or NaN, fails the step, which changes nothing.
 * @example
 * await binaryCrossEntropy(tensor([0, 100]), tensor([1, 1]), { reduction: "sum" }).item(); // 0.6931471824645996
 */
export function binaryCrossEntropy<S extends TensorShape, const T extends TensorLike>(
  logits: Tensor<S>,
  labels: T & TargetsCheck<"binaryCrossEntropy", S, ShapeOf<T>>,
  options: BinaryCrossEntropyOptions = {},
): Tensor {
  return located(() => {
    checkOptions("binaryCrossEntropy", options, ["from", "posWeight", "labelSmoothing", ...sharedOptions]);
    const given = asTensor(labels as TensorLike).cast(logits.dtype);
    requireEqualShapes("binaryCrossEntropy", logits, given);
    const y = masked(given, options);
    const isProbability = y.greaterEqual(0).and(y.lessEqual(1));
    const label = checked(y, isProbability, "binaryCrossEntropy: labels must be from 0 to 1");
    return reduce(
      "binaryCrossEntropy",
      valuesOf(masked(logits, options), smoothed(label, options), options),
      options,
    );
  });
}

function smoothed(label: Tensor, { labelSmoothing = 0 }: BinaryCrossEntropyOptions): Tensor {
  if (labelSmoothing >= 0 && labelSmoothing < 1)
    return labelSmoothing === 0 ? label : label.mul(1 - labelSmoothing).add(labelSmoothing / 2);
  throw new ArgumentError(
    `binaryCrossEntropy: labelSmoothing must be from 0 to below 1, got ${labelSmoothing}`,
  );
}

function valuesOf(
  x: Tensor,
  label: Tensor,
  { from = "logits", posWeight }: BinaryCrossEntropyOptions,
): Tensor {
  const weight = posWeight === undefined ? undefined : asTensor(posWeight);
  if (from === "logits") {
    if (weight === undefined) return x.softplus().sub(x.mul(label));
    // (1 − y)·x + (1 + (w − 1)·y)·log(1 + e⁻ˣ)
    const factor: Tensor = label.mul(weight.sub(1)).add(1);
    return label.neg().add(1).mul(x).add(factor.mul(x.neg().softplus()));
  }
  if (from !== "probabilities") {
    throw new ArgumentError(
      `binaryCrossEntropy: from "${String(from)}" is unknown; use "logits" or "probabilities"`,
    );
  }
  const surprise = (p: Tensor): Tensor => surpriseOfProbability("binaryCrossEntropy", p);
  const positive: Tensor = label.mul(surprise(x));
  const negative = label
    .neg()
    .add(1)
    .mul(surprise(x.neg().add(1)));
  return (weight === undefined ? positive : positive.mul(weight)).add(negative);
}
