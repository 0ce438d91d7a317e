/** `netwright tune MODULE`: searches for the best parameters of an objective. */
import { importModule, joinPath, makeFolder, write, writeFileAtomic } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import type { ParsedFlags } from "../platform/platform.ts";
import {
  type ChartSpec,
  chartSvg,
  type Direction,
  historyChart,
  importanceChart,
  type Objective,
  type OptimizeResult,
  type ParameterImportance,
  type Parameters,
  type Pruner,
  parallelChart,
  parameterImportance,
  type Sampler,
  type Space,
  type Study,
  sliceChart,
  study,
  type TrialRecord,
} from "../tune/index.ts";
import type { Command } from "./command.ts";

const usage = `netwright tune MODULE [flags]

MODULE is a JavaScript file (TypeScript where Node reads it) that exports \`space\` and \`objective\`, and if it likes
\`direction\`, \`sampler\`, \`pruner\` and \`name\`; or all of them as its default export:

  import { logUniform, space, tpe } from "netwright/tune";
  export const direction = "maximize";
  export { searched as space };
  const searched = space({ learningRate: logUniform(1e-4, 1e-1) });
  export async function objective({ learningRate }, trial) { … return accuracy; }

  --trials N        how many trials the study shall have in all; 100
  --timeout S       no trial begins after so many seconds
  --parallel N      trials at once, each in a process of its own; 1, in this process
  --order free      with --parallel: no trial waits for an earlier one; the same seed may then give other trials
  --storage FILE    a SQLite file that keeps the trials; other processes may share it
  --name NAME       of the study in the file; the module's \`name\`, or "study"
  --resume          go on with the study in the file
  --charts FOLDER   SVG pictures: history, slices, parallel coordinates, importance
  --json            one JSON object instead of text

Examples:
  netwright tune search.js --trials 50
  netwright tune search.js --trials 200 --parallel 4 --storage study.sqlite
  netwright tune search.js --trials 400 --storage study.sqlite --resume --charts pictures

Exit codes: 0 there is a best trial, 1 there is none, 2 it was asked for wrongly.`;

export const tune: Command = {
  summary: "search for the best parameters of an objective",
  usage,
  flags: {
    trials: { type: "string" },
    timeout: { type: "string" },
    parallel: { type: "string" },
    order: { type: "string" },
    storage: { type: "string" },
    name: { type: "string" },
    resume: { type: "boolean" },
    charts: { type: "string" },
    json: { type: "boolean" },
  },
  run,
};

interface Definition {
  readonly space: Space<Parameters>;
  readonly objective: Objective<Parameters>;
  readonly direction?: Direction;
  readonly sampler?: Sampler;
  readonly pruner?: Pruner;
  readonly name?: string;
}

