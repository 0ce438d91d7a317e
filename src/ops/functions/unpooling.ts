/** Where the largest elements of windows stand, and putting them back there. */
import { ShapeError } from "../../base/errors.ts";
import { type Shape, shapeText } from "../../base/shape.ts";
import { productOf } from "../../base/size.ts";
import type { Node } from "../../graph/node.ts";
import { add, mul } from "../arithmetic.ts";
import { reshape } from "../broadcast.ts";
import { checkIndex } from "../check.ts";
import { full, like } from "../constants.ts";
import { scatter } from "../indexed.ts";
import { shapesAgree } from "../rules.ts";
import { iota } from "../sources.ts";

/**
 * Values in the places of an image that `indices` (i32, counted row by row over `spatial`) name for each sample and channel; zeros
 * elsewhere. (N, C, …) and indices of the same shape → (N, C, …spatial). Of several at one place the last stays.
 *
 * @throws ShapeError when values and indices differ in shape
 */
export function placedAt(values: Node, indices: Node, spatial: Shape): Node {
  if (!shapesAgree(values.shape, indices.shape))
    throw new ShapeError(
      `max unpooling: values ${shapeText(values.shape)} come with indices ${shapeText(indices.shape)}; they must be of one shape`,
    );
  const [N, C] = values.shape as [number, number];
  const plane = productOf(spatial);
  const count = productOf(values.shape);
  const inside = checkIndex(
    indices,
    plane,
    `max unpooling: indices must be places of an image of ${plane} elements`,
  );
  const planeOf = add(mul(iota(values.shape, 0), like(inside, C)), iota(values.shape, 1));
  const places = add(mul(planeOf, full(values.shape, plane as number, "i32")), inside);
  const image = full([N * C * (plane as number)], 0, values.dtype);
  return reshape(scatter(image, reshape(places, [count]), reshape(values, [count]), 0), [N, C, ...spatial]);
}
