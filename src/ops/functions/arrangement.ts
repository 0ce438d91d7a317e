/** Elements repeated, turned round, picked along diagonals: compositions of views, placements and one gather. */
import { ArgumentError, ShapeError } from "../../base/errors.ts";
import { normalizeAxis, type Shape, shapeText } from "../../base/shape.ts";
import { multiplySizes, productOf, sizesAgree } from "../../base/size.ts";
import type { Node } from "../../graph/node.ts";
import { add, mul, sub } from "../arithmetic.ts";
import { broadcastTo, reshape } from "../broadcast.ts";
import { checkIndex } from "../check.ts";
import { greaterEqual, lessEqual } from "../compare.ts";
import { concat } from "../concat.ts";
import { like, zerosLike } from "../constants.ts";
import { gather } from "../indexed.ts";
import { permute } from "../permute.ts";
import { select } from "../select.ts";
import { pad, slice, sliceAxis } from "../slice.ts";
import { iota } from "../sources.ts";

/** Arrays of one shape along a new axis. @example stack([x, x], 0) // (2, 3) twice → (2, 2, 3) */
export function stack(inputs: readonly Node[], axis = 0): Node {
  const [first] = inputs;
  if (first === undefined) throw new ArgumentError("stack: needs at least one array");
  const at = normalizeAxis(axis, first.shape.length + 1, "stack");
  for (const { shape } of inputs) {
    if (shape.length === first.shape.length && shape.every((size, i) => sizesAgree(size, first.shape[i]!)))
      continue;
    throw new ShapeError(
      `stack: shapes ${shapeText(first.shape)} and ${shapeText(shape)} differ; all must be equal`,
    );
  }
  const expanded = inputs.map((x) => reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]));
  return concat(expanded, at);
}

function requireCount(name: string, count: number): void {
  if (!Number.isInteger(count) || count < 0)
    throw new ArgumentError(`${name}: repeats a whole number of times, got ${count}`);
}

/** The whole of x side by side, `counts[i]` times along axis i (counts are aligned at the last axis, as NumPy's). */
export function tile(x: Node, counts: readonly number[]): Node {
  for (const count of counts) requireCount("tile", count);
  const rank = Math.max(x.shape.length, counts.length);
  const missing = (length: number): number[] => new Array<number>(rank - length).fill(1);
  const shape: Shape = [...missing(x.shape.length), ...x.shape];
  const times = [...missing(counts.length), ...counts];
  const single = reshape(
    x,
    shape.flatMap((size) => [1, size]),
  );
  const repeated = broadcastTo(
    single,
    shape.flatMap((size, axis) => [times[axis]!, size]),
  );
  return reshape(
    repeated,
    shape.map((size, axis) => multiplySizes(size, times[axis]!)),
  );
}

/** Each element `count` times in a row along an axis, as NumPy's repeat and PyTorch's repeat_interleave. */
export function repeat(x: Node, count: number, axis: number): Node {
  requireCount("repeat", count);
  const at = normalizeAxis(axis, x.shape.length, "repeat");
  const [before, size, after] = [x.shape.slice(0, at), x.shape[at]!, x.shape.slice(at + 1)];
  const repeated = broadcastTo(reshape(x, [...before, size, 1, ...after]), [
    ...before,
    size,
    count,
    ...after,
  ]);
  return reshape(repeated, [...before, multiplySizes(size, count), ...after]);
}

function staticSize(name: string, x: Node, axis: number): number {
  const size = x.shape[axis]!;
  if (typeof size === "number") return size;
  throw new ShapeError(`${name}: axis ${axis} of ${shapeText(x.shape)} must have a size known when tracing`);
}

/** Elements moved by `shift` places along an axis; what leaves at one end comes in at the other. */
export function roll(x: Node, shift: number, axis: number): Node {
  const at = normalizeAxis(axis, x.shape.length, "roll");
  const size = staticSize("roll", x, at);
  if (!Number.isInteger(shift))
    throw new ArgumentError(`roll: the shift must be a whole number, got ${shift}`);
  const by = size === 0 ? 0 : ((shift % size) + size) % size;
  if (by === 0) return x;
  return concat([sliceAxis(x, at, size - by, by), sliceAxis(x, at, 0, size - by)], at);
}

function requireMatrix(name: string, x: Node): void {
  if (x.shape.length < 2)
    throw new ShapeError(`${name}: takes matrices (…, rows, columns), got shape ${shapeText(x.shape)}`);
}

