/**
 * Maps, reductions and placements in the order in which their operands lie: what reads permuted arrays walks them as they are stored, and its
 * result is the permuted view. So between layers that permute to an order of axes of their own and back (convolutions keep
 * channels last) everything stays in that order. Each element is the same.
 */
import type { Shape } from "../base/shape.ts";
import { maxOf } from "../base/size.ts";
import type { Attributes, Node } from "../graph/node.ts";
import { makeNode } from "../graph/trace.ts";
import { contiguousView, type View } from "../graph/view.ts";
import { permute, permuteOp } from "../ops/index.ts";

/** `views`: of the nodes of one graph, kept for the nodes to come. */
export function inMemoryOrder(node: Node, views: Map<Node, View>): Node | undefined {
  const { op, inputs, shape } = node;
  if (op.kind !== "elementwise" && op.kind !== "reduce" && op.kind !== "placement") return undefined;
  if (shape.length < (op.kind === "reduce" ? 1 : 2)) return undefined;
  const orders = inputs.map((input) => orderOf(viewOf(input, views))).filter((order) => order !== undefined);
  const [order] = orders;
  if (order === undefined || order === "natural" || orders.includes("natural")) return undefined;
  const moved = (attributes: Attributes): Node =>
    makeNode(
      op,
      inputs.map((input) => reordered(input, order)),
      attributes,
    );
  if (op.kind === "elementwise") return reordered(moved(node.attributes), inverse(order));
  if (op.kind === "reduce") return reduced(node, order, moved);
  return op.permuted && reordered(moved(op.permuted(node.attributes, order)), inverse(order));
}

/**
 * A reduction may change its order of axes only where it keeps the order of its sums: reduced axes as they follow each other, and
 * the last axis reduced or not as before.
 */
function reduced(node: Node, order: readonly number[], moved: (a: Attributes) => Node): Node | undefined {
  const { shape } = node.inputs[0]!;
  const { axes } = node.attributes as { axes: readonly number[] };
  const present = order.filter((axis) => shape[axis] !== 1);
  const folded = present.filter((axis) => axes.includes(axis));
  const last = shape.findLastIndex((size) => size !== 1);
  const isSame = folded.every((axis, i) => i === 0 || axis > folded[i - 1]!);
  if (!isSame || axes.includes(last) !== axes.includes(present.at(-1)!)) return undefined;
  const places = axes.map((axis) => order.indexOf(axis)).sort((a, b) => a - b);
  const result = moved({ ...node.attributes, axes: places });
  const kept = order.filter((axis) => !axes.includes(axis));
  const ranks = [...kept].sort((a, b) => a - b);
  return reordered(
    result,
    ranks.map((axis) => kept.indexOf(axis)),
  );
}

/** Where an input's elements lie, over the node that owns them. */
export function viewOf(node: Node, views: Map<Node, View>): View {
  let view = views.get(node);
  if (view === undefined) {
    const { op, attributes, inputs } = node;
    const seen = op.kind === "movement" ? op.view(viewOf(inputs[0]!, views), attributes, node) : undefined;
    // What no view can say is copied, and what a constant or counter says lies nowhere.
    view = seen ?? (hasPlace(node) ? contiguousView(node.shape) : nowhere(node.shape));
    views.set(node, view);
  }
  return view;
}

const hasPlace = ({ op }: Node): boolean =>
  op.kind !== "source" || (op.source !== "constant" && op.source !== "iota");

const nowhere = (shape: Shape): View => ({ shape, strides: shape.map(() => 0), offset: 0 });

/**
 * The axes from the farthest apart to the nearest, those of size 1 first; undefined where elements repeat. Axes of size 1 may stand
 * anywhere: without them the natural order counts up.
 */
function orderOf({ shape, strides }: View): readonly number[] | "natural" | undefined {
  const axes = [...shape.keys()];
  const present = axes.filter((axis) => shape[axis] !== 1);
  if (present.length < 2 || present.some((axis) => strides[axis] === 0)) return undefined;
  const distance = (axis: number): number => Math.abs(maxOf(strides[axis]!));
  present.sort((a, b) => distance(b) - distance(a) || a - b);
  if (present.every((axis, i) => i === 0 || axis > present[i - 1]!)) return "natural";
  return [...axes.filter((axis) => shape[axis] === 1), ...present];
}

const inverse = (order: readonly number[]): number[] => order.map((_, axis) => order.indexOf(axis));

/** `permute`, two of them as one. */
function reordered(node: Node, order: readonly number[]): Node {
  if (node.op !== permuteOp) return permute(node, order);
  const inner = node.attributes.order as readonly number[];
  return permute(
    node.inputs[0]!,
    order.map((axis) => inner[axis]!),
  );
}
