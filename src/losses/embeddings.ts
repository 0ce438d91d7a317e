/** Losses of vectors: what belongs together should be near, the rest far. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { pairwiseDistance } from "../nn/similarity.ts";
import { asTensor, type Tensor, type TensorLike, where } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import { checked, signs } from "./checks.ts";
import type { MarginOptions } from "./margins.ts";
import { type LossOptions, masked, reduce, requireEqualShapes, sharedOptions } from "./reduction.ts";

/** Pairs of vectors (…, features) and their labels (…), options checked, shapes compared. */
function labelledPairs(
  what: string,
  { a, b, labels }: { readonly a: Tensor; readonly b: TensorLike; readonly labels: TensorLike },
  options: MarginOptions,
): readonly [second: Tensor, labels: Tensor] {
  checkOptions(what, options, ["margin", ...sharedOptions]);
  const [second, given] = [asTensor(b), asTensor(labels)];
  requireEqualShapes(`${what}, second vectors`, a, second);
  const samples = a.shape.slice(0, -1);
  if (sameShape(given.shape, samples)) return [second, given];
  throw new ShapeError(
    `${what}: vectors ${shapeText(a.shape)} need labels ${shapeText(samples)}, got ${shapeText(given.shape)}`,
  );
}

/** Vectors of samples that count; ones elsewhere, whose length has a gradient. */
const countedVectors = (x: Tensor, options: LossOptions): Tensor =>
  masked(x, options, { filler: 1, features: true });

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
    const [other, given] = labelledPairs("cosineEmbedding", { a, b, labels }, options);
    const y = masked(given, options, { filler: 1 });
    const cosine = cosineOf(countedVectors(a, options), countedVectors(other, options));
    const apart = cosine.sub(options.margin ?? 0).relu();
    const values = where(signs("cosineEmbedding", y).equal(1), cosine.neg().add(1), apart);
    return reduce("cosineEmbedding", values, options);
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

/** How far two tensors of vectors (…, features) are apart: (…). */
export type Distance = (a: Tensor, b: Tensor) => Tensor;

export interface TripletMarginOptions extends MarginOptions {
  /** The norm that measures distances, default 2. */
  readonly p?: number;
  /** Default 10⁻⁶: added to differences, so that the gradient exists where two vectors are equal. */
  readonly epsilon?: number;
  /**
   * Default false: true takes the nearer of anchor and positive as what the negative must be far from. Balntas et al.,
   * "Learning local feature descriptors with triplets", BMVC 2016.
   */
  readonly swap?: boolean;
  /** Measures instead of the norm: PyTorch's `TripletMarginWithDistanceLoss`. */
  readonly distance?: Distance;
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
    checkOptions("tripletMargin", options, ["margin", "p", "epsilon", "swap", "distance", ...sharedOptions]);
    const { margin = 1, swap = false } = options;
    const [positives, negatives] = [asTensor(positive), asTensor(negative)];
    requireEqualShapes("tripletMargin, positives", anchor, positives);
    requireEqualShapes("tripletMargin, negatives", anchor, negatives);
    const distance = distanceOf(options);
    const [own, near, far] = [anchor, positives, negatives].map((x) => countedVectors(x, options));
    const apart = distance(own!, far!);
    const least = swap ? (apart.minimum(distance(near!, far!)) as Tensor) : apart;
    return reduce("tripletMargin", distance(own!, near!).sub(least).add(margin).relu(), options);
  });
}

function distanceOf({ p = 2, epsilon = 1e-6, distance }: TripletMarginOptions): Distance {
  if (!(p >= 1)) throw new ArgumentError(`tripletMargin: p must be 1 or more, got ${p}`);
  return distance ?? ((a, b) => pairwiseDistance(a, b, { p, epsilon }));
}

/**
 * y·d²/2 + (1 − y)·max(0, margin − d)²/2 with d = ‖a − b‖: pairs with label 1 are drawn together, those with label 0 pushed
 * apart up to the margin, 1 when left out. Hadsell, Chopra and LeCun, "Dimensionality reduction by learning an invariant
 * mapping", CVPR 2006 (there Y is 1 − y). Where two vectors are equal the gradient is 0.
 *
 * @param a vectors (…, features)
 * @param b vectors, the same shape
 * @param labels (…): 1 for pairs that belong together, 0 for others
 * @throws ShapeError when the shapes do not fit. Another label fails the step, which changes nothing.
 * @example
 * await contrastive(tensor([[0, 0]]), tensor([[3, 4]]), tensor([1])).item(); // 12.5
 */
export function contrastive(
  a: Tensor,
  b: TensorLike,
  labels: TensorLike,
  options: MarginOptions = {},
): Tensor {
  return located(() => {
    const [other, given] = labelledPairs("contrastive", { a, b, labels }, options);
    const y = masked(given.cast(a.dtype), options);
    const isPair = y.equal(0).or(y.equal(1));
    const label = checked(y, isPair as Tensor, "contrastive: labels must be 0 or 1");
    const difference = countedVectors(a, options).sub(countedVectors(other, options)) as Tensor;
    const square: Tensor = difference.square().sum(-1);
    const isApart = square.greater(0);
    const distance = where(isApart, where(isApart, square, 1).sqrt(), 0);
    const missing: Tensor = distance
      .neg()
      .add(options.margin ?? 1)
      .relu()
      .square();
    return reduce("contrastive", where(label.equal(1), square, missing).mul(0.5), options);
  });
}
