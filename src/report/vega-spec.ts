/** Charts in the words of Vega-Lite. */
import type {
  BarChart,
  Chart,
  HeatmapChart,
  HistogramChart,
  LineChart,
  ScatterChart,
  Series,
} from "./chart.ts";
import type { Palette } from "./palette.ts";

export interface ChartSize {
  /** Of the whole drawing, labels included. */
  readonly width: number;
  readonly height: number;
}

type Spec = Readonly<Record<string, unknown>>;

/** A specification without a title: pages and files have their own. */
export function vegaSpec(chart: Chart, palette: Palette, size: ChartSize): Spec {
  return {
    ...size,
    autosize: { type: "fit", contains: "padding" },
    background: null,
    padding: 4,
    config: configOf(palette),
    ...bodyOf(chart, palette),
  };
}

function bodyOf(chart: Chart, palette: Palette): Spec {
  switch (chart.kind) {
    case "line":
      return lineBody(chart, palette);
    case "bar":
      return barBody(chart, palette);
    case "histogram":
      return histogramBody(chart, palette);
    case "heatmap":
      return heatmapBody(chart, palette);
    case "scatter":
      return scatterBody(chart, palette);
  }
}

const font = "system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, sans-serif";

/** Descriptions for screen readers stand on the picture as a whole: its table tells the numbers. */
const configOf = ({ ink, muted, grid }: Palette): Spec => ({
  aria: false,
  font,
  view: { stroke: null },
  axis: {
    ...{ labelColor: muted, titleColor: muted, gridColor: grid, domainColor: grid, tickColor: grid },
    ...{ labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", labelPadding: 5, titlePadding: 8 },
    ...{ tickSize: 4, labelOverlap: "greedy" },
  },
  axisY: { domain: false, ticks: false },
  legend: {
    ...{ labelColor: ink, titleColor: muted, labelFontSize: 12, symbolStrokeWidth: 3, symbolType: "stroke" },
    ...{
      orient: "top",
      direction: "horizontal",
      title: null,
      columns: 4,
      padding: 0,
      offset: 8,
      labelLimit: 0, // none: widths are guessed where there is no canvas
    },
  },
});

const quantitative = (field: string, title: string, rest: Spec = {}): Spec => ({
  ...{ field, title, type: "quantitative" },
  ...rest,
});

/** A line from corner to corner, behind the data. */
const diagonalLayer = (low: number, high: number, { muted }: Palette): Spec => ({
  data: {
    values: [
      { x: low, y: low },
      { x: high, y: high },
    ],
  },
  mark: { type: "line", stroke: muted, strokeDash: [4, 4], strokeWidth: 1 },
  encoding: { x: quantitative("x", ""), y: quantitative("y", "") },
});

function lineBody(chart: LineChart, palette: Palette): Spec {
  const { series, diagonal, xLimits } = chart;
  const faint = series.filter(({ style }) => style === "faint");
  const clear = series.filter(({ style }) => style !== "faint");
  // What is faint lies behind.
  const layers = [
    ...(diagonal ? [diagonalLayer(...(xLimits ?? extentOf(series)), palette)] : []),
    ...(faint.length > 0 ? [linesLayer(chart, faint, { palette, isFaint: true })] : []),
    linesLayer(chart, clear, { palette, isFaint: false }),
  ];
  return { layer: layers };
}

/** From the smallest to the largest x. */
function extentOf(series: readonly Series[]): [number, number] {
  const xs = series.flatMap(({ x }) => x.filter(Number.isFinite));
  return xs.length === 0 ? [0, 1] : [Math.min(...xs), Math.max(...xs)];
}

interface LineLook {
  readonly palette: Palette;
  readonly isFaint: boolean;
}

function linesLayer(chart: LineChart, series: readonly Series[], { palette, isFaint }: LineLook): Spec {
  const { x, y, xLimits, yLimits, points } = chart;
  const values = series.flatMap(({ name, x: xs, y: ys }) =>
    xs.flatMap((at, i) =>
      Number.isFinite(at) && Number.isFinite(ys[i]) ? [{ x: at, y: ys[i]!, series: name, place: i }] : [],
    ),
  );
  const names = chart.series.map(({ name }) => name);
  const all = chart.series.flatMap(({ y: ys }) => ys.filter(Number.isFinite));
  const isLog = chart.logY === true && all.every((value) => value > 0);
  const each = (range: readonly unknown[]): Spec => ({
    ...{ field: "series", type: "nominal", title: null },
    scale: { type: "ordinal", domain: names, range },
    legend: names.length > 1 ? { columns: legendColumns(names) } : null,
  });
  const solid = chart.series.filter(({ style }) => style !== "faint");
  const colors = chart.series.map((one) =>
    one.style === "faint" ? palette.muted : palette.series[solid.indexOf(one) % palette.series.length],
  );
  const opacities = chart.series.map(({ style }) => (style === "faint" ? 0.55 : 1));
  const dashes = chart.series.map(({ style }) => (style === "dashed" ? [5, 4] : [1, 0]));
  return {
    data: { values },
    mark: {
      ...{ type: "line", strokeCap: "round", strokeJoin: "round", clip: !areWithin(values, chart) },
      strokeWidth: isFaint ? 1.25 : 2,
      point: points && !isFaint ? { size: 36, filled: true } : false,
    },
    encoding: {
      x: quantitative("x", x, {
        scale: { zero: false, nice: false, ...(xLimits ? { domain: xLimits } : {}) },
        axis: {
          tickCount: 6,
          grid: false,
          format: formatOf(values.map((point) => point.x)),
          ...wholeTicks(chart),
        },
      }),
      y: quantitative("y", y, {
        scale: isLog
          ? { type: "log", nice: false }
          : { zero: false, padding: 6, ...(yLimits ? { domain: yLimits, padding: 0 } : {}) },
        axis: { tickCount: 5, format: formatOf(all), ...(isLog ? { values: logTicks(all) } : {}) },
      }),
      color: each(colors),
      strokeDash: each(dashes),
      opacity: each(opacities),
      // As it was given: without it points are joined from left to right.
      order: { field: "place", type: "quantitative" },
    },
  };
}

/** Then nothing need be cut off at the edges, where half of a point's mark would be. */
const areWithin = (points: readonly { x: number; y: number }[], { xLimits, yLimits }: LineChart): boolean => {
  const isWithin = (value: number, [low, high]: readonly [number, number] = [value, value]) =>
    value >= low && value <= high;
  return points.every(({ x, y }) => isWithin(x, xLimits) && isWithin(y, yLimits));
};

/** How ticks are written: whole digits in the usual range, thousands apart from 10,000 on; powers of ten where numbers are tiny or huge. */
function formatOf(values: readonly number[]): string {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (largest === 0 || (largest >= 1e-3 && largest < 1e4)) return "~r"; // years are among them
  if (largest >= 1e4 && largest < 1e5) return ",~r";
  return largest < 1e-3 ? "~e" : "~s";
}

/** As many names side by side as there is room for. */
function legendColumns(names: readonly string[]): number {
  const width = longest(names);
  return width <= 3 ? 6 : width <= 8 ? 4 : width <= 12 ? 3 : width <= 24 ? 2 : 1;
}

/** Where the clear curves stand at a few whole numbers, such as epochs, there are ticks at no others. */
function wholeTicks({ series }: LineChart): Spec {
  const xs = series.filter(({ style }) => style !== "faint").flatMap(({ x }) => x);
  return xs.length > 0 && xs.every(Number.isInteger) ? { tickMinStep: 1 } : {};
}

/** 1, 2 and 5 of each power of ten within the values; powers alone where those are many. */
function logTicks(values: readonly number[]): number[] {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const from = Math.floor(Math.log10(low));
  const powers = Array.from({ length: Math.ceil(Math.log10(high)) - from + 1 }, (_, i) => from + i);
  const within = (steps: readonly number[]): number[] =>
    powers.flatMap((power) =>
      steps.map((step) => Number(`${step}e${power}`)).filter((at) => at >= low && at <= high),
    );
  const fine = within([1, 2, 5]);
  if (fine.length <= 7) return fine.length >= 2 ? fine : within([1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9]);
  return within([1]);
}

function barBody({ x, y, bars }: BarChart, { series, ink }: Palette): Spec {
  const values = bars.map(({ name, value }) => ({ name, value, label: shortNumber(value) }));
  const lowest = Math.min(...bars.map(({ value }) => value));
  const encoding = {
    y: { field: "name", type: "nominal", title: y === "" ? null : y, sort: null, axis: { labelLimit: 260 } },
    x: quantitative("value", x, {
      axis: { tickCount: 5 },
      // Room for the number of the longest bar to the left.
      ...(lowest < 0 ? { scale: { domainMin: 1.3 * lowest, nice: false } } : {}),
    }),
  };
  // Beside the bar's end, on the side that it points to.
  const labels = (side: "left" | "right"): Spec => ({
    transform: [{ filter: side === "left" ? "datum.value < 0" : "datum.value >= 0" }],
    mark: {
      ...{ type: "text", color: ink, fontSize: 12 },
      ...(side === "left" ? { align: "right", dx: -5 } : { align: "left", dx: 5 }),
    },
    encoding: { text: { field: "label" } },
  });
  const sides = [
    ...(lowest < 0 ? [labels("left")] : []),
    ...(bars.some(({ value }) => value >= 0) ? [labels("right")] : []),
  ];
  return {
    data: { values },
    encoding,
    layer: [{ mark: { type: "bar", color: series[0], cornerRadiusEnd: 3, height: { band: 0.7 } } }, ...sides],
  };
}

function histogramBody({ x, y, low, high, counts }: HistogramChart, { series }: Palette): Spec {
  // All numbers equal: one bin around them.
  const [from, to] = high > low ? [low, high] : [low - 0.5, low + 0.5];
  const width = (to - from) / counts.length;
  const values = counts.map((count, i) => ({ from: from + i * width, to: from + (i + 1) * width, count }));
  return {
    data: { values },
    mark: { type: "bar", color: series[0], binSpacing: 0.5 },
    encoding: {
      x: quantitative("from", x, {
        bin: { binned: true },
        axis: { tickCount: 5, grid: false, format: "~g" },
      }),
      x2: { field: "to" },
      y: quantitative("count", y, { axis: { tickCount: 4, format: "~s" } }),
    },
  };
}

/** More cells than this have no room for their numbers. */
const labelledColumns = 12;

function heatmapBody({ x, y, rows, columns, values, rowShares }: HeatmapChart, palette: Palette): Spec {
  const largest = Math.max(1e-300, ...values.flat());
  const cells = values.flatMap((row, i) => {
    const whole = rowShares
      ? Math.max(
          1e-300,
          row.reduce((sum, value) => sum + value, 0),
        )
      : largest;
    return row.map((value, j) => ({
      row: i,
      column: j,
      share: value / whole,
      label: value === 0 ? "" : shortNumber(value),
    }));
  });
  const labels = (field: string, names: readonly string[], title: string, rest: Spec = {}): Spec => ({
    ...{ field, type: "ordinal", title },
    axis: {
      ...{
        labelExpr: `${JSON.stringify(names)}[datum.value]`,
        domain: false,
        ticks: false,
        labelLimit: 160,
        labelAngle: 0,
      },
      ...rest,
    },
  });
  const isLabelled = columns.length <= labelledColumns;
  const text = {
    mark: { type: "text", fontSize: 11 },
    encoding: {
      text: { field: "label" },
      color: { condition: { test: "datum.share > 0.5", value: palette.paper }, value: palette.ink },
    },
  };
  return {
    data: { values: cells },
    encoding: {
      x: labels("column", columns, x, { ...slantOf(columns), ...someOf(columns) }),
      y: labels("row", rows, y),
    },
    layer: [
      {
        mark: {
          type: "rect",
          fill: palette.series[0],
          stroke: palette.grid,
          strokeWidth: 0.5,
          cornerRadius: 2,
        },
        encoding: {
          fillOpacity: {
            field: "share",
            type: "quantitative",
            scale: { domain: [0, 1], range: [0, 1] },
            legend: null,
          },
        },
      },
      ...(isLabelled ? [text] : []),
    ],
  };
}

/** Long names of many columns are slanted; then each finds room, up to so many. */
const slantOf = (columns: readonly string[]): Spec =>
  columns.length > 6 && longest(columns) > 3
    ? { labelAngle: -45, ...(columns.length <= 30 ? { labelOverlap: false } : {}) }
    : {};

/** Of many numbered columns those of round numbers are named: each fifth, each tenth … */
function someOf(columns: readonly string[]): Spec {
  if (columns.length <= 20 || !columns.every((name) => Number.isInteger(Number(name)))) return {};
  const step = [5, 10, 20, 50].find((size) => columns.length / size <= 10) ?? 100;
  return { values: columns.flatMap((name, i) => (Number(name) % step === 0 ? [i] : [])) };
}

const longest = (names: readonly string[]): number => Math.max(...names.map((name) => name.length));

function scatterBody({ x, y, points, diagonal }: ScatterChart, palette: Palette): Spec {
  const finite = points.filter(([a, b]) => Number.isFinite(a) && Number.isFinite(b));
  const all = finite.flat();
  const marks = {
    data: { values: finite.map(([a, b]) => ({ x: a, y: b })) },
    mark: { type: "circle", color: palette.series[0], size: 28, opacity: 0.6 },
    encoding: {
      x: quantitative("x", x, { scale: { zero: false }, axis: { tickCount: 6 } }),
      y: quantitative("y", y, { scale: { zero: false }, axis: { tickCount: 5 } }),
    },
  };
  if (!diagonal || all.length === 0) return marks;
  return { layer: [diagonalLayer(Math.min(...all), Math.max(...all), palette), marks] };
}

/** Three digits; thousands with a k. */
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 10_000 && size < 1e15) {
    const power = Math.floor(Math.log10(size) / 3);
    return `${Number((value / 1000 ** power).toPrecision(3))}${["", "k", "M", "G", "T"][power]}`;
  }
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
}
