/** The picture of a run: how many times as fast as PyTorch each contender does each work, one thread each. */
import { parse, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import { type BenchRecord, measured } from "./record.ts";

export interface ChartRow {
  readonly id: string;
  readonly what: string;
}

interface Bar {
  readonly what: string;
  readonly contender: string;
  readonly times: number;
}

/** Who is drawn, in the order of the bars; the reference is the line at 1. */
const REFERENCE = "torch";
const COLOURS: ReadonlyMap<string, string> = new Map([
  ["netwright-x64", "#1f5fbf"],
  ["netwright", "#7fb2f0"],
  ["keras", "#e0a030"],
  ["onnx", "#9a6fb0"],
  ["tfjs", "#c05a4a"],
  ["jax-js", "#7a8a7a"],
]);

/** An SVG image. Contenders without a figure for a work have no bar there. */
export async function chartOf(
  record: BenchRecord,
  rows: readonly ChartRow[],
  titles: ReadonlyMap<string, string>,
): Promise<string> {
  const bars = rows.flatMap(({ id, what }) => barsOf(record, id, what, titles));
  const { spec } = compile(specification(bars, rows, titles));
  const svg = await new View(parse(spec), { renderer: "none" }).toSVG();
  return `${svg}\n`;
}

function barsOf(
  record: BenchRecord,
  id: string,
  what: string,
  titles: ReadonlyMap<string, string>,
): readonly Bar[] {
  const reference = measured(record, id, REFERENCE, 1);
  if (!reference) return [];
  return [...COLOURS.keys()].flatMap((key) => {
    const own = measured(record, id, key, 1);
    return own
      ? [{ what, contender: titles.get(key) ?? key, times: reference.seconds.median / own.seconds.median }]
      : [];
  });
}

/** Powers of two on a logarithmic axis: twice as fast and half as fast are equally far from the line at 1. */
function specification(
  bars: readonly Bar[],
  rows: readonly ChartRow[],
  titles: ReadonlyMap<string, string>,
): TopLevelSpec {
  const names = [...COLOURS.keys()].map((key) => titles.get(key) ?? key);
  return {
    background: "white",
    padding: 12,
    title: {
      text: `Times as fast as ${titles.get(REFERENCE)} (one thread each, logarithmic)`,
      anchor: "start",
      fontSize: 14,
    },
    data: { values: [...bars] },
    width: 560,
    height: { step: 9 },
    layer: [
      {
        mark: { type: "bar" },
        encoding: {
          y: {
            field: "what",
            type: "nominal",
            sort: rows.map(({ what }) => what),
            title: null,
            axis: { labelLimit: 0, labelFontSize: 12, domain: false, ticks: false },
          },
          yOffset: { field: "contender", sort: names },
          x: {
            field: "times",
            type: "quantitative",
            scale: { type: "log", base: 2 },
            axis: {
              title: null,
              labelExpr: "datum.value < 1 ? '1/' + 1 / datum.value : datum.value + '×'",
              gridOpacity: 0.4,
            },
          },
          x2: { datum: 1 },
          color: {
            field: "contender",
            type: "nominal",
            scale: { domain: names, range: [...COLOURS.values()] },
            legend: { title: null, orient: "bottom", columns: 3, labelFontSize: 12, labelLimit: 0 },
          },
        },
      },
      { mark: { type: "rule", color: "#333" }, encoding: { x: { datum: 1 } } },
    ],
    config: { view: { stroke: null }, font: "system-ui, sans-serif" },
  };
}
