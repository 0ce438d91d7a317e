/** Charts as data: what is shown, not how. `renderSvg` and `renderPng` draw them for a page, `drawChart` for a terminal. */
import { ShapeError } from "../base/errors.ts";

export interface Series {
  readonly name: string;
  readonly x: readonly number[];
  /** As many. Points that are not finite are left out. */
  readonly y: readonly number[];
  /** `faint` lies behind the others, in grey; `dashed` is a second kind of the same thing. */
  readonly style?: "faint" | "dashed";
}

interface Titled {
  readonly title: string;
  /** What the axes mean. */
  readonly x: string;
  readonly y: string;
}

export interface LineChart extends Titled {
  readonly kind: "line";
  readonly series: readonly Series[];
  /** Equal ratios get equal distances, where all values are above 0. */
  readonly logY?: boolean;
  /** Limits of the axes; those of the data unless told otherwise. */
  readonly xLimits?: readonly [number, number];
  readonly yLimits?: readonly [number, number];
  /** A line where both axes are equal: what chance, or a calibrated model, gives. */
  readonly diagonal?: boolean;
  /** Marks the points themselves. */
  readonly points?: boolean;
}

export interface Bar {
  readonly name: string;
  readonly value: number;
}
export interface BarChart extends Titled {
  readonly kind: "bar";
  readonly bars: readonly Bar[];
}

export interface HistogramChart extends Titled {
  readonly kind: "histogram";
  /** Of the first bin's left and the last bin's right edge; bins are equally wide. */
  readonly low: number;
  readonly high: number;
  readonly counts: readonly number[];
}

export interface HeatmapChart extends Titled {
  readonly kind: "heatmap";
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** A row of numbers for each of `rows`. */
  readonly values: readonly (readonly number[])[];
  /** Each row's colours are shares of the row's sum rather than of the largest value. */
  readonly rowShares?: boolean;
}

export interface ScatterChart extends Titled {
  readonly kind: "scatter";
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly diagonal?: boolean;
}

export type Chart = LineChart | BarChart | HistogramChart | HeatmapChart | ScatterChart;

/**
 * Curves, each through its points in the order in which they stand.
 *
 * @throws ShapeError when a series has not as many x as y
 * @example lineChart({ title: "Loss", x: "epoch", y: "loss", series: [{ name: "train", x: [1, 2], y: [0.9, 0.5] }] }).kind // "line"
 */
export function lineChart(content: Omit<LineChart, "kind">): LineChart {
  for (const { name, x, y } of content.series)
    if (x.length !== y.length)
      throw new ShapeError(`lineChart: series "${name}" has ${x.length} x and ${y.length} y; give as many`);
  return { kind: "line", ...content };
}

/** A bar a name. @example barChart({ title: "Time", x: "ms", y: "part", bars: [{ name: "data", value: 2 }] }).kind // "bar" */
export const barChart = (content: Omit<BarChart, "kind">): BarChart => ({ kind: "bar", ...content });

/**
 * Counts in bins of equal width, such as `distributionOf` gives.
 *
 * @example histogramChart({ title: "Weights", x: "value", y: "count", low: -1, high: 1, counts: [1, 4, 2] }).kind // "histogram"
 */
export const histogramChart = (content: Omit<HistogramChart, "kind">): HistogramChart => ({
  kind: "histogram",
  ...content,
});

/**
 * Numbers of pairs, such as a confusion matrix.
 *
 * @throws ShapeError when the values are not a row of columns for each row
 * @example
 * const values = confusionMatrix([0, 1, 1], [0, 1, 0]).toArray();
 * const names = ["cat", "dog"];
 * heatmapChart({ title: "Confusion", x: "predicted", y: "actual", rows: names, columns: names, values }).kind; // "heatmap"
 */
export function heatmapChart(content: Omit<HeatmapChart, "kind">): HeatmapChart {
  const { rows, columns, values } = content;
  if (values.length !== rows.length || values.some((row) => row.length !== columns.length))
    throw new ShapeError(
      `heatmapChart: give ${rows.length} rows of ${columns.length} values, one for each name`,
    );
  return { kind: "heatmap", ...content };
}

/**
 * A confusion matrix: a row for each actual class, its cells coloured by their share of the row. With `mistakesOnly` what is right is left
 * out, and colours are shares of the most frequent mistake.
 *
 * @param content.counts as `confusionMatrix(…).toArray()` gives them
 * @throws ShapeError when there is not a row and a column for each name
 * @example confusionChart({ names: ["cat", "dog"], counts: [[9, 1], [3, 12]], mistakesOnly: true }).values // [[0, 1], [3, 0]]
 */
export function confusionChart(content: {
  readonly title?: string;
  readonly names: readonly string[];
  readonly counts: readonly (readonly number[])[];
  readonly mistakesOnly?: boolean;
}): HeatmapChart {
  const { names, counts, mistakesOnly = false, title = "Confusion matrix" } = content;
  const values = mistakesOnly ? counts.map((row, i) => row.map((count, j) => (i === j ? 0 : count))) : counts;
  const words = { title, x: "predicted", y: "actual", rows: names, columns: names };
  return heatmapChart({ ...words, values, ...(mistakesOnly ? {} : { rowShares: true }) });
}

/** Points. @example scatterChart({ title: "Answers", x: "actual", y: "predicted", points: [[1, 1.2]] }).kind // "scatter" */
export const scatterChart = (content: Omit<ScatterChart, "kind">): ScatterChart => ({
  kind: "scatter",
  ...content,
});
