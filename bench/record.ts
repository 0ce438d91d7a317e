/** A whole run as `--json` writes it and `--from` reads it. */
import { readFileSync } from "node:fs";
import type { CompileResult } from "./compile.ts";
import type { Machine } from "./machine.ts";
import type { CaseResult, Measurement } from "./measure.ts";
import type { StartupResult } from "./startup.ts";
import type { Case } from "./workloads.ts";

export interface BenchRecord {
  readonly date: string;
  /** The arguments. */
  readonly command: readonly string[];
  readonly machine: Machine;
  /** How many processes wanted a processor, before and after. */
  readonly loadBefore: number;
  readonly loadAfter: number;
  readonly results: readonly (Case & CaseResult)[];
  readonly startup: readonly StartupResult[];
  readonly compile: readonly CompileResult[];
}

export function readRecord(file: string): BenchRecord {
  const record = JSON.parse(readFileSync(file, "utf8")) as Partial<BenchRecord>;
  if (record.results && record.startup && record.compile && record.machine) return record as BenchRecord;
  throw new Error(`${file}: not a file that "npm run bench -- --json FILE" wrote`);
}

/** One contender's figures for one case: with so many threads, or with the number that was fastest. */
export function measured(
  { results }: BenchRecord,
  id: string,
  contender: string,
  threads: number | "best",
): Measurement | undefined {
  const own = results
    .find((result) => result.id === id)
    ?.measurements.filter((measurement) => measurement.contender === contender);
  if (threads !== "best") return own?.find((measurement) => measurement.threads === threads);
  return [...(own ?? [])].sort((a, b) => a.seconds.median - b.seconds.median)[0];
}
