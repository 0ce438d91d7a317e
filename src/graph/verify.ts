/**
 * What must hold of a graph function, checked between passes in tests: the specification of a graph.
 *
 * - Inputs were built before their users.
 * - Every node's types are those that its op's rule gives for its inputs and attributes.
 * - No size can be negative.
 * - A parameter or buffer that is reached is one of the function's (or region's) own, each listed once.
 * - Regions are closed: what they reach are their own parameters; they have one for each input of their node.
 * - An assigned value has its state's type.
 */
import { InternalError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import { boundsOf } from "../base/size.ts";
import { type GraphFunction, rootsOf } from "./function.ts";
import { type Node, type Region, type TensorType, topologicalOrder } from "./node.ts";
import type { Op } from "./op.ts";
import { originText } from "./origin.ts";

/** @throws InternalError that names the function, the node and the rule it breaks */
export function verifyGraph(fn: GraphFunction): void {
  try {
    verifyBlock(fn.parameters, rootsOf(fn));
    for (const [state, value] of fn.assignments)
      if (!sameType(state, value)) fail(value, `is assigned to state "${state.name}" of ${typeText(state)}`);
  } catch (error) {
    if (error instanceof InternalError) error.message = `${fn.name}: ${error.message}`;
    throw error;
  }
}

/** A function or a region: parameters, and what is computed from them. */
function verifyBlock(parameters: readonly Node[], results: readonly Node[]): void {
  const own = new Set(parameters);
  if (own.size < parameters.length) fail(parameters[0]!, "is listed twice among the parameters");
  for (const node of parameters) if (!isGiven(node)) fail(node, "is listed as a parameter, but is computed");
  for (const node of topologicalOrder(results)) {
    if (isGiven(node) && !own.has(node)) fail(node, "is used, but is no parameter here");
    verifyNode(node);
    for (const region of regionsOf(node)) {
      if (region.parameters.length !== node.inputs.length)
        fail(node, `has ${node.inputs.length} inputs, its region ${region.parameters.length} parameters`);
      verifyBlock(region.parameters, region.results);
    }
  }
}

const isGiven = ({ op }: Node): boolean =>
  op.kind === "source" && (op.source === "parameter" || op.source === "buffer");

function verifyNode(node: Node): void {
  for (const input of node.inputs)
    if (input.id >= node.id) fail(node, `uses ${nodeText(input)}, which was built after it`);
  const op: Op = node.op;
  const derived = op.type(node.inputs, node.attributes as never);
  const expected: readonly TensorType[] = "shape" in derived ? [derived] : derived;
  const types = node.outputs ?? [node];
  if (types.length !== expected.length)
    fail(node, `has ${types.length} outputs, its rule gives ${expected.length}`);
  types.forEach((type, i) => {
    if (!sameType(type, expected[i]!))
      fail(node, `is ${typeText(type)}, its rule gives ${typeText(expected[i]!)}`);
    for (const size of type.shape)
      if (boundsOf(size).min < 0) fail(node, `has a size that can be negative: ${size}`);
  });
}

/** The regions among a node's attributes. */
export function regionsOf(node: Node): readonly Region[] {
  if (node.op.kind !== "region") return [];
  return Object.values(node.attributes).filter(isRegion);
}

const isRegion = (value: unknown): value is Region =>
  typeof value === "object" && value !== null && "parameters" in value && "results" in value;

const sameType = (a: TensorType, b: TensorType): boolean =>
  a.dtype === b.dtype && sameShape(a.shape, b.shape);
const typeText = ({ shape, dtype }: TensorType): string => `${dtype} ${shapeText(shape)}`;
const nodeText = (node: Node): string => `${node.op.name} #${node.id}`;

function fail(node: Node, text: string): never {
  throw new InternalError(`${nodeText(node)}${originText(node.origin)} ${text}`);
}
