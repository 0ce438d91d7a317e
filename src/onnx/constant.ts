/** Numbers that a graph fixes: nodes that depend on nothing but constants, evaluated when it is built. */
import { encode } from "../base/dtype.ts";
import type { HostArray } from "../base/host-array.ts";
import { interpret } from "../codegen/interpreter/index.ts";
import { type Node, topologicalOrder } from "../graph/node.ts";

const found = new WeakMap<Node, HostArray>();
/** Nodes that depend on a parameter, state or buffer. */
const open = new WeakSet<Node>();

/** undefined where the node depends on inputs or weights, or its size is not known. */
export function constantOf(node: Node): HostArray | undefined {
  const known = found.get(node);
  if (known !== undefined) return known;
  if (!isClosed(node)) return undefined;
  const [result] = interpret(
    { name: "constant", parameters: [], results: [node], assignments: [] },
    [],
  ).results;
  const { shape, dtype, data } = result!;
  const array: HostArray = { shape, dtype, data: encode(dtype, data) as HostArray["data"] };
  found.set(node, array);
  return array;
}

function isClosed(root: Node): boolean {
  for (const node of topologicalOrder([root])) {
    const { op } = node;
    const isOpen =
      (op.kind === "source" && ["state", "parameter", "buffer"].includes(op.source)) ||
      node.shape.some((size) => typeof size !== "number") ||
      node.inputs.some((input) => open.has(input));
    if (isOpen) open.add(node);
  }
  return !open.has(root);
}
