/**
 * Pictures of a study as Vega-Lite specifications: plain objects, for `chartSvg`, a notebook or the Vega editor.
 *
 * Each holds its data; nothing is loaded from anywhere.
 */
import { ArgumentError, nearestName } from "../../base/errors.ts";
import { type ChoiceValue, type Distribution, toUnit } from "../distribution.ts";
import { type ImportanceOptions, parameterImportance } from "../importance/fanova.ts";
import type { Study } from "../study.ts";
import { type CompleteTrial, type Direction, isComplete, lossOf } from "../trial-record.ts";

/** A specification of Vega-Lite 6. */
export type ChartSpec = Readonly<Record<string, unknown>>;

/** What charts read of a study. */
export type Charted = Pick<Study<any>, "trials" | "direction" | "name">;

const schema = "https://vega.github.io/schema/vega-lite/v6.json";

const spec = (title: string, rest: object): ChartSpec => ({
  $schema: schema,
  title,
  width: 380,
  height: 260,
  ...rest,
});

function completeTrials(what: string, { trials }: Charted): readonly CompleteTrial[] {
  const complete = trials.filter(isComplete).filter(({ value }) => Number.isFinite(value));
  if (complete.length > 0) return complete;
  throw new ArgumentError(`${what}: there is no complete trial yet`);
}

function distributionsOf(trials: readonly CompleteTrial[]): ReadonlyMap<string, Distribution> {
  return new Map(trials.flatMap(({ distributions }) => [...distributions]));
}

function distributionNamed(what: string, trials: readonly CompleteTrial[], name: string): Distribution {
  const all = distributionsOf(trials);
  const found = all.get(name);
  if (found !== undefined) return found;
  const nearest = nearestName(name, all.keys());
  const hint =
    nearest === undefined ? `there are ${[...all.keys()].join(", ")}` : `did you mean "${nearest}"?`;
  throw new ArgumentError(`${what}: no trial has a parameter "${name}"; ${hint}`);
}

/** How an axis shows a parameter. Field names are quoted: a parameter may have a dot in its name. */
function axis(name: string, distribution: Distribution, field: string): object {
  if (distribution.kind === "choice") return { field, type: "nominal", title: name };
  return {
    field,
    type: "quantitative",
    title: name,
    scale: { type: distribution.log ? "log" : "linear", zero: false, nice: false },
  };
}

const textOf = (value: ChoiceValue): ChoiceValue => (typeof value === "number" ? value : String(value));

const better = (direction: Direction): string =>
  direction === "minimize" ? "lower is better" : "higher is better";

/**
 * The value of each trial, and the best so far.
 *
 * @throws ArgumentError before the first complete trial
 * @example
 * const search = await study({ space: space({ x: uniform(0, 1) }) });
 * await search.optimize(({ x }) => x, { trials: 5 });
 * historyChart(search).title; // "study: value by trial"
 */
export function historyChart(study: Charted): ChartSpec {
  const trials = completeTrials("historyChart", study);
  let best = Number.POSITIVE_INFINITY;
  const rows = trials.map(({ number, value }) => {
    best = Math.min(best, lossOf(value, study.direction));
    return { trial: number, value, best: lossOf(best, study.direction) };
  });
  const x = { field: "trial", type: "quantitative", title: "trial" };
  const y = (field: string): object => ({
    ...{ field, type: "quantitative", title: `value (${better(study.direction)})`, scale: { zero: false } },
  });
  return spec(`${study.name}: value by trial`, {
    data: { values: rows },
    layer: [
      { mark: { type: "point", filled: true, opacity: 0.6 }, encoding: { x, y: y("value") } },
      { mark: { type: "line", interpolate: "step-after", color: "#d95f02" }, encoding: { x, y: y("best") } },
    ],
  });
}

/**
 * The value over each parameter, later trials darker.
 *
 * @throws ArgumentError before the first complete trial, or for a parameter that no trial has
 * @example
 * const search = await study({ space: space({ x: uniform(0, 1), y: uniform(0, 1) }) });
 * await search.optimize(({ x, y }) => x * y, { trials: 5 });
 * (sliceChart(search)["hconcat"] as object[]).length; // 2
 */
