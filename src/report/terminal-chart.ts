/** Charts in characters, for a terminal. */
import { BrailleCanvas } from "./braille.ts";
import type { BarChart, Chart, HeatmapChart, HistogramChart, LineChart, ScatterChart } from "./chart.ts";
import { shortNumber } from "./vega-spec.ts";

export interface ChartTextOptions {
  /** Characters of a line at most; 80 unless told otherwise. */
  readonly columns?: number;
  /** Lines of the drawing, without title and labels; 12 unless told otherwise. */
  readonly rows?: number;
  /** Colours by terminal escapes; false unless told otherwise. */
  readonly color?: boolean;
}

/**
 * A chart as lines of text: curves and points in dots of Braille, bars in blocks, pairs as a table.
 *
 * @example
 * const lines = drawChart(barChart({ title: "Time", x: "ms", y: "", bars: [{ name: "data", value: 2 }, { name: "step", value: 8 }] }), {
 *   columns: 24,
 * });
 * lines.join("/"); // "Time (ms)/data  ███▌ 2/step  ██████████████ 8"
 */
export function drawChart(chart: Chart, options: ChartTextOptions = {}): string[] {
  const { columns = 80, rows = 12, color = false } = options;
  const asked = { columns, rows, color };
  switch (chart.kind) {
    case "line":
      return drawLines(chart, asked);
    case "scatter":
      return drawScatter(chart, asked);
    case "bar":
      return drawBars(chart, asked);
    case "histogram":
      return drawHistogram(chart, asked);
    case "heatmap":
      return drawHeatmap(chart, asked);
  }
}

type Asked = Required<ChartTextOptions>;

/** Colours of the terminal's own palette: they suit its ground. */
const codes = [34, 33, 32, 35, 36, 31] as const;
const painted = (text: string, index: number): string => `\x1b[${codes[index % codes.length]}m${text}\x1b[0m`;

interface Frame {
  readonly xs: readonly [low: number, high: number];
  readonly ys: readonly [low: number, high: number];
  /** Of the labels left of the drawing. */
  readonly labelWidth: number;
  readonly canvas: BrailleCanvas;
}

function frameOf(
  points: readonly (readonly [number, number])[],
  { columns, rows }: Asked,
  isLog = false,
): Frame {
  const [xs, ys] = [limits(points.map(([x]) => x)), limits(points.map(([, y]) => y))];
  const shown = ys.map((value) => shortNumber(isLog ? 10 ** value : value).length);
  const labelWidth = Math.max(...shown);
  return { xs, ys, labelWidth, canvas: new BrailleCanvas(Math.max(8, columns - labelWidth - 2), rows) };
}

function limits(values: readonly number[]): [number, number] {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (low > high) return [0, 1];
  const room = Math.abs(low) / 2 || 0.5;
  return low === high ? [low - room, high + room] : [low, high];
}

/** Where a point lies on the canvas. */
function placed({ xs, ys, canvas }: Frame, [x, y]: readonly [number, number]): [number, number] {
  const across = Math.round(((x - xs[0]) / (xs[1] - xs[0])) * (2 * canvas.columns - 1));
  const down = Math.round(((ys[1] - y) / (ys[1] - ys[0])) * (4 * canvas.rows - 1));
  return [across, down];
}

/** The canvas with its axes: the largest and smallest value at the left, the ends of x below. */
function framed(frame: Frame, { title, x, y }: Chart, drawn: readonly string[], isLog = false): string[] {
  const { xs, ys, labelWidth, canvas } = frame;
  const value = (at: number): string => shortNumber(isLog ? 10 ** at : at);
  const labels = drawn.map((_, row) =>
    row === 0 ? value(ys[1]) : row === drawn.length - 1 ? value(ys[0]) : "",
  );
  const body = drawn.map((line, row) => `${labels[row]!.padStart(labelWidth)} ┤${line}`.trimEnd());
  const [left, right] = [shortNumber(xs[0]), shortNumber(xs[1])];
  const middle = x.padStart(Math.floor((canvas.columns + x.length) / 2) - left.length);
  const gap = canvas.columns - left.length - middle.length - right.length;
  const below = `${" ".repeat(labelWidth + 2)}${left}${middle}${" ".repeat(Math.max(1, gap))}${right}`;
  return [y === "" ? title : `${title} (${y}${isLog ? ", logarithmic" : ""})`, ...body, below];
}

