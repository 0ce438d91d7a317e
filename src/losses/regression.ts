/** Losses of real-valued predictions: each compares element by element, shapes must be equal. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { TensorShape } from "../base/shape-types.ts";
import { asTensor, type Tensor, type TensorLike } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import type { ShapeOf } from "../tensor/types.ts";
import { type LossOptions, reduce, requireEqualShapes } from "./reduction.ts";
import type { TargetsCheck } from "./shape-check.ts";

/**
 * The squared error, (x − y)².
 *
 * @param predictions x, any shape
 * @param targets y, the same shape
 * @throws ShapeError when the shapes differ, even where they would broadcast
 * @example
 * await mse(tensor([1, 2]), tensor([1, 4])).item(); // 2
 */
export function mse<S extends TensorShape, const T extends TensorLike>(
  predictions: Tensor<S>,
  targets: T & TargetsCheck<"mse", S, ShapeOf<T>>,
  options: LossOptions = {},
): Tensor {
  return located(() => {
    checkOptions("mse", options, ["reduction"]);
    const y = asTensor(targets as TensorLike);
    requireEqualShapes("mse", predictions, y);
    return reduce("mse", predictions.sub(y).square(), options.reduction);
  });
}

/**
 * The absolute error, |x − y|; its gradient at 0 is 0. Arguments and errors as for {@link mse}.
 *
 * @example
 * await mae(tensor([1, 2]), tensor([1, 4])).item(); // 1
 */
export function mae<S extends TensorShape, const T extends TensorLike>(
  predictions: Tensor<S>,
  targets: T & TargetsCheck<"mae", S, ShapeOf<T>>,
  options: LossOptions = {},
): Tensor {
  return located(() => {
    checkOptions("mae", options, ["reduction"]);
    const y = asTensor(targets as TensorLike);
    requireEqualShapes("mae", predictions, y);
    return reduce("mae", predictions.sub(y).abs(), options.reduction);
  });
}

export interface HuberOptions extends LossOptions {
  /** δ, default 1: where the square ends and the line begins. */
  readonly delta?: number;
}

/**
 * d²/2 for |d| ≤ δ, else δ·(|d| − δ/2), with d = x − y: squared near the target, linear far from it. Arguments and errors as
 * for {@link mse}. Huber, "Robust estimation of a location parameter", 1964.
 *
 * @example
 * await huber(tensor([1, 5]), tensor([2, 0]), { reduction: "none" }).toArray(); // [0.5, 4.5]
 */
export function huber<S extends TensorShape, const T extends TensorLike>(
  predictions: Tensor<S>,
  targets: T & TargetsCheck<"huber", S, ShapeOf<T>>,
  options: HuberOptions = {},
): Tensor {
  return located(() => {
    checkOptions("huber", options, ["delta", "reduction"]);
    const { delta = 1, reduction } = options;
    if (!(delta > 0)) throw new ArgumentError(`huber: delta must be above 0, got ${delta}`);
    const y = asTensor(targets as TensorLike);
    requireEqualShapes("huber", predictions, y);
    const distance = predictions.sub(y).abs();
    // With m = min(d, δ): m·(d − m/2) is d²/2 below δ and δ·(d − δ/2) above.
    const near = distance.minimum(delta);
    return reduce("huber", near.mul(distance.sub(near.mul(0.5))), reduction);
  });
}
