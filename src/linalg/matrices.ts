/** What the algorithms share: checks, rows and columns picked in a loop, batch dimensions. */
import { isFloat } from "../base/dtype.ts";
import { DTypeError, ShapeError } from "../base/errors.ts";
import { broadcastShapes, shapeText } from "../base/shape.ts";
import { check } from "../ops/index.ts";
import { arange, asTensor, type Tensor, type TensorLike, where } from "../tensor/index.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";

/** Known sizes of the last two axes; 16-bit floats and integers as f32. */
export function matrixOf(what: string, value: TensorLike): Tensor {
  const given = asTensor(value) as Tensor;
  const x =
    isFloat(given.dtype) && given.dtype !== "f16" && given.dtype !== "bf16" ? given : given.cast("f32");
  const sizes = x.shape.slice(-2);
  if (x.shape.length >= 2 && sizes.every((size: unknown) => typeof size === "number")) return x;
  throw new ShapeError(`${what}: takes matrices (…, m, n) of known sizes, got ${shapeText(given.shape)}`);
}

export function squareOf(what: string, value: TensorLike): Tensor {
  const x = matrixOf(what, value);
  const [rows, columns] = x.shape.slice(-2);
  if (rows === columns) return x;
  throw new ShapeError(`${what}: takes square matrices (…, n, n), got ${shapeText(x.shape)}`);
}

/** Both in the same leading axes and dtype. */
export function sameBatch(what: string, a: Tensor, b: Tensor): [Tensor, Tensor] {
  if (a.dtype !== b.dtype) {
    throw new DTypeError(`${what}: the matrices are ${a.dtype} and ${b.dtype}; cast one of them`);
  }
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2), what);
  return [a.broadcastTo([...batch, ...a.shape.slice(-2)]), b.broadcastTo([...batch, ...b.shape.slice(-2)])];
}

/** (n): true at the place k (i32 of shape ()). */
export const isAt = (n: number, k: Tensor): Tensor => arange(n).cast("i32").equal(k) as Tensor;

/** Column k of (…, m, n): (…, m). */
export const column = (x: Tensor, isK: Tensor): Tensor => where(isK, x, 0).sum(-1) as Tensor;

/** Row k of (…, m, n): (…, n). */
export const row = (x: Tensor, isK: Tensor): Tensor => where(isK.expandDims(-1), x, 0).sum(-2) as Tensor;

/** u·vᵀ of (…, m) and (…, n). */
export const outer = (u: Tensor, v: Tensor): Tensor => u.expandDims(-1).mul(v.expandDims(-2)) as Tensor;

/** Counters 0 … n − 1 for a loop over columns. */
export const counters = (n: number): Tensor => arange(n).cast("i32") as Tensor;

/** x, where every element fulfils the condition; else the run fails with the rule. */
export const required = (x: Tensor, condition: Tensor, rule: string): Tensor =>
  fromNode(check(nodeOf(x), nodeOf(condition), rule));
