/** Parts of a tensor, and axes that come and go. */
import type { DType } from "../../base/dtype.ts";
import { ArgumentError, ShapeError } from "../../base/errors.ts";
import { normalizeAxes, normalizeAxis, type Shape, shapeText } from "../../base/shape.ts";
import type { AxisCheck, InsertAxis, ReplaceAxis, TensorShape } from "../../base/shape-types.ts";
import { productOf, type Size } from "../../base/size.ts";
import type { Node } from "../../graph/node.ts";
import { array, flip, full, gather, pad, reshape, slice, sliceAxis, sub } from "../../ops/index.ts";
import type { Tensor } from "../tensor.ts";
import type { TensorOf } from "../types.ts";

export interface PartMethods {
  /**
   * Elements `start` … `stop` − 1 of one axis, each `step`-th. Negative indices count from the end, as in Python.
   *
   * @throws ShapeError when an index lies outside
   * @example arange(5).slice(0, 1, -1) // [1, 2, 3]
   */
  slice<S extends TensorShape, D extends DType, const A extends number>(
    this: Tensor<S, D>,
    axis: A & AxisCheck<"slice", S, A>,
    start: number,
    stop?: number,
    step?: number,
  ): TensorOf<ReplaceAxis<S, A, [number]>, D>;
  /** Walked backwards along axes. @example arange(3).flip(0) // [2, 1, 0] */
  flip<S extends TensorShape, D extends DType, const A extends number | readonly number[]>(
    this: Tensor<S, D>,
    axis: A & AxisCheck<"flip", S, A>,
  ): Tensor<S, D>;
  /**
   * Elements put before and after each axis: a value (0 when left out), or what `mode` takes from the tensor itself: "reflect"
   * mirrors at the first and last element, "symmetric" at their outer edges, "replicate" repeats them, "circular" goes round. As
   * NumPy's `pad` (where "replicate" is "edge" and "circular" is "wrap") and PyTorch's.
   *
   * @throws ShapeError when an axis has too few elements to reflect
   * @example
   * ones([2]).pad([[1, 2]]); // [0, 1, 1, 0, 0]
   * arange(3).pad([[2, 1]], { mode: "reflect" }); // [2, 1, 0, 1, 2, 1]
   * arange(3).pad([[2, 1]], { mode: "symmetric" }); // [1, 0, 0, 1, 2, 2]
   * arange(3).pad([[2, 1]], { mode: "replicate" }); // [0, 0, 0, 1, 2, 2]
   * arange(3).pad([[2, 1]], { mode: "circular" }); // [1, 2, 0, 1, 2, 0]
   */
  pad<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    widths: readonly (readonly [before: number, after: number])[],
    filling?: number | { readonly mode: "reflect" | "symmetric" | "replicate" | "circular" },
  ): TensorOf<{ -readonly [K in keyof S]: number }, D>;
  /**
   * In `count` equal parts along an axis, or in parts of the sizes of a list, whose sum is the axis's.
   *
   * @throws ShapeError when the axis does not divide so
   * @example
   * arange(6).split(3); // [[0, 1], [2, 3], [4, 5]]
   * arange(6).split([1, 5]); // [[0], [1, 2, 3, 4, 5]]
   */
  split<S extends TensorShape, D extends DType, const A extends number = 0>(
    this: Tensor<S, D>,
    parts: number | readonly number[],
    axis?: A & AxisCheck<"split", S, A>,
  ): TensorOf<ReplaceAxis<S, A, [number]>, D>[];
  /** The slices along an axis, which vanishes: what `stack` put together. @example tensor([[1, 2], [3, 4]]).unstack() // [[1, 2], [3, 4]] */
  unstack<S extends TensorShape, D extends DType, const A extends number = 0>(
    this: Tensor<S, D>,
    axis?: A & AxisCheck<"unstack", S, A>,
  ): TensorOf<ReplaceAxis<S, A, []>, D>[];
  /** Each element but the first of an axis, less the one before it. @example tensor([1, 4, 9]).diff(0) // [3, 5] */
  diff<S extends TensorShape, D extends DType, const A extends number>(
    this: Tensor<S, D>,
    axis: A & AxisCheck<"diff", S, A>,
  ): TensorOf<ReplaceAxis<S, A, [number]>, D>;
  /** A new axis of size 1 at `axis` of the result. @example ones([2, 3]).expandDims(-1).shape // [2, 3, 1] */
  expandDims<S extends TensorShape, D extends DType, const A extends number>(
    this: Tensor<S, D>,
    axis: A,
  ): TensorOf<InsertAxis<S, A>, D>;
  /** Without an axis of size 1. @example ones([2, 1]).squeeze(1).shape // [2] */
  squeeze<S extends TensorShape, D extends DType, const A extends number>(
    this: Tensor<S, D>,
    axis: A & AxisCheck<"squeeze", S, A>,
  ): TensorOf<ReplaceAxis<S, A, []>, D>;
  /** Axes from `start` to the last merged into one. @example ones([8, 28, 28]).flatten(1).shape // [8, 784] */
  flatten<D extends DType>(this: Tensor<any, D>, start?: number): Tensor<any, D>;
  /** Zeros of this shape and dtype. @example tensor([1, 2]).zerosLike() // [0, 0] */
  zerosLike<S extends TensorShape, D extends DType>(this: Tensor<S, D>): Tensor<S, D>;
  /** Ones of this shape and dtype. @example tensor([1, 2]).onesLike() // [1, 1] */
  onesLike<S extends TensorShape, D extends DType>(this: Tensor<S, D>): Tensor<S, D>;
}

