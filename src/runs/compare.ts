/** Runs side by side: how good they became, how long they took, and which options tell them apart. */
import { isLowerBetter } from "../train/index.ts";
import type { Described } from "./layout.ts";
import type { RunRecord } from "./read.ts";

export interface RunRow {
  readonly name: string;
  readonly path: string;
  readonly startedAt: string;
  /** `running` also stands for a run that was killed: nobody wrote how it ended. */
  readonly status: "finished" | "stopped" | "failed" | "running";
  readonly epochs: number;
  readonly steps: number;
  /** Of training and validation. */
  readonly seconds: number;
  /** The best of each score over the epochs (losses and errors: the lowest); of a loop of one's own over the steps. */
  readonly best: Readonly<Record<string, number>>;
  /** Options in which the compared runs differ. */
  readonly options: Readonly<Record<string, Described>>;
}

/**
 * A row a run, in the order given.
 *
 * @example
 * for (const rate of [0.1, 0.2]) {
 *   const run = recordRun({ name: `rate-${rate}`, folder: "compared", options: { rate, seed: 1 } });
 *   run.log({ loss: 1 - rate }, 1);
 *   await run.close();
 * }
 * const rows = compareRuns(await listRuns("compared"));
 * rows.map(({ best }) => best["loss"]); // [0.9, 0.8]
 * Object.keys(rows[0]!.options);        // ["rate"]
 */
export function compareRuns(runs: readonly RunRecord[]): RunRow[] {
  const flat = runs.map((run) => flattened(run));
  const names = [...new Set(flat.flatMap((options) => Object.keys(options)))];
  const differing = names.filter(
    (name) => new Set(flat.map((options) => JSON.stringify(options[name]))).size > 1,
  );
  return runs.map((run, i) => ({
    ...{ name: run.config.name, path: run.path, startedAt: run.config.startedAt },
    status: run.result?.status ?? "running",
    epochs: run.epochs.length,
    steps: run.steps.at(-1)?.step ?? 0,
    seconds: secondsOf(run),
    best: bestOf(run),
    options: Object.fromEntries(
      differing.flatMap((name) => (flat[i]![name] === undefined ? [] : [[name, flat[i]![name]!]])),
    ),
  }));
}

/** Options by path, and what the model and the data are. */
function flattened({ config }: RunRecord): Record<string, Described> {
  const leaves: Record<string, Described> = {};
  const visit = (name: string, value: Described): void => {
    if (typeof value === "object" && value !== null && !Array.isArray(value))
      for (const [key, item] of Object.entries(value)) visit(name === "" ? key : `${name}.${key}`, item);
    else leaves[name] = value;
  };
  visit("", config.options);
  const { model, data } = config;
  if (model !== undefined) {
    leaves["model"] = model.name;
    leaves["parameters"] = model.parameters;
  }
  for (const [part, facts] of Object.entries(data ?? {})) leaves[`data.${part}`] = facts.sha256.slice(0, 8);
  return leaves;
}

function secondsOf({ epochs, steps, config, result }: RunRecord): number {
  if (epochs.length > 0)
    return epochs.reduce((sum, { seconds, validationSeconds }) => sum + seconds + validationSeconds, 0);
  const timed = steps.reduce((sum, { ms }) => sum + (ms ? ms.data + ms.compute + ms.other : 0), 0);
  if (timed > 0 || result === undefined) return timed / 1000;
  return (Date.parse(result.endedAt) - Date.parse(config.startedAt)) / 1000;
}

function bestOf({ epochs, steps }: RunRecord): Record<string, number> {
  const records = epochs.length > 0 ? epochs.map(({ scores }) => scores) : steps.map(({ values }) => values);
  const best: Record<string, number> = {};
  for (const scores of records) {
    for (const [name, value] of Object.entries(scores)) {
      const before = best[name];
      const isBetter = before === undefined || (isLowerBetter(name) ? value < before : value > before);
      if (isBetter && !Number.isNaN(value)) best[name] = value;
    }
  }
  return best;
}
