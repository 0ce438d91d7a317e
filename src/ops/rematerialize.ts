/** Values that are computed again where the gradient needs them, instead of being kept. */
import type { Node } from "../graph/node.ts";
import type { MovementOp } from "../graph/op.ts";
import { currentTrace, makeNode, type Trace } from "../graph/trace.ts";
import { customGradient } from "./custom-gradient.ts";
import { substitute } from "./mapping.ts";
import { traceRegion } from "./region.ts";
import { reverse } from "./reverse.ts";
import { assignState, readState } from "./state.ts";

/** An instance, so that attributes tell one recomputation from another and from the first computation. */
export class Again {}

export const againOp: MovementOp<{ owner: Again }> = {
  name: "again",
  kind: "movement",
  isBarrier: true,
  type: ([x]) => ({ shape: x!.shape, dtype: x!.dtype }),
  reference: ([x]) => [x!],
  gradient: (_node, [g]) => [g!],
  view: (input) => input,
  map: ({ attributes }, { inputs: [x] }) => makeNode(againOp, [x!], attributes),
};

/** x itself, from which equal expressions are other nodes than those of x: what is computed from it is computed again. */
export const again = (x: Node, owner: Again): Node => makeNode(againOp, [x], { owner });

/**
 * The results of `body`, of which only the inputs (and what it captured) are kept for the gradient: its reverse walk computes
 * the body again, from the values that states had then. States that it assigns (random keys) are assigned once. Chen, Xu, Zhang, Guestrin:
 * "Training deep nets with sublinear memory cost", 2016.
 */
export function rematerialize(
  inputs: readonly Node[],
  body: (inputs: readonly Node[]) => readonly Node[],
): Node[] {
  const traced = traceRegion(inputs, body);
  const inside = [...traced.given, ...traced.captured.values(), ...traced.reads.values()];
  const outside = [...inputs, ...traced.captured.keys(), ...[...traced.reads.keys()].map(readState)];
  const repeated = new WeakMap<Trace, { from: Node[]; results: Node[] }>();
  /** One recomputation a trace, for all results. */
  const recompute = (): { from: Node[]; results: Node[] } => {
    const trace = currentTrace();
    let made = repeated.get(trace);
    if (made === undefined) {
      const owner = new Again();
      const from = outside.map((x) => again(x, owner));
      repeated.set(trace, (made = { from, results: substitute(traced.results, inside, from) }));
    }
    return made;
  };
  const values = substitute([...traced.results, ...traced.assigned.values()], inside, outside);
  for (const [i, state] of [...traced.assigned.keys()].entries())
    assignState(state, values[traced.results.length + i]!);
  return values.slice(0, traced.results.length).map((result, i) =>
    customGradient(result, outside, (g) => {
      const { from, results } = recompute();
      return reverse([{ of: results[i]!, value: g }], from).map((value) => value ?? null);
    }),
  );
}