/** A size that indices from the end need as a number. */
function knownSize(x: Node, axis: number, what: string): number {
  const size = x.shape[axis]!;
  if (typeof size === "number") return size;
  throw new ShapeError(
    `${what}: the size of axis ${axis}, ${size}, is known only when the program runs; give indices from the start`,
  );
}

function sliceOne(x: Node, axis: number, start: number, stop?: number, step = 1): Node {
  const at = normalizeAxis(axis, x.shape.length, "slice");
  const size = knownSize(x, at, "slice");
  if (!Number.isInteger(step) || step < 1)
    throw new ArgumentError(
      `slice: the step must be an integer of at least 1, got ${step}; flip to go backwards`,
    );
  const from = start < 0 ? start + size : start;
  const to = stop === undefined ? size : stop < 0 ? stop + size : stop;
  if (!(Number.isInteger(from) && Number.isInteger(to) && from >= 0 && from <= to && to <= size)) {
    throw new ShapeError(
      `slice: ${start} … ${stop ?? size} is outside axis ${axis} of ${shapeText(x.shape)}, or ends before it starts`,
    );
  }
  const isAt = (i: number, there: number, elsewhere: Size): Size => (i === at ? there : elsewhere);
  return slice(x, {
    start: x.shape.map((_, i) => isAt(i, from, 0)),
    step: x.shape.map((_, i) => (i === at ? step : 1)),
    shape: x.shape.map((all, i) => isAt(i, Math.ceil((to - from) / step), all)),
  });
}

const dropAxis = (x: Node, at: number): Node =>
  reshape(
    x,
    x.shape.filter((_, axis) => axis !== at),
  );

type PadMode = "reflect" | "symmetric" | "replicate" | "circular";

function padAxes(
  x: Node,
  widths: readonly (readonly [number, number])[],
  filling: number | { readonly mode: PadMode } = 0,
): Node {
  if (typeof filling === "number")
    return pad(x, { low: widths.map(([low]) => low), high: widths.map(([, high]) => high), value: filling });
  if (widths.length !== x.shape.length)
    throw new ArgumentError(
      `pad: takes [before, after] for each of ${x.shape.length} axes, got ${widths.length}`,
    );
  return widths.reduce((padded, [before, after], axis) => {
    if (before === 0 && after === 0) return padded;
    const size = knownSize(padded, axis, "pad");
    const places = Int32Array.from({ length: before + size + after }, (_, i) =>
      placeOutside(i - before, size, filling.mode, axis),
    );
    return gather(padded, array({ dtype: "i32", shape: [places.length], data: places }), axis);
  }, x);
}

