/**
 * What several nodes compute together: a convolution, a pool, a softmax. Nothing of the compiler asks for it; who hands a graph to
 * other programs writes one operator instead of the nodes.
 */
import type { Attributes, Node } from "./node.ts";
import { currentTrace } from "./trace.ts";

export interface Composition {
  readonly name: string;
  readonly inputs: readonly Node[];
  readonly attributes: Attributes;
}

const compositions = new WeakMap<Node, Composition>();

/** `output`, with a note of what it was composed of. */
export function composed(
  output: Node,
  name: string,
  inputs: readonly Node[],
  attributes: Attributes = {},
): Node {
  const { capture } = currentTrace();
  compositions.set(output, { name, attributes, inputs: capture ? inputs.map(capture) : inputs });
  return output;
}

export const compositionOf = (node: Node): Composition | undefined => compositions.get(node);