/** Column minus row of each element of the last two axes, compared with a diagonal. */
function triangle(name: string, x: Node, diagonal: number, isKept: typeof lessEqual): Node {
  requireMatrix(name, x);
  const rank = x.shape.length;
  const place = sub(iota(x.shape, rank - 1), iota(x.shape, rank - 2));
  return select(isKept(place, like(place, diagonal)), x, zerosLike(x));
}

/** The lower triangles of matrices, up to and with a diagonal (0: the main one, 1: one above it); zeros elsewhere. */
export const lowerTriangle = (x: Node, diagonal = 0): Node => triangle("tril", x, diagonal, lessEqual);

/** The upper triangles of matrices, from a diagonal on; zeros elsewhere. */
export const upperTriangle = (x: Node, diagonal = 0): Node => triangle("triu", x, diagonal, greaterEqual);

/** Elements (i, i + offset) of axes `a` and `b`, which vanish, as a new last axis: each (columns + 1)-th of the flattened. */
export function diagonal(x: Node, offset = 0, a = -2, b = -1): Node {
  requireMatrix("diagonal", x);
  const rank = x.shape.length;
  const [row, column] = [normalizeAxis(a, rank, "diagonal"), normalizeAxis(b, rank, "diagonal")];
  if (row === column) throw new ArgumentError(`diagonal: needs two axes, got ${a} and ${b}`);
  const others = x.shape.flatMap((_, axis) => (axis === row || axis === column ? [] : [axis]));
  const [rows, columns] = [staticSize("diagonal", x, row), staticSize("diagonal", x, column)];
  const outer = others.map((axis) => x.shape[axis]!);
  const count = Math.max(0, offset < 0 ? Math.min(rows + offset, columns) : Math.min(rows, columns - offset));
  const start = count === 0 ? 0 : offset < 0 ? -offset * columns : offset;
  const flat = reshape(permute(x, [...others, row, column]), [...outer, rows * columns]);
  return slice(flat, {
    start: [...outer.map(() => 0), start],
    step: [...outer.map(() => 1), columns + 1],
    shape: [...outer, count],
  });
}

/** Square matrices with the last axis of x on their diagonals: (…, n) → (…, n, n). */
export function diagonalMatrix(x: Node): Node {
  const rank = x.shape.length;
  if (rank === 0) throw new ShapeError("diagonalMatrix: takes vectors (…, n), got a scalar");
  const n = staticSize("diagonalMatrix", x, rank - 1);
  const none = x.shape.map(() => 0);
  const interior = none.map((_, axis) => (axis === rank - 1 ? n : 0));
  return reshape(pad(x, { low: none, high: none, interior }), [...x.shape, n]);
}

/**
 * For each element of `indices` (i32) the element of x at that place along an axis, at the same place along the others. An
 * index outside fails the run.
 *
 * @example takeAlong(x, cast(greater(x, zerosLike(x)), "i32"), 1) // (B, n), (B, k) → (B, k)
 */
export function takeAlong(x: Node, indices: Node, axis: number): Node {
  const rank = x.shape.length;
  const at = normalizeAxis(axis, rank, "takeAlong");
  const agrees = (size: Shape[number], i: number): boolean => i === at || sizesAgree(size, x.shape[i]!);
  if (indices.shape.length !== rank || !indices.shape.every(agrees)) {
    const shapes = `${shapeText(indices.shape)} into ${shapeText(x.shape)}`;
    throw new ShapeError(`takeAlong: indices ${shapes}: all axes but axis ${axis} must be equal`);
  }
  const size = staticSize("takeAlong", x, at);
  const order = [...x.shape.flatMap((_, i) => (i === at ? [] : [i])), at];
  const inside = checkIndex(indices, size, `takeAlong: indices into axis ${axis} must be 0 … ${size - 1}`);
  const moved = permute(inside, order);
  const outer = moved.shape.slice(0, -1);
  const row = reshape(iota([productOf(outer)], 0), [...outer, 1]);
  const start = broadcastTo(mul(row, like(row, size)), moved.shape);
  const flat = reshape(permute(x, order), [multiplySizes(productOf(outer), size)]);
  const back = order.map((_, i) => order.indexOf(i));
  return permute(gather(flat, add(start, moved), 0), back);
}
