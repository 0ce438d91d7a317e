/**
 * The order of a contraction's sums (part of the arithmetic, not of a target): one chain of multiply-adds in rising k up
 * to 4,096; beyond, k is cut into equal slices by its size alone, each a chain from zero, and the slices' sums are added
 * in order.
 */
import { maxOf, type Size } from "../../base/size.ts";

export const longestChain = 4096;

/** Whether the depth is, or may be, longer than one chain. */
export const isCut = (depth: Size): boolean => maxOf(depth) > longestChain;

export interface Slices {
  /** Slices of `length`; then one of `rest`, if that is not 0. */
  readonly full: number;
  readonly length: number;
  readonly rest: number;
}

export function slicesOf(depth: number): Slices {
  if (depth <= longestChain) return { full: 1, length: depth, rest: 0 };
  const length = Math.ceil(depth / Math.ceil(depth / longestChain));
  const full = Math.floor(depth / length);
  return { full, length, rest: depth - full * length };
}
