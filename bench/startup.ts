/** The time from starting a process to the first training step done, each sample in a fresh process. */
import type { Contender } from "./contenders.ts";
import { runFresh } from "./fresh.ts";
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

export async function measureStartup(
  contenders: readonly Contender[],
  rounds: number,
): Promise<{ results: readonly StartupResult[]; skipped: readonly Skipped[] }> {
  const work = { ...mlpWork, batches: 1 };
  const { runs, skipped } = await runFresh<{ residentBytes?: number }>(
    contenders,
    (contender) => contender.startup(work),
    rounds,
  );
  const results = [...runs].map(([{ key, title }, samples]) => {
    const resident = samples.map(({ answer }) => answer.residentBytes).filter((bytes) => bytes !== undefined);
    return {
      contender: key,
      title,
      milliseconds: summarize(samples.map(({ milliseconds }) => milliseconds)),
      residentBytes: resident.length > 0 ? summarize(resident) : undefined,
    };
  });
  return { results, skipped };
}
