/** `netwright runs`: the runs of a folder, side by side. */
import { joinPath, write } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { sparkline } from "../report/index.ts";
import { compareRuns, listRuns, type RunRecord, type RunRow } from "../runs/index.ts";
import type { Command } from "./command.ts";
import { durationText, numberText, tableText, valueText } from "./text.ts";

export const runs: Command = {
  summary: "lists and compares the runs of a folder",
  usage: `netwright runs [FOLDER] [--last N] [--json]

  FOLDER    where runs are kept (default: runs)
  --last N  only the last N runs
  --json    an array of objects instead of a table

  The table shows the best of each score over the epochs, and the options in which the runs differ.

  netwright runs
  netwright runs experiments --last 5`,
  flags: { last: { type: "string" }, json: { type: "boolean" } },
  async run({ values, positionals }) {
    const [folder = "runs", extra] = positionals;
    if (extra !== undefined) throw new ArgumentError(`runs takes one folder, got "${extra}" too`);
    const all = await listRuns(folder);
    const shown = values["last"] === undefined ? all : all.slice(-countOf(values["last"]));
    const rows = compareRuns(shown);
    if (values["json"] === true) write("stdout", `${JSON.stringify(rows)}\n`);
    else write("stdout", rows.length === 0 ? `no runs in "${folder}"\n` : runsText(rows, shown));
    return 0;
  },
};

function countOf(text: unknown): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new ArgumentError(`--last takes a positive integer, got "${text}"`);
}

function runsText(rows: readonly RunRow[], runs: readonly RunRecord[]): string {
  const scores = [...new Set(rows.flatMap(({ best }) => Object.keys(best)))];
  const options = [...new Set(rows.flatMap((row) => Object.keys(row.options)))];
  const titles = [
    "run",
    "status",
    "epochs",
    "steps",
    "time",
    "loss",
    ...scores.map((name) => `best ${name}`),
    ...options,
  ];
  const cells = rows.map((row, i) => [
    row.name,
    row.status,
    ...[String(row.epochs), String(row.steps), durationText(row.seconds), curveOf(runs[i]!)],
    ...scores.map((name) => (row.best[name] === undefined ? "" : numberText(row.best[name]))),
    ...options.map((name) => (row.options[name] === undefined ? "" : valueText(row.options[name]))),
  ]);
  return tableText(titles, cells);
}

/** The loss, from first to last step. */
function curveOf({ steps }: RunRecord): string {
  const losses = steps.flatMap(({ values }) => (values["loss"] === undefined ? [] : [values["loss"]]));
  return sparkline(losses, { width: 12 });
}

/** A run by its path, or by its name in the folder `runs`. */
export const runPath = (given: string): string =>
  /[\\/]/.test(given) || given === "." ? given : joinPath("runs", given);