async function definitionIn(path: string): Promise<Definition> {
  const module = await importModule(path);
  const fallback = (module["default"] ?? {}) as Record<string, unknown>;
  const found = Object.fromEntries(
    ["space", "objective", "direction", "sampler", "pruner", "name"].flatMap((name) => {
      const value = module[name] ?? fallback[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
  const names = [...Object.keys(module), ...Object.keys(fallback)].filter((name) => name !== "default");
  const has = names.length === 0 ? "it exports nothing" : `it exports ${names.join(", ")}`;
  if (typeof found["objective"] !== "function") {
    throw new ArgumentError(`tune: ${path} must export a function "objective"; ${has}`);
  }
  if (typeof (found["space"] as Space | undefined)?.draw !== "function") {
    throw new ArgumentError(
      `tune: ${path} must export a "space", made by space({ … }) of netwright/tune; ${has}`,
    );
  }
  return found as unknown as Definition;
}

function numberFlag(values: ParsedFlags["values"], name: string, least: number): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text !== "" && value >= least && (name === "timeout" || Number.isInteger(value))) return value;
  throw new ArgumentError(`tune: --${name} takes a number of at least ${least}, got "${text}"`);
}

async function run({ values, positionals }: ParsedFlags): Promise<number> {
  const [path, ...more] = positionals;
  if (path === undefined || more.length > 0) {
    throw new ArgumentError(
      `tune: takes one module, got ${positionals.length}: netwright tune search.js --trials 50`,
    );
  }
  const trials = numberFlag(values, "trials", 1) ?? 100;
  const timeoutSeconds = numberFlag(values, "timeout", 0) ?? Number.POSITIVE_INFINITY;
  const parallel = numberFlag(values, "parallel", 1) ?? 1;
  const order = (values["order"] ?? "repeatable") as "repeatable" | "free";
  const { objective, ...rest } = await definitionIn(path);
  const search = await study({
    ...rest,
    ...(values["name"] !== undefined && { name: String(values["name"]) }),
    ...(values["storage"] !== undefined && { storage: String(values["storage"]) }),
    resume: values["resume"] === true,
  });
  try {
    const onTrialEnd = (trial: TrialRecord): void => write("stderr", `${trialText(trial, search)}\n`);
    const what = parallel > 1 ? { module: path } : objective;
    const result = await search.optimize(what, { trials, timeoutSeconds, parallel, order, onTrialEnd });
    if (values["charts"] !== undefined) await writeCharts(search, String(values["charts"]));
    const summary = summaryOf(search, result);
    write("stdout", values["json"] === true ? `${JSON.stringify(summary)}\n` : summaryText(summary));
    return summary.best === undefined ? 1 : 0;
  } finally {
    search.close();
  }
}

const brief = (value: unknown): string =>
  typeof value === "number" ? String(Number(value.toPrecision(4))) : String(value);

const parametersText = (parameters: Iterable<readonly [string, unknown]>): string =>
  [...parameters].map(([name, value]) => `${name} ${brief(value)}`).join(", ");

function trialText({ number, state, value, parameters, reason }: TrialRecord, search: Study): string {
  const outcome = state === "complete" ? brief(value) : `${state} (${reason})`;
  const { best } = search;
  const leader =
    best === undefined
      ? ""
      : best.number === number
        ? "  best"
        : `  best ${brief(best.value)} (trial ${best.number})`;
  return `trial ${number}  ${outcome}  ${parametersText(parameters)}${leader}`;
}

interface Summary {
  readonly study: string;
  readonly direction: Direction;
  readonly reason: OptimizeResult["reason"];
  readonly trials: Readonly<Record<TrialRecord["state"], number>>;
  readonly best:
    | { readonly number: number; readonly value: number; readonly parameters: Parameters }
    | undefined;
  readonly importance: readonly ParameterImportance[];
}

function summaryOf(search: Study, { reason }: OptimizeResult): Summary {
  const { trials, best } = search;
  const counts = { complete: 0, pruned: 0, failed: 0, running: 0 };
  for (const { state } of trials) counts[state]++;
  return {
    ...{ study: search.name, direction: search.direction, reason, trials: counts },
    best: best && { number: best.number, value: best.value, parameters: best.parameters },
    importance: counts.complete >= 2 ? parameterImportance(search) : [],
  };
}

function summaryText({ trials, best, importance, reason }: Summary): string {
  const counts = Object.entries(trials).filter(([, count]) => count > 0);
  const lines = [
    `trials      ${counts.map(([state, count]) => `${count} ${state}`).join(", ")} (ended: ${reason})`,
  ];
  if (best === undefined) return `${lines.join("\n")}\nno trial is complete\n`;
  lines.push(`best        ${brief(best.value)} in trial ${best.number}`);
  for (const [name, value] of Object.entries(best.parameters))
    lines.push(`            ${name} ${brief(value)}`);
  const shares = importance.map(({ name, importance }) => `${name} ${Math.round(100 * importance)} %`);
  if (shares.length > 0) lines.push(`importance  ${shares.join(", ")}`);
  return `${lines.join("\n")}\n`;
}

async function writeCharts(search: Study, folder: string): Promise<void> {
  const complete = search.trials.filter(({ state }) => state === "complete").length;
  if (complete === 0) return;
  await makeFolder(folder);
  const charts: Record<string, ChartSpec> = {
    history: historyChart(search),
    slices: sliceChart(search),
    parallel: parallelChart(search),
    ...(complete >= 2 && { importance: importanceChart(search) }),
  };
  for (const [name, chart] of Object.entries(charts)) {
    await writeFileAtomic(joinPath(folder, `${name}.svg`), new TextEncoder().encode(await chartSvg(chart)));
  }
}
