/** Runs an example: the split is checked, time and memory are taken. */
import { createHash } from "node:crypto";
import { seed as setSeed } from "netwright";
import type { Dataset } from "netwright/data";
import { type Example, type Result, runOf } from "./example.ts";

export interface Outcome {
  readonly scores: Result["scores"];
  /** How many rows each part has. */
  readonly sizes: Readonly<Record<string, number>>;
  readonly pictures: NonNullable<Result["pictures"]>;
  readonly processorSeconds: number;
  readonly peakMemoryBytes: number;
}

export interface PerformOptions {
  readonly quick?: boolean;
  readonly seed?: number;
  readonly folder?: string;
  readonly shuffleLabels?: boolean;
  readonly say?: (text: unknown) => void;
}

/** @throws Error when two parts of the data share a row */
export async function perform(example: Example, options: PerformOptions = {}): Promise<Outcome> {
  const { quick = false, seed = 0, shuffleLabels = false, say = () => {}, folder } = options;
  setSeed(seed);
  const before = process.cpuUsage();
  const {
    scores,
    splits,
    pictures = [],
  } = await example.run(runOf({ quick, seed, folder, shuffleLabels, say }));
  const { user, system } = process.cpuUsage(before);
  requireDisjoint(splits);
  return {
    scores,
    sizes: Object.fromEntries(Object.entries(splits).map(([name, rows]) => [name, rows.length])),
    pictures,
    processorSeconds: (user + system) / 1e6,
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
  };
}

/** @throws Error naming the parts that share rows */
export function requireDisjoint(splits: Result["splits"]): void {
  const parts = Object.entries(splits).map(([name, rows]) => ({ name, digests: new Set(digestsOf(rows)) }));
  for (const [i, a] of parts.entries()) {
    for (const b of parts.slice(i + 1)) {
      const shared = [...a.digests].filter((digest) => b.digests.has(digest)).length;
      if (shared > 0)
        throw new Error(`${a.name} and ${b.name} share ${shared} rows; drop them before the split`);
    }
  }
}

function digestsOf(rows: Dataset | readonly unknown[]): string[] {
  const digest = (bytes: string | Uint8Array): string =>
    createHash("sha256").update(bytes).digest("base64").slice(0, 22);
  if (Array.isArray(rows)) return rows.map((row) => digest(JSON.stringify(row)));
  const columns = (rows as Dataset).columns as Record<string, unknown>;
  const inputs = Object.keys(columns).filter((name) => name !== "labels");
  return Array.from({ length: rows.length }, (_, i) => {
    const sample = (rows as Dataset).sample(i);
    return digest(inputs.map((name) => rowText(sample[name])).join("\n"));
  });
}

const rowText = (value: unknown): string =>
  ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("base64")
    : JSON.stringify(value);
