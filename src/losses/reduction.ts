/** What losses share: how many values become one, and shapes that must be equal. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import type { Tensor } from "../tensor/index.ts";

/** `mean` over all values (the default), their `sum`, or `none`: the values themselves. */
export type Reduction = "mean" | "sum" | "none";

export interface LossOptions {
  readonly reduction?: Reduction;
}

export function reduce(what: string, values: Tensor, reduction: Reduction = "mean"): Tensor {
  switch (reduction) {
    case "mean":
      return values.mean();
    case "sum":
      return values.sum();
    case "none":
      return values;
    default:
      reduction satisfies never;
      throw new ArgumentError(`${what}: reduction "${reduction}" is unknown; use "mean", "sum" or "none"`);
  }
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
