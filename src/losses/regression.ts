/** Losses of real-valued predictions: each compares element by element, shapes must be equal. */
import { ArgumentError } from "../base/errors.ts";
import type { TensorShape } from "../base/shape-types.ts";
import { type Tensor, type TensorLike, where } from "../tensor/index.ts";
import type { ShapeOf } from "../tensor/types.ts";
import { pairLoss } from "./pairs.ts";
import type { LossOptions } from "./reduction.ts";
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
  return pairLoss({ what: "mse", values: (x, y) => x.sub(y).square() }, predictions, targets, options);
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
  return pairLoss({ what: "mae", values: (x, y) => x.sub(y).abs() }, predictions, targets, options);
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
  const values = (x: Tensor, y: Tensor): Tensor => {
    const { delta = 1 } = options;
    if (!(delta > 0)) throw new ArgumentError(`huber: delta must be above 0, got ${delta}`);
    return squareThenLine(x.sub(y).abs(), delta);
  };
  return pairLoss({ what: "huber", options: ["delta"], values }, predictions, targets, options);
}

/** With m = min(d, δ): m·(d − m/2) is d²/2 below δ and δ·(d − δ/2) above. */
function squareThenLine(distance: Tensor, delta: number): Tensor {
  const near = distance.minimum(delta);
  return near.mul(distance.sub(near.mul(0.5)));
}

export interface SmoothL1Options extends LossOptions {
  /** β, default 1: where the square ends and the line begins; 0 is the absolute error. */
  readonly beta?: number;
}

/**
 * d²/(2β) for |d| < β, else |d| − β/2, with d = x − y: Huber's loss divided by β. Arguments and errors as for {@link mse}.
 * Girshick, "Fast R-CNN", ICCV 2015.
 *
 * @example
 * await smoothL1(tensor([1, 5]), tensor([2, 0]), { reduction: "none" }).toArray(); // [0.5, 4.5]
 */
export function smoothL1<S extends TensorShape, const T extends TensorLike>(
  predictions: Tensor<S>,
  targets: T & TargetsCheck<"smoothL1", S, ShapeOf<T>>,
  options: SmoothL1Options = {},
): Tensor {
  const values = (x: Tensor, y: Tensor): Tensor => {
    const { beta = 1 } = options;
    if (!(beta >= 0)) throw new ArgumentError(`smoothL1: beta must be 0 or more, got ${beta}`);
    const distance = x.sub(y).abs();
    return beta === 0 ? distance : squareThenLine(distance, beta).div(beta);
  };
  return pairLoss({ what: "smoothL1", options: ["beta"], values }, predictions, targets, options);
}

/**
 * log cosh(x − y): about d²/2 near the target and |d| − log 2 far from it, smooth everywhere. Computed as
 * |d| + log(1 + e^(−2|d|)) − log 2, which is right for any d. Arguments and errors as for {@link mse}.
 *
 * @example
 * await logCosh(tensor([1000]), tensor([0])).item(); // 999.3068237304688
 */
export function logCosh<S extends TensorShape, const T extends TensorLike>(
  predictions: Tensor<S>,
  targets: T & TargetsCheck<"logCosh", S, ShapeOf<T>>,
  options: LossOptions = {},
): Tensor {
  const values = (x: Tensor, y: Tensor): Tensor => {
    const d: Tensor = x.sub(y);
    return d.add(d.mul(-2).softplus()).sub(Math.LN2);
  };
  return pairLoss({ what: "logCosh", values }, predictions, targets, options);
}

/**
 * The squared difference of logarithms, (log(1 + x) − log(1 + y))²: for targets over several orders of magnitude. What is
 * below 0 counts as 0, as in Keras. Arguments and errors as for {@link mse}.
 *
 * @example
 * await meanSquaredLogarithmicError(tensor([0]), tensor([0])).item(); // 0
 */
export function meanSquaredLogarithmicError<S extends TensorShape, const T extends TensorLike>(
  predictions: Tensor<S>,
  targets: T & TargetsCheck<"meanSquaredLogarithmicError", S, ShapeOf<T>>,
  options: LossOptions = {},
): Tensor {
  const log = (x: Tensor): Tensor => x.relu().log1p();
  const values = (x: Tensor, y: Tensor): Tensor => log(x).sub(log(y)).square();
  return pairLoss({ what: "meanSquaredLogarithmicError", values }, predictions, targets, options);
}

/**
 * |x − y| / max(|y|, 10⁻⁷) in percent, as in Keras. Arguments and errors as for {@link mse}.
 *
 * @example
 * await meanAbsolutePercentageError(tensor([90]), tensor([100])).item(); // 10
 */
export function meanAbsolutePercentageError<S extends TensorShape, const T extends TensorLike>(
  predictions: Tensor<S>,
  targets: T & TargetsCheck<"meanAbsolutePercentageError", S, ShapeOf<T>>,
  options: LossOptions = {},
): Tensor {
  const values = (x: Tensor, y: Tensor): Tensor => x.sub(y).div(y.abs().maximum(1e-7)).abs().mul(100);
  return pairLoss({ what: "meanAbsolutePercentageError", values }, predictions, targets, options);
}

export interface QuantileLossOptions extends LossOptions {
  /** τ between 0 and 1, default 0.5: the quantile that is predicted. */
  readonly quantile?: number;
}

/**
 * The pinball loss, max(τ·(y − x), (τ − 1)·(y − x)): least where x is the τ-quantile of y. Arguments and errors as for
 * {@link mse}. Koenker and Bassett, "Regression quantiles", 1978.
 *
 * @example
 * await quantileLoss(tensor([0, 0]), tensor([1, -1]), { quantile: 0.75, reduction: "none" }).toArray(); // [0.75, 0.25]
 */
export function quantileLoss<S extends TensorShape, const T extends TensorLike>(
  predictions: Tensor<S>,
  targets: T & TargetsCheck<"quantileLoss", S, ShapeOf<T>>,
  options: QuantileLossOptions = {},
): Tensor {
  const values = (x: Tensor, y: Tensor): Tensor => {
    const { quantile = 0.5 } = options;
    if (!(quantile > 0 && quantile < 1))
      throw new ArgumentError(`quantileLoss: quantile must be between 0 and 1, got ${quantile}`);
    const d: Tensor = y.sub(x);
    return where(d.greaterEqual(0), d.mul(quantile), d.mul(quantile - 1));
  };
  return pairLoss({ what: "quantileLoss", options: ["quantile"], values }, predictions, targets, options);
}
