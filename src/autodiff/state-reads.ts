/** Which value of a state a loss read: the one to differentiate with respect to. */
import { ArgumentError } from "../base/errors.ts";
import type { Node } from "../graph/node.ts";
import { userLine } from "../graph/origin.ts";
import type { State } from "../graph/state.ts";
import { currentTrace, openTraces, type Trace } from "../graph/trace.ts";
import { reachedFrom } from "../ops/reverse.ts";
import { readState } from "../ops/state.ts";

/**
 * The node through which `loss` read `state` in the current trace. When the state was assigned since, the value that the
 * loss read is no longer the state's, and which one is meant cannot be known: an error that names both lines.
 */
export function valueReadBy(loss: Node, state: State): Node {
  const trace = readingTrace(loss, state);
  const assigned = trace.assigned.get(state);
  const first = trace.reads.get(state);
  if (assigned === undefined || first === undefined || assigned === first)
    return trace === currentTrace() ? readState(state) : first!;
  const reader = readerOf(loss, first, assigned);
  if (reader === undefined) return assigned;
  const at = (line: string | undefined): string => (line === undefined ? "" : ` at ${line}`);
  const where = at(lineOf(trace.assignedAt.get(state)));
  throw new ArgumentError(
    `gradients: state "${state.name}" was assigned${where}, after the loss read it${at(userLine(reader.origin))}; ` +
      "take the gradient before the assignment",
  );
}

/** The trace in which the loss read the state: in a loop's body it may be one around the body's own. */
function readingTrace(loss: Node, state: State): Trace {
  const current = currentTrace();
  if (current.kind !== "region") return current;
  const order = new Set(reachedFrom([loss]));
  const isRead = (trace: Trace): boolean => order.has(trace.reads.get(state)!);
  return openTraces().find(isRead) ?? current;
}

const lineOf = (origin: Parameters<typeof userLine>[0] | undefined) => origin && userLine(origin);

/** A node of the loss that uses the old value other than by way of the new one; undefined when none does. */
function readerOf(loss: Node, old: Node, current: Node): Node | undefined {
  const seen = new Set<Node>([current]);
  const open = [loss];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (node === old || node.inputs.includes(old)) return node;
    open.push(...node.inputs);
  }
  return undefined;
}