/** Which element of an axis stands at place `i`, inside or outside of it. */
function placeOutside(i: number, size: number, mode: PadMode, axis: number): number {
  switch (mode) {
    case "replicate":
      if (size > 0) return Math.min(Math.max(i, 0), size - 1);
      break;
    case "circular":
      if (size > 0) return ((i % size) + size) % size;
      break;
    case "reflect":
    case "symmetric": {
      const edge = mode === "reflect" ? 0 : 1;
      const mirrored = i < 0 ? -i - edge : i >= size ? 2 * (size - 1) - i + edge : i;
      if (mirrored >= 0 && mirrored < size) return mirrored;
      break;
    }
    default:
      mode satisfies never;
      throw new ArgumentError(
        `pad: mode "${mode}" is unknown; use "reflect", "symmetric", "replicate" or "circular", or a number`,
      );
  }
  throw new ShapeError(`pad: axis ${axis} of size ${size} has too few elements for mode "${mode}"`);
}

function splitAxis(x: Node, count: number | readonly number[], axis = 0): Node[] {
  const at = normalizeAxis(axis, x.shape.length, "split");
  const size = knownSize(x, at, "split");
  if (typeof count !== "number") return splitBySizes(x, count, at, size);
  if (!Number.isInteger(count) || count < 1 || size % count !== 0)
    throw new ShapeError(
      `split: axis ${axis} of ${shapeText(x.shape)} does not divide into ${count} equal parts`,
    );
  const part = size / count;
  return Array.from({ length: count }, (_, i) => sliceAxis(x, at, i * part, part));
}

function splitBySizes(x: Node, sizes: readonly number[], at: number, size: number): Node[] {
  const isWhole = sizes.every((part) => Number.isInteger(part) && part >= 0);
  if (!isWhole || sizes.reduce((sum, part) => sum + part, 0) !== size)
    throw new ShapeError(
      `split: parts of ${sizes.join(", ")} do not make up axis ${at} of ${shapeText(x.shape)}; their sum must be ${size}`,
    );
  let start = 0;
  return sizes.map((part) => sliceAxis(x, at, (start += part) - part, part));
}

function unstack(x: Node, axis = 0): Node[] {
  const at = normalizeAxis(axis, x.shape.length, "unstack");
  const size = knownSize(x, at, "unstack");
  return Array.from({ length: size }, (_, i) => dropAxis(sliceAxis(x, at, i, 1), at));
}

function diff(x: Node, axis: number): Node {
  const at = normalizeAxis(axis, x.shape.length, "diff");
  const size = knownSize(x, at, "diff");
  const length = Math.max(0, size - 1);
  return sub(sliceAxis(x, at, Math.min(1, size), length), sliceAxis(x, at, 0, length));
}

function expandDims(x: Node, axis: number): Node {
  const at = normalizeAxis(axis, x.shape.length + 1, "expandDims");
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
}

function squeeze(x: Node, axis: number): Node {
  const at = normalizeAxis(axis, x.shape.length, "squeeze");
  if (x.shape[at] !== 1)
    throw new ShapeError(`squeeze: axis ${axis} of ${shapeText(x.shape)} has size ${x.shape[at]}, not 1`);
  return dropAxis(x, at);
}

function flatten(x: Node, start = 0): Node {
  if (x.shape.length === 0) return reshape(x, [1]);
  const at = normalizeAxis(start, x.shape.length, "flatten");
  const shape: Shape = [...x.shape.slice(0, at), productOf(x.shape.slice(at))];
  return reshape(x, shape);
}

export const parts = {
  slice: sliceOne,
  flip: (x: Node, axis: number | readonly number[]): Node =>
    flip(x, normalizeAxes(axis, x.shape.length, "flip")),
  pad: padAxes,
  split: splitAxis,
  unstack,
  diff,
  expandDims,
  squeeze,
  flatten,
  zerosLike: (x: Node): Node => full(x.shape, 0, x.dtype),
  onesLike: (x: Node): Node => full(x.shape, 1, x.dtype),
};
