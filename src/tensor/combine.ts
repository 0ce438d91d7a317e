/** Functions of several tensors: joined along an axis, contracted by letters, spread over a grid. */
import { promote } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import { multiplySizes, type Size } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import {
  broadcastTo,
  cast,
  concat as concatNodes,
  einsum as einsumNodes,
  mul,
  reshape,
  stack as stackNodes,
} from "../ops/index.ts";
import { lowered } from "./autocast.ts";
import { toNode } from "./convert.ts";
import { located } from "./located.ts";
import { fromNode, type Tensor } from "./tensor.ts";
import type { TensorLike } from "./types.ts";

/** Nodes of one dtype. */
function common(what: string, tensors: readonly TensorLike[]): Node[] {
  if (tensors.length === 0) throw new ArgumentError(`${what}: needs at least one tensor`);
  const nodes = tensors.map((value) => toNode(value, "f32", what));
  const dtype = nodes.map((node) => node.dtype).reduce(promote);
  return nodes.map((node) => cast(node, dtype));
}

/**
 * Joined along an axis that they have; dtypes promote.
 *
 * @throws ShapeError when another axis differs
 * @example concat([[1, 2], [3]]) // [1, 2, 3]
 */
export const concat = (tensors: readonly TensorLike[], axis = 0): Tensor =>
  located(() => fromNode(concatNodes(common("concat", tensors), axis)));

/**
 * Joined along a new axis; dtypes promote.
 *
 * @throws ShapeError when shapes differ
 * @example stack([[1, 2], [3, 4]], 1) // [[1, 3], [2, 4]]
 */
export const stack = (tensors: readonly TensorLike[], axis = 0): Tensor =>
  located(() => fromNode(stackNodes(common("stack", tensors), axis)));

/**
 * Einstein's summation: the product of all tensors, summed over the letters that the output lacks. Without `->` the output
 * has the letters that occur once, in alphabetical order; a letter twice in one tensor takes its diagonal. Tensors are
 * contracted from left to right, each pair as a batched matrix product.
 *
 * @throws ArgumentError for an equation that is none
 * @throws ShapeError when a letter has two sizes
 * @example einsum("ij,j->i", [[1, 2], [3, 4]], [1, 1]) // [3, 7]
 */
export const einsum = (equation: string, ...tensors: readonly TensorLike[]): Tensor =>
  located(() => fromNode(einsumNodes(equation, common("einsum", tensors).map(lowered))));

/**
 * The product summed over axes: the last `axes` of a with the first of b, or the lists of axes that belong together.
 *
 * @throws ShapeError when sizes differ
 * @example tensordot([[1, 2], [3, 4]], [1, 1], 1) // [3, 7]
 */
export function tensordot(
  a: TensorLike,
  b: TensorLike,
  axes: number | readonly [readonly number[], readonly number[]] = 2,
): Tensor {
  return located(() => {
    const [left, right] = common("tensordot", [a, b]) as [Node, Node];
    const [rankA, rankB] = [left.shape.length, right.shape.length];
    const [ofA, ofB] =
      typeof axes === "number"
        ? [
            Array.from({ length: axes }, (_, i) => rankA - axes + i),
            Array.from({ length: axes }, (_, i) => i),
          ]
        : axes;
    const [first, second] = [inRange(ofA, rankA), inRange(ofB, rankB)];
    if (first.length !== second.length)
      throw new ArgumentError(`tensordot: ${first.length} axes of the first, ${second.length} of the second`);
    if (rankA + rankB > 52) throw new ArgumentError("tensordot: at most 52 axes in all");
    const lettersA = Array.from({ length: rankA }, (_, i) => letter(i));
    const lettersB = Array.from({ length: rankB }, (_, i) => letter(rankA + i));
    second.forEach((axis, i) => {
      lettersB[axis] = lettersA[first[i]!]!;
    });
    const kept = [...without(lettersA, first), ...without(lettersB, second)];
    return fromNode(
      einsumNodes(`${lettersA.join("")},${lettersB.join("")}->${kept.join("")}`, [left, right].map(lowered)),
    );
  });
}

const letter = (i: number): string => "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"[i]!;
const without = (letters: readonly string[], axes: readonly number[]): string[] =>
  letters.filter((_, axis) => !axes.includes(axis));

function inRange(axes: readonly number[], rank: number): number[] {
  return axes.map((axis, i) => {
    const at = axis < 0 ? axis + rank : axis;
    if (Number.isInteger(at) && at >= 0 && at < rank && axes.indexOf(axis) === i) return at;
    throw new ArgumentError(
      `tensordot: axes [${axes.join(", ")}] must be different axes of a tensor of rank ${rank}`,
    );
  });
}

/**
 * The coordinates of a grid: vector i, repeated over the axes of the others. `"ij"` gives axis i to vector i; `"xy"` exchanges
 * the first two axes, as NumPy does unless told otherwise.
 *
 * @example
 * const [rows, columns] = meshgrid([[0, 1], [0, 1, 2]]);
 * rows!.shape; // [2, 3]
 */
export function meshgrid(
  vectors: readonly TensorLike[],
  { indexing = "ij" }: { readonly indexing?: "ij" | "xy" } = {},
): Tensor[] {
  return located(() => {
    const nodes = vectors.map((vector) => toNode(vector, "f32", "meshgrid"));
    const wrong = nodes.find(({ shape }) => shape.length !== 1);
    if (wrong !== undefined)
      throw new ArgumentError(`meshgrid: takes vectors, got a tensor of ${wrong.shape.length} axes`);
    const order = nodes.map((_, i) => (indexing === "xy" && i < 2 && nodes.length > 1 ? 1 - i : i));
    const shape = order.map((i): Size => nodes[i]!.shape[0]!);
    return nodes.map((node, i) => {
      const single = shape.map((_, axis): Size => (order[axis] === i ? node.shape[0]! : 1));
      return fromNode(broadcastTo(reshape(node, single), shape));
    });
  });
}

/**
 * The product of Kronecker: every element of `a` times all of `b`, in blocks. Fewer axes are filled up in front.
 *
 * Shapes: (m, n) and (p, q) → (m·p, n·q).
 *
 * @example
 * kron(eye(2), [[1, 2]]); // [[1, 2, 0, 0], [0, 0, 1, 2]]
 */
export function kron(a: TensorLike, b: TensorLike): Tensor {
  return located(() => {
    const [left, right] = operandsOfKron(...(common("kron", [a, b]) as [Node, Node]));
    const shape = left.shape.map((size, axis) => multiplySizes(size, right.shape[axis]!));
    const outer = reshape(
      left,
      left.shape.flatMap((size) => [size, 1]),
    );
    const inner = reshape(
      right,
      right.shape.flatMap((size) => [1, size]),
    );
    const both = left.shape.flatMap((size, axis) => [size, right.shape[axis]!]);
    return fromNode(reshape(mul(broadcastTo(outer, both), broadcastTo(inner, both)), shape));
  });
}

/** Both with as many axes as the one that has more. */
function operandsOfKron(a: Node, b: Node): [Node, Node] {
  const rank = Math.max(a.shape.length, b.shape.length);
  const filled = (x: Node): Node => reshape(x, [...Array<Size>(rank - x.shape.length).fill(1), ...x.shape]);
  return [filled(a), filled(b)];
}
