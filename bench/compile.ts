/** How long tracing and compiling training steps takes: the first in a fresh process, and later ones of other models. */
import type { Contender } from "./contenders.ts";
import { type FreshRun, runFresh } from "./fresh.ts";
import type { Skipped } from "./measure.ts";
import { type Summary, summarize } from "./statistics.ts";
import { type CompileCase, compileCases } from "./workloads.ts";

/** What a fresh process answers. */
export interface CompileTimes {
  /** All that it takes until the step is ready to run, tracing aside. */
  readonly compileMs: number;
  /** Left out by peers, whose tracing is part of their compiling. */
  readonly traceMs?: number;
  /** Nodes of the traced graph. */
  readonly nodes?: number;
  readonly kernels?: number;
  /** Medians over further models of the same kind in the same process. */
  readonly laterTraceMs?: number;
  readonly laterCompileMs?: number;
}

const timed = ["compileMs", "traceMs", "laterTraceMs", "laterCompileMs"] as const;
type Timed = (typeof timed)[number];

export interface CompileResult extends Readonly<Partial<Record<Timed, Summary>>> {
  readonly id: string;
  readonly work: string;
  readonly contender: string;
  readonly title: string;
  readonly compileMs: Summary;
  readonly nodes: number | undefined;
  readonly kernels: number | undefined;
}

/** A peer that takes minutes to compile does it once. */
const peerRounds = 1;

export async function measureCompile(
  contenders: readonly Contender[],
  rounds: number,
): Promise<{ results: readonly CompileResult[]; skipped: readonly Skipped[] }> {
  const results: CompileResult[] = [];
  const skipped: Skipped[] = [];
  const isOwn = ({ key }: Contender): boolean => key.startsWith("netwright");
  for (const compileCase of compileCases) {
    const take = async (taking: readonly Contender[], samples: number): Promise<void> => {
      const fresh = await runFresh<CompileTimes>(
        taking,
        (contender) => contender.compiling?.(compileCase.work),
        samples,
      );
      for (const [contender, runs] of fresh.runs) results.push(resultOf(compileCase, contender, runs));
      skipped.push(...fresh.skipped);
    };
    await take(contenders.filter(isOwn), Math.min(rounds, compileCase.mostRounds));
    await take(
      contenders.filter((contender) => !isOwn(contender)),
      peerRounds,
    );
  }
  return { results, skipped };
}

function resultOf(
  { id, title: work }: CompileCase,
  { key, title }: Contender,
  runs: readonly FreshRun<CompileTimes>[],
): CompileResult {
  const summaryOf = (name: Timed): Summary | undefined => {
    const samples = runs.flatMap(({ answer }) => answer[name] ?? []);
    return samples.length > 0 ? summarize(samples) : undefined;
  };
  const [{ answer }] = runs;
  const { nodes, kernels } = answer;
  const [compileMs, traceMs, laterTraceMs, laterCompileMs] = timed.map(summaryOf);
  return {
    ...{ id, work, contender: key, title, nodes, kernels },
    ...{ compileMs: compileMs!, traceMs, laterTraceMs, laterCompileMs },
  };
}