function drawLines(whole: LineChart, asked: Asked): string[] {
  // Characters have no faint lines: what would lie behind is left out.
  const clear = whole.series.filter(({ style }) => style !== "faint");
  const chart = clear.length === 0 ? whole : { ...whole, series: clear };
  const isLog = chart.logY === true && chart.series.every(({ y }) => y.every((value) => value > 0));
  const series = chart.series.map(({ x, y }) =>
    x.flatMap((at, i) => {
      const value = isLog ? Math.log10(y[i]!) : y[i]!;
      return Number.isFinite(at) && Number.isFinite(value) ? [[at, value] as const] : [];
    }),
  );
  const frame = frameOf(series.flat(), asked, isLog);
  // The first is drawn last: it is what the chart is about.
  for (let index = series.length - 1; index >= 0; index--) {
    const places = series[index]!.map((point) => placed(frame, point));
    places.forEach(([x, y], i) => {
      const [fromX, fromY] = places[Math.max(0, i - 1)]!;
      frame.canvas.line(fromX, fromY, x, y, index);
    });
  }
  const lines = framed(frame, chart, frame.canvas.lines(asked.color ? painted : undefined), isLog);
  if (chart.series.length < 2) return lines;
  const legend = chart.series.map(({ name }, i) => (asked.color ? painted(`━ ${name}`, i) : name));
  return [...lines, `${" ".repeat(frame.labelWidth + 2)}${legend.join(asked.color ? "   " : ", ")}`];
}

function drawScatter(chart: ScatterChart, asked: Asked): string[] {
  const points = chart.points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
  const frame = frameOf(points, asked);
  for (const point of points) frame.canvas.dot(...placed(frame, point), 0);
  return framed(frame, chart, frame.canvas.lines(asked.color ? painted : undefined));
}

const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

function drawBars({ title, x, bars }: BarChart, { columns, color }: Asked): string[] {
  const names = Math.max(0, ...bars.map(({ name }) => name.length));
  const values = bars.map(({ value }) => shortNumber(value));
  const room = Math.max(4, columns - names - 4 - Math.max(0, ...values.map((text) => text.length)) - 1);
  const largest = Math.max(1e-300, ...bars.map(({ value }) => value));
  const rows = bars.map(({ name, value }, i) => {
    const length = Math.max(0, Math.round((value / largest) * room * 8));
    const bar = "█".repeat(Math.floor(length / 8)) + eighths[length % 8]!;
    return `${name.padEnd(names)}  ${color ? painted(bar, 0) : bar} ${values[i]}`;
  });
  return [x === "" ? title : `${title} (${x})`, ...rows];
}

const heights = " ▁▂▃▄▅▆▇█";

function drawHistogram(
  { title, x, low, high, counts }: HistogramChart,
  { columns, rows, color }: Asked,
): string[] {
  const largest = Math.max(1, ...counts);
  const width = Math.max(1, Math.floor(columns / Math.max(1, counts.length)));
  const lines = Array.from({ length: rows }, (_, row) => {
    const floor = rows - 1 - row;
    const cells = counts.map((count) => {
      // What is there at all shows.
      const height = count === 0 ? 0 : Math.max(1, Math.round((count / largest) * rows * 8));
      return heights[Math.min(8, Math.max(0, height - floor * 8))]!.repeat(width);
    });
    const line = cells.join("").trimEnd();
    return color ? painted(line, 0) : line;
  });
  const [left, right] = [shortNumber(low), shortNumber(high)];
  const gap = Math.max(1, width * counts.length - left.length - right.length);
  return [x === "" ? title : `${title} (${x})`, ...lines, `${left}${" ".repeat(gap)}${right}`];
}

/** Numbers in a table; in colour the ground tells their share. */
function drawHeatmap(chart: HeatmapChart, { color }: Asked): string[] {
  const { title, x, y, rows, columns, values, rowShares } = chart;
  const cells = values.map((row) => row.map(shortNumber));
  const width = Math.max(...[...columns, ...cells.flat()].map((text) => text.length));
  const names = Math.max(...rows.map((name) => name.length));
  const largest = Math.max(1e-300, ...values.flat());
  const lines = cells.map((row, i) => {
    const whole = rowShares
      ? Math.max(
          1e-300,
          values[i]!.reduce((sum, value) => sum + value, 0),
        )
      : largest;
    const shaded = row.map((text, j) => {
      const cell = ` ${text.padStart(width)} `;
      return color ? onGrey(cell, values[i]![j]! / whole) : cell;
    });
    return `${rows[i]!.padEnd(names)} ${shaded.join("")}`.trimEnd();
  });
  const head = columns.map((name) => ` ${name.padStart(width)} `).join("");
  return [`${title} (rows: ${y}, columns: ${x})`, `${" ".repeat(names)} ${head}`.trimEnd(), ...lines];
}

/** Light text on darker greys, dark text on lighter ones: 24 greys, 232 … 255 of the palette. */
function onGrey(text: string, share: number): string {
  const grey = 235 + Math.round(Math.min(1, Math.max(0, share)) * 17);
  return `\x1b[38;5;${grey > 244 ? 16 : 255};48;5;${grey}m${text}\x1b[0m`;
}
