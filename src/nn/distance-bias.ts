/** Biases of attention that depend on how far a key lies from a query: lists of one number a distance, never matrices. */
import { nextKey } from "../base/default-key.ts";
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fold, type RandomKey, toRandomKey } from "../base/random.ts";
import { arange, type Tensor, tensor } from "../tensor/index.ts";
import { type Initializer, normal } from "./initializers.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";

/** Distances key − query of all pairs, in the order of `distanceBias`: −(L − 1) − offset … S − 1 − offset. */
const distances = (queries: number, keys: number, offset: number): number[] =>
  Array.from({ length: queries + keys - 1 }, (_, i) => i - (queries - 1) - offset);

/**
 * The slopes of ALiBi: 2^(−8/n), 2^(−16/n) … for n heads; where n is no power of two, those of the power below and every other
 * one of the next.
 *
 * @example alibiSlopes(2); // [0.0625, 0.00390625]
 */
export function alibiSlopes(numHeads: number): number[] {
  if (!Number.isInteger(numHeads) || numHeads < 1)
    throw new ArgumentError(`alibiSlopes: the number of heads must be a positive integer, got ${numHeads}`);
  const below = 2 ** Math.floor(Math.log2(numHeads));
  const slopes = Array.from({ length: below }, (_, i) => 2 ** ((-8 * (i + 1)) / below));
  const more = Array.from({ length: numHeads - below }, (_, i) => 2 ** ((-8 * (2 * i + 1)) / (2 * below)));
  return [...slopes, ...more];
}

/**
 * ALiBi as a `distanceBias`: each head takes slope·|distance| off its scores. Press, Smith, Lewis: "Train short, test long:
 * attention with linear biases enables input length extrapolation", ICLR 2022.
 *
 * Shape: (heads, L + S − 1).
 *
 * @param offset the position of the first query among the keys
 * @example
 * const [q, k] = [zeros([1, 8, 5, 16]), zeros([1, 8, 7, 16])];
 * scaledDotProductAttention(q, k, k, { distanceBias: alibiBias(8, 5, 7) }).shape; // [1, 8, 5, 16]
 */
export function alibiBias(numHeads: number, queries: number, keys: number, offset = 0): Tensor {
  const away = distances(queries, keys, offset);
  const data = alibiSlopes(numHeads).flatMap((slope) => away.map((d) => -slope * Math.abs(d)));
  return tensor(Float32Array.from(data), { shape: [numHeads, away.length] }) as Tensor;
}

export interface RelativePositionBiasOptions {
  /** Default 32. */
  readonly numBuckets?: number;
  /** From this distance on all are one bucket; default 128. */
  readonly maxDistance?: number;
  /** Default true: keys before and after have buckets of their own. False: all keys after a query are as at distance 0. */
  readonly bidirectional?: boolean;
  /** Default `initializers.normal(0, 1)`. */
  readonly weightInit?: Initializer;
  /** What the initializer draws from: a key or a seed; by default the next key of the default stream (`seed(42)`). */
  readonly key?: RandomKey | number;
}

/**
 * T5's learnt bias: one number a head and bucket of distances, exact near by and logarithmic further off. Raffel et al.,
 * "Exploring the limits of transfer learning with a unified text-to-text transformer", JMLR 2020. The weight,
 * (buckets, heads), is that of T5's `relative_attention_bias`.
 *
 * @throws ArgumentError when a size is no positive integer
 * @example
 * const bias = new RelativePositionBias(8);
 * const [q, k] = [zeros([1, 8, 5, 16]), zeros([1, 8, 7, 16])];
 * scaledDotProductAttention(q, k, k, { distanceBias: bias.forward(5, 7) }).shape; // [1, 8, 5, 16]
 */
export class RelativePositionBias extends Module {
  readonly numHeads: number;
  readonly numBuckets: number;
  readonly maxDistance: number;
  readonly bidirectional: boolean;
  readonly weight: Parameter;

  constructor(numHeads: number, options: RelativePositionBiasOptions = {}) {
    super();
    checkOptions("RelativePositionBias", options, [
      "numBuckets",
      "maxDistance",
      "bidirectional",
      "weightInit",
      "key",
    ]);
    const { numBuckets = 32, maxDistance = 128, bidirectional = true } = options;
    const { weightInit = normal(), key = nextKey() } = options;
    for (const [name, size] of Object.entries({ numHeads, numBuckets, maxDistance })) {
      if (!Number.isInteger(size) || size < 1)
        throw new ArgumentError(`RelativePositionBias: ${name} must be a positive integer, got ${size}`);
    }
    this.numHeads = numHeads;
    this.numBuckets = numBuckets;
    this.maxDistance = maxDistance;
    this.bidirectional = bidirectional;
    const shape = [numBuckets, numHeads];
    const fans = { fanIn: numBuckets, fanOut: numHeads };
    const root = toRandomKey(key);
    const data = () => weightInit({ shape, ...fans, key: fold(root, 0) });
    this.weight = new Parameter({ dtype: "f32", shape, data }, { name: "weight" });
  }

  /**
   * A `distanceBias` for so many queries and keys: (heads, L + S − 1).
   *
   * @param offset the position of the first query: a number, or an i32 scalar such as a cache's length
   */
  forward(queries: number, keys: number, offset: number | Tensor = 0): Tensor {
    const rows = this.weight.gather(this.bucketsOf(queries, keys, offset)) as Tensor; // (distances, heads)
    return rows.transpose() as Tensor;
  }

  private bucketsOf(queries: number, keys: number, offset: number | Tensor): Tensor {
    const list = (away: readonly number[]): Tensor =>
      tensor(Int32Array.from(away, (d) => relativeBucket(d, this))) as Tensor;
    if (typeof offset === "number") return list(distances(queries, keys, offset));
    // Those of any offset stand in the list of all distances among the keys, where it begins at keys − queries − offset.
    const first = offset.neg().add(keys - queries) as Tensor;
    return list(distances(keys, keys, 0)).gather((arange(queries + keys - 1) as Tensor).add(first)) as Tensor;
  }

  protected override describe(): string {
    return `${this.numHeads} heads, ${this.numBuckets} buckets to ${this.maxDistance}`;
  }
}

/**
 * T5's bucket of a distance key − query.
 *
 * @example relativeBucket(-3, { numBuckets: 32, maxDistance: 128, bidirectional: true }); // 3
 */
export function relativeBucket(
  distance: number,
  {
    numBuckets,
    maxDistance,
    bidirectional,
  }: Required<Pick<RelativePositionBiasOptions, "numBuckets" | "maxDistance" | "bidirectional">>,
): number {
  const count = bidirectional ? Math.floor(numBuckets / 2) : numBuckets;
  const first = bidirectional && distance > 0 ? count : 0;
  const away = bidirectional ? Math.abs(distance) : Math.max(0, -distance);
  const exact = Math.floor(count / 2);
  if (away < exact) return first + away;
  // In f32, as T5 computes it: at the borders of buckets the rounding decides.
  const ratio = Math.fround(Math.log(Math.fround(away / exact)));
  const share = Math.fround(ratio / Math.fround(Math.log(maxDistance / exact)));
  return first + Math.min(count - 1, exact + Math.floor(Math.fround(share * (count - exact))));
}
