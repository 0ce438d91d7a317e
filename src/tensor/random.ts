/**
 * Random tensors from keys. A draw is a pure function of its key: Threefry-2x32 with 20 rounds over the positions of the
 * elements (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011), and what is made of its words
 * uses only arithmetic that all targets round alike; so equal keys give equal bits, on every target and for any number of
 * threads. Use a key once: `split` makes more, `fold` makes one for a step or a layer.
 */
import { type DType, isFloat } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { fold as foldWords, type RandomKey, toRandomKey } from "../base/random.ts";
import type { TensorShape } from "../base/shape-types.ts";
import type { Size } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import { erf } from "../ops/erf-reference.ts";
import * as ops from "../ops/index.ts";
import { toNode } from "./convert.ts";
import { isTensor } from "./handle.ts";
import { located } from "./located.ts";
import { nodeOf } from "./nodes.ts";
import { fromNode, type Tensor } from "./tensor.ts";
import type { TensorLike } from "./types.ts";

/** A key: two words (u32) in a tensor or as numbers, or a seed. */
export type KeyLike = Tensor<[2], "u32"> | RandomKey | number;

type FloatType = "f32" | "f64" | "f16" | "bf16";

export interface FloatOptions<D extends FloatType = "f32"> {
  /** f32 when left out. */
  readonly dtype?: D;
}

function keyNode(key: KeyLike): Node {
  if (isTensor(key)) return nodeOf(key);
  const [high, low] = toRandomKey(key as RandomKey | number);
  return ops.concat([ops.full([1], high, "u32"), ops.full([1], low, "u32")], 0);
}

/**
 * A key from a seed.
 *
 * @throws ArgumentError unless the seed is an integer from 0 to 2⁵³ − 1
 * @example random.key(42); // [0, 42]
 */
export const key = (seed: number): Tensor<[2], "u32"> => located(() => fromNode(keyNode(seed)));

/**
 * Keys whose draws are independent of each other and of the key's own: (count, 2).
 *
 * @example
 * const keys = random.split(random.key(0));
 * const x = random.normal(keys.at(0), [3]);
 */
export const split = (key: KeyLike, count = 2): Tensor<[number, 2], "u32"> =>
  located(() => {
    const keys = ops.splitKey(keyNode(key), count);
    return fromNode(
      ops.concat(
        keys.map((k) => ops.reshape(k, [1, 2])),
        0,
      ),
    );
  });

/**
 * A key for the number `data` (a step, a layer; a tensor inside a compiled step) under this one.
 *
 * @example random.fold(random.key(1), 5);
 */
export function fold(key: KeyLike, data: number | Tensor): Tensor<[2], "u32"> {
  return located(() => {
    if (typeof data === "number" && !isTensor(key))
      return fromNode(keyNode(foldWords(toRandomKey(key as RandomKey | number), data)));
    return fromNode(ops.foldKey(keyNode(key), ops.cast(toNode(data, "u32"), "u32")));
  });
}

const draw = <S extends readonly Size[], D extends DType>(make: () => Node): Tensor<ShapeFrom<S>, D> =>
  located(() => fromNode(make())) as Tensor<ShapeFrom<S>, D>;

type ShapeFrom<S extends readonly Size[]> = S extends TensorShape ? { -readonly [K in keyof S]: S[K] } : any;

const inDType = (x: Node, dtype: DType = "f32"): Node => ops.cast(x, dtype);

/**
 * Uniform numbers from [low, high): low + (high − low) · u, u of 24 bits (f64: 53).
 *
 * @throws ArgumentError unless low < high and both are finite
 * @example random.uniform(0, [2, 3], { low: -1, high: 1 });
 */
export function uniform<const S extends readonly Size[], D extends FloatType = "f32">(
  key: KeyLike,
  shape: S,
  { low = 0, high = 1, dtype }: FloatOptions<D> & { readonly low?: number; readonly high?: number } = {},
): Tensor<ShapeFrom<S>, NoInfer<D>> {
  return draw(() => {
    if (!(low < high && Number.isFinite(high - low)))
      throw new ArgumentError(`random.uniform: needs finite bounds low < high, got [${low}, ${high})`);
    const node = keyNode(key);
    if (dtype !== "f64" && low === 0 && high === 1) return inDType(ops.randomUniform(node, shape), dtype);
    const u =
      dtype === "f64" ? ops.randomUniform64(node, shape) : ops.cast(ops.randomUniform(node, shape), "f64");
    const value = inDType(ops.add(ops.mul(u, ops.like(u, high - low)), ops.like(u, low)), dtype);
    // Rounding may reach the open end; such a draw becomes the closed one.
    return ops.select(ops.less(value, ops.like(value, high)), value, ops.like(value, low));
  });
}

/**
 * Normal numbers by Box and Muller (1958), computed in f64. The largest distance from the mean is 6.66 deviations.
 *
 * @example random.normal(0, [2, 3], { mean: 5, standardDeviation: 2 });
 */
