/** NumPy's indexing, and parts put in place of others. */
import type { DType } from "../../base/dtype.ts";
import { isInteger } from "../../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../../base/errors.ts";
import { sameShape, shapeText } from "../../base/shape.ts";
import type { ReplaceAxis, TensorShape } from "../../base/shape-types.ts";
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import { toNode } from "../convert.ts";
import { isTensor } from "../handle.ts";
import { nodeOf } from "../nodes.ts";
import type { Tensor } from "../tensor.ts";
import type { NestedArray, TensorLike, TensorOf } from "../types.ts";

/**
 * A part of an axis: see {@link slice}.
 *
 * @example tensor([1, 2, 3]).at(slice(1)); // [2, 3]
 */
export class Slice {
  readonly start: number | undefined;
  readonly stop: number | undefined;
  readonly step: number;
  constructor(start: number | undefined, stop: number | undefined, step: number) {
    this.start = start;
    this.stop = stop;
    this.step = step;
  }
}

/**
 * Elements `start` up to before `stop`, each `step`-th, as an index of `at` and `set`: Python's `start:stop:step`. Negative
 * bounds count from the end, bounds outside are the ends, a negative step walks backwards; `slice()` is the whole axis.
 *
 * @example
 * const x = arange(6);
 * x.at(slice(1, -1)); // [1, 2, 3, 4]
 * x.at(slice(undefined, undefined, -2)); // [5, 3, 1]
 */
export const slice = (start?: number, stop?: number, step = 1): Slice => new Slice(start, stop, step);

/**
 * What `at` and `set` take for an axis: an integer, a `slice(…)`, a list or tensor of indices; `null` adds an axis, `"..."`
 * stands for all axes between. A list of booleans as long as the axis picks where it is true.
 */
export type TensorIndex = number | Slice | null | "..." | NestedArray | Tensor;

export interface IndexingMethods {
  /**
   * The part at indices, one an axis from the first on, as NumPy's x[i, j]: what is not named stays whole. Integers take their
   * axis away, slices keep it, `null` adds one, `"..."` stands for all between. Lists and tensors of indices are broadcast together;
   * their axes come in their place where they stand side by side, else in front. Negative indices count from the end.
   *
   * @throws ShapeError for an integer outside, or too many indices. An index in a tensor that is outside fails the run.
   * @example
   * const x = arange(6).reshape([2, 3]);
   * x.at(-1); // [3, 4, 5]
   * x.at(slice(), 1); // [1, 4]
   * x.at("...", [2, 0]); // [[2, 0], [5, 3]]
   */
  at<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    index: number,
  ): TensorOf<ReplaceAxis<S, 0, []>, D>;
  at<D extends DType>(this: Tensor<any, D>, ...indices: readonly TensorIndex[]): Tensor<any, D>;
  /**
   * A tensor like this one with `value` (which broadcasts) at indices, as NumPy's x[i, j] = value: of several at one place the
   * last stays. This one is as it was. A bool tensor, alone, is a mask over the first axes: the value stands wherever it is true.
   *
   * @example
   * zeros([2, 2]).set(7, [0, slice()]); // [[7, 7], [0, 0]]
   * const x = arange(4);
   * x.set(-1, [x.greater(1)]); // [0, 1, -1, -1]
   */
  set<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    value: TensorLike,
    indices: readonly TensorIndex[],
  ): Tensor<S, D>;
  /**
   * With `updates` added at `indices` (i32) along an axis; each as often as it occurs. Updates have the shape of
   * `gather(indices, axis)`. An index outside fails the run.
   *
   * @example zeros([3]).scatterAdd([1, 1], [2, 5]) // [0, 7, 0]
   */
  scatterAdd<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    indices: TensorLike,
    updates: TensorLike,
    axis?: number,
  ): Tensor<S, D>;
  /**
   * With `updates` in the places of `indices` (i32) along an axis, as `scatterAdd` but replacing: the last of several stays.
   *
   * @example zeros([3]).scatter([2, 0], [4, 5]) // [5, 0, 4]
   */
  scatter<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    indices: TensorLike,
    updates: TensorLike,
    axis?: number,
  ): Tensor<S, D>;
  /**
   * Rows with a 1 at each label's place: (…) i32 → (…, classes). A label outside 0 … classes − 1 fails the run.
   *
   * @example tensor([2, 0], { dtype: "i32" }).oneHot(3) // [[0, 0, 1], [1, 0, 0]]
   */
  oneHot<D extends DType = "f32">(this: Tensor<any, any>, classes: number, dtype?: D): Tensor<any, D>;
  /** With `value` wherever `mask` (which broadcasts) is true. @example arange(3).maskedFill([true, false, true], 9) // [9, 1, 9] */
  maskedFill<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    mask: TensorLike,
    value: number,
  ): Tensor<S, D>;
  /**
   * Where elements are not 0 (or true): `indices` (size, rank), a row for each in row-major order, zeros behind; `count`, how
   * many there are. More than `size` fail the run; all fit when it is left out.
   *
   * @example
   * const { indices, count } = tensor([0, 3, 0, 5]).nonzero({ size: 3 });
   * indices; // [[1], [3], [0]]
   * count; // 2
   */
  nonzero(
    this: Tensor,
    options?: { readonly size?: number },
  ): { indices: Tensor<[number, number], "i32">; count: Tensor<[], "i32"> };
}

