/** `netwright eval`: loss and metrics of a trained run. */
import { write } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { openRun, scoresOf } from "../config/train.ts";
import type { Command } from "./command.ts";
import { runPath } from "./runs.ts";
import { numberText } from "./text.ts";

export const evaluateRun: Command = {
  summary: "loss and metrics of a trained run",
  usage: `netwright eval RUN [--part PART] [--json]

  RUN          a run's folder, or its name in the folder runs, made by netwright train
  --part PART  of the config's data: train, validation or test (default: test, else validation)
  --json       one JSON object instead of text

  netwright eval 2026-11-24-103012
  netwright eval best --part validation --json`,
  flags: { part: { type: "string" }, json: { type: "boolean" } },
  async run({ values, positionals }) {
    const [run, extra] = positionals;
    if (run === undefined || extra !== undefined)
      throw new ArgumentError(`eval takes one run, got ${positionals.length}`);
    const opened = await openRun(runPath(run));
    const part =
      typeof values["part"] === "string" ? values["part"] : opened.data.test ? "test" : "validation";
    const scores = await scoresOf(opened, part);
    if (values["json"] === true) write("stdout", `${JSON.stringify({ part, scores })}\n`);
    else
      write(
        "stdout",
        `${part}: ${Object.entries(scores)
          .map(([name, value]) => `${name} ${numberText(value)}`)
          .join("  ")}\n`,
      );
    return 0;
  },
};
