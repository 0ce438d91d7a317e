/** How long tracing and compiling a training step takes: the first in a fresh process, and later ones of other models. */
import type { Contender } from "./contenders.ts";
import { runFresh } from "./fresh.ts";
import type { Skipped } from "./measure.ts";
import { type Summary, summarize } from "./statistics.ts";
import { compileWork } from "./workloads.ts";

/** What a fresh process answers. */
export interface CompileTimes {
  /** Nodes of the traced graph. */
  readonly nodes: number;
  readonly kernels: number;
  readonly traceMs: number;
  readonly compileMs: number;
  /** Medians over further models of the same kind in the same process. */
  readonly laterTraceMs: number;
  readonly laterCompileMs: number;
}

const timed = ["traceMs", "compileMs", "laterTraceMs", "laterCompileMs"] as const;

export interface CompileResult extends Readonly<Record<(typeof timed)[number], Summary>> {
  readonly contender: string;
  readonly title: string;
  readonly nodes: number;
  readonly kernels: number;
}

export async function measureCompile(
  contenders: readonly Contender[],
  rounds: number,
): Promise<{ results: readonly CompileResult[]; skipped: readonly Skipped[] }> {
  const { runs, skipped } = await runFresh<CompileTimes>(
    contenders,
    (contender) => contender.compiling?.(compileWork),
    rounds,
  );
  const results = [...runs].map(([{ key, title }, samples]) => {
    const [{ nodes, kernels }] = samples.map(({ answer }) => answer);
    const summaryOf = (name: (typeof timed)[number]) => summarize(samples.map(({ answer }) => answer[name]));
    const [traceMs, compileMs, laterTraceMs, laterCompileMs] = timed.map(summaryOf);
    return { contender: key, title, nodes, kernels, traceMs, compileMs, laterTraceMs, laterCompileMs };
  });
  return { results, skipped };
}
