/** Matrix products. */
import { type DType, promote } from "../../base/dtype.ts";
import { ShapeError } from "../../base/errors.ts";
import { broadcastShapes, type Shape, shapeText } from "../../base/shape.ts";
import type { Matmul, MatmulCheck, TensorShape } from "../../base/shape-types.ts";
import { productOf, sizesAgree } from "../../base/size.ts";
import type { Node } from "../../graph/node.ts";
import { broadcastTo, cast, dot, reshape } from "../../ops/index.ts";
import { toNode } from "../convert.ts";
import type { Tensor } from "../tensor.ts";
import type { PromoteOperand, ShapeOf, TensorLike, TensorOf } from "../types.ts";

export interface ProductMethods {
  /**
   * The matrix product, with NumPy's rules: (…, M, K) × (…, K, N) → (…, M, N), batch dimensions broadcast; a vector counts
   * as a row on the left and as a column on the right.
   *
   * Sums have the operands' dtype: of 8-bit integers they wrap. Cast first to sum in 32 bits; a cast, a scale, shifts and masks
   * that make an operand from fewer bytes and that nothing else needs are computed as the product loads it.
   *
   * @throws ShapeError when inner or batch dimensions differ
   * @example tensor([[1, 2], [3, 4]]).matmul([1, 1]) // [3, 7]
   * @example tensor([[100, 100]], { dtype: "i8" }).cast("i32").matmul(tensor([[100], [27]], { dtype: "i8" }).cast("i32")) // [[12700]]
   */
  matmul<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & MatmulCheck<S, ShapeOf<O>>,
  ): TensorOf<Matmul<S, ShapeOf<O>>, PromoteOperand<D, O>>;
}

function matmul(x: Node, other: TensorLike): Node {
  const y = toNode(other, x.dtype, "matmul");
  requireInner(x.shape, y.shape);
  const dtype = promote(x.dtype, y.dtype);
  const [a, b] = [cast(x, dtype), cast(y, dtype)];
  const rows = x.shape.length === 1 ? reshape(a, [1, x.shape[0]!]) : a;
  const columns = y.shape.length === 1 ? reshape(b, [y.shape[0]!, 1]) : b;
  const product = isOneMatrix(rows, columns) ? ofAllRows(rows, columns) : dot(...withBatch(rows, columns));
  const kept = product.shape.slice(0, -2);
  if (x.shape.length > 1) kept.push(product.shape.at(-2)!);
  if (y.shape.length > 1) kept.push(product.shape.at(-1)!);
  return reshape(product, kept);
}

/** One matrix for the whole batch: then its gradient is one product, too, instead of a sum of the batch's. */
const isOneMatrix = (a: Node, b: Node): boolean =>
  a.shape.length > 2 && b.shape.length === 2 && a.shape.every((size) => typeof size === "number");

/** (…, M, K) × (K, N) as one product of all rows. */
function ofAllRows(a: Node, b: Node): Node {
  const kept = a.shape.slice(0, -1);
  const rows = dot(reshape(a, [productOf(kept), a.shape.at(-1)!]), b);
  return reshape(rows, [...kept, b.shape.at(-1)!]);
}

/** Batch dimensions broadcast to each other. */
function withBatch(a: Node, b: Node): [Node, Node] {
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2), "matmul: batch dimensions");
  return [broadcastTo(a, [...batch, ...a.shape.slice(-2)]), broadcastTo(b, [...batch, ...b.shape.slice(-2)])];
}

function requireInner(a: Shape, b: Shape): void {
  const text = `${shapeText(a)} × ${shapeText(b)}`;
  if (a.length === 0 || b.length === 0)
    throw new ShapeError(`matmul: a scalar has no inner dimension: ${text}; use mul`);
  const [K, rows] = [a.at(-1)!, b.at(b.length === 1 ? -1 : -2)!];
  if (sizesAgree(K, rows)) return;
  throw new ShapeError(`matmul: inner dimensions ${K} and ${rows} differ: ${text}; ${remedy(a, b)}`);
}

/** The transposition that would fix the product, if one would. */
function remedy(a: Shape, b: Shape): string {
  const transposed = b.length > 1 ? b.at(-1)! : undefined;
  if (transposed === a.at(-1)) return "the second fits transposed: a.matmul(b.transpose())";
  if (a.length > 1 && a.at(-2) === b.at(b.length === 1 ? -1 : -2))
    return "the first fits transposed: a.transpose().matmul(b)";
  return "the last axis of the first must be as long as the last but one of the second";
}

export const products = { matmul };
