/** Random numbers of a key: the same words as `base/random.ts` gives, as a pure function of the key. */
import { ShapeError } from "../../base/errors.ts";
import { splitCounter } from "../../base/random.ts";
import { elementCount, type Shape } from "../../base/shape.ts";
import type { Node } from "../../graph/node.ts";
import { mul } from "../arithmetic.ts";
import { reshape } from "../broadcast.ts";
import { cast } from "../cast.ts";
import { equal } from "../compare.ts";
import { concat } from "../concat.ts";
import { like, zerosLike } from "../constants.ts";
import { and, shiftRight } from "../logical.ts";
import { randomBits } from "../random.ts";
import { typeText } from "../rules.ts";
import { select } from "../select.ts";
import { sliceAxis } from "../slice.ts";
import { iota, scalar } from "../sources.ts";

/**
 * 32 random bits an element (u32) from a key of two u32: element i in row-major order is word i of `fillBits`.
 *
 * @example randomWords(key, [2, 3])
 */
export function randomWords(key: Node, shape: Shape): Node {
  requireKey("randomWords", key);
  const position = iota([elementCount(shape)], 0, "u32");
  const pair = shiftRight(position, like(position, 1));
  const isEven = equal(and(position, like(position, 1)), zerosLike(position));
  const bits = ([0, 1] as const).map((half) =>
    randomBits([wordOf(key, 0), wordOf(key, 1)], [zerosLike(pair), pair], half),
  ) as [Node, Node];
  return reshape(select(isEven, ...bits), shape);
}

/** Uniform f32 numbers from [0, 1): the top 24 bits of `randomWords`. */
export function randomUniform(key: Node, shape: Shape): Node {
  const bits = randomWords(key, shape);
  const fraction = cast(shiftRight(bits, like(bits, 8)), "f32");
  return mul(fraction, like(fraction, 2 ** -24));
}

/**
 * `count` keys whose draws are independent of each other and of the key's own: those of `split` in `base/random.ts`.
 *
 * @example const [next, mask] = splitKey(key)
 */
export function splitKey(key: Node, count = 2): Node[] {
  requireKey("splitKey", key);
  const halves = [0, 1].map((i) => wordOf(key, i)) as [Node, Node];
  return Array.from({ length: count }, (_, i) => {
    const counter = [scalar(splitCounter, "u32"), scalar(i, "u32")] as const;
    const words = ([0, 1] as const).map((half) => reshape(randomBits(halves, counter, half), [1]));
    return concat(words, 0);
  });
}

const wordOf = (key: Node, i: number): Node => reshape(sliceAxis(key, 0, i, 1), []);

function requireKey(what: string, key: Node): void {
  if (key.dtype === "u32" && key.shape.length === 1 && key.shape[0] === 2) return;
  throw new ShapeError(`${what}: a key is u32 (2,), got ${typeText(key)}`);
}
