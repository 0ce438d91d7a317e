/**
 * Building regions: a function is traced with parameters for its arguments, and closed. What it takes from outside becomes a
 * further parameter; constants, counters and views of what is captured are built again inside, where they cost nothing.
 * States that it reads or assigns become parameters and results too.
 */
import { elementCount } from "../base/shape.ts";
import { boundsOf, subtractSizes } from "../base/size.ts";
import type { Node, Region, TensorType } from "../graph/node.ts";
import type { State } from "../graph/state.ts";
import { makeNode, nextNodeId, Trace, withTrace } from "../graph/trace.ts";
import { parameter } from "./sources.ts";

/** An instance, so that attributes compare regions by identity. */
export class ClosedRegion implements Region {
  readonly parameters: readonly Node[];
  readonly results: readonly Node[];
  constructor(parameters: readonly Node[], results: readonly Node[]) {
    this.parameters = parameters;
    this.results = results;
  }
}

export interface TracedRegion {
  readonly results: readonly Node[];
  /** Parameters for the arguments, in order. */
  readonly given: readonly Node[];
  /** Nodes from outside, each with the parameter that stands for it. */
  readonly captured: ReadonlyMap<Node, Node>;
  /** States that were read, each with the parameter that is its value when an iteration begins. */
  readonly reads: ReadonlyMap<State, Node>;
  /** States that were assigned, each with its new value. */
  readonly assigned: ReadonlyMap<State, Node>;
}

/** Runs `body` in a trace of its own on parameters of the given types. */
export function traceRegion(
  types: readonly TensorType[],
  body: (parameters: readonly Node[]) => readonly Node[],
): TracedRegion {
  const trace = new Trace("region");
  const captured = new Map<Node, Node>();
  const reads = new Map<State, Node>();
  const first = nextNodeId();
  // A stored value comes from outside, also where it is first named in here.
  const isOwn = (node: Node): boolean => node.id >= first && !isStored(node);
  trace.capture = (node) => (isOwn(node) ? node : captureOuter(node, captured, trace));
  trace.readOuter = (state) => {
    const node = parameter(state, state.name);
    reads.set(state, node);
    return node;
  };
  return withTrace(trace, () => {
    const given = types.map((type, i) => parameter(type, `p${i}`));
    const results = body(given).map(trace.capture!);
    const assigned = new Map(
      [...trace.assigned].map(([state, node]) => [state, trace.capture!(node)] as const),
    );
    return { results, given, captured, reads, assigned };
  });
}

const isStored = ({ op }: Node): boolean => op.kind === "source" && op.source === "buffer";

function captureOuter(node: Node, captured: Map<Node, Node>, trace: Trace): Node {
  const known = captured.get(node);
  if (known !== undefined) return known;
  if (isFree(node)) return makeNode(node.op, node.inputs.map(trace.capture!), node.attributes);
  const inside = parameter(node, String(node.attributes["name"] ?? node.op.name));
  captured.set(node, inside);
  trace.outside.set(inside, node);
  return inside;
}

/** Whether building a node again costs nothing: a number, a counter, or a view that is no smaller than what it views. */
function isFree({ op, inputs, shape }: Node): boolean {
  if (op.kind === "source") return op.source === "constant" || op.source === "iota";
  if (op.kind !== "movement" || op.gradientInputs !== undefined) return false;
  return boundsOf(subtractSizes(elementCount(shape), elementCount(inputs[0]!.shape))).min >= 0;
}
