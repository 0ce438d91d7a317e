/** What was measured, as tables: `docs/results.md`, and a block on the page of each example. */
import type { Example } from "./example.ts";

/** One example as it was measured. */
export interface Measured {
  readonly date: string;
  readonly machine: string;
  readonly seeds: readonly number[];
  /** By name, one a seed. */
  readonly scores: Readonly<Record<string, readonly number[]>>;
  /** Of all threads, on average over the seeds. */
  readonly processorSeconds: number;
  readonly peakMemoryBytes: number;
}

export type Results = Readonly<Record<string, Measured>>;

/** Two-sided 95 % quantiles of Student's t for 1, 2, 3 … degrees of freedom. */
const quantiles = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262];

/** Mean and half the width of its 95 % confidence interval; NaN for a single value. */
export function meanInterval(values: readonly number[]): { readonly mean: number; readonly half: number } {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const variance = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (values.length - 1);
  const quantile = quantiles[values.length - 2] ?? 1.96;
  return { mean, half: quantile * Math.sqrt(variance / values.length) };
}

/** 0.9931, 12.3, 1234: four digits are more than three seeds can tell. */
const number = (x: number): string => (Math.abs(x) >= 100 ? x.toFixed(0) : String(Number(x.toPrecision(4))));

function scoreText(values: readonly number[]): string {
  const { mean, half } = meanInterval(values);
  return Number.isNaN(half) ? number(mean) : `${number(mean)} ± ${String(Number(half.toPrecision(2)))}`;
}

const table = (rows: readonly (readonly string[])[]): string =>
  rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n");

/** The whole of `docs/results.md`. */
export function resultsPage(examples: Readonly<Record<string, Example>>, results: Results): string {
  const rows = Object.entries(examples).flatMap(([name, { task, data, metric, reference }]) => {
    const measured = results[name];
    if (measured === undefined) return [];
    const known = reference[metric];
    return [
      [
        ...[`[${name}](examples/${name}.md): ${task}`, data, metric, scoreText(measured.scores[metric]!)],
        known === undefined ? "–" : `${number(known.value)} (${known.from})`,
        `${number(measured.processorSeconds)} s`,
        `${(measured.peakMemoryBytes / 2 ** 20).toFixed(0)} MB`,
        measured.date,
        measured.machine,
      ],
    ];
  });
  const heads = "example|data|metric|Netwright|reference|processor time|peak memory|date|machine".split("|");
  return `# Results of the examples

Each example is one file of \`examples/\`, run by \`npm run example -- NAME\`. The figures are means over three seeds (weights, order of
the samples and, where there is no fixed test set, the split) with the 95 % confidence interval that Student's t gives; those without an interval
are of one seed. Processor time is that of all threads for one seed. This page is written by \`npm run results\`; \`npm run results -- NAME\` measures one anew.

${table([heads, heads.map(() => "---"), ...rows])}
`;
}

const [start, end] = ["<!-- measured -->", "<!-- /measured -->"];

/** A page of an example, with its block of figures. */
export function pageWith(page: string, { reference }: Example, measured: Measured): string {
  const rows = Object.entries(measured.scores).map(([name, values]) => {
    const known = reference[name];
    return [name, scoreText(values), known ? `${number(known.value)} (${known.from})` : "–"];
  });
  const cost = `${number(measured.processorSeconds)} s of processor time a seed, ${(measured.peakMemoryBytes / 2 ** 20).toFixed(0)} MB`;
  const block = `${table([["score", "Netwright", "reference"], ["---", "---", "---"], ...rows])}

Seeds ${measured.seeds.join(", ")}; ${cost}; ${measured.machine}; ${measured.date}.`;
  return page.replace(new RegExp(`${start}[\\s\\S]*?${end}`), () => `${start}\n${block}\n${end}`);
}
