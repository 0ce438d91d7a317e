/** Random numbers for functions of `map`, one after the other from a sample's key. */
import type { TypedArray } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import {
  fillBits,
  fillNormal,
  fillUniform,
  fold,
  permutation,
  type RandomKey,
  toRandomKey,
} from "../base/random.ts";

/** Numbers drawn one after the other: the same key gives the same ones in the same order. */
export interface Draws {
  /** From `low` (0) up to, not including, `high` (1). */
  uniform(low?: number, high?: number): number;
  /** From the normal distribution. */
  normal(mean?: number, standardDeviation?: number): number;
  /** An integer from 0 to below `bound`, each equally likely. */
  integer(bound: number): number;
  /** True with this probability, ½ unless told otherwise. */
  boolean(probability?: number): boolean;
  /** The same values in another order, each order equally likely: an array of the same kind. */
  shuffled<V extends readonly unknown[] | TypedArray>(values: V): V;
}

/**
 * Random numbers from a key, for functions that change a sample at random; or from a seed.
 *
 * Each draw has a key of its own, so numbers do not depend on which kinds were drawn before them.
 *
 * @throws ArgumentError from `integer` for a bound that is no integer from 1 to 2³²
 * @example
 * const noisy = digits.map(({ images, labels }, _, key) => {
 *   const random = draws(key);
 *   return { images: random.boolean(0.5) ? images : images.map((x) => x + random.uniform(-0.1, 0.1)), labels };
 * });
 */
export function draws(key: RandomKey | number): Draws {
  const root = toRandomKey(key);
  const float = new Float32Array(1);
  const words = new Uint32Array(2);
  let drawn = 0;
  const next = (): RandomKey => fold(root, drawn++);
  const uniform = (low = 0, high = 1): number => {
    fillUniform(next(), float, low, high);
    return float[0]!;
  };
  return {
    uniform,
    normal(mean = 0, standardDeviation = 1) {
      fillNormal(next(), float, mean, standardDeviation);
      return float[0]!;
    },
    integer(bound) {
      if (!Number.isInteger(bound) || bound < 1 || bound > 2 ** 32)
        throw new ArgumentError(`draws: integer needs a bound from 1 to 2^32, got ${bound}`);
      // 53 random bits leave no bias that could be seen: below 2⁻²¹.
      fillBits(next(), words);
      return Math.floor(((words[0]! >>> 5) * 2 ** -27 + (words[1]! >>> 6) * 2 ** -53) * bound);
    },
    boolean: (probability = 0.5) => uniform() < probability,
    shuffled<V extends readonly unknown[] | TypedArray>(values: V): V {
      const copy = values.slice() as unknown[];
      permutation(next(), values.length).forEach((from, to) => {
        copy[to] = values[from];
      });
      return copy as unknown as V;
    },
  };
}
