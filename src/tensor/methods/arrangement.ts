/** Elements repeated, turned round, accumulated along an axis, picked along diagonals or by index. */

import type { DType } from "../../base/dtype.ts";
import { ArgumentError } from "../../base/errors.ts";
import type { AxisCheck, ReplaceAxis, TensorShape } from "../../base/shape-types.ts";
import type { FloatOf, SumDType } from "../../base/types/dtype.ts";
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import { toNode } from "../convert.ts";
import { asFloat, operands } from "../elementwise.ts";
import type { Tensor } from "../tensor.ts";
import type { PromoteOperand, TensorLike, TensorOf } from "../types.ts";

export interface ArrangementMethods {
  /** The whole side by side, `counts[i]` times along axis i. @example tensor([1, 2]).tile([2]) // [1, 2, 1, 2] */
  tile<D extends DType>(this: Tensor<any, D>, counts: readonly number[]): Tensor<any, D>;
  /**
   * Each element `count` times in a row along an axis, as NumPy's `repeat` and PyTorch's `repeat_interleave`.
   *
   * @example tensor([1, 2]).repeat(2, 0) // [1, 1, 2, 2]
   */
  repeat<S extends TensorShape, D extends DType, const A extends number>(
    this: Tensor<S, D>,
    count: number,
    axis: A & AxisCheck<"repeat", S, A>,
  ): TensorOf<ReplaceAxis<S, A, [number]>, D>;
  /** Moved by `shift` places along an axis, round the end. @example tensor([1, 2, 3]).roll(1, 0) // [3, 1, 2] */
  roll<S extends TensorShape, D extends DType, const A extends number>(
    this: Tensor<S, D>,
    shift: number,
    axis: A & AxisCheck<"roll", S, A>,
  ): Tensor<S, D>;
  /** The lower triangle, up to a diagonal; zeros above. @example ones([2, 2]).tril() // [[1, 0], [1, 1]] */
  tril<S extends TensorShape, D extends DType>(this: Tensor<S, D>, diagonal?: number): Tensor<S, D>;
  /** The upper triangle, from a diagonal on; zeros below. @example ones([2, 2]).triu() // [[1, 1], [0, 1]] */
  triu<S extends TensorShape, D extends DType>(this: Tensor<S, D>, diagonal?: number): Tensor<S, D>;
  /**
   * Elements (i, i + offset) of two axes (the last two when left out), as a new last axis.
   *
   * @example tensor([[1, 2], [3, 4]]).diagonal() // [1, 4]
   */
  diagonal<D extends DType>(this: Tensor<any, D>, offset?: number, a?: number, b?: number): Tensor<any, D>;
  /** Square matrices with the last axis on their diagonals. @example tensor([1, 2]).diagonalMatrix() // [[1, 0], [0, 2]] */
  diagonalMatrix<D extends DType>(this: Tensor<any, D>): Tensor<any, D>;
  /** Σ of the elements up to and with each; bool counts as i32. @example tensor([1, 2, 3]).cumsum(0) // [1, 3, 6] */
  cumsum<S extends TensorShape, D extends DType, const A extends number>(
    this: Tensor<S, D>,
    axis: A & AxisCheck<"cumsum", S, A>,
  ): TensorOf<S, SumDType<D>>;
  /** Π of the elements up to and with each. @example tensor([1, 2, 3]).cumprod(0) // [1, 2, 6] */
  cumprod<S extends TensorShape, D extends DType, const A extends number>(
    this: Tensor<S, D>,
    axis: A & AxisCheck<"cumprod", S, A>,
  ): Tensor<S, D>;
  /**
   * log Σ eˣ of the elements up to and with each, right for x of any size: PyTorch's `logcumsumexp`.
   *
   * @example tensor([-Infinity, 1000, -Infinity]).cumLogSumExp(0) // [-Infinity, 1000, 1000]
   */
  cumLogSumExp<S extends TensorShape, D extends DType, const A extends number>(
    this: Tensor<S, D>,
    axis: A & AxisCheck<"cumLogSumExp", S, A>,
  ): TensorOf<S, FloatOf<D>>;
  /** The largest up to and with each; equal ones share the gradient. @example tensor([1, 3, 2]).cummax(0) // [1, 3, 3] */
  cummax<S extends TensorShape, D extends DType, const A extends number>(
    this: Tensor<S, D>,
    axis: A & AxisCheck<"cummax", S, A>,
  ): Tensor<S, D>;
  /** The smallest up to and with each; equal ones share the gradient. @example tensor([2, 3, 1]).cummin(0) // [2, 2, 1] */
  cummin<S extends TensorShape, D extends DType, const A extends number>(
    this: Tensor<S, D>,
    axis: A & AxisCheck<"cummin", S, A>,
  ): Tensor<S, D>;
  /**
   * For each of `indices` (i32) the element at that place along an axis, at the same place along the others. An index outside
   * fails the run.
   *
   * @throws ShapeError when another axis differs
   * @example tensor([[1, 2], [3, 4]]).takeAlong([[1], [0]], 1) // [[2], [3]]
   */
  takeAlong<D extends DType>(this: Tensor<any, D>, indices: TensorLike, axis: number): Tensor<any, D>;
  /**
   * The elements at `indices` (i32, of any shape) along an axis, which their axes replace: rows of a table. An index outside
   * 0 … size − 1 fails the run.
   *
   * With `sparse` the gradient of a table is few rows along axis 0, which `sparseRows` and optimizers find again: see `Embedding`.
   *
   * Shapes: (…, size, …) and indices (…I) → (…, …I, …).
   *
   * @example tensor([[1, 2], [3, 4]]).gather([1, 1, 0]) // [[3, 4], [3, 4], [1, 2]]
   */
  gather<D extends DType>(
    this: Tensor<any, D>,
    indices: TensorLike,
    axis?: number,
    options?: { readonly sparse?: boolean },
  ): Tensor<any, D>;
  /** All products of two vectors. @example tensor([1, 2]).outer([3, 4]) // [[3, 4], [6, 8]] */
  outer<D extends DType, const O extends TensorLike>(
    this: Tensor<any, D>,
    other: O,
  ): TensorOf<[number, number], PromoteOperand<D, O>>;
}

