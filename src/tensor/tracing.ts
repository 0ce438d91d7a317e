/** Which compiled function is being traced. */
import { ArgumentError } from "../base/errors.ts";
import type { Node } from "../graph/node.ts";
import { originText } from "../graph/origin.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import { Dependencies, withDependencies } from "./trace-dependencies.ts";

let current: Trace | undefined;

/** The trace of the function being compiled; undefined outside. Regions inside of it do not hide it. */
export const compiledTrace = (): Trace | undefined => current;

/** Runs `body` in a trace of its own, as a compiled function. */
export function traceCompiled<R>(body: () => R): { trace: Trace; dependencies: Dependencies; result: R } {
  const trace = new Trace("compiled");
  const dependencies = new Dependencies();
  const outer = current;
  current = trace;
  try {
    const result = withTrace(trace, () => withDependencies(dependencies, body));
    return { trace, dependencies, result };
  } finally {
    current = outer;
  }
}

/** The error for a node that is used where its function's arguments have no value. */
export function escaped(node: Node): ArgumentError {
  return new ArgumentError(
    `a tensor made inside a traced function${originText(node.origin)} has no value outside of it: ` +
      "return it from that function",
  );
}
