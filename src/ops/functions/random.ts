/** Random numbers of a key: the same words as `base/random.ts` gives, as a pure function of the key. */
import { ShapeError } from "../../base/errors.ts";
import { elementCount, type Shape, shapeText } from "../../base/shape.ts";
import type { Node } from "../../graph/node.ts";
import { mul } from "../arithmetic.ts";
import { reshape } from "../broadcast.ts";
import { cast } from "../cast.ts";
import { equal } from "../compare.ts";
import { like, zerosLike } from "../constants.ts";
import { and, shiftRight } from "../logical.ts";
import { randomBits } from "../random.ts";
import { typeText } from "../rules.ts";
import { select } from "../select.ts";
import { sliceAxis } from "../slice.ts";
import { iota } from "../sources.ts";

/**
 * 32 random bits an element (u32) from a key of two u32: element i in row-major order is word i of `fillBits`.
 *
 * @example randomWords(key, [2, 3])
 */
export function randomWords(key: Node, shape: Shape): Node {
  if (key.dtype !== "u32" || key.shape.length !== 1 || key.shape[0] !== 2)
    throw new ShapeError(
      `randomWords: a key is u32 (2,), got ${typeText(key)} for draws of ${shapeText(shape)}`,
    );
  const word = (i: number): Node => reshape(sliceAxis(key, 0, i, 1), []);
  const position = iota([elementCount(shape)], 0, "u32");
  const pair = shiftRight(position, like(position, 1));
  const isEven = equal(and(position, like(position, 1)), zerosLike(position));
  const bits = ([0, 1] as const).map((half) =>
    randomBits([word(0), word(1)], [zerosLike(pair), pair], half),
  ) as [Node, Node];
  return reshape(select(isEven, ...bits), shape);
}

/** Uniform f32 numbers from [0, 1): the top 24 bits of `randomWords`. */
export function randomUniform(key: Node, shape: Shape): Node {
  const bits = randomWords(key, shape);
  const fraction = cast(shiftRight(bits, like(bits, 8)), "f32");
  return mul(fraction, like(fraction, 2 ** -24));
}
