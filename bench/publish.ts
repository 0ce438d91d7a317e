/** The pages that a run renews: RESULTS.md of this folder and the table in the repository's README. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { chartOf } from "./chart.ts";
import { contenders } from "./contenders.ts";
import { type BenchRecord, measured } from "./record.ts";
import { caseTable, compileTable, round3, startupTable, table } from "./report.ts";
import { targetTable } from "./targets.ts";

/** From build/bench. */
const page = fileURLToPath(new URL("../../bench/RESULTS.md", import.meta.url));
const readme = fileURLToPath(new URL("../../README.md", import.meta.url));

const chart = fileURLToPath(new URL("../../docs/images/bench.svg", import.meta.url));

const titles: ReadonlyMap<string, string> = new Map(contenders.map(({ key, title }) => [key, title]));

/** Writes both pages and the picture, and returns their paths. */
export async function publish(record: BenchRecord): Promise<readonly string[]> {
  mkdirSync(dirname(chart), { recursive: true });
  writeFileSync(chart, await chartOf(record, readmeCases, titles));
  writeFileSync(page, resultsPage(record));
  writeFileSync(readme, withTable(readFileSync(readme, "utf8"), readmeTable(record)));
  return [page, readme, chart];
}

export function resultsPage(record: BenchRecord): string {
  const { date, machine, loadBefore, loadAfter, results, startup, compile } = record;
  const groups = [...new Set(results.map(({ workload }) => workload))].map((workload) => {
    const group = results.filter((result) => result.workload === workload);
    const text = caseTable(
      group.map((result) => ({ subject: result, result })),
      titles,
    );
    return `## ${workload}\n\n${text}\n`;
  });
  const { processor, processors, features, memoryGiB, system, node } = machine;
  return `# Netwright beside its peers

Made by

    npm run bench -- ${record.command.join(" ")}

on ${date.slice(0, 16).replace("T", " ")} (UTC). ${processor}, ${processors} processors (${features.join(", ")}), ${memoryGiB} GiB, ${system}, Node ${node.slice(1)}.
${versionsOf(record).join(", ")}. Load ${loadBefore} before, ${loadAfter} after (the contenders with several threads included).

How it is measured: [README.md](README.md). What to know about the peers: [PEERS.md](PEERS.md). Where the time goes:
[NOTES.md](NOTES.md).

## Targets

${targetTable(record)}

${groups.join("\n")}
## startup

${startupTable(startup)}

## compile

A training step of a GPT of two layers with AdamW; the first of a process and the median of five further models.

${compileTable(compile)}
`;
}

function versionsOf({ results }: BenchRecord): readonly string[] {
  const versions = new Map(
    results.flatMap(({ measurements }) => measurements.map(({ contender, version }) => [contender, version])),
  );
  return [...versions]
    .filter(([, version]) => version)
    .map(([key, version]) => `${titles.get(key)} ${version}`);
}

/** What the README's table shows: a row for each of these cases. */
const readmeCases = [
  { id: "mlp", what: "training step, 784-64-64-10, batch 32, Adam" },
  { id: "matmul/512/nn", what: "A·B, 512³" },
  { id: "matmul/512/tn", what: "Aᵀ·B, 512³" },
  { id: "softmax", what: "softmax, 4096×512" },
  { id: "layernorm", what: "layer norm, 4096×768" },
  { id: "gelu", what: "GELU, 10 M" },
  { id: "adamw", what: "AdamW, 10 M parameters" },
  { id: "cnn", what: "training step of a convolutional network, batch 64, Adam" },
  { id: "resnet", what: "training step of ResNet-18, 16 images of 64×64, Adam" },
  { id: "lstm/64", what: "training step of an LSTM, 128 units, 32×64 steps, Adam" },
  { id: "attention/2048/backward", what: "attention and its gradients, 2,048 positions, 8 heads of 64" },
  { id: "gpt-small", what: "training step of a small GPT, AdamW" },
  { id: "inference/gpt-small", what: "the same GPT, inference" },
] as const;

const peers = ["torch", "keras", "onnx", "tfjs", "jax-js"] as const;

export function readmeTable(record: BenchRecord): string {
  const rows = readmeCases.map(({ id, what }) => {
    const result = record.results.find((other) => other.id === id);
    const cell = (contender: string, threads: number | "best"): string => {
      const found = measured(record, id, contender, threads);
      return found ? round3(found.value.median) + (threads === "best" ? ` @${found.threads}` : "") : "–";
    };
    const unit = result?.unit ?? "–";
    const own = [cell("netwright-x64", 1), cell("netwright-x64", "best"), cell("netwright", 1)];
    return [what, unit, ...own, ...peers.map((key) => cell(key, 1))];
  });
  const start = (contender: string): string => {
    const found = record.startup.find((result) => result.contender === contender);
    return found ? round3(found.milliseconds.median) : "–";
  };
  rows.push([
    "process start to first step done",
    "ms",
    start("netwright-x64"),
    "",
    start("netwright"),
    ...peers.map(start),
  ]);
  const header = [
    "",
    "unit",
    "Netwright x64",
    "best @threads",
    "Netwright wasm",
    ...peers.map((key) => titles.get(key)!),
  ];
  const { machine, date } = record;
  return `![Times as fast as PyTorch](docs/images/bench.svg)

${table(header, rows)}

One thread each unless the column says otherwise; medians, contenders in turn. ${machine.processor}, ${machine.processors} virtual processors,
Node ${machine.node.slice(1)}, ${date.slice(0, 10)}. All figures: [bench/RESULTS.md](bench/RESULTS.md).`;
}

const [opening, closing] = ["<!-- bench -->", "<!-- /bench -->"];

/** The README with what stands between its markers replaced. @throws Error where a marker is missing */
export function withTable(text: string, content: string): string {
  const [start, end] = [text.indexOf(opening), text.indexOf(closing)];
  if (start < 0 || end < start)
    throw new Error(`README.md: expected ${opening} … ${closing} around the table`);
  return `${text.slice(0, start + opening.length)}\n${content}\n${text.slice(end)}`;
}
