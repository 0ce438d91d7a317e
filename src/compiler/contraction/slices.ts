/**
 * The order of a contraction's sums (part of the arithmetic, not of a target): one chain of multiply-adds in rising k up
 * to 4,096, where k counts the axes of the depth in row-major order; beyond, k is cut into equal slices by its sizes alone,
 * each a chain from zero, and the slices' sums are added in order. Of several axes one is cut: the first whose inner axes are
 * at most one chain; each index of those before it has slices of its own.
 */
import { maxElementCount, type Shape } from "../../base/shape.ts";

export const longestChain = 4096;

export interface Slices {
  /** Slices of `length`; then one of `rest`, if that is not 0. */
  readonly full: number;
  readonly length: number;
  readonly rest: number;
}

/** Equal slices of at most `longest`. */
export function slicesOf(depth: number, longest = longestChain): Slices {
  if (depth <= longest) return { full: 1, length: depth, rest: 0 };
  const length = Math.ceil(depth / Math.ceil(depth / longest));
  const full = Math.floor(depth / length);
  return { full, length, rest: depth - full * length };
}

/** The axis of the depth that is cut, and the longest piece of it that is one chain; undefined where all is one chain. */
export function cutOf(depth: Shape): { readonly axis: number; readonly longest: number } | undefined {
  if (maxElementCount(depth) <= longestChain) return undefined;
  const axis = depth.findIndex((_, i) => maxElementCount(depth.slice(i + 1)) <= longestChain);
  return { axis, longest: Math.floor(longestChain / maxElementCount(depth.slice(axis + 1))) };
}
