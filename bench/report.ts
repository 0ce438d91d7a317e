/** The tables that a run prints; Markdown, so that they can be pasted. */
import type { CompileResult } from "./compile.ts";
import type { CaseResult, Measurement } from "./measure.ts";
import type { StartupResult } from "./startup.ts";
import type { Summary } from "./statistics.ts";
import { type Case, isRate } from "./workloads.ts";

/** Three significant digits, without an exponent. */
export const round3 = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString("en") : value.toPrecision(3);

const withSpread = ({ median, minimum, maximum }: Summary): string =>
  `${round3(median)} (${round3(minimum)}–${round3(maximum)})`;

/** A Markdown table with aligned columns. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column].length)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
  return [
    line(header),
    `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`,
    ...rows.map(line),
  ].join("\n");
}

/** One workload's cases: a row for each contender, its one-thread figure and its best. */
export function caseTable(
  results: readonly { readonly subject: Case; readonly result: CaseResult }[],
  titles: ReadonlyMap<string, string>,
): string {
  const rows = results.flatMap(({ subject, result }) => {
    const better = (a: Measurement, b: Measurement): number =>
      (isRate(subject.unit) ? -1 : 1) * (a.value.median - b.value.median);
    const contenders = [...new Set(result.measurements.map(({ contender }) => contender))];
    const own = (contender: string): readonly Measurement[] =>
      result.measurements.filter((measurement) => measurement.contender === contender);
    const reference = result.measurements.find(({ threads }) => threads === 1);
    return contenders.map((contender, index) => {
      const single = own(contender).find(({ threads }) => threads === 1);
      const best = [...own(contender)].sort(better)[0];
      const title = `${titles.get(contender) ?? contender}${best.agrees ? "" : " (other result!)"}`;
      return [
        index === 0 ? subject.title : "",
        title,
        single ? withSpread(single.value) : "–",
        `${withSpread(best.value)} @${best.threads}`,
        subject.unit,
        single && reference && contender !== "machine-x64"
          ? `${round3(single.seconds.median / reference.seconds.median)}×`
          : "–",
        index === 0 && result.peak ? withSpread(result.peak) : "",
      ];
    });
  });
  return table(["case", "contender", "1 thread", "best @threads", "unit", "time", "wasm peak then"], rows);
}

export function startupTable(results: readonly StartupResult[]): string {
  const rows = results.map(({ title, milliseconds, residentBytes }) => [
    title,
    withSpread(milliseconds),
    residentBytes ? round3(residentBytes.median / 2 ** 20) : "–",
  ]);
  return table(["contender", "ms to first step done", "resident MiB"], rows);
}

/** The first model of a process, and those after it. */
export function compileTable(results: readonly CompileResult[]): string {
  const median = (summary: Summary | undefined): string => (summary ? round3(summary.median) : "–");
  const rows = results.map((result, i) => [
    result.work === results[i - 1]?.work ? "" : result.work,
    result.title,
    `${result.nodes ?? "–"}`,
    `${result.kernels ?? "–"}`,
    result.traceMs ? withSpread(result.traceMs) : "–",
    withSpread(result.compileMs),
    median(result.laterTraceMs),
    median(result.laterCompileMs),
  ]);
  return table(
    [
      ...["training step", "contender", "nodes", "kernels", "ms tracing", "ms compiling"],
      ...["later: tracing", "compiling"],
    ],
    rows,
  );
}
