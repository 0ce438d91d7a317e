/** Losses that are negative logarithms of a likelihood, or distances of distributions. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { TensorShape } from "../base/shape-types.ts";
import { asTensor, stopGradient, type Tensor, type TensorLike, where } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import type { ShapeOf } from "../tensor/types.ts";
import { checked } from "./checks.ts";
import { pairLoss } from "./pairs.ts";
import {
  type LossOptions,
  masked,
  type Reduction,
  reduce,
  requireEqualShapes,
  sharedOptions,
} from "./reduction.ts";
import type { TargetsCheck } from "./shape-check.ts";

export interface PoissonNllOptions extends LossOptions {
  /** Default true: predictions are logarithms of rates. False: rates. */
  readonly logInput?: boolean;
  /** Default false: true adds Stirling's approximation of log y! for y > 1. */
  readonly full?: boolean;
  /** Default 10⁻⁸: added to rates before their logarithm is taken. */
  readonly epsilon?: number;
}

/**
 * −log of a Poisson likelihood without its constant: eˣ − y·x, or x − y·log(x + ε) where predictions are rates.
 *
 * @param predictions x, any shape
 * @param targets y, the same shape: counts
 * @throws ShapeError when the shapes differ
 * @example
 * await poissonNll(tensor([0]), tensor([3])).item(); // 1
 */
export function poissonNll<S extends TensorShape, const T extends TensorLike>(
  predictions: Tensor<S>,
  targets: T & TargetsCheck<"poissonNll", S, ShapeOf<T>>,
  options: PoissonNllOptions = {},
): Tensor {
  const values = (x: Tensor, y: Tensor): Tensor => {
    const { logInput = true, full = false, epsilon = 1e-8 } = options;
    const core: Tensor = logInput ? x.exp().sub(y.mul(x)) : x.sub(y.mul(x.add(epsilon).log()));
    return full ? core.add(stirling(y)) : core;
  };
  const names = ["logInput", "full", "epsilon"] as const;
  return pairLoss({ what: "poissonNll", options: names, values }, predictions, targets, options);
}

/** y·log y − y + log(2πy)/2 where y > 1, else 0. */
function stirling(y: Tensor): Tensor {
  const isMany = y.greater(1);
  const many: Tensor = where(isMany, y, 2);
  const value = many
    .mul(many.log())
    .sub(many)
    .add(
      many
        .mul(2 * Math.PI)
        .log()
        .mul(0.5),
    );
  return where(isMany, value, 0);
}

export interface GaussianNllOptions extends LossOptions {
  /** Default false: true adds log(2π)/2. */
  readonly full?: boolean;
  /** Default 10⁻⁶: the least variance. */
  readonly epsilon?: number;
}

/**
 * −log of a normal likelihood, ½·(log v + (x − y)²/v) with v = max(variance, ε): a model that says how sure it is. The bound
 * is no part of the gradient, as in PyTorch. Nix and Weigend, 1994.
 *
 * @param means x, any shape
 * @param targets y, the same shape
 * @param variances the same shape, 0 or more
 * @throws ShapeError when the shapes differ. A negative variance, or NaN, fails the step, which changes nothing.
 * @example
 * await gaussianNll(tensor([0]), tensor([2]), tensor([1])).item(); // 2
 */
export function gaussianNll(
  means: Tensor,
  targets: TensorLike,
  variances: TensorLike,
  options: GaussianNllOptions = {},
): Tensor {
  return located(() => {
    checkOptions("gaussianNll", options, ["full", "epsilon", ...sharedOptions]);
    const { full = false, epsilon = 1e-6 } = options;
    if (!(epsilon > 0)) throw new ArgumentError(`gaussianNll: epsilon must be above 0, got ${epsilon}`);
    const [wanted, given] = [asTensor(targets), asTensor(variances)];
    requireEqualShapes("gaussianNll", means, wanted);
    requireEqualShapes("gaussianNll, variances", means, given);
    const [x, y] = [masked(means, options), masked(wanted, options)];
    const counted = masked(given, options, { filler: 1 });
    const v = checked(counted, counted.greaterEqual(0), "gaussianNll: variances must be 0 or more");
    // The value is bounded, the gradient passes as if it were not.
    const bounded = v.add(stopGradient(v.maximum(epsilon).sub(v)));
    const values: Tensor = bounded.log().add(x.sub(y).square().div(bounded)).mul(0.5);
    return reduce("gaussianNll", full ? values.add(Math.log(2 * Math.PI) / 2) : values, options);
  });
}

export interface KlDivergenceOptions extends Omit<LossOptions, "reduction"> {
  /** Default "mean" over all elements, as in PyTorch; "batchMean" divides the sum by the first size: the divergence itself. */
  readonly reduction?: Reduction | "batchMean";
  /** Default false: targets are probabilities. True: their logarithms. */
  readonly logTarget?: boolean;
}

/**
 * The divergence of Kullback and Leibler, y·(log y − x), element by element: how far predictions x = log q are from a
 * distribution y. Where y is 0 the term is 0.
 *
 * @param logPredictions x, logarithms of probabilities, any shape
 * @param targets y, the same shape
 * @throws ShapeError when the shapes differ
 * @example
 * await klDivergence(tensor([[0.25, 0.75]]).log(), tensor([[0.25, 0.75]])).item(); // 0
 */
export function klDivergence<S extends TensorShape, const T extends TensorLike>(
  logPredictions: Tensor<S>,
  targets: T & TargetsCheck<"klDivergence", S, ShapeOf<T>>,
  options: KlDivergenceOptions = {},
): Tensor {
  const { reduction = "mean", ...rest } = options;
  const values = (x: Tensor, y: Tensor): Tensor => {
    if (rest.logTarget) return y.exp().mul(y.sub(x));
    const isSome = y.notEqual(0);
    return where(isSome, y.mul(where(isSome, y, 1).log().sub(x)), 0);
  };
  const isBatchMean = reduction === "batchMean";
  const own: LossOptions & { logTarget?: boolean } = { ...rest, reduction: isBatchMean ? "sum" : reduction };
  const loss = pairLoss(
    { what: "klDivergence", options: ["logTarget"], values },
    logPredictions,
    targets as TensorLike,
    own,
  );
  const [batch = 1] = logPredictions.shape as readonly number[];
  return isBatchMean ? loss.div(batch) : loss;
}
