/** Cross-entropy of independent yes-or-no answers, from logits. */
import { checkOptions } from "../base/options.ts";
import type { TensorShape } from "../base/shape-types.ts";
import { asTensor, type Tensor, type TensorLike } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import type { ShapeOf } from "../tensor/types.ts";
import { checked } from "./checks.ts";
import { type LossOptions, reduce, requireEqualShapes } from "./reduction.ts";
import type { TargetsCheck } from "./shape-check.ts";

/**
 * −y·log σ(x) − (1 − y)·log(1 − σ(x)), computed as softplus(x) − x·y, which is right for logits of any size. Its gradient
 * is σ(x) − y.
 *
 * @param logits x, any shape, before the sigmoid
 * @param labels y, the same shape: 0 or 1, or probabilities between
 * @throws ShapeError when the shapes differ. A label outside [0, 1], or NaN, fails the step, which changes nothing.
 * @example
 * await binaryCrossEntropy(tensor([0, 100]), tensor([1, 1]), { reduction: "sum" }).item(); // 0.6931471824645996
 */
export function binaryCrossEntropy<S extends TensorShape, const T extends TensorLike>(
  logits: Tensor<S>,
  labels: T & TargetsCheck<"binaryCrossEntropy", S, ShapeOf<T>>,
  options: LossOptions = {},
): Tensor {
  return located(() => {
    checkOptions("binaryCrossEntropy", options, ["reduction"]);
    const y = asTensor(labels as TensorLike).cast(logits.dtype);
    requireEqualShapes("binaryCrossEntropy", logits, y);
    const isProbability = y.greaterEqual(0).and(y.lessEqual(1));
    const label = checked(y, isProbability, "binaryCrossEntropy: labels must be from 0 to 1");
    const x: Tensor = logits;
    return reduce("binaryCrossEntropy", x.softplus().sub(x.mul(label)), options.reduction);
  });
}
