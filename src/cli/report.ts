/** `netwright report`: a run as one HTML page. */
import { joinPath, terminal, write } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { drawChart } from "../report/index.ts";
import { readRun, runCharts, writeReport } from "../runs/index.ts";
import type { Command } from "./command.ts";
import { runPath } from "./runs.ts";

export const report: Command = {
  summary: "a run as one HTML page, or as charts in the terminal",
  usage: `netwright report RUN [--out FILE] [--text]

  RUN         a run's folder, or its name in the folder runs
  --out FILE  where the page goes (default: report.html in the run's folder)
  --text      learning curves and times here, no page

  The page holds everything itself: send it, open it without a network. It needs the packages vega and vega-lite.

  netwright report 2026-11-24-103012
  netwright report runs/best --out best.html`,
  flags: { out: { type: "string" }, text: { type: "boolean" } },
  async run({ values, positionals }) {
    const [run, extra] = positionals;
    if (run === undefined || extra !== undefined)
      throw new ArgumentError(`report takes one run, got ${positionals.length}`);
    const path = runPath(run);
    if (values["text"] === true) {
      const charts = runCharts(await readRun(path));
      const { isTerminal, columns } = terminal("stdout");
      const options = { columns: Math.min(columns, 100), color: isTerminal };
      write("stdout", `${charts.map((chart) => drawChart(chart, options).join("\n")).join("\n\n")}\n`);
      return 0;
    }
    const out = typeof values["out"] === "string" ? values["out"] : joinPath(path, "report.html");
    await writeReport(path, out);
    write("stdout", `${out}\n`);
    return 0;
  },
};
