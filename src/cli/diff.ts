/** `netwright diff`: the first step where two runs part, and what differs. */
import { write } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { type Difference, diffRuns, type RunDifference, readRun } from "../runs/index.ts";
import type { Command } from "./command.ts";
import { runPath } from "./runs.ts";
import { tableText, valueText } from "./text.ts";

export const diff: Command = {
  summary: "the first step where two runs part, and what differs",
  usage: `netwright diff RUN RUN [--json]

  RUN     a run's folder, or its name in the folder runs
  --json  one JSON object instead of text

  Exit code 0: all that both recorded is equal, bit for bit; 1: they part.

  netwright diff 2026-11-24-103012 2026-11-24-110458
  netwright diff runs/here /mnt/other-machine/runs/there`,
  flags: { json: { type: "boolean" } },
  async run({ values, positionals }) {
    const [first, second, extra] = positionals;
    if (first === undefined || second === undefined || extra !== undefined)
      throw new ArgumentError(`diff takes two runs, got ${positionals.length}`);
    const found = diffRuns(await readRun(runPath(first)), await readRun(runPath(second)));
    write("stdout", values["json"] === true ? `${JSON.stringify(found)}\n` : diffText(found));
    return found.parting === undefined ? 0 : 1;
  },
};

function diffText({ parting, equalUntil, sharedSteps, ...facts }: RunDifference): string {
  const differing = Object.entries(facts).map(([part, list]) => partText(part, list));
  return `${partingText({ parting, equalUntil, sharedSteps })}\n\n${differing.join("\n")}`;
}

function partingText({
  parting,
  equalUntil,
  sharedSteps,
}: Pick<RunDifference, "parting" | "equalUntil" | "sharedSteps">): string {
  if (sharedSteps === 0) return "the runs share no step";
  if (parting === undefined)
    return `equal in all ${sharedSteps} steps that both recorded, to step ${equalUntil}`;
  const { step, epoch, what, first, second } = parting;
  const place = `step ${step}${epoch === undefined ? "" : ` (epoch ${epoch})`}`;
  const before = equalUntil === 0 ? "" : `; equal to step ${equalUntil}`;
  return `they part at ${place}: ${what} ${first} and ${second}${before}`;
}

function partText(part: string, list: readonly Difference[]): string {
  if (list.length === 0) return `${part}: equal\n`;
  const rows = list.map(({ name, first, second }) => [`  ${name}`, textOf(first), textOf(second)]);
  return `${part}:\n${tableText(["  what", "first", "second"], rows)}`;
}

const longest = 60;

function textOf(value: unknown): string {
  if (value === undefined) return "(none)";
  const text = valueText(value);
  return text.length > longest ? `${text.slice(0, longest - 1)}…` : text;
}
