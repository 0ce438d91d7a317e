/** How fast CSV files become tables: Netwright's `readCsv` and pandas' `read_csv` (its C engine), one process each, in turn. */
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Command } from "./child.ts";
import { Reader, type ReaderSample } from "./reader.ts";
import { table } from "./report.ts";
import { summarize } from "./statistics.ts";

const rows = 150_000;

/** Numbers from 0 to 1 that everyone can repeat: a linear congruential generator (Numerical Recipes). */
function generator(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

const cities = ["Berlin", "Paris", "London", "Madrid", "Rome", "San Francisco"];
const notes = ["plain", '"with, comma"', '"say ""hi"""', ""];

/** What is read: the kinds of columns that decide how fast. */
const files: Readonly<Record<string, (random: () => number, row: number) => readonly (string | number)[]>> = {
  "8 columns of doubles, 17 digits": (random) =>
    Array.from({ length: 8 }, () => random() - 0.5 + random() * 2 ** -30),
  "8 columns of prices, 2 decimals": (random) =>
    Array.from({ length: 8 }, () => (random() * 1000).toFixed(2)),
  "8 columns of whole numbers": (random) => Array.from({ length: 8 }, () => Math.floor(random() * 1e6)),
  "8 mixed columns": (random, row) => [
    ...[row, (random() * 1000).toFixed(2), Math.floor(random() * 1000), cities[Math.floor(random() * 6)]],
    ...[random() < 0.5 ? "True" : "False", random() < 0.1 ? "" : random().toFixed(4)],
    ...[`customer ${Math.floor(random() * rows)}`, notes[Math.floor(random() * 4)]],
  ],
};

function writeFile(folder: string, name: string): string {
  const random = generator();
  const lines = Array.from({ length: rows }, (_, row) => files[name](random, row).join(","));
  const path = join(folder, `${name.replaceAll(/\W+/g, "-")}.csv`);
  writeFileSync(path, `a,b,c,d,e,f,g,h\n${lines.join("\n")}\n`);
  return path;
}

interface Sample extends ReaderSample {
  readonly rows: number;
}

/** Prints the table. Without pandas Netwright is measured alone. */
export async function measureCsv(rounds: number): Promise<void> {
  const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
  const python = here("../../bench/peers/venv/bin/python");
  const commands = new Map<string, Command>([
    ["Netwright", { file: process.execPath, args: [here("./netwright/csv.js")] }],
  ]);
  if (existsSync(python)) {
    const program = here("../../bench/peers/python/pandas_csv.py");
    commands.set("pandas, one thread", { file: python, args: [program, "--one-thread"] });
    commands.set("pandas", { file: python, args: [program] });
  }
  const readers = new Map([...commands].map(([name, command]) => [name, new Reader<Sample>(command)]));
  const folder = mkdtempSync(join(tmpdir(), "netwright-bench-csv-"));
  try {
    const lines: string[][] = [];
    for (const name of Object.keys(files))
      lines.push(...(await measureFile(writeFile(folder, name), name, readers, rounds)));
    const header = ["file", "reader", "MB/s", "spread", "MB a second of processor"];
    console.log(`\n## csv\n\n${table(header, lines)}`);
  } finally {
    for (const reader of readers.values()) reader.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measureFile(
  path: string,
  title: string,
  readers: ReadonlyMap<string, Reader<Sample>>,
  rounds: number,
): Promise<string[][]> {
  const samples = new Map([...readers.keys()].map((name): [string, Sample[]] => [name, []]));
  // Two rounds warm up: the file cache, the compiler.
  for (let round = -2; round < rounds; round++) {
    for (const [name, reader] of readers) {
      const sample = await reader.sample(path);
      if (sample.rows !== rows) throw new Error(`${name} read ${sample.rows} rows of ${rows}`);
      if (round >= 0) samples.get(name)!.push(sample);
    }
  }
  const megabytes = statSync(path).size / 1e6;
  return [...samples].map(([name, list]) => {
    const speed = summarize(list.map(({ seconds }) => megabytes / seconds));
    const perCpu = summarize(list.map(({ cpuSeconds }) => megabytes / cpuSeconds));
    const spread = `${speed.minimum.toFixed(0)}–${speed.maximum.toFixed(0)}`;
    return [title, name, speed.median.toFixed(0), spread, perCpu.median.toFixed(0)];
  });
}
