/** What it costs that a matrix read in place does not stay in the caches between the tiles that read it. */
import { bytesOf } from "../../base/dtype.ts";
import { maxOf } from "../../base/size.ts";
import type { TargetDescription } from "../../ir/target.ts";
import type { Side } from "./problem.ts";

const lineBytes = 64;
const ways = 8;

/**
 * Cycles that one pass down the depth of a side waits for memory, when another tile passed there before. Each step in
 * depth touches a line, or two where it straddles; strides by powers of two use few of a cache's sets, so fewer lines
 * stay; and the side shares the cache with everything else.
 */
export function cachePenalty(side: Side, depth: number, { cacheBytes }: TargetDescription): number {
  const stride = Math.abs(maxOf(side.depthStrides.at(-1) ?? 0)) * bytesOf(side.buffer.dtype);
  if (stride < lineBytes) return 0;
  const lines = depth * (stride % lineBytes === 0 ? 1 : 1.5);
  const misses = (bytes: number): boolean =>
    lines > share * ways * setsTouched(stride, bytes / (ways * lineBytes));
  if (misses(cacheBytes.l2)) return depth * secondMiss;
  return misses(cacheBytes.l1) ? depth * firstMiss : 0;
}

/**
 * Rows of a side that may be read side by side: each keeps a line of the first cache for as many steps as it has elements, and
 * rows a power of two apart share few of its sets.
 */
export function rowsInPlace(side: Side, { cacheBytes }: TargetDescription): number {
  const bytes = bytesOf(side.buffer.dtype);
  const stride = Math.abs(maxOf(side.ownStrides.at(-1) ?? 0)) * bytes;
  const isAlong = Math.abs(maxOf(side.depthStrides.at(-1) ?? 0)) * bytes < lineBytes;
  if (!isAlong || stride < lineBytes || side.ownStrides.length > 1) return Infinity;
  const fitting = (ways - 2) * setsTouched(stride, cacheBytes.l1 / (ways * lineBytes));
  return Math.max(1, Math.min(fitting, rowStreams));
}

/** Rows that a processor follows well where each is a stream of memory. */
const rowStreams = 12;

/** Of a cache, what one side may count on. */
const share = 0.6;

/** Cycles for one line from the second cache, and from beyond: most of the waiting is hidden. */
const firstMiss = 0.5;
const secondMiss = 4;

/** Of `sets` sets, those that addresses `stride` bytes apart fall into. */
function setsTouched(stride: number, sets: number): number {
  const period = sets * lineBytes;
  return Math.min(sets, period / greatestCommonDivisor(Math.round(stride), period));
}

const greatestCommonDivisor = (a: number, b: number): number =>
  b === 0 ? a : greatestCommonDivisor(b, a % b);
