/** Which element is the largest, and classes as rows of ones and zeros. */
import type { DType } from "../../base/dtype.ts";
import { ShapeError } from "../../base/errors.ts";
import { normalizeAxis, shapeText } from "../../base/shape.ts";
import { maxOf, type Size } from "../../base/size.ts";
import type { Node } from "../../graph/node.ts";
import { broadcastTo, expandAxes, reshape } from "../broadcast.ts";
import { cast } from "../cast.ts";
import { checkIndex } from "../check.ts";
import { equal, notEqual } from "../compare.ts";
import { full } from "../constants.ts";
import { or } from "../logical.ts";
import { max, min } from "../reduce.ts";
import { select } from "../select.ts";
import { iota } from "../sources.ts";

function indexOfExtreme(name: string, x: Node, axis: number, extreme: typeof max): Node {
  const at = normalizeAxis(axis, x.shape.length, name);
  const size = x.shape[at]!;
  if (maxOf(size) === 0) throw new ShapeError(`${name}: axis ${axis} of ${shapeText(x.shape)} is empty`);
  const isIt = or(equal(x, expandAxes(extreme(x, at), [at], x.shape)), notEqual(x, x));
  return min(select(isIt, iota(x.shape, at), full(x.shape, 2 ** 31 - 1, "i32")), at);
}

/**
 * The index (i32) of the largest element along an axis, which vanishes: of the first NaN if there is one, else of the first
 * that is largest.
 */
export const argmax = (x: Node, axis: number): Node => indexOfExtreme("argmax", x, axis, max);

/** The index (i32) of the smallest element along an axis, which vanishes: of the first NaN if any, else of the first. */
export const argmin = (x: Node, axis: number): Node => indexOfExtreme("argmin", x, axis, min);

/**
 * Rows with a 1 at the label's place: (…) i32 → (…, classes). A label outside 0 … classes − 1 fails the run.
 *
 * @example oneHot(labels, 10, "f32") // (B,) → (B, 10)
 */
export function oneHot(labels: Node, classes: Size, dtype: DType): Node {
  const shape = [...labels.shape, classes];
  const label = checkIndex(labels, classes, `oneHot: labels must be below ${classes} and not negative`);
  const column = broadcastTo(reshape(label, [...labels.shape, 1]), shape);
  return cast(equal(column, iota(shape, labels.shape.length)), dtype);
}
