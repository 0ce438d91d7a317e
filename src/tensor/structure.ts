/**
 * The structure of a graph apart from the values at its leaves, as a key: equal keys, one program. Leaves (computed values,
 * arrays) are numbered in the order in which they are met, states go by identity, constants by their bits.
 */
import type { HostArray } from "../base/host-array.ts";
import { shapeKey } from "../base/shape.ts";
import type { GraphFunction } from "../graph/function.ts";
import type { Node } from "../graph/node.ts";
import { withOrigin } from "../graph/origin.ts";
import type { State } from "../graph/state.ts";
import { attributesKey, eagerTrace, makeNode, Trace, withTrace } from "../graph/trace.ts";
import { parameter } from "../ops/index.ts";
import { valueOfNode } from "./handle.ts";
import { escaped } from "./tracing.ts";
import { Value } from "./value.ts";

/** What is to be computed, with its leaves found. */
export interface Work {
  readonly roots: readonly Node[];
  readonly assignments: readonly (readonly [State, Node])[];
  /** Inputs before users; leaves included. */
  readonly order: readonly Node[];
  /** The value of each leaf that is an input of the program. */
  readonly leaves: ReadonlyMap<Node, Value>;
  readonly key: string;
}

/** Arrays made into values once, so that the same array is the same leaf again. */
const arrayValues = new WeakMap<object, Value>();

function leafValue(node: Node): Value | undefined {
  const source = node.op.kind === "source" ? node.op.source : undefined;
  // A state that still holds what this node means is read in place, also when somebody has a copy already.
  if (source === "state" && eagerTrace().reads.get(node.attributes["state"] as State) === node)
    return undefined;
  if (source !== "array") return valueOfNode(node);
  const array = node.attributes["array"] as HostArray;
  let value = arrayValues.get(array.data);
  if (value === undefined) arrayValues.set(array.data, (value = Value.ofHost(array)));
  return value;
}

export function workOf(roots: readonly Node[], assignments: readonly (readonly [State, Node])[]): Work {
  const leaves = new Map<Node, Value>();
  const ends = [...roots, ...assignments.map(([, node]) => node)];
  const order = orderUpTo(ends, (node) => {
    const value = leafValue(node);
    if (value !== undefined) leaves.set(node, value);
    return value !== undefined;
  });
  return { roots, assignments, order, leaves, key: keyOf(order, leaves, roots, assignments) };
}

/** Nodes that `roots` need, inputs before users, nothing behind computed values. */
export const uncomputedOrder = (roots: readonly Node[]): Node[] =>
  orderUpTo(roots, (node) => leafValue(node) !== undefined);

/** Like `topologicalOrder`, but nothing behind a node for which `isLeaf` is visited. */
function orderUpTo(roots: readonly Node[], isLeaf: (node: Node) => boolean): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  const stack: { node: Node; inputs: readonly Node[]; next: number }[] = [];
  const enter = (node: Node): void => {
    seen.add(node);
    stack.push({ node, inputs: isLeaf(node) ? [] : node.inputs, next: 0 });
  };
  for (const root of roots) {
    if (!seen.has(root)) enter(root);
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const input = top.inputs[top.next++];
      if (input === undefined) order.push(stack.pop()!.node);
      else if (!seen.has(input)) enter(input);
    }
  }
  return order;
}

function keyOf(
  order: readonly Node[],
  leaves: ReadonlyMap<Node, Value>,
  roots: readonly Node[],
  assignments: readonly (readonly [State, Node])[],
): string {
  const numbers = new Map<Node, number>();
  const values = new Map<Value, number>();
  const parts = order.map((node, i) => {
    numbers.set(node, i);
    const value = leaves.get(node);
    if (value === undefined) return nodeKey(node, numbers);
    const known = values.get(value);
    if (known !== undefined) return `=${known}`;
    values.set(value, i);
    return `${value.dtype}[${shapeKey(value.shape)}]`;
  });
  const results = roots.map((node) => numbers.get(node)).join(",");
  const assigned = assignments.map(([state, node]) => `${state.id}=${numbers.get(node)}`).join(",");
  return `${parts.join(";")}→${results}|${assigned}`;
}

function nodeKey(node: Node, numbers: ReadonlyMap<Node, number>): string {
  if (node.op.kind === "source" && node.op.source === "parameter") throw escaped(node);
  const inputs = node.inputs.map((input) => numbers.get(input)).join(",");
  return `${node.op.name}(${inputs})${attributesKey(node.attributes)}`;
}

/** The function that computes `work`, its leaves made parameters: it holds no value. */
export function functionOf(work: Work): GraphFunction {
  const copies = new Map<Node, Node>();
  const parameters = new Map<Value, Node>();
  const copy = (node: Node): Node => {
    const value = work.leaves.get(node);
    if (value === undefined) {
      const inputs = node.inputs.map((input) => copies.get(input)!);
      return makeNode(node.op, inputs, node.attributes);
    }
    let made = parameters.get(value);
    if (made === undefined) parameters.set(value, (made = parameterFor(value, parameters.size)));
    return made;
  };
  withTrace(new Trace("compiled"), () => {
    for (const node of work.order)
      copies.set(
        node,
        withOrigin(node.origin, () => copy(node)),
      );
  });
  return {
    name: "eager",
    parameters: [...parameters.values()],
    results: work.roots.map((node) => copies.get(node)!),
    assignments: work.assignments.map(([state, node]) => [state, copies.get(node)!] as const),
  };
}

const parameterFor = (value: Value, index: number): Node => parameter(value, `value ${index}`);

/** The inputs of the program in the order of its parameters: each distinct leaf once, as met. */
export const inputsOf = (work: Work): readonly Value[] => [
  ...new Set(work.order.flatMap((node) => work.leaves.get(node) ?? [])),
];
