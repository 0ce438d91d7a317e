/** Tracing a function into a compiled program. */
import { ArgumentError } from "../base/errors.ts";
import { type GraphFunction, rootsOf } from "../graph/function.ts";
import { type Node, topologicalOrder } from "../graph/node.ts";
import type { State } from "../graph/state.ts";
import type { Trace } from "../graph/trace.ts";
import { parameter } from "../ops/index.ts";
import { cpuDevice } from "../runtime/devices.ts";
import { isTensor, valueOfNode } from "./handle.ts";
import { nodeOf } from "./nodes.ts";
import { Program } from "./program.ts";
import { build, isRecord, type Template } from "./signature.ts";
import { fromNode } from "./tensor.ts";
import { traceCompiled } from "./tracing.ts";
import type { History, Value } from "./value.ts";

/** Traces `fn` for arguments of the template's types, and compiles what it did. */
export function traceProgram(name: string, fn: (...args: unknown[]) => unknown, argument: Template): Program {
  const parameters: Node[] = [];
  const traced = traceCompiled(() => {
    const args = build(argument, ({ shape, dtype, path }) => {
      const node = parameter({ shape, dtype }, path);
      parameters.push(node);
      return fromNode(node);
    });
    return treeOf(name, fn(...(args as unknown[])));
  });
  const { template, nodes } = traced.result;
  const assignments = assignmentsOf(traced.trace);
  const captured = capturedBy([...nodes, ...assignments.map(([, node]) => node)]);
  const graph: GraphFunction = {
    name,
    parameters: [...parameters, ...captured.keys()],
    results: nodes,
    assignments,
  };
  return new Program({
    fn: graph,
    executable: cpuDevice().compile(graph),
    results: template,
    captured: [...captured.values()],
    dependencies: traced.dependencies,
    writes: new Set(assignments.map(([state]) => state)),
    history: historyOf(graph),
  });
}

/** The tree of what a function takes or returned, and the nodes of its tensors in the tree's order. */
export function treeOf(
  name: string,
  returned: unknown,
  path = "result",
): { template: Template; nodes: Node[] } {
  if (returned instanceof Promise) {
    throw new ArgumentError(
      `${name}: the function is asynchronous; a traced function only builds a graph, so nothing in it can be awaited: ` +
        "read data before the call, and results after it",
    );
  }
  const nodes: Node[] = [];
  const visit = (value: unknown, path: string): Template => {
    if (isTensor(value)) {
      const node = nodeOf(value);
      nodes.push(node);
      return { kind: "tensor", shape: node.shape, dtype: node.dtype, path };
    }
    if (Array.isArray(value))
      return { kind: "array", items: value.map((item, i) => visit(item, `${path}[${i}]`)), path };
    if (!isRecord(value)) return { kind: "constant", value, path };
    const keys = Object.keys(value);
    return { kind: "record", keys, items: keys.map((key) => visit(value[key], `${path}.${key}`)), path };
  };
  const template = visit(returned, path);
  return { template, nodes };
}

/** New values of states; one that was assigned what it held is left alone. */
const assignmentsOf = (trace: Trace): (readonly [State, Node])[] =>
  [...trace.assigned].filter(([state, node]) => trace.reads.get(state) !== node);

/** Buffers are values from outside: the program gets them with every call. */
function capturedBy(roots: readonly Node[]): Map<Node, Value> {
  const buffers = topologicalOrder(roots).filter(({ op }) => op.kind === "source" && op.source === "buffer");
  return new Map(buffers.map((node) => [node, valueOfNode(node)!]));
}

/** Results of a compiled function are leaves: gradients end there, and it is known which states they came from. */
function historyOf(fn: GraphFunction): History {
  const states = new Set<State>();
  for (const { op, attributes } of topologicalOrder(rootsOf(fn)))
    if (op.kind === "source" && op.source === "state") states.add(attributes["state"] as State);
  return { nodes: 0, bytes: 0, states };
}
