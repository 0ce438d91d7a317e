/** The time from starting a process to the first training step done, each sample in a fresh process. */
import { spawn } from "node:child_process";
import type { Command } from "./child.ts";
import type { Contender } from "./contenders.ts";
import type { Skipped } from "./measure.ts";
import { type Summary, summarize } from "./statistics.ts";
import { mlpWork } from "./workloads.ts";

export interface StartupResult {
  readonly contender: string;
  readonly title: string;
  readonly milliseconds: Summary;
  /** The largest resident memory of the process up to then; absent for the bare interpreters. */
  readonly residentBytes: Summary | undefined;
}

interface Start {
  readonly milliseconds: number;
  readonly residentBytes?: number;
}

/** Starts everyone in turn, `rounds` times, after one start each that only fills the file cache. */
export async function measureStartup(
  contenders: readonly Contender[],
  rounds: number,
): Promise<{ results: readonly StartupResult[]; skipped: readonly Skipped[] }> {
  const work = { ...mlpWork, batches: 1 };
  const skipped: Skipped[] = [];
  const taking = contenders.filter((contender) => !contender.missing() && contender.startup(work));
  const starts = new Map<Contender, Start[]>(taking.map((contender) => [contender, []]));
  for (let round = 0; round <= rounds; round++) {
    for (const [contender, samples] of starts) {
      try {
        const start = await startOnce(contender.startup(work)!);
        if (round > 0) samples.push(start);
      } catch (error) {
        skipped.push({ lane: contender.title, reason: (error as Error).message, failed: true });
        starts.delete(contender);
      }
    }
  }
  const results = [...starts].map(([{ key, title }, samples]) => {
    const resident = samples.map(({ residentBytes }) => residentBytes).filter((bytes) => bytes !== undefined);
    return {
      contender: key,
      title,
      milliseconds: summarize(samples.map(({ milliseconds }) => milliseconds)),
      residentBytes: resident.length > 0 ? summarize(resident) : undefined,
    };
  });
  return { results, skipped };
}

function startOnce({ file, args, environment }: Command): Promise<Start> {
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    const child = spawn(file, args, { env: { ...process.env, OMP_NUM_THREADS: "1", ...environment } });
    let start: Start | undefined;
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const milliseconds = performance.now() - begin;
      output += text;
      const line = /^(\{.*\})$/m.exec(output);
      if (line && !start) start = { milliseconds, ...(JSON.parse(line[1]) as { residentBytes?: number }) };
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors = (errors + text).slice(-2000);
    });
    child.on("error", reject);
    child.on("close", (code) => {
      if (start && code === 0) resolve(start);
      else reject(new Error(`ended with code ${code} before its first step\n${errors}`));
    });
  });
}
