/** Elements rearranged without computing. */
import type { DType } from "../../base/dtype.ts";
import { ShapeError } from "../../base/errors.ts";
import { elementCount, normalizeAxis, type Shape, shapeText } from "../../base/shape.ts";
import type {
  AxisCheck,
  BroadcastToCheck,
  Permute,
  PermuteCheck,
  Reshape,
  ReshapeCheck,
  SizesOf,
  SwapAxes,
  TensorShape,
  Transpose,
} from "../../base/shape-types.ts";
import { divideSizes, productOf, type Size } from "../../base/size.ts";
import type { Node } from "../../graph/node.ts";
import { broadcastTo, cast, permute, reshape, transpose } from "../../ops/index.ts";
import type { Tensor } from "../tensor.ts";
import type { TensorOf } from "../types.ts";

export interface MovementMethods {
  /**
   * The same elements in row-major order under another shape; one size may be −1 and is computed.
   *
   * @throws ShapeError when the numbers of elements differ
   * @example zeros([32, 784]).reshape([-1, 28, 28]).shape // [32, 28, 28]
   */
  reshape<S extends TensorShape, D extends DType, const T extends readonly Size[]>(
    this: Tensor<S, D>,
    shape: T & ReshapeCheck<S, SizesOf<T>>,
  ): TensorOf<Reshape<S, SizesOf<T>>, D>;
  /** Axes in another order: axis i of the result is axis `order[i]` of x. @example zeros([2, 3]).permute([1, 0]).shape // [3, 2] */
  permute<S extends TensorShape, D extends DType, const O extends readonly number[]>(
    this: Tensor<S, D>,
    order: O & PermuteCheck<S, O>,
  ): TensorOf<Permute<S, O>, D>;
  /** The last two axes exchanged. @example zeros([8, 2, 3]).transpose().shape // [8, 3, 2] */
  transpose<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<Transpose<S>, D>;
  /** Axes `a` and `b` exchanged. @example zeros([2, 3, 4]).transpose(0, 2).shape // [4, 3, 2] */
  transpose<S extends TensorShape, D extends DType, const A extends number, const B extends number>(
    this: Tensor<S, D>,
    a: A & AxisCheck<"transpose", S, A>,
    b: B & AxisCheck<"transpose", S, B>,
  ): TensorOf<SwapAxes<S, A, B>, D>;
  /** Axis `from` put at place `to` among the others. @example zeros([2, 3, 4]).moveAxis(0, -1).shape // [3, 4, 2] */
  moveAxis<D extends DType>(this: Tensor<any, D>, from: number, to: number): Tensor<any, D>;
  /** Repeated to `shape`, by NumPy's rule. @example tensor([1, 2]).broadcastTo([2, 2]) // [[1, 2], [1, 2]] */
  broadcastTo<S extends TensorShape, D extends DType, const T extends readonly Size[]>(
    this: Tensor<S, D>,
    shape: T & BroadcastToCheck<S, SizesOf<T>>,
  ): Tensor<SizesOf<T>, D>;
  /**
   * Another dtype. Float to integer cuts the fraction off, saturates, and makes NaN 0; to bool is ≠ 0.
   *
   * @example tensor([0.5, 2]).cast("i32") // [0, 2]
   */
  cast<S extends TensorShape, E extends DType>(this: Tensor<S, any>, dtype: E): Tensor<S, E>;
}

function reshapeTo(x: Node, shape: Shape): Node {
  const open = shape.indexOf(-1);
  if (open < 0) return reshape(x, shape);
  const known = productOf(shape.filter((_, axis) => axis !== open));
  const rest = known === 0 ? undefined : divideSizes(elementCount(x.shape), known);
  if (rest === undefined || shape.indexOf(-1, open + 1) >= 0) {
    const why =
      rest === undefined
        ? `${elementCount(x.shape)} elements do not divide by ${known}`
        : "only one size may be −1";
    throw new ShapeError(`reshape: ${shapeText(x.shape)} to ${shapeText(shape)}: ${why}`);
  }
  return reshape(
    x,
    shape.map((size, axis) => (axis === open ? rest : size)),
  );
}

function transposeAxes(x: Node, a = -2, b = -1): Node {
  if (x.shape.length < 2 && a === -2 && b === -1) {
    throw new ShapeError(`transpose: ${shapeText(x.shape)} has no two axes to exchange; reshape it first`);
  }
  for (const axis of [a, b]) normalizeAxis(axis, x.shape.length, "transpose");
  return transpose(x, a, b);
}

function moveAxis(x: Node, from: number, to: number): Node {
  const rank = x.shape.length;
  const [start, end] = [normalizeAxis(from, rank, "moveAxis"), normalizeAxis(to, rank, "moveAxis")];
  const others = [...x.shape.keys()].filter((axis) => axis !== start);
  return permute(x, others.toSpliced(end, 0, start));
}

export const movement = {
  reshape: reshapeTo,
  permute,
  transpose: transposeAxes,
  moveAxis,
  broadcastTo,
  cast,
};
