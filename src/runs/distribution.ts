/** Histograms of weights and gradients. */
import { type DType, decode } from "../base/dtype.ts";
import type { HostArray } from "../base/host-array.ts";
import type { Distribution } from "./layout.ts";

const binCount = 32;

/**
 * Counts in 32 bins of equal width, and moments, in double precision. Numbers that are not finite are counted apart.
 *
 * @example
 * const { low, high, mean } = distributionOf([0, 1, 2, 3]);
 * [low, high, mean]; // [0, 3, 1.5]
 */
export function distributionOf(values: ArrayLike<number>): Distribution {
  let [low, high, sum, squares, finite] = [Infinity, -Infinity, 0, 0, 0];
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isFinite(value)) continue;
    if (value < low) low = value;
    if (value > high) high = value;
    sum += value;
    squares += value * value;
    finite++;
  }
  const mean = finite === 0 ? 0 : sum / finite;
  return {
    ...(finite === 0 ? { low: 0, high: 0 } : { low, high }),
    counts: countsOf(values, low, high),
    mean,
    deviation: finite === 0 ? 0 : Math.sqrt(meanSquareFrom(values, mean, finite)),
    norm: Math.sqrt(squares),
    notFinite: values.length - finite,
  };
}

/** The same of a tensor's stored numbers. */
export const distributionOfArray = ({ dtype, data }: HostArray): Distribution =>
  distributionOf(isStoredAsNumbers(dtype) ? (data as ArrayLike<number>) : decode(dtype, data as never));

const isStoredAsNumbers = (dtype: DType): boolean => dtype !== "f16" && dtype !== "bf16";

/** Around the mean: squares of large numbers would lose a small spread. */
function meanSquareFrom(values: ArrayLike<number>, mean: number, finite: number): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (Number.isFinite(value)) sum += (value - mean) ** 2;
  }
  return sum / finite;
}

function countsOf(values: ArrayLike<number>, low: number, high: number): number[] {
  const counts = new Array<number>(binCount).fill(0);
  const scale = high > low ? binCount / (high - low) : 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (Number.isFinite(value)) counts[Math.min(binCount - 1, Math.floor((value - low) * scale))]!++;
  }
  return counts;
}
