/** Charts as pictures, drawn by Vega: vector graphics, and pixels where sharp is installed. */
import { optionalPackage } from "../base/optional.ts";
import type { Chart } from "./chart.ts";
import { palettes, type Theme } from "./palette.ts";
import { type ChartSize, vegaSpec } from "./vega-spec.ts";
import { svgOfSpec } from "./vega-svg.ts";

export interface RenderOptions extends Partial<ChartSize> {
  /**
   * `light` (the default) and `dark` are whole colours on an open ground; `page` names the colours (`var(--ink)` …), for a page that
   * gives them values.
   */
  readonly theme?: Theme;
}

/**
 * A chart as SVG text. It needs the packages `vega` and `vega-lite`.
 *
 * @throws PlatformError saying what to install, where they are missing
 * @example
 * const chart = lineChart({ title: "Loss", x: "epoch", y: "loss", series: [{ name: "train", x: [1, 2], y: [0.9, 0.5] }] });
 * (await renderSvg(chart, { theme: "dark" })).slice(0, 4); // "<svg"
 */
export async function renderSvg(chart: Chart, options: RenderOptions = {}): Promise<string> {
  const { theme = "light", width = 380, height = defaultHeight(chart) } = options;
  const drawn = await svgOfSpec(vegaSpec(chart, palettes[theme], { width, height }));
  return drawn.replace("<svg ", `<svg role="img" aria-label="${escaped(chart.title)}" `);
}

/**
 * A chart as the bytes of a PNG file, on the theme's ground. It needs `vega`, `vega-lite` and `sharp`.
 *
 * @param options.scale pixels for each unit of width; 2 unless told otherwise
 * @throws PlatformError saying what to install, where they are missing
 * @example
 * const chart = barChart({ title: "Time", x: "ms", y: "", bars: [{ name: "data", value: 2 }, { name: "compute", value: 7 }] });
 * const png = await renderPng(chart);
 * String.fromCharCode(...png.slice(1, 4)); // "PNG"
 */
export async function renderPng(
  chart: Chart,
  options: Omit<RenderOptions, "theme"> & { readonly theme?: "light" | "dark"; readonly scale?: number } = {},
): Promise<Uint8Array> {
  const { theme = "light", scale = 2 } = options;
  const svg = await renderSvg(chart, options);
  const { default: sharp } = await optionalPackage(
    "sharp",
    "making PNG pictures of charts",
    () => import("sharp"),
  );
  const picture = sharp(new TextEncoder().encode(svg), { density: 72 * scale });
  return picture.flatten({ background: palettes[theme].paper }).png().toBuffer();
}

/** Bars and rows of cells need room each. */
function defaultHeight(chart: Chart): number {
  if (chart.kind === "bar") return 60 + 28 * chart.bars.length;
  if (chart.kind === "heatmap") return Math.min(640, Math.max(220, 90 + 28 * chart.rows.length));
  return 260;
}

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]!);
