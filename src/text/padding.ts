/** Sequences of different lengths as one array, and batches of about one length. */
import { ArgumentError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { checkOptions } from "../base/options.ts";
import { fold, permutation, type RandomKey, toRandomKey } from "../base/random.ts";

export interface PaddingOptions {
  /** Length of the result; default that of the longest sequence. Longer ones are cut. */
  readonly length?: number;
  /** Default 1: the length becomes a multiple of this, so that fewer shapes are compiled. */
  readonly multipleOf?: number;
  /** What fills; default 0. */
  readonly value?: number;
  /** Default "end". */
  readonly side?: "start" | "end";
  /** Which end is cut off; default "end". */
  readonly truncate?: "start" | "end";
}

export interface PaddedSequences {
  /** (N, length), i32. */
  readonly tokens: HostArray<[number, number], "i32">;
  /** (N, length), bool: true where a token is one of the sequence. */
  readonly mask: HostArray<[number, number], "bool">;
  /** (N), i32: how many tokens of each count. */
  readonly lengths: HostArray<[number], "i32">;
}

/**
 * Sequences side by side, the short ones filled up.
 *
 * @throws ArgumentError for a length or multiple that is no positive integer
 * @example
 * const { tokens, lengths } = padSequences([[5, 6, 7], [8]]);
 * [tokens.shape, [...tokens.data]]; // [[2, 3], [5, 6, 7, 8, 0, 0]]
 * [...lengths.data]; // [3, 1]
 */
export function padSequences(
  sequences: readonly ArrayLike<number>[],
  options: PaddingOptions = {},
): PaddedSequences {
  checkOptions("padSequences", options, ["length", "multipleOf", "value", "side", "truncate"]);
  const { multipleOf = 1, value = 0, side = "end", truncate = "end" } = options;
  const longest = sequences.reduce((most, sequence) => Math.max(most, sequence.length), 0);
  const wanted = options.length ?? longest;
  for (const [name, number, least] of [
    ["length", wanted, 0],
    ["multipleOf", multipleOf, 1],
  ] as const)
    if (!Number.isInteger(number) || number < least)
      throw new ArgumentError(`padSequences: ${name} must be an integer of at least ${least}, got ${number}`);
  const length = Math.ceil(wanted / multipleOf) * multipleOf;
  const count = sequences.length;
  const tokens = new Int32Array(count * length).fill(value);
  const mask = new Uint8Array(count * length);
  const lengths = Int32Array.from(sequences, (sequence, row) => {
    const kept = Math.min(sequence.length, length);
    const from = truncate === "start" ? sequence.length - kept : 0;
    const to = row * length + (side === "start" ? length - kept : 0);
    for (let i = 0; i < kept; i++) tokens[to + i] = sequence[from + i]!;
    mask.fill(1, to, to + kept);
    return kept;
  });
  return {
    tokens: { dtype: "i32", shape: [count, length], data: tokens },
    mask: { dtype: "bool", shape: [count, length], data: mask },
    lengths: { dtype: "i32", shape: [count], data: lengths },
  };
}

export interface BucketOptions {
  readonly batchSize: number;
  /** A key or a seed: another order for each. None: batches from short to long. */
  readonly key?: RandomKey | number;
  /** Batches whose sequences are sorted together; default 50. More: less padding, less chance. */
  readonly pool?: number;
}

/**
 * Batches of sequences that are about as long as each other, so that little is padding: what falls into a pool of `pool` batches by
 * chance is sorted by length and cut, and the batches come in random order.
 *
 * @param lengths of all sequences
 * @returns indices of the sequences of each batch; each index once
 * @throws ArgumentError for a batch size or pool that is no positive integer
 * @example bucketBatches([9, 2, 8, 1], { batchSize: 2 }).map((batch) => [...batch]) // [[3, 1], [2, 0]]
 */
export function bucketBatches(lengths: ArrayLike<number>, options: BucketOptions): Uint32Array[] {
  checkOptions("bucketBatches", options, ["batchSize", "key", "pool"]);
  const { batchSize, key, pool = 50 } = options;
  for (const [name, value] of Object.entries({ batchSize, pool }))
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError(`bucketBatches: ${name} must be a positive integer, got ${value}`);
  const root = key === undefined ? undefined : toRandomKey(key);
  const count = lengths.length;
  const order =
    root === undefined ? Uint32Array.from({ length: count }, (_, i) => i) : permutation(fold(root, 0), count);
  const poolSize = root === undefined ? count : pool * batchSize;
  const batches: Uint32Array[] = [];
  for (let start = 0; start < count; start += poolSize) {
    const sorted = order.slice(start, start + poolSize).sort((a, b) => lengths[a]! - lengths[b]!);
    for (let at = 0; at < sorted.length; at += batchSize) batches.push(sorted.slice(at, at + batchSize));
  }
  if (root === undefined) return batches;
  return Array.from(permutation(fold(root, 1), batches.length), (at) => batches[at]!);
}