export function sliceChart(study: Charted, parameters?: readonly string[]): ChartSpec {
  const trials = completeTrials("sliceChart", study);
  const names = parameters ?? [...distributionsOf(trials).keys()];
  const panels = names.map((name) => {
    const distribution = distributionNamed("sliceChart", trials, name);
    const having = trials.filter((trial) => trial.parameters.has(name));
    const rows = having.map((trial) => ({
      x: textOf(trial.parameters.get(name)!),
      value: trial.value,
      trial: trial.number,
    }));
    return {
      ...{ data: { values: rows }, width: 180, height: 200, mark: { type: "point", filled: true } },
      encoding: {
        x: axis(name, distribution, "x"),
        y: { field: "value", type: "quantitative", title: "value", scale: { zero: false } },
        color: { field: "trial", type: "quantitative", title: "trial", scale: { scheme: "blues" } },
      },
    };
  });
  return { $schema: schema, title: `${study.name}: value by parameter`, hconcat: panels };
}

/** Cells of a contour along each axis. */
const cells = 24;

/**
 * The value over two parameters: colours between the trials, which are marked, from the nearest of them (weighted by the inverse square of the
 * distance, each range in its own scale).
 *
 * @throws ArgumentError before the first complete trial, for a parameter that no trial has, or one that has no order
 * @example
 * const search = await study({ space: space({ x: uniform(0, 1), y: uniform(0, 1) }) });
 * await search.optimize(({ x, y }) => x * y, { trials: 5 });
 * contourChart(search, "x", "y").title; // "study: value by x and y"
 */
export function contourChart(study: Charted, x: string, y: string): ChartSpec {
  const trials = completeTrials("contourChart", study).filter(
    ({ parameters }) => parameters.has(x) && parameters.has(y),
  );
  const all = completeTrials("contourChart", study);
  const axes = [x, y].map((name) => {
    const distribution = distributionNamed("contourChart", all, name);
    if (distribution.kind !== "choice") return distribution;
    throw new ArgumentError(`contourChart: "${name}" is a choice, which has no order; sliceChart shows it`);
  });
  const places = trials.map(({ parameters, value }) => ({
    at: [toUnit(axes[0]!, parameters.get(x)!), toUnit(axes[1]!, parameters.get(y)!)] as const,
    value,
  }));
  const edge = (i: number, along: number): number => {
    const { low, high, log } = axes[along]!;
    return log ? low * (high / low) ** (i / cells) : low + (high - low) * (i / cells);
  };
  const rows = Array.from({ length: cells ** 2 }, (_, at) => {
    const [i, j] = [at % cells, Math.floor(at / cells)];
    const value = blended(places, (i + 0.5) / cells, (j + 0.5) / cells);
    return { x: edge(i, 0), x2: edge(i + 1, 0), y: edge(j, 1), y2: edge(j + 1, 1), value };
  });
  const marks = trials.map(({ parameters, value }) => ({
    x: parameters.get(x)!,
    y: parameters.get(y)!,
    value,
  }));
  const scheme =
    study.direction === "minimize" ? { scheme: "viridis", reverse: true } : { scheme: "viridis" };
  const encoding = { x: axis(x, axes[0]!, "x"), y: axis(y, axes[1]!, "y") };
  return spec(`${study.name}: value by ${x} and ${y}`, {
    layer: [
      {
        ...{ data: { values: rows }, mark: { type: "rect", stroke: null } },
        encoding: {
          ...{ ...encoding, x2: { field: "x2" }, y2: { field: "y2" } },
          color: { field: "value", type: "quantitative", title: "value", scale: scheme },
        },
      },
      { data: { values: marks }, mark: { type: "point", filled: true, color: "black", size: 14 }, encoding },
    ],
  });
}

/** Shepard, "A two-dimensional interpolation function for irregularly-spaced data", 1968. */
function blended(
  places: readonly { readonly at: readonly [number, number]; readonly value: number }[],
  u: number,
  v: number,
): number {
  let [sum, total] = [0, 0];
  for (const { at, value } of places) {
    const weight = 1 / ((at[0] - u) ** 2 + (at[1] - v) ** 2 + 1e-4) ** 2;
    sum += weight * value;
    total += weight;
  }
  return sum / total;
}

