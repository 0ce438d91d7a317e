/**
 * Columns of a product's right operand that memory holds in panels (numbers of few bits of some rows of a weight side by side) are two
 * axes there, which no stride walks as one. The product is made over both, and they are one again behind it. Each element is the same
 * chain of multiply-adds.
 */
import type { Shape } from "../base/shape.ts";
import { maxOf, multiplySizes, productOf, sameSize } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import { makeNode } from "../graph/trace.ts";
import type { View } from "../graph/view.ts";
import { type DotAxes, permute, permuteOp, reshape, reshapeOp } from "../ops/index.ts";
import { viewOf } from "./memory-order.ts";

/** Elementwise nodes between the operand and memory: weights have few. */
const mostNodes = 8;

/** `views`: of the nodes of one graph. */
export function splitColumns(node: Node, views: Map<Node, View>): Node | undefined {
  if (node.op.kind !== "dot") return undefined;
  const [a, b] = node.inputs as [Node, Node];
  const { batch, depth } = node.attributes as DotAxes;
  const column = batch + depth;
  const merged = b.op === permuteOp ? b.inputs[0]! : b;
  if (b.shape.length !== column + 1 || merged.op !== reshapeOp) return undefined;
  const order = b.op === permuteOp ? (b.attributes.order as readonly number[]) : [...b.shape.keys()];
  const axis = order[column]!;
  let parts = merged;
  while (parts.op === reshapeOp) parts = parts.inputs[0]!;
  const [outer, inner] = axesWithin(parts.shape, merged.shape, axis) ?? [];
  if (outer === undefined || inner === undefined || !isInPanels(parts, [outer, inner], views))
    return undefined;
  const sizes = [parts.shape[outer]!, parts.shape[inner]!];
  const split = reshape(parts, [...merged.shape.slice(0, axis), ...sizes, ...merged.shape.slice(axis + 1)]);
  const others = order.slice(0, column).map((at) => (at > axis ? at + 1 : at));
  const product = makeNode(node.op, [a, permute(split, [...others, axis, axis + 1])], node.attributes);
  return reshape(product, node.shape);
}

/** The two axes of `shape`, those of size 1 aside, that are one `axis` of `merged`; undefined where they are not two. */
function axesWithin(shape: Shape, merged: Shape, axis: number): readonly number[] | undefined {
  const before = productOf(merged.slice(0, axis));
  const present = [...shape.keys()].filter((at) => shape[at] !== 1);
  const start = present.findIndex((at) => sameSize(productOf(shape.slice(0, at)), before));
  const two = start < 0 ? [] : present.slice(start, start + 2);
  return two.length === 2 && sameSize(productOf(two.map((at) => shape[at]!)), merged[axis]!)
    ? two
    : undefined;
}

/** Whether something that the node is computed from lies side by side along the inner axis, and far apart along the outer one. */
function isInPanels(
  node: Node,
  [outer, inner]: readonly [number, number],
  views: Map<Node, View>,
  most = mostNodes,
): boolean {
  if (node.op.kind === "elementwise")
    return most > 0 && node.inputs.some((input) => isInPanels(input, [outer, inner], views, most - 1));
  const { shape, strides } = viewOf(node, views);
  const whole = multiplySizes(shape[inner]!, strides[inner]!);
  return sameSize(strides[inner]!, 1) && maxOf(strides[outer]!) > maxOf(whole);
}
