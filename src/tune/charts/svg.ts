/** Specifications as pictures. */
import { svgOfSpec } from "../../report/vega-svg.ts";
import type { ChartSpec } from "./specs.ts";

/** Colours of what is not data, for a light and a dark ground. */
const grounds = {
  light: { background: "white", ink: "#333", grid: "#ddd" },
  dark: { background: "#1b1b1f", ink: "#ddd", grid: "#444" },
};

/**
 * A Vega-Lite specification as SVG text. It needs the packages `vega` and `vega-lite`; nothing is loaded from the network.
 *
 * @param options.theme `light` unless told otherwise
 * @throws PlatformError saying what to install, where they are missing
 * @example
 * const search = await study({ space: space({ x: uniform(0, 1) }) });
 * await search.optimize(({ x }) => x, { trials: 5 });
 * (await chartSvg(historyChart(search))).slice(0, 4); // "<svg"
 */
export async function chartSvg(
  spec: ChartSpec,
  options: { readonly theme?: "light" | "dark" } = {},
): Promise<string> {
  const { background, ink, grid } = grounds[options.theme ?? "light"];
  const text = { labelColor: ink, titleColor: ink };
  const config = {
    ...{ background, title: { color: ink, anchor: "start" }, text: { color: ink }, view: { stroke: null } },
    axis: { ...text, gridColor: grid, domainColor: ink, tickColor: ink },
    legend: text,
  };
  return svgOfSpec(spec, config);
}
