/** Specifications of Vega-Lite as pictures: what draws every chart. */
import { optionalPackage } from "../base/optional.ts";

/**
 * A specification as SVG text. Nothing is loaded from anywhere.
 *
 * @throws PlatformError saying what to install, where `vega` or `vega-lite` is missing
 */
export async function svgOfSpec(spec: object, config?: object): Promise<string> {
  const purpose = "drawing charts";
  const [vega, lite] = await Promise.all([
    optionalPackage("vega", purpose, () => import("vega")),
    optionalPackage("vega-lite", purpose, () => import("vega-lite")),
  ]);
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
