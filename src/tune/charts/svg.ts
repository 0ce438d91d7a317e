/** Specifications as pictures. */
import { optionalPackage } from "../../base/optional.ts";
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
  const purpose = "drawing charts";
  const [vega, lite] = await Promise.all([
    optionalPackage("vega", purpose, () => import("vega")),
    optionalPackage("vega-lite", purpose, () => import("vega-lite")),
  ]);
  const text = { labelColor: ink, titleColor: ink };
  const config = {
    ...{ background, title: { color: ink, anchor: "start" }, text: { color: ink }, view: { stroke: null } },
    axis: { ...text, gridColor: grid, domainColor: ink, tickColor: ink },
    legend: text,
  };
  const compiled = lite.compile(spec as never, { config: config as never, logger: vega.logger(vega.Error) });
  const view = new vega.View(vega.parse(compiled.spec), {
    ...{ renderer: "none", logLevel: vega.Error },
    loader: { load: () => Promise.reject(new Error("charts load nothing")) } as never,
  });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