export function normal<const S extends readonly Size[], D extends FloatType = "f32">(
  key: KeyLike,
  shape: S,
  {
    mean = 0,
    standardDeviation = 1,
    dtype,
  }: FloatOptions<D> & { readonly mean?: number; readonly standardDeviation?: number } = {},
): Tensor<ShapeFrom<S>, NoInfer<D>> {
  return draw(() => {
    const z = ops.randomNormal(keyNode(key), shape);
    return inDType(ops.add(ops.mul(z, ops.like(z, standardDeviation)), ops.like(z, mean)), dtype);
  });
}

/**
 * Standard normal numbers on condition that they lie in [low, high]: Φ⁻¹ of a uniform number between Φ(low) and Φ(high).
 *
 * @throws ArgumentError unless low < high
 * @example random.truncatedNormal(0, [3], { low: -2, high: 2 });
 */
export function truncatedNormal<const S extends readonly Size[], D extends FloatType = "f32">(
  key: KeyLike,
  shape: S,
  { low = -2, high = 2, dtype }: FloatOptions<D> & { readonly low?: number; readonly high?: number } = {},
): Tensor<ShapeFrom<S>, NoInfer<D>> {
  return draw(() => {
    if (!(low < high))
      throw new ArgumentError(`random.truncatedNormal: needs low < high, got [${low}, ${high}]`);
    const below = (x: number): number => 0.5 * (1 + erf(x / Math.SQRT2));
    const u = ops.randomUniform64(keyNode(key), shape);
    const p = ops.add(ops.mul(u, ops.like(u, below(high) - below(low))), ops.like(u, below(low)));
    const z = ops.normalQuantile(p);
    return inDType(ops.clamp(z, ops.like(z, low), ops.like(z, high)), dtype);
  });
}

/**
 * Whole numbers (i32) from low to high − 1, each equally likely (to 2⁻²¹).
 *
 * @throws ArgumentError unless low < high are integers of 32 bits
 * @example random.integers(0, [4], 1, 7); // four dice
 */
export function integers<const S extends readonly Size[]>(
  key: KeyLike,
  shape: S,
  low: number,
  high: number,
): Tensor<ShapeFrom<S>, "i32"> {
  return draw(() => {
    const isInteger = [low, high - 1].every((n) => (n | 0) === n);
    if (!isInteger || !(low < high))
      throw new ArgumentError(
        `random.integers: needs integers low < high of 32 bits, got ${low} and ${high}`,
      );
    return ops.randomIntegers(keyNode(key), shape, low, high);
  });
}

/**
 * Whether each of as many uniform numbers is below p: true with probability p (a number, or a tensor that broadcasts to the
 * shape).
 *
 * @example random.bernoulli(0, [3], 0.5);
 */
export function bernoulli<const S extends readonly Size[]>(
  key: KeyLike,
  shape: S,
  p: TensorLike = 0.5,
): Tensor<ShapeFrom<S>, "bool"> {
  return draw(() => {
    const chance = ops.broadcastTo(ops.cast(toNode(p, "f32"), "f32"), shape);
    return ops.less(ops.randomUniform(keyNode(key), shape), chance);
  });
}

/**
 * Exponential numbers of rate 1: −ln(1 − u) of a uniform u with 53 bits. Divide by a rate for another.
 *
 * @example random.exponential(0, [3]);
 */
export function exponential<const S extends readonly Size[], D extends FloatType = "f32">(
  key: KeyLike,
  shape: S,
  { dtype }: FloatOptions<D> = {},
): Tensor<ShapeFrom<S>, NoInfer<D>> {
  return draw(() => inDType(ops.exponentialOf(ops.randomUniform64(keyNode(key), shape)), dtype));
}

/**
 * Gamma numbers of scale 1, one for each concentration (positive; broadcast to `shape`): Marsaglia and Tsang's method (2000).
 * Divide by a rate for another scale. The gradient with respect to the concentration is the implicit one, of first order.
 *
 * @example random.gamma(0, 2.5, { shape: [3] });
 */
export function gamma(
  key: KeyLike,
  concentration: TensorLike,
  { shape }: { readonly shape?: readonly Size[] } = {},
): Tensor {
  return located(() => {
    const given = floatNode(concentration, "random.gamma");
    const alpha = ops.broadcastTo(ops.cast(given, "f64"), shape ?? given.shape);
    const sample = ops.randomGamma(keyNode(key), alpha);
    // 0 would have no logarithm.
    return fromNode(inDType(ops.maximum(sample, ops.like(sample, 1e-37)), given.dtype));
  });
}

/**
 * Poisson numbers (whole, in the dtype of the rate), one for each rate (broadcast to `shape`): counted below 10, by Hörmann's
 * PTRS (1993) above.
 *
 * @example random.poisson(0, [0.5, 100]);
 */
export function poisson(
  key: KeyLike,
  rate: TensorLike,
  { shape }: { readonly shape?: readonly Size[] } = {},
): Tensor {
  return located(() => {
    const given = floatNode(rate, "random.poisson");
    const rates = ops.broadcastTo(ops.cast(ops.stopGradient(given), "f64"), shape ?? given.shape);
    return fromNode(inDType(ops.randomPoisson(keyNode(key), rates), given.dtype));
  });
}

