import { expect, test } from "vitest";
import { choice, integer, logUniform, uniform } from "../distribution.ts";
import { randomSearch } from "../samplers/random.ts";
import { space, when } from "../space.ts";
import { type Study, study } from "../study.ts";
import { contourChart, historyChart, importanceChart, parallelChart, sliceChart } from "./specs.ts";
import { chartSvg } from "./svg.ts";

async function searched(direction: "minimize" | "maximize"): Promise<Study<any>> {
  const search = await study({
    direction,
    name: "digits",
    sampler: randomSearch({ seed: 2 }),
    space: space({
      "model.rate": logUniform(1e-4, 1),
      layers: integer(1, 4),
      kind: choice("a", "b"),
      momentum: when("kind", "b", uniform(0, 1)),
    }),
  });
  await search.optimize(
    (parameters, { number }) => {
      if (number === 4) throw new Error("lost");
      return (Math.log10(parameters["model.rate"]) + 2) ** 2 + parameters.layers;
    },
    { trials: 20 },
  );
  return search;
}

test.each(["minimize", "maximize"] as const)("the charts of a study draw (%s)", async (direction) => {
  const search = await searched(direction);
  const charts = {
    history: historyChart(search),
    slice: sliceChart(search),
    contour: contourChart(search, "model.rate", "layers"),
    parallel: parallelChart(search),
    importance: importanceChart(search),
  };
  for (const [name, chart] of Object.entries(charts)) {
    const svg = await chartSvg(chart, { theme: direction === "minimize" ? "light" : "dark" });
    expect(svg).toContain("<svg");
    expect(svg, name).toContain("digits: ");
    expect(svg, name).not.toMatch(/NaN|undefined|Infinity/);
    if (name !== "history") expect(svg, name).toContain("model.rate");
  }
  const rows = (charts.history["data"] as { values: { value: number; best: number }[] }).values;
  expect(rows).toHaveLength(19);
  const values = rows.map(({ value }) => value);
  expect(rows.at(-1)!.best).toBe(direction === "minimize" ? Math.min(...values) : Math.max(...values));
  // One point a trial and panel, the conditional one for those that have it alone.
  const panels = charts.slice["hconcat"] as { data: { values: unknown[] } }[];
  expect(panels.map(({ data }) => data.values.length).slice(0, 3)).toEqual([19, 19, 19]);
  expect(panels[3]!.data.values.length).toBeLessThan(19);
});

test("what cannot be drawn says why", async () => {
  const search = await searched("minimize");
  expect(() => contourChart(search, "layers", "kind")).toThrow('"kind" is a choice, which has no order');
  expect(() => sliceChart(search, ["layer"])).toThrow(
    'no trial has a parameter "layer"; did you mean "layers"?',
  );
  const empty = await study({ space: space({ x: uniform(0, 1) }) });
  expect(() => historyChart(empty)).toThrow("there is no complete trial yet");
});
