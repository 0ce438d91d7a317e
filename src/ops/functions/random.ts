/** Random numbers of a key: the same words as `base/random.ts` gives, as a pure function of the key. */
import { ShapeError } from "../../base/errors.ts";
import { splitCounter } from "../../base/random.ts";
import { elementCount, type Shape } from "../../base/shape.ts";
import type { Node } from "../../graph/node.ts";
import { add, mul } from "../arithmetic.ts";
import { reshape } from "../broadcast.ts";
import { cast } from "../cast.ts";
import { equal, greaterEqual } from "../compare.ts";
import { concat } from "../concat.ts";
import { like, zerosLike } from "../constants.ts";
import { and, not, or, shiftLeft, shiftRight, xor } from "../logical.ts";
import { gaussianPair } from "../portable.ts";
import { randomBits } from "../random.ts";
import { any as anyOf } from "../reduce.ts";
import { repeatWhile } from "../repeat-while.ts";
import { floor } from "../rounding.ts";
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

/** Both words of the counter of each element: 64 bits an element. */
function randomPairs(key: Node, position: Node): [Node, Node] {
  const halves = [wordOf(key, 0), wordOf(key, 1)] as const;
  const counter = [zerosLike(position), position] as const;
  return [randomBits(halves, counter, 0), randomBits(halves, counter, 1)];
}

/** Uniform f32 numbers from [0, 1): the top 24 bits of `randomWords`. */
export function randomUniform(key: Node, shape: Shape): Node {
  const bits = randomWords(key, shape);
  const fraction = cast(shiftRight(bits, like(bits, 8)), "f32");
  return mul(fraction, like(fraction, 2 ** -24));
}

/** Uniform f64 numbers from [0, 1) with 53 random bits: element i from the two words of counter i. */
export function randomUniform64(key: Node, shape: Shape): Node {
  requireKey("randomUniform64", key);
  const [high, low] = randomPairs(key, iota([elementCount(shape)], 0, "u32"));
  const top = cast(shiftRight(high, like(high, 5)), "f64");
  const bottom = cast(shiftRight(low, like(low, 6)), "f64");
  const whole = add(mul(top, like(top, 2 ** 26)), bottom);
  return reshape(mul(whole, like(whole, 2 ** -53)), shape);
}

/** Standard normal f64 numbers: before they are rounded those of `fillNormal` in `base/random.ts`. */
export function randomNormal(key: Node, shape: Shape): Node {
  requireKey("randomNormal", key);
  const position = iota([elementCount(shape)], 0, "u32");
  const pair = shiftRight(position, like(position, 1));
  const isEven = equal(and(position, like(position, 1)), zerosLike(position));
  return reshape(select(isEven, ...gaussianPair(...randomPairs(key, pair))), shape);
}

/** Whole numbers (i32) from low to high − 1: ⌊u · (high − low)⌋ of a uniform u with 53 bits, so uneven by 2⁻²¹ at most. */
export function randomIntegers(key: Node, shape: Shape, low: number, high: number): Node {
  const u = randomUniform64(key, shape);
  return cast(add(floor(mul(u, like(u, high - low))), like(u, low)), "i32");
}

/**
 * The first `count` entries (i32) of a permutation of 0 … n − 1: a keyed bijection of the positions below the next power of
 * four, applied again while it leads to n or beyond. A Feistel network, its round function a Threefry hash; so each entry is a
 * function of its position alone, and no pass over the array is needed. Mitchell, Stokes, Frank, Holmes: "Bandwidth-optimal
 * random shuffling for GPUs", 2022.
 */
export function randomPermutation(key: Node, n: number, count = n): Node {
  requireKey("randomPermutation", key);
  const half = Math.max(1, Math.ceil(Math.log2(Math.max(n, 2)) / 2));
  const mask = 2 ** half - 1;
  const keys = [wordOf(key, 0), wordOf(key, 1)] as const;
  const permuted = (x: Node): Node => {
    let [left, right] = [shiftRight(x, like(x, half)), and(x, like(x, mask))];
    for (let round = 0; round < feistelRounds; round++) {
      const hash = randomBits(keys, [like(right, permutationCounter + round), right], 0);
      [left, right] = [right, xor(left, and(hash, like(hash, mask)))];
    }
    return or(shiftLeft(left, like(left, half)), right);
  };
  const isOutside = (x: Node): Node => greaterEqual(x, like(x, n));
  const [places] = repeatWhile(
    [permuted(iota([count], 0, "u32"))],
    ([x]) => anyOf(isOutside(x!)),
    ([x]) => [select(isOutside(x!), permuted(x!), x!)],
    { max: 4 ** half },
  );
  return cast(places!, "i32");
}

const feistelRounds = 12;
/** The first word of the counters that permutations hash. */
const permutationCounter = 0x20000000;
const foldCounter = 0x40000000;

/** A key for the number `data` (a u32 scalar) under this one: that of `fold` in `base/random.ts`. */
export function foldKey(key: Node, data: Node): Node {
  requireKey("foldKey", key);
  const halves = [wordOf(key, 0), wordOf(key, 1)] as const;
  const counter = [scalar(foldCounter, "u32"), data] as const;
  return concat(
    ([0, 1] as const).map((word) => reshape(randomBits(halves, counter, word), [1])),
    0,
  );
}

/**
 * Draws again what was not accepted: `propose` gives a value and whether it holds for each element, from the key of the round.
 * What no round of `rounds` accepts keeps `initial`.
 */
export function randomRejection(
  key: Node,
  initial: Node,
  isWanted: Node,
  propose: (key: Node) => { value: Node; accepted: Node },
  rounds = 1000,
): Node {
  const [value] = repeatWhile(
    [initial, isWanted, scalar(0, "u32")],
    ([, open]) => anyOf(open!),
    ([value, open, round]) => {
      const next = propose(foldKey(key, round!));
      return [
        select(and(open!, next.accepted), next.value, value!),
        and(open!, not(next.accepted)),
        add(round!, like(round!, 1)),
      ];
    },
    { max: rounds },
  );
  return value!;
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
