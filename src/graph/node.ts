/**
 * The graph: immutable, interned nodes. A node says *what* a value means; nothing here computes.
 *
 * Most nodes have one output. A node with several (`scan`) lists them in `outputs`; the `output` op picks one.
 */
import type { DType } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import type { Op } from "./op.ts";
import type { Origin } from "./origin.ts";

export interface TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Plain data an op needs beside its inputs: numbers, strings, sizes, arrays of them, states, regions. */
export type Attributes = { readonly [name: string]: unknown };

export interface Node<A extends Attributes = Attributes> extends TensorType {
  /** Rising in order of creation, so inputs have smaller ids than their users. */
  readonly id: number;
  readonly op: Op<A>;
  readonly inputs: readonly Node[];
  readonly attributes: A;
  /** Types of all outputs when there are several; `shape` and `dtype` are then the first one's. */
  readonly outputs?: readonly TensorType[];
  readonly origin: Origin;
}

/**
 * A sub-graph with parameters, held by a node (`scan`, `repeatWhile`). It is closed: it reaches nothing outside but its
 * parameters, so whoever builds one passes captured nodes as further inputs.
 */
export interface Region {
  readonly parameters: readonly Node[];
  readonly results: readonly Node[];
}

/**
 * All nodes that `roots` reach, as they were made: a pass that builds nodes anew in this order keeps it, so that a gradient stands right
 * behind the layer it is of and what it reads need not be kept longer.
 */
export const creationOrder = (roots: readonly Node[]): Node[] =>
  topologicalOrder(roots).sort((a, b) => a.id - b.id);

/** All nodes that `roots` reach, inputs before users. Iterative: graphs are deeper than the call stack. */
export function topologicalOrder(roots: readonly Node[]): Node[] {
  const order: Node[] = [];
  const seen = new Set<Node>();
  const stack: { node: Node; next: number }[] = [];
  for (const root of roots) {
    if (seen.has(root)) continue;
    seen.add(root);
    stack.push({ node: root, next: 0 });
    while (stack.length > 0) {
      const top = stack[stack.length - 1]!;
      const input = top.node.inputs[top.next++];
      if (input === undefined) {
        order.push(top.node);
        stack.pop();
      } else if (!seen.has(input)) {
        seen.add(input);
        stack.push({ node: input, next: 0 });
      }
    }
  }
  return order;
}
