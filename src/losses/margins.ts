/** Losses that ask for a margin: nothing is lost where the right side is far enough ahead. */
import { checkOptions } from "../base/options.ts";
import type { TensorShape } from "../base/shape-types.ts";
import { asTensor, type Tensor, type TensorLike, where } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import type { ShapeOf } from "../tensor/types.ts";
import { signs } from "./checks.ts";
import { pairLoss } from "./pairs.ts";
import { type LossOptions, masked, reduce, requireEqualShapes, sharedOptions } from "./reduction.ts";
import type { TargetsCheck } from "./shape-check.ts";

/**
 * max(0, 1 − y·x): 0 where a score x has the label's sign and is 1 or more.
 *
 * @param scores x, any shape
 * @param labels y, the same shape: 1 or −1
 * @throws ShapeError when the shapes differ. Another label fails the step, which changes nothing.
 * @example
 * await hinge(tensor([2, 0.5]), tensor([1, -1]), { reduction: "none" }).toArray(); // [0, 1.5]
 */
export function hinge<S extends TensorShape, const T extends TensorLike>(
  scores: Tensor<S>,
  labels: T & TargetsCheck<"hinge", S, ShapeOf<T>>,
  options: LossOptions = {},
): Tensor {
  const values = (x: Tensor, y: Tensor): Tensor => scoreMargin("hinge", x, y);
  return pairLoss({ what: "hinge", filler: 1, values }, scores, labels, options);
}

/**
 * max(0, 1 − y·x)². Arguments and errors as for {@link hinge}.
 *
 * @example
 * await squaredHinge(tensor([2, 0.5]), tensor([1, -1]), { reduction: "none" }).toArray(); // [0, 2.25]
 */
export function squaredHinge<S extends TensorShape, const T extends TensorLike>(
  scores: Tensor<S>,
  labels: T & TargetsCheck<"squaredHinge", S, ShapeOf<T>>,
  options: LossOptions = {},
): Tensor {
  const values = (x: Tensor, y: Tensor): Tensor => scoreMargin("squaredHinge", x, y).square();
  return pairLoss({ what: "squaredHinge", filler: 1, values }, scores, labels, options);
}

const scoreMargin = (what: string, x: Tensor, y: Tensor): Tensor =>
  signs(what, y.cast(x.dtype)).mul(x).neg().add(1).relu();

/**
 * log(1 + e^(−y·x)). Arguments and errors as for {@link hinge}.
 *
 * @example
 * await softMargin(tensor([0]), tensor([1])).item(); // 0.6931471824645996
 */
export function softMargin<S extends TensorShape, const T extends TensorLike>(
  scores: Tensor<S>,
  labels: T & TargetsCheck<"softMargin", S, ShapeOf<T>>,
  options: LossOptions = {},
): Tensor {
  const values = (x: Tensor, y: Tensor): Tensor =>
    signs("softMargin", y.cast(x.dtype)).mul(x).neg().softplus();
  return pairLoss({ what: "softMargin", filler: 1, values }, scores, labels, options);
}

export interface MarginOptions extends LossOptions {
  readonly margin?: number;
}

/**
 * x where y is 1, max(0, margin − x) where y is −1: x is a distance. `margin` is 1 when left out. Arguments and errors as
 * for {@link hinge}.
 *
 * @example
 * await hingeEmbedding(tensor([0.25, 0.25]), tensor([1, -1]), { reduction: "none" }).toArray(); // [0.25, 0.75]
 */
export function hingeEmbedding<S extends TensorShape, const T extends TensorLike>(
  distances: Tensor<S>,
  labels: T & TargetsCheck<"hingeEmbedding", S, ShapeOf<T>>,
  options: MarginOptions = {},
): Tensor {
  const values = (x: Tensor, y: Tensor): Tensor =>
    where(
      signs("hingeEmbedding", y).equal(1),
      x,
      x
        .neg()
        .add(options.margin ?? 1)
        .relu(),
    );
  return pairLoss(
    { what: "hingeEmbedding", options: ["margin"], filler: 1, values },
    distances,
    labels,
    options,
  );
}

/**
 * max(0, margin − y·(a − b)): where y is 1, a should be ahead of b by the margin (0 when left out).
 *
 * @param a scores, any shape
 * @param b scores, the same shape
 * @param labels y, the same shape: 1 or −1
 * @throws ShapeError when the shapes differ. Another label fails the step, which changes nothing.
 * @example
 * await marginRanking(tensor([3]), tensor([1]), tensor([-1])).item(); // 2
 */
export function marginRanking(
  a: Tensor,
  b: TensorLike,
  labels: TensorLike,
  options: MarginOptions = {},
): Tensor {
  return located(() => {
    checkOptions("marginRanking", options, ["margin", ...sharedOptions]);
    const [other, given] = [asTensor(b), asTensor(labels)];
    requireEqualShapes("marginRanking, second scores", a, other);
    requireEqualShapes("marginRanking", a, given);
    const y = masked(given.cast(a.dtype), options, { filler: 1 });
    const ahead = signs("marginRanking", y).mul(masked(a, options).sub(masked(other, options)));
    const values: Tensor = ahead
      .neg()
      .add(options.margin ?? 0)
      .relu();
    return reduce("marginRanking", values, options);
  });
}