/**
 * A line for each trial through its parameters, each on an axis of its own, coloured by the value: what good trials have in common. An axis goes
 * from the bottom to the top of the parameter's range; trials that lack a parameter are left out.
 *
 * @throws ArgumentError before the first complete trial, or for a parameter that no trial has
 * @example
 * const search = await study({ space: space({ x: uniform(0, 1), kind: choice("a", "b") }) });
 * await search.optimize(({ x }) => x, { trials: 5 });
 * parallelChart(search).title; // "study: parameters of all trials"
 */
export function parallelChart(study: Charted, parameters?: readonly string[]): ChartSpec {
  const complete = completeTrials("parallelChart", study);
  const always = [...distributionsOf(complete).keys()].filter((name) =>
    complete.every((trial) => trial.parameters.has(name)),
  );
  const names = parameters ?? always;
  const axes = names.map((name) => [name, distributionNamed("parallelChart", complete, name)] as const);
  const trials = complete.filter((trial) => names.every((name) => trial.parameters.has(name)));
  const losses = trials.map(({ value }) => value);
  const [least, most] = [Math.min(...losses), Math.max(...losses)];
  const rows = trials.flatMap(({ number, value, parameters }) => [
    ...axes.map(([name, distribution]) => ({
      ...{ trial: number, value, axis: name, place: toUnit(distribution, parameters.get(name)!) },
      shown: textOf(parameters.get(name)!),
    })),
    {
      trial: number,
      value,
      axis: "value",
      place: most > least ? (value - least) / (most - least) : 0.5,
      shown: value,
    },
  ]);
  const order = [...names, "value"];
  const ends = [
    ...axes.map(([name, distribution]) => [name, ...endTexts(distribution)]),
    ["value", brief(least), brief(most)],
  ];
  const ticks = ends.flatMap(([name, low, high]) => [
    { axis: name, place: 0, text: low },
    { axis: name, place: 1, text: high },
  ]);
  const x = { field: "axis", type: "nominal", title: null, sort: order, axis: { grid: true, labelAngle: 0 } };
  const y = { field: "place", type: "quantitative", axis: null, scale: { domain: [0, 1] } };
  const scheme =
    study.direction === "minimize" ? { scheme: "viridis", reverse: true } : { scheme: "viridis" };
  return spec(`${study.name}: parameters of all trials`, {
    width: 110 * order.length,
    layer: [
      {
        ...{ data: { values: rows }, mark: { type: "line", opacity: 0.6 } },
        encoding: {
          x,
          y,
          detail: { field: "trial", type: "nominal" },
          color: { field: "value", type: "quantitative", scale: scheme },
        },
      },
      {
        ...{ data: { values: ticks }, mark: { type: "text", dx: 6, align: "left" } },
        encoding: { x, y, text: { field: "text", type: "nominal" } },
      },
    ],
  });
}

const brief = (value: number): string => String(Number(value.toPrecision(3)));

function endTexts(distribution: Distribution): readonly [string, string] {
  if (distribution.kind !== "choice") return [brief(distribution.low), brief(distribution.high)];
  return [String(distribution.values[0]), String(distribution.values.at(-1))];
}

/**
 * Bars of what `parameterImportance` finds.
 *
 * @throws ArgumentError with fewer than two complete trials
 * @example
 * const search = await study({ space: space({ x: uniform(0, 1), y: uniform(0, 1) }), sampler: sobol() });
 * await search.optimize(({ x, y }) => x + 3 * y, { trials: 16 });
 * importanceChart(search).title; // "study: importance of parameters"
 */
export function importanceChart(study: Charted, options: ImportanceOptions = {}): ChartSpec {
  const rows = parameterImportance(study, options);
  return spec(`${study.name}: importance of parameters`, {
    ...{ data: { values: rows }, height: { step: 28 }, mark: "bar" },
    encoding: {
      x: {
        field: "importance",
        type: "quantitative",
        title: "part of the variance",
        scale: { domain: [0, 1] },
      },
      y: { field: "name", type: "nominal", title: null, sort: null },
    },
  });
}
