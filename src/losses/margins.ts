/** Losses that ask for a margin: nothing is lost where the right side is far enough ahead. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import type { TensorShape } from "../base/shape-types.ts";
import { asTensor, type Tensor, type TensorLike, where } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import type { ShapeOf } from "../tensor/types.ts";
import { checked } from "./checks.ts";
import { pairLoss } from "./pairs.ts";
import { type LossOptions, reduce, requireEqualShapes } from "./reduction.ts";
import type { TargetsCheck } from "./shape-check.ts";

/** Labels that are 1 or −1; others fail the step. */
const signs = (what: string, labels: Tensor): Tensor =>
  checked(labels, labels.abs().equal(1), `${what}: labels must be 1 or -1`);

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
  return pairLoss({ what: "hinge", values }, scores, labels, options);
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
  return pairLoss({ what: "squaredHinge", values }, scores, labels, options);
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
  return pairLoss({ what: "softMargin", values }, scores, labels, options);
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
  return pairLoss({ what: "hingeEmbedding", options: ["margin"], values }, distances, labels, options);
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
    checkOptions("marginRanking", options, ["margin", "reduction"]);
    const [other, y] = [asTensor(b), asTensor(labels)];
    requireEqualShapes("marginRanking, second scores", a, other);
    requireEqualShapes("marginRanking", a, y);
    const ahead = signs("marginRanking", y.cast(a.dtype)).mul(a.sub(other));
    return reduce(
      "marginRanking",
      ahead
        .neg()
        .add(options.margin ?? 0)
        .relu(),
      options.reduction,
    );
  });
}

/**
 * 1 − cos(a, b) where the label is 1, max(0, cos(a, b) − margin) where it is −1: pairs of vectors that belong together point
 * the same way. `margin` is 0 when left out.
 *
 * @param a vectors (…, features)
 * @param b vectors, the same shape
 * @param labels (…): 1 or −1
 * @throws ShapeError when the shapes do not fit. Another label fails the step, which changes nothing.
 * @example
 * await cosineEmbedding(tensor([[2, 0]]), tensor([[0, 3]]), tensor([1])).item(); // 1
 */
export function cosineEmbedding(
  a: Tensor,
  b: TensorLike,
  labels: TensorLike,
  options: MarginOptions = {},
): Tensor {
  return located(() => {
    checkOptions("cosineEmbedding", options, ["margin", "reduction"]);
    const [other, y] = [asTensor(b), asTensor(labels)];
    requireEqualShapes("cosineEmbedding, second vectors", a, other);
    const samples = a.shape.slice(0, -1);
    if (!sameShape(y.shape, samples)) {
      throw new ShapeError(
        `cosineEmbedding: vectors ${shapeText(a.shape)} need labels ${shapeText(samples)}, got ${shapeText(y.shape)}`,
      );
    }
    const cosine = cosineOf(a, other);
    const apart = cosine.sub(options.margin ?? 0).relu();
    const values = where(signs("cosineEmbedding", y).equal(1), cosine.neg().add(1), apart);
    return reduce("cosineEmbedding", values, options.reduction);
  });
}

/** With PyTorch's 10⁻¹² beside the squared lengths, so that a vector of zeros gives 0 and a finite gradient. */
function cosineOf(a: Tensor, b: Tensor): Tensor {
  const square = (x: Tensor): Tensor => x.square().sum(-1).add(1e-12);
  return a
    .mul(b)
    .sum(-1)
    .div(square(a).mul(square(b)).sqrt());
}

export interface TripletMarginOptions extends MarginOptions {
  /** The norm that measures distances, default 2. */
  readonly p?: number;
  /** Default 10⁻⁶: added to differences, so that the gradient exists where two vectors are equal. */
  readonly epsilon?: number;
}

/**
 * max(0, d(anchor, positive) − d(anchor, negative) + margin) with d(a, b) = ‖a − b + ε‖ₚ: the positive should be nearer by the
 * margin, 1 when left out. Schroff, Kalenichenko and Philbin, "FaceNet", CVPR 2015.
 *
 * @param anchor vectors (…, features)
 * @param positive vectors, the same shape
 * @param negative vectors, the same shape
 * @throws ShapeError when the shapes differ
 * @example
 * await tripletMargin(tensor([[0, 0]]), tensor([[0, 0]]), tensor([[9, 0]])).item(); // 0
 */
export function tripletMargin(
  anchor: Tensor,
  positive: TensorLike,
  negative: TensorLike,
  options: TripletMarginOptions = {},
): Tensor {
  return located(() => {
    checkOptions("tripletMargin", options, ["margin", "p", "epsilon", "reduction"]);
    const { margin = 1, p = 2, epsilon = 1e-6 } = options;
    if (!(p >= 1)) throw new ArgumentError(`tripletMargin: p must be 1 or more, got ${p}`);
    const [near, far] = [asTensor(positive), asTensor(negative)];
    requireEqualShapes("tripletMargin, positives", anchor, near);
    requireEqualShapes("tripletMargin, negatives", anchor, far);
    const distance = (other: Tensor): Tensor => {
      const d: Tensor = anchor.sub(other).add(epsilon);
      if (p === 1) return d.abs().sum(-1);
      return p === 2
        ? d.square().sum(-1).sqrt()
        : d
            .abs()
            .pow(p)
            .sum(-1)
            .pow(1 / p);
    };
    const values = distance(near).sub(distance(far)).add(margin).relu();
    return reduce("tripletMargin", values, options.reduction);
  });
}