function floatNode(value: TensorLike, what: string): Node {
  const node = toNode(value, "f32", what);
  return isFloat(node.dtype) ? node : ops.cast(node, "f32");
}

/**
 * Gumbel numbers −ln(−ln u): the index of the largest logit + Gumbel number is a draw from the logits' softmax.
 *
 * @example random.gumbel(0, [3]);
 */
export function gumbel<const S extends readonly Size[], D extends FloatType = "f32">(
  key: KeyLike,
  shape: S,
  { dtype }: FloatOptions<D> = {},
): Tensor<ShapeFrom<S>, NoInfer<D>> {
  return draw(() => inDType(gumbelNode(keyNode(key), shape), dtype));
}

function gumbelNode(key: Node, shape: readonly Size[]): Node {
  const u = ops.randomUniform64(key, shape);
  // From (0, 1): the middle of each step, so that no logarithm of 0 arises.
  return ops.neg(ops.portableLog(ops.neg(ops.portableLog(ops.add(u, ops.like(u, 2 ** -54))))));
}

/**
 * 0 … n − 1 in random order, or the rows of x (along its first axis). Each entry is a function of the key and its place: a
 * keyed bijection (Mitchell, Stokes, Frank, Holmes: "Bandwidth-optimal random shuffling for GPUs", 2022).
 *
 * @throws ShapeError for a scalar or a first axis known late
 * @example random.permutation(0, 5);
 */
export function permutation<T extends number | Tensor>(
  key: KeyLike,
  x: T,
): T extends Tensor<infer S, infer D> ? Tensor<S, D> : Tensor<[number], "i32"> {
  return located(() => {
    if (!isTensor(x)) return fromNode(ops.randomPermutation(keyNode(key), countOf(x)));
    const node = nodeOf(x);
    return fromNode(ops.gather(node, ops.randomPermutation(keyNode(key), countOf(node.shape[0])), 0));
  }) as never;
}

function countOf(n: unknown): number {
  if (typeof n === "number" && Number.isInteger(n) && n >= 0 && n < 2 ** 31) return n;
  throw new ShapeError(`random: needs a number of elements that is known, from 0 to 2^31 - 1, got ${n}`);
}

export interface ChoiceOptions {
  /** Whether an element may be drawn more than once; true when left out. */
  readonly replace?: boolean;
  /** Weights of the elements (n), not negative; equal when left out. They need not sum to 1. */
  readonly weights?: TensorLike;
}

/**
 * `count` of 0 … n − 1 (i32), or of the rows of x. With weights by Gumbel numbers: the largest ln w + Gumbel, again for each
 * draw (with replacement), or the next largest (without; Efraimidis and Spirakis 2006, in Gumbel's form).
 *
 * @throws ArgumentError when more are wanted than there are, without replacement
 * @example random.choice(0, 10, 3, { replace: false });
 */
export function choice<T extends number | Tensor>(
  key: KeyLike,
  x: T,
  count: number,
  { replace = true, weights }: ChoiceOptions = {},
): T extends Tensor<any, infer D> ? Tensor<any, D> : Tensor<[number], "i32"> {
  return located(() => {
    const node = isTensor(x) ? nodeOf(x) : undefined;
    const n = countOf(node === undefined ? x : node.shape[0]);
    if (n === 0 || (!replace && count > n))
      throw new ArgumentError(
        `random.choice: cannot take ${count} of ${n}${replace ? "" : " without replacement"}`,
      );
    const places = chosen(keyNode(key), n, countOf(count), replace, weights);
    return fromNode(node === undefined ? places : ops.gather(node, places, 0));
  }) as never;
}

function chosen(key: Node, n: number, count: number, replace: boolean, weights?: TensorLike): Node {
  if (weights === undefined)
    return replace ? ops.randomIntegers(key, [count], 0, n) : ops.randomPermutation(key, n, count);
  const given = ops.cast(toNode(weights, "f32", "random.choice: weights"), "f64");
  if (given.shape.length !== 1 || given.shape[0] !== n)
    throw new ShapeError(`random.choice: weights have shape (${given.shape.join(", ")}), need (${n},)`);
  const logits = ops.portableLog(given);
  if (replace) {
    const noise = gumbelNode(key, [count, n]);
    return ops.argmax(ops.add(ops.broadcastTo(logits, [count, n]), noise), 1);
  }
  const scores = ops.add(logits, gumbelNode(key, [n]));
  const { stacked } = ops.scan(
    [scores],
    [],
    ([open]) => {
      const best = ops.argmax(open!, 0);
      const isBest = ops.equal(ops.iota([n], 0), ops.broadcastTo(best, [n]));
      return { carry: [ops.select(isBest, ops.like(open!, -Infinity), open!)], stacked: [best] };
    },
    { length: count },
  );
  return stacked[0]!;
}
