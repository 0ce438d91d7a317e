/** Outliers: bounds learnt from a column, and values brought back to them. */
import { numberColumn, numbersOf } from "../column.ts";
import { mean, median, quantileOfSorted, sorted, variance } from "../statistics.ts";
import {
  type ColumnStep,
  checkChoice,
  checkNumber,
  columnStep,
  type Operation,
  refuse,
} from "./operation.ts";
import { presentNumbers } from "./scale.ts";

const methods = ["iqr", "zScore", "robustZ", "quantile"] as const;
export type OutlierMethod = (typeof methods)[number];

export interface OutlierOptions {
  /**
   * Where outliers begin: beyond the quartiles by `threshold` (1.5) times their distance (Tukey); more than `threshold` (3)
   * standard deviations from the mean; more than `threshold` (3.5) of the median's scaled absolute deviations, MAD / 0.6745,
   * from the median (Iglewicz and Hoaglin 1993); or outside the quantiles `threshold` (0.01) and 1 − threshold.
   */
  readonly method?: OutlierMethod;
  readonly threshold?: number;
}

const usualThreshold: Readonly<Record<OutlierMethod, number>> = {
  iqr: 1.5,
  zScore: 3,
  robustZ: 3.5,
  quantile: 0.01,
};

export type CheckedOutlierOptions = Required<OutlierOptions>;

export function outlierOptions(what: string, options: OutlierOptions = {}): CheckedOutlierOptions {
  const { method = "iqr" } = options;
  checkChoice(what, "method", method, methods);
  const { threshold = usualThreshold[method] } = options;
  checkNumber(what, "threshold", threshold, { min: 0, max: method === "quantile" ? 0.5 : Number.MAX_VALUE });
  return { method, threshold };
}

/** Smallest and largest value that is no outlier. */
export function outlierBounds(
  present: Float64Array,
  { method, threshold }: CheckedOutlierOptions,
): readonly [low: number, high: number] {
  if (method === "zScore") {
    const [center, deviation] = [mean(present), Math.sqrt(variance(present, 0))];
    return [center - threshold * deviation, center + threshold * deviation];
  }
  if (method === "robustZ") {
    const center = median(present);
    const deviation = median(present.map((value) => Math.abs(value - center))) / normalQuartile;
    return [center - threshold * deviation, center + threshold * deviation];
  }
  const order = sorted(present);
  if (method === "quantile")
    return [quantileOfSorted(order, threshold), quantileOfSorted(order, 1 - threshold)];
  const [lower, upper] = [quantileOfSorted(order, 0.25), quantileOfSorted(order, 0.75)];
  return [lower - threshold * (upper - lower), upper + threshold * (upper - lower)];
}

/** The upper quartile of the standard normal distribution: what MAD is of normal values with deviation 1. */
const normalQuartile = 0.6744897501960817;

export const clipOperation: Operation<
  CheckedOutlierOptions,
  { readonly low: number; readonly high: number }
> = {
  name: "clipOutliers",
  kinds: ["number"],
  state: { low: "number", high: "number" },
  fit(column, options, { name }) {
    const [low, high] = outlierBounds(presentNumbers("clipOutliers", name, column), options);
    if (!Number.isFinite(high - low))
      throw refuse("clipOutliers", name, "has values too large to find bounds for");
    return { low, high };
  },
  apply(column, { low, high }) {
    const values = numbersOf(column);
    return [numberColumn(Float64Array.from(values, (x) => (x < low ? low : x > high ? high : x)))];
  },
  // What was cut off is gone: the clipped values themselves are the nearest to it.
  invert: ([column]) => column!,
  problem: ({ low, high }) => (low <= high ? undefined : "has bounds that do not ascend"),
};

/**
 * Brings values beyond bounds that are learnt from the training rows back to them. Missing values stay missing.
 *
 * @example
 * const t = table({ x: [1, 2, 3, 4, 1000] });
 * pipeline(clipOutliers({ method: "iqr" })).fit(t).transform(t).values("x"); // [1, 2, 3, 4, 7]
 */
export const clipOutliers = (options?: OutlierOptions): ColumnStep => {
  const checked = outlierOptions("clipOutliers", options);
  return columnStep(clipOperation, options, checked);
};
