/**
 * The compiler, one page: a traced function becomes a Program by these passes, in this order.
 *
 *   splitConcats  graph → graph        parts of what was put together are those parts again
 *   mergeScans    graph → graph        loops that run alike become one, stacks that nobody reads go
 *   simplify      graph → graph        algebra that never changes a bit, no-op movements, constants
 *   lowerProgram  graph → steps        views, fusion into clusters, kernels, results and commit
 *   planMemory    steps → offsets      liveness, one arena
 *
 * Each pass can show what it made (`onPass`; `NETWRIGHT_DEBUG` on the command line). The last step proves every access of every
 * kernel in bounds: nothing else is ever emitted (but in a page, where the engine checks).
 */
import { provesPrograms } from "#platform";
import { functionDimensions, type GraphFunction } from "../graph/function.ts";
import type { Program } from "../ir/program.ts";
import type { TargetDescription } from "../ir/target.ts";
import { verifyProgram } from "../ir/verify-program.ts";
import { lowerProgram } from "./lower-program.ts";
import { mergeScans } from "./merge-scans.ts";
import { planMemory } from "./plan-memory.ts";
import { simplify } from "./simplify.ts";
import { splitConcats } from "./split-concats.ts";

/** Where this code was loaded from: with another build, programs may differ. */
export const compilerModule = import.meta.url;

export interface CompileOptions {
  readonly target: TargetDescription;
  /** false: every op is a kernel of its own, so that tests can tell what fusion changes (nothing, if it is right). */
  readonly isFused?: boolean;
  /** Receives each pass's result. */
  readonly onPass?: ((name: string, result: GraphFunction | Program) => void) | undefined;
}

export function compileProgram(
  fn: GraphFunction,
  { target, isFused = true, onPass }: CompileOptions,
): Program {
  onPass?.("trace", fn);
  const simplified = simplify(mergeScans(splitConcats(fn)));
  onPass?.("simplify", simplified);
  const draft = lowerProgram(simplified, { target, isFused });
  const arenaBytes = planMemory(draft, target.threads);
  const { inputs, states, arrays, results, compute, commit, undo, checks } = draft;
  const dimensions = functionDimensions(fn);
  const program: Program = {
    name: fn.name,
    dimensions,
    inputs,
    states,
    arrays,
    results,
    compute,
    commit,
    undo,
    checks,
    arenaBytes,
    threads: target.threads,
  };
  onPass?.("program", program);
  // Machine code is safe because no kernel that was not proven in bounds is ever emitted.
  if (provesPrograms) verifyProgram(program);
  return program;
}
