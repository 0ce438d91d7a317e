/** reshape, broadcast and sum: each is part of another's gradient. */

import { computeDType, roundTo } from "../base/dtype.ts";
import { ShapeError } from "../base/errors.ts";
import { elementCount, normalizeAxes, type Shape, sameShape, shapeText, stridesOf } from "../base/shape.ts";
import { sameSize, sizesAgree } from "../base/size.ts";
import type { Node, TensorType } from "../graph/node.ts";
import type { DenseArray, MovementOp, ReduceOp } from "../graph/op.ts";
import { makeNode } from "../graph/trace.ts";
import { broadcastView, reshapeView } from "../graph/view.ts";
import { countOf, dense, forEachIndex, positionOf, requireDType } from "./rules.ts";

type ToShape = { shape: Shape };

export const reshapeOp: MovementOp<ToShape> = {
  name: "reshape",
  kind: "movement",
  type([x], { shape }) {
    const [from, to] = [elementCount(x!.shape), elementCount(shape)];
    if (!sizesAgree(from, to)) {
      const counts = `${shapeText(x!.shape)} has ${from} elements, ${shapeText(shape)} has ${to}`;
      throw new ShapeError(`reshape: ${counts}; choose sizes with the same product`);
    }
    return { shape, dtype: x!.dtype };
  },
  reference: ([x], _attributes, { outputs: [out] }) => [{ ...out!, data: x!.data }],
  gradient: ({ inputs: [x] }, [g]) => [reshape(g!, x!.shape)],
  view: (input, { shape }) => reshapeView(input, shape),
  map: ({ shape }, { inputs: [x], size }) => reshape(x!, [size, ...shape]),
};

/** The same elements in row-major order under another shape of as many elements. */
export const reshape = (x: Node, shape: Shape): Node =>
  sameShape(x.shape, shape) ? x : makeNode(reshapeOp, [x], { shape });

export const broadcastOp: MovementOp<ToShape> = {
  name: "broadcast",
  kind: "movement",
  type([x], { shape }) {
    const added = shape.length - x!.shape.length;
    const fits = (axis: number): boolean =>
      x!.shape[axis] === 1 || sizesAgree(x!.shape[axis]!, shape[axis + added]!);
    if (added < 0 || !x!.shape.every((_, axis) => fits(axis))) {
      const rule = "aligned at the last axis, each size must be equal or 1";
      throw new ShapeError(
        `broadcast: ${shapeText(x!.shape)} does not broadcast to ${shapeText(shape)}: ${rule}`,
      );
    }
    return { shape, dtype: x!.dtype };
  },
  reference([x], _attributes, { outputs: [out] }) {
    const added = out!.shape.length - x!.shape.length;
    const source = (index: readonly number[]): number[] =>
      x!.shape.map((size, axis) => (size === 1 ? 0 : index[axis + added]!));
    return [dense(out!, (index) => x!.data[positionOf(source(index), x!.shape)]!)];
  },
  gradient: ({ inputs: [x], shape }, [g]) => {
    const added = shape.length - x!.shape.length;
    const axes = shape.flatMap((size, axis) => {
      const from = axis - added;
      return from < 0 || !sameSize(x!.shape[from]!, size) ? [axis] : [];
    });
    return [reshape(sum(g!, axes), x!.shape)];
  },
  view: (input, { shape }) => broadcastView(input, shape),
  map: ({ inputs: [x], shape }, { inputs: [mapped], size }) => {
    const added = shape.slice(x!.shape.length).map(() => 1);
    return broadcastTo(reshape(mapped!, [size, ...added, ...x!.shape]), [size, ...shape]);
  },
};

/** x repeated to `shape` by NumPy's rule: aligned at the last axis, sizes of 1 and missing axes repeat. */
export const broadcastTo = (x: Node, shape: Shape): Node =>
  sameShape(x.shape, shape) ? x : makeNode(broadcastOp, [x], { shape });

/** x with axes of size 1 inserted where `axes` (sorted) were folded away, repeated to `shape`: undoes a reduction's shape. */
export function expandAxes(x: Node, axes: readonly number[], shape: Shape): Node {
  const kept = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  return broadcastTo(reshape(x, kept), shape);
}

type Axes = { axes: readonly number[] };

/** The shape that is left when `axes` are folded. */
export const withoutAxes = (shape: Shape, axes: readonly number[]): Shape =>
  shape.filter((_, axis) => !axes.includes(axis));

/** Folds axes in rising order of position, in float64; rounds once at the end. */
export function foldAxes(
  x: DenseArray,
  axes: readonly number[],
  out: { shape: readonly number[]; dtype: DenseArray["dtype"] },
  fold: { start: number; step(total: number, value: number): number },
): DenseArray {
  const data = new Float64Array(countOf(out.shape)).fill(fold.start);
  const strides = stridesOf(out.shape) as number[];
  let kept = 0;
  const strideOf = x.shape.map((_, axis) => (axes.includes(axis) ? 0 : strides[kept++]!));
  forEachIndex(x.shape, (index, position) => {
    let at = 0;
    for (let axis = 0; axis < index.length; axis++) at += index[axis]! * strideOf[axis]!;
    data[at] = fold.step(data[at]!, x.data[position]!);
  });
  return { ...out, data: data.map((value) => roundTo(out.dtype, value)) };
}

/** The type rule of every reduction. */
export function reducedType(x: TensorType, axes: readonly number[]): TensorType {
  return { shape: withoutAxes(x.shape, axes), dtype: x.dtype };
}

/** Builds a reduction over `axes`, all when left out. Axes of size 1 have nothing to fold: they are only dropped. */
export function reduceWith(op: ReduceOp<Axes>): (x: Node, axes?: number | readonly number[]) => Node {
  return (x, axes) => {
    const dropped = normalizeAxes(axes, x.shape.length, op.name);
    const list = dropped.filter((axis) => x.shape[axis] !== 1);
    if (list.length > 0) return makeNode(op, [x], { axes: dropped });
    op.type([x], { axes: dropped });
    return reshape(x, withoutAxes(x.shape, dropped));
  };
}

export const sumOp: ReduceOp<Axes> = {
  name: "sum",
  kind: "reduce",
  operator: "add",
  identity: () => 0,
  type([x], { axes }) {
    requireDType("sum", x!, "number");
    return reducedType(x!, axes);
  },
  reference([x], { axes }, { outputs: [out] }) {
    const wraps = computeDType(x!.dtype) === "i32" || x!.dtype === "u32";
    const step = (total: number, value: number): number => (wraps ? (total + value) | 0 : total + value);
    return [foldAxes(x!, axes, out!, { start: 0, step })];
  },
  gradient: ({ inputs: [x], attributes: { axes } }, [g]) => [expandAxes(g!, axes, x!.shape)],
};

/**
 * Σ over `axes` (all when left out), which vanish from the shape; 0 over an empty axis. The dtype stays: integers wrap,
 * 16-bit floats are summed in f32 and rounded once.
 *
 * @example sum(x, [1]) // (2, 3) → (2,)
 */
export const sum = reduceWith(sumOp);
