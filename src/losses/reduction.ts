/** What losses share: which values count, how many values become one, and shapes that must be equal. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { asTensor, onesLike, type Tensor, type TensorLike, where } from "../tensor/index.ts";

/** `mean` over all values (the default), their `sum`, or `none`: the values themselves. */
export type Reduction = "mean" | "sum" | "none";

export interface LossOptions {
  readonly reduction?: Reduction;
  /**
   * Which values count: bool, of the values' shape or one that broadcasts to it. Whatever stands in other places, NaN too,
   * changes nothing: neither the loss nor a gradient, and the mean is over what counts (0 where nothing does).
   */
  readonly mask?: TensorLike;
  /**
   * A number for each value, of the values' shape or one that broadcasts to it: the sum is Σ w·l, the mean Σ w·l / Σ w, as
   * PyTorch's class weights and Keras's `mean_with_sample_weight` have it.
   */
  readonly weights?: TensorLike;
}

/** What every loss takes; each adds names of its own. */
export const sharedOptions = ["reduction", "mask", "weights"] as const;

/** One value a sample or element, reduced as the options say. */
export function reduce(what: string, values: Tensor, options: LossOptions): Tensor {
  const weights = countingWeights(what, values, options);
  return reduceWeighted(what, weights === undefined ? values : masked(values.mul(weights), options), {
    weights,
    reduction: options.reduction,
  });
}

/** Mask and weights as one weight for each value; undefined where there are none. */
export function countingWeights(
  what: string,
  values: Tensor,
  { mask, weights }: LossOptions,
): Tensor | undefined {
  if (mask === undefined && weights === undefined) return undefined;
  const own = weights === undefined ? onesLike(values) : fitting(what, "weights", weights, values);
  return mask === undefined
    ? (own.cast(values.dtype) as Tensor)
    : (where(fitting(what, "mask", mask, values), own.cast(values.dtype), 0) as Tensor);
}

/** Values that have their weights in them already: the mean divides by those. */
export function reduceWeighted(
  what: string,
  values: Tensor,
  { weights, reduction = "mean" }: { weights: Tensor | undefined; reduction: Reduction | undefined },
): Tensor {
  switch (reduction) {
    case "mean":
      return weights === undefined ? values.mean() : weightedMean(values, weights);
    case "sum":
      return values.sum();
    case "none":
      return values;
    default:
      reduction satisfies never;
      throw new ArgumentError(`${what}: reduction "${reduction}" is unknown; use "mean", "sum" or "none"`);
  }
}

/** Σ losses / Σ weights; 0 where nothing counts (PyTorch has NaN there, which would spoil a model's weights for good). */
function weightedMean(losses: Tensor, weights: Tensor): Tensor {
  const total = weights.broadcastTo(losses.shape).sum();
  return losses.sum().div(where(total.equal(0), 1, total));
}

/**
 * `x` where the mask counts, else `filler`: so that what stands in other places reaches neither the loss nor a gradient.
 * A mask of samples stands for all of a sample's features.
 */
export function masked(x: Tensor, { mask }: LossOptions, { filler = 0, features = false } = {}): Tensor {
  if (mask === undefined) return x;
  const counts = asTensor(mask);
  return where(features ? counts.expandDims(-1) : counts, x, filler) as Tensor;
}

/** A tensor that broadcasts to the values and does not enlarge them. */
function fitting(what: string, name: string, given: TensorLike, values: Tensor): Tensor {
  const tensor = asTensor(given);
  if (name === "mask" && tensor.dtype !== "bool")
    throw new ArgumentError(
      `${what}: the mask must be bool, got ${tensor.dtype}; compare it: mask.notEqual(0)`,
    );
  if (tensor.shape.length <= values.shape.length && fits(tensor, values)) return tensor;
  throw new ShapeError(
    `${what}: ${name} ${shapeText(tensor.shape)} must broadcast to the values ${shapeText(values.shape)}; add axes at the end with expandDims(-1)`,
  );
}

function fits(tensor: Tensor, values: Tensor): boolean {
  const [own, whole] = [tensor.shape, values.shape] as readonly (readonly number[])[];
  return own!.every((size, i) => {
    const other = whole![whole!.length - own!.length + i];
    return size === 1 || sameShape([size], [other!]);
  });
}

/**
 * Losses do not broadcast: (32, 1) against (32) would silently become 32 × 32 differences.
 */
export function requireEqualShapes(what: string, predictions: Tensor, targets: Tensor): void {
  const [a, b] = [predictions.shape, targets.shape];
  if (sameShape(a, b)) return;
  throw new ShapeError(
    `${what}: predictions ${shapeText(a)} and targets ${shapeText(b)} differ in shape, and losses do not broadcast; ${remedy(a, b)}`,
  );
}

type Shape = Tensor["shape"];

/** Where the shapes differ by axes of size 1 only, the reshape that makes them equal. */
function remedy(predictions: Shape, targets: Shape): string {
  const squeezed = (shape: Shape): Shape => shape.filter((size: unknown) => size !== 1);
  return sameShape(squeezed(predictions), squeezed(targets))
    ? `reshape one: targets.reshape([${predictions.join(", ")}])`
    : "give each prediction its target";
}
