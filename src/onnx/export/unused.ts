/** What nothing reads is left out: values that turned out not to be needed. */
import type { OnnxGraph, OnnxNode } from "../../formats/index.ts";

export function withoutUnused(graph: OnnxGraph): OnnxGraph {
  const used = new Set(graph.outputs.map(({ name }) => name));
  const nodes: OnnxNode[] = [];
  for (const node of [...graph.nodes].reverse()) {
    if (!node.outputs.some((name) => used.has(name))) continue;
    const tidy = {
      ...node,
      attributes: new Map([...node.attributes].map(([key, value]) => [key, tidied(value)])),
    };
    for (const name of namesIn(tidy)) used.add(name);
    nodes.push(tidy);
  }
  const initializers = new Map([...graph.initializers].filter(([name]) => used.has(name)));
  return { ...graph, nodes: nodes.reverse(), initializers };
}

type Attribute = OnnxNode["attributes"] extends ReadonlyMap<string, infer A> ? A : never;

const tidied = (attribute: Attribute): Attribute =>
  attribute.kind === "graph" ? { kind: "graph", value: withoutUnused(attribute.value) } : attribute;

/** All values that a node reads, those that its graphs see around them too. */
function* namesIn(node: OnnxNode): Iterable<string> {
  yield* node.inputs;
  for (const { kind, value } of node.attributes.values()) {
    if (kind !== "graph") continue;
    for (const inner of value.nodes) yield* namesIn(inner);
    for (const { name } of value.outputs) yield name;
  }
}