function outer(x: Node, other: TensorLike): Node {
  const y = toNode(other, x.dtype, "outer");
  if (x.shape.length !== 1 || y.shape.length !== 1)
    throw new ArgumentError(
      `outer: takes two vectors, got ${x.shape.length} and ${y.shape.length} axes; use einsum for more`,
    );
  const [column, row] = operands("outer", ops.reshape(x, [x.shape[0]!, 1]), other);
  return ops.mul(column, row);
}

export const arrangement = {
  tile: ops.tile,
  repeat: ops.repeat,
  roll: ops.roll,
  tril: ops.lowerTriangle,
  triu: ops.upperTriangle,
  diagonal: ops.diagonal,
  diagonalMatrix: ops.diagonalMatrix,
  cumsum: (x: Node, axis: number): Node =>
    ops.cumulativeSum(x.dtype === "bool" ? ops.cast(x, "i32") : x, axis),
  cumprod: ops.cumulativeProduct,
  cumLogSumExp: (x: Node, axis: number): Node => ops.cumulativeLogSumExp(asFloat(x), axis),
  cummax: ops.cumulativeMax,
  cummin: ops.cumulativeMin,
  takeAlong: (x: Node, indices: TensorLike, axis: number): Node =>
    ops.takeAlong(x, toNode(indices, "i32", "takeAlong"), axis),
  gather(x: Node, indices: TensorLike, axis = 0, { sparse = false } = {}): Node {
    if (sparse && axis !== 0)
      throw new ArgumentError(`gather: sparse gradients are rows along axis 0, not ${axis}`);
    return ops.gather(x, toNode(indices, "i32", "gather"), axis, { isSparse: sparse });
  },
  outer,
};