function indexOf(index: TensorIndex, position: number): ops.NodeIndex[] {
  if (index === null || index === "..." || typeof index === "number") return [index];
  if (index instanceof Slice) return [index];
  if (Array.isArray(index) && typeof index.flat(Infinity)[0] === "boolean") return listsOf(index);
  const node = toNode(index as TensorLike, "i32", "at");
  if (node.dtype === "bool") {
    throw new DTypeError(
      "at: how many elements a mask picks is known only when the program runs; use where(mask, x, 0), maskedFill, or " +
        "nonzero({ size }) with gather",
    );
  }
  if (!isInteger(node.dtype)) {
    throw new DTypeError(`at: index ${position} is ${node.dtype}; indices are integers, cast it to i32`);
  }
  return [ops.cast(node, "i32")];
}

/** A list of booleans picks as many elements as it has trues: lists of their indices, one an axis. */
function listsOf(mask: readonly unknown[]): ops.NodeIndex[] {
  const found: number[][] = [];
  const visit = (part: unknown, at: readonly number[]): void => {
    if (Array.isArray(part)) part.forEach((inner, i) => void visit(inner, [...at, i]));
    else if (part === true) found.push([...at]);
    else if (part !== false) throw new ArgumentError("at: a mask holds booleans only");
  };
  visit(mask, []);
  let [inner, rank]: [unknown, number] = [mask, 0];
  for (; Array.isArray(inner); inner = inner[0]) rank++;
  return Array.from({ length: rank }, (_, axis) =>
    ops.array({ dtype: "i32", shape: [found.length], data: Int32Array.from(found, (place) => place[axis]!) }),
  );
}

const indicesOf = (indices: readonly TensorIndex[]): ops.NodeIndex[] => indices.flatMap(indexOf);

/** With values, which broadcast, wherever a mask over the first axes is true. */
function withMasked(x: Node, mask: Node, values: Node): Node {
  const rest = x.shape.slice(mask.shape.length);
  if (!sameShape(mask.shape, x.shape.slice(0, mask.shape.length)))
    throw new ShapeError(
      `set: the mask has shape ${shapeText(mask.shape)}, the tensor ${shapeText(x.shape)}: a mask has the first axes' sizes`,
    );
  const whole = ops.broadcastTo(ops.reshape(mask, [...mask.shape, ...rest.map(() => 1)]), x.shape);
  return ops.select(whole, ops.broadcastTo(values, x.shape), x);
}

export const indexing = {
  at: (x: Node, ...indices: readonly TensorIndex[]): Node => ops.indexed(x, indicesOf(indices)),
  set: (x: Node, value: TensorLike, indices: readonly TensorIndex[]): Node => {
    const values = ops.cast(toNode(value, x.dtype, "set"), x.dtype);
    const [mask] = indices;
    if (indices.length === 1 && isTensor(mask) && mask.dtype === "bool")
      return withMasked(x, nodeOf(mask), values);
    return ops.withValuesAt(x, indicesOf(indices), values);
  },
  scatterAdd: (x: Node, indices: TensorLike, updates: TensorLike, axis = 0): Node =>
    ops.scatterAdd(x, toNode(indices, "i32", "scatterAdd"), toNode(updates, x.dtype, "scatterAdd"), axis),
  scatter: (x: Node, indices: TensorLike, updates: TensorLike, axis = 0): Node =>
    ops.scatter(x, toNode(indices, "i32", "scatter"), toNode(updates, x.dtype, "scatter"), axis),
  oneHot: (x: Node, classes: number, dtype: DType = "f32"): Node =>
    ops.oneHot(ops.cast(x, "i32"), classes, dtype),
  maskedFill: (x: Node, mask: TensorLike, value: number): Node =>
    ops.select(ops.broadcastTo(toNode(mask, "bool", "maskedFill"), x.shape), ops.like(x, value), x),
  nonzero: (x: Node, { size }: { size?: number } = {}) =>
    ops.nonzero(x, size ?? (x.shape as readonly number[]).reduce((a, b) => a * b, 1)),
};
