/** What it costs that a matrix read in place does not stay in the caches between the tiles that read it. */
import { bytesOf } from "../../base/dtype.ts";
import { maxOf } from "../../base/size.ts";
import type { CacheShape, TargetDescription } from "../../ir/target.ts";
import type { Side } from "./problem.ts";

const lineBytes = 64;

/**
 * Cycles that one pass down the depth of a side waits for memory, when another tile passed there before. Each step in
 * depth touches a line, or two where it straddles; strides by powers of two use few of a cache's sets, so fewer lines
 * stay; and the side shares the cache with everything else.
 */
export function cachePenalty(
  side: Side,
  { depth, extent }: { readonly depth: number; readonly extent: number },
  { caches: { l1, l2 } }: TargetDescription,
): number {
  const stride = Math.abs(maxOf(side.depthStrides.at(-1) ?? 0)) * bytesOf(side.buffer.dtype);
  if (stride < lineBytes) return 0;
  const lines = depth * (stride % lineBytes === 0 ? 1 : 1.5);
  const misses = (cache: CacheShape): boolean => !holdsLines(cache, { count: lines, apart: stride });
  const isNear = depth * extent * bytesOf(side.buffer.dtype) <= l2.bytes;
  if (misses(l2)) return depth * (isNear ? nearMiss : secondMiss);
  return misses(l1) ? depth * firstMiss : 0;
}

/** Whether lines so many bytes apart stay in a cache together. */
export const holdsLines = (
  cache: CacheShape,
  { count, apart }: { readonly count: number; readonly apart: number },
): boolean => count <= share * cache.ways * setsTouched(apart, setsOf(cache));

/**
 * Rows of a side that may be read side by side: each keeps a line of the first cache for as many steps as it has elements, and
 * rows a power of two apart share few of its sets.
 */
export function rowsInPlace(side: Side, { caches: { l1 } }: TargetDescription): number {
  const bytes = bytesOf(side.buffer.dtype);
  const stride = Math.abs(maxOf(side.ownStrides.at(-1) ?? 0)) * bytes;
  const isAlong = Math.abs(maxOf(side.depthStrides.at(-1) ?? 0)) * bytes < lineBytes;
  if (!isAlong || stride < lineBytes || side.ownStrides.length > 1) return Infinity;
  const fitting = (l1.ways - 2) * setsTouched(stride, setsOf(l1));
  return Math.max(1, Math.min(fitting, rowStreams));
}

/** Rows that a processor follows well where each is a stream of memory. */
const rowStreams = 12;

/** Of a cache, what one side may count on. */
const share = 0.6;

/**
 * Cycles for one line from the second cache, from beyond it though the side is no larger (it lies in the last cache, and few lines
 * collide), and from farther: most of the waiting is hidden.
 */
const firstMiss = 0.5;
const nearMiss = 1.3;
const secondMiss = 4;

const setsOf = ({ bytes, ways }: CacheShape): number => bytes / (ways * lineBytes);

/** Of `sets` sets, those that addresses `stride` bytes apart fall into. */
function setsTouched(stride: number, sets: number): number {
  const period = sets * lineBytes;
  return Math.min(sets, period / greatestCommonDivisor(Math.round(stride), period));
}

const greatestCommonDivisor = (a: number, b: number): number =>
  b === 0 ? a : greatestCommonDivisor(b, a % b);
