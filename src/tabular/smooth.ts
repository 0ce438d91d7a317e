/** Noise taken out of a series of numbers: moving averages, medians, and fitted polynomials. Rows stand in the order of time. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { checkChoice, checkNumber } from "./pipeline/operation.ts";
import { mean, median, presentOf } from "./statistics.ts";

type Numbers = ArrayLike<number>;

/**
 * The mean of a window around each value, or of the values up to it with `center: false`. Windows are shorter at the ends; missing
 * values (NaN) count for nothing. As pandas' `rolling(window, min_periods=1).mean()`.
 *
 * @example movingAverage([1, 2, 6, 4], { window: 3 }) // [1.5, 3, 4, 5]
 */
export function movingAverage(
  values: Numbers,
  options: { readonly window: number; readonly center?: boolean },
): Float64Array {
  checkOptions("movingAverage", options, ["window", "center"]);
  const { window, center = true } = options;
  checkNumber("movingAverage", "window", window, { min: 1, isInteger: true });
  const all = Float64Array.from(values);
  const ahead = center ? Math.floor((window - 1) / 2) : 0;
  return all.map((_, i) => {
    const end = i + ahead + 1;
    return mean(presentOf(all.subarray(Math.max(0, end - window), Math.min(all.length, end))));
  });
}

const medianEdges = ["zero", "nearest"] as const;

/**
 * The median of a window of odd length around each value, which takes out single wrong values and keeps steps. Beyond the ends it
 * sees zeros, as `scipy.signal.medfilt`, or the end's own value ("nearest", as `scipy.ndimage.median_filter`).
 *
 * @example medianFilter([1, 1, 9, 1, 1], { window: 3 }) // [1, 1, 1, 1, 1]
 */
export function medianFilter(
  values: Numbers,
  options: { readonly window: number; readonly edges?: (typeof medianEdges)[number] },
): Float64Array {
  checkOptions("medianFilter", options, ["window", "edges"]);
  const { window, edges = "nearest" } = options;
  checkWindow("medianFilter", window);
  checkChoice("medianFilter", "edges", edges, medianEdges);
  const half = (window - 1) / 2;
  const at = edges === "zero" ? extended(values, "constant") : extended(values, "nearest");
  return Float64Array.from({ length: values.length }, (_, i) =>
    median(Float64Array.from({ length: window }, (_, j) => at(i + j - half))),
  );
}

const savgolEdges = ["interp", "mirror", "nearest", "constant", "wrap"] as const;
type Edges = (typeof savgolEdges)[number];

export interface SavitzkyGolayOptions {
  /** Values a polynomial is fitted to: an odd number. */
  readonly window: number;
  /** Of the polynomial: below the window. */
  readonly degree: number;
  /** Which derivative is taken: 0 smooths. */
  readonly derivative?: number;
  /** Between two values, for derivatives: 1. */
  readonly spacing?: number;
  /** What is seen beyond the ends: the polynomial of the last whole window is followed ("interp"), or values are made up. */
  readonly edges?: Edges;
}

/**
 * At each value, a polynomial fitted to the window around it by least squares (Savitzky and Golay 1964): noise goes, peaks keep their
 * height and width. As `scipy.signal.savgol_filter`.
 *
 * @throws ArgumentError when the window is not odd, longer than the series, or not longer than the degree
 * @example savitzkyGolay([1, 4, 9, 16, 25], { window: 5, degree: 2 }).map(Math.round) // [1, 4, 9, 16, 25]
 */
export function savitzkyGolay(values: Numbers, options: SavitzkyGolayOptions): Float64Array {
  checkOptions("savitzkyGolay", options, ["window", "degree", "derivative", "spacing", "edges"]);
  const { window, degree, derivative = 0, spacing = 1, edges = "interp" } = options;
  checkWindow("savitzkyGolay", window);
  checkNumber("savitzkyGolay", "degree", degree, { min: 0, max: window - 1, isInteger: true });
  checkNumber("savitzkyGolay", "derivative", derivative, { min: 0, isInteger: true });
  checkChoice("savitzkyGolay", "edges", edges, savgolEdges);
  const { length } = values;
  if (edges === "interp" && window > length) {
    throw new ArgumentError(
      `savitzkyGolay: the window of ${window} is longer than the ${length} values; shorten it, or choose other edges`,
    );
  }
  const half = (window - 1) / 2;
  const at = extended(values, edges);
  const weightsAt = (place: number): Float64Array =>
    Float64Array.from(
      { length: window },
      (_, j) => fitWeight(j - half, place, { half, degree, derivative }) / spacing ** derivative,
    );
  const middle = weightsAt(0);
  return Float64Array.from({ length }, (_, i) => {
    // Near the ends the polynomial of the last whole window is followed.
    const center = edges === "interp" ? Math.min(Math.max(i, half), length - 1 - half) : i;
    const weights = center === i ? middle : weightsAt(i - center);
    return weights.reduce((sum, weight, j) => sum + weight * at(center + j - half), 0);
  });
}

/**
 * How much the value at `position` counts for the polynomial's derivative at `place`, by Gram's polynomials, which are orthogonal
 * over −half … half (Gorry 1990).
 */
function fitWeight(
  position: number,
  place: number,
  { half, degree, derivative }: { half: number; degree: number; derivative: number },
): number {
  let sum = 0;
  for (let k = 0; k <= degree; k++) {
    const norm = ((2 * k + 1) * fallingFactorial(2 * half, k)) / fallingFactorial(2 * half + k + 1, k + 1);
    sum += norm * gram(position, half, k, 0) * gram(place, half, k, derivative);
  }
  return sum;
}

function fallingFactorial(value: number, factors: number): number {
  let product = 1;
  for (let i = 0; i < factors; i++) product *= value - i;
  return product;
}

/** The derivative of Gram's polynomial of degree k over −m … m at i, by its recurrence. */
function gram(i: number, m: number, k: number, derivative: number): number {
  // previous[s], current[s]: derivative s of degrees j − 1 and j.
  let previous = new Float64Array(derivative + 1);
  let current = new Float64Array(derivative + 1);
  current[0] = 1;
  for (let j = 1; j <= k; j++) {
    const next = new Float64Array(derivative + 1);
    const a = (4 * j - 2) / (j * (2 * m - j + 1));
    const b = ((j - 1) * (2 * m + j)) / (j * (2 * m - j + 1));
    for (let s = 0; s <= derivative; s++) {
      next[s] = a * (i * current[s]! + (s > 0 ? s * current[s - 1]! : 0)) - b * previous[s]!;
    }
    [previous, current] = [current, next];
  }
  return current[derivative]!;
}

/** A series that goes on beyond its ends. */
function extended(values: Numbers, edges: Edges): (i: number) => number {
  const { length } = values;
  const within = (i: number): number => ((i % length) + length) % length;
  return (i) => {
    if (i >= 0 && i < length) return values[i]!;
    if (edges === "constant") return 0;
    if (edges === "wrap") return values[within(i)]!;
    if (edges === "nearest") return values[i < 0 ? 0 : length - 1]!;
    if (length === 1) return values[0]!;
    // Mirrored at the end's own value: … 2 1 0 1 2 …
    const period = 2 * length - 2;
    const place = ((i % period) + period) % period;
    return values[place < length ? place : period - place]!;
  };
}

function checkWindow(what: string, window: number): void {
  if (Number.isInteger(window) && window >= 1 && window % 2 === 1) return;
  throw new ArgumentError(`${what}: window must be an odd whole number, got ${window}`);
}
