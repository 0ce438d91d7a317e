/** Products of matrices. */
import { broadcastShapes } from "../../base/shape.ts";
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import type { Request, Row, Rows } from "../request.ts";

/** NumPy's `matmul`: vectors are rows on the left and columns on the right, axes before the last two broadcast. */
export function matmul(request: Request, a: Node, b: Node): Node {
  if (a.shape.length === 0 || b.shape.length === 0) throw request.fail("takes no scalars");
  const left = a.shape.length === 1 ? ops.reshape(a, [1, a.shape[0]!]) : a;
  const right = b.shape.length === 1 ? ops.reshape(b, [b.shape[0]!, 1]) : b;
  const product = matrices(left, right);
  const shape = product.shape.slice();
  if (b.shape.length === 1) shape.splice(-1, 1);
  if (a.shape.length === 1) shape.splice(b.shape.length === 1 ? -1 : -2, 1);
  return ops.reshape(product, shape);
}

function matrices(a: Node, b: Node): Node {
  // One matrix for all: their rows are rows of one product.
  if (b.shape.length === 2) return ops.contract(a, b, { batch: 0, depth: 1 });
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2), "matmul");
  const whole = (x: Node): Node => ops.broadcastTo(x, [...batch, ...x.shape.slice(-2)]);
  return ops.contract(whole(a), whole(b), { batch: batch.length, depth: 1 });
}

/** alpha · A·B + beta · C */
const gemm: Row = (request) => {
  const turned = (x: Node, isTurned: boolean): Node => (isTurned ? ops.transpose(x) : x);
  const a = turned(request.input(0), request.flag("transA"));
  const b = turned(request.input(1), request.flag("transB"));
  const scaled = (x: Node, by: number): Node => (by === 1 ? x : ops.mul(x, ops.like(x, by)));
  const product = scaled(ops.dot(a, b), request.float("alpha", 1));
  const c = request.optional(2);
  return c === undefined
    ? product
    : ops.add(product, ops.broadcastTo(scaled(c, request.float("beta", 1)), product.shape));
};

/** 8-bit integers less their zero points, in i32. */
const integerProduct: Row = (request) => {
  const centred = (index: number, isColumns: boolean): Node => {
    const x = ops.cast(request.input(index), "i32");
    const zero = request.optional(index + 2);
    if (zero === undefined) return x;
    const point = ops.cast(zero, "i32");
    // One a row of the left matrix, one a column of the right.
    const shaped = point.shape.length === 1 && !isColumns ? ops.reshape(point, [point.shape[0]!, 1]) : point;
    return ops.sub(x, ops.broadcastTo(shaped, x.shape));
  };
  return matmul(request, centred(0, false), centred(1, true));
};

export const products: Rows = {
  Einsum: (request) => ops.einsum(request.string("equation", "").replaceAll(" ", ""), request.inputs()),
  Gemm: gemm,
  MatMul: (request) => matmul(request, request.input(0), request.input(1)),
  MatMulInteger: integerProduct,
};
