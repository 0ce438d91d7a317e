/** Norms, and what singular values say of a matrix. */
import { isFloat } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import type { Axes } from "../base/shape-types.ts";
import { asTensor, type Tensor, type TensorLike, where } from "../tensor/index.ts";
import { svd, svdvals } from "./eigen.ts";
import { matrixOf, squareOf } from "./matrices.ts";

export interface VectorNormOptions {
  /** Any number, Infinity and −Infinity included; default 2. 0 counts what is not 0. */
  readonly p?: number;
  /** All axes when left out. */
  readonly axis?: Axes;
  readonly keepDims?: boolean;
}

/**
 * (Σ|x|ᵖ)^(1/p) along axes.
 *
 * @example
 * await vectorNorm([3, -4], { p: 1 }).item(); // 7
 * await vectorNorm([3, -4], { p: Infinity }).item(); // 4
 */
export function vectorNorm(x: TensorLike, options: VectorNormOptions = {}): Tensor {
  const { p = 2, axis, keepDims = false } = options;
  const given = asTensor(x) as Tensor;
  const value = isFloat(given.dtype) ? given : (given.cast("f32") as Tensor);
  const along = { keepDims };
  if (Number.isNaN(p)) throw new ArgumentError("vectorNorm: p must be a number, got NaN");
  if (p === 2) return value.norm(axis, along) as Tensor;
  if (p === Infinity) return value.abs().max(axis, along) as Tensor;
  if (p === -Infinity) return value.abs().min(axis, along) as Tensor;
  if (p === 0) return value.notEqual(0).cast(value.dtype).sum(axis, along) as Tensor;
  if (p === 1) return value.abs().sum(axis, along) as Tensor;
  return value
    .abs()
    .pow(p)
    .sum(axis, along)
    .pow(1 / p) as Tensor;
}

/** Frobenius, nuclear (the sum of singular values), 1 and ∞ (largest sum of a column or row), 2 (largest singular value). */
export type MatrixNormOrder = "fro" | "nuc" | 1 | -1 | 2 | -2 | number;

/**
 * A norm of each matrix: (…, m, n) → (…). Negative orders take the smallest in place of the largest.
 *
 * @example
 * await matrixNorm([[1, -2], [3, 4]], 1).item(); // 6
 */
export function matrixNorm(a: TensorLike, order: MatrixNormOrder = "fro"): Tensor {
  const A = matrixOf("matrixNorm", a);
  switch (order) {
    case "fro":
      return A.norm([-2, -1]) as Tensor;
    case "nuc":
      return svdvals(A).sum(-1) as Tensor;
    case 1:
      return A.abs().sum(-2).max(-1) as Tensor;
    case -1:
      return A.abs().sum(-2).min(-1) as Tensor;
    case Infinity:
      return A.abs().sum(-1).max(-1) as Tensor;
    case -Infinity:
      return A.abs().sum(-1).min(-1) as Tensor;
    case 2:
      return svdvals(A).max(-1) as Tensor;
    case -2:
      return svdvals(A).min(-1) as Tensor;
    default:
      throw new ArgumentError(`matrixNorm: order ${order} is unknown; use "fro", "nuc", ±1, ±2 or ±Infinity`);
  }
}

/** The sum of the diagonal. @example await trace([[1, 2], [3, 4]]).item() // 5 */
export const trace = (a: TensorLike): Tensor => matrixOf("trace", a).diagonal().sum(-1) as Tensor;

export interface RankOptions {
  /** Singular values below this share of the largest count as 0; max(m, n) · ε when left out. */
  readonly relativeTolerance?: number;
}

const toleranceOf = (a: Tensor, { relativeTolerance }: RankOptions): number =>
  relativeTolerance ??
  Math.max(...(a.shape.slice(-2) as readonly number[])) * (a.dtype === "f64" ? 2 ** -52 : 2 ** -23);

const counts = (S: Tensor, tolerance: number): Tensor =>
  S.greater(S.max(-1, { keepDims: true }).mul(tolerance)) as Tensor;

/** How many singular values are not 0: i32 (…). @example await matrixRank([[1, 2], [2, 4]]).item() // 1 */
export function matrixRank(a: TensorLike, options: RankOptions = {}): Tensor {
  const A = matrixOf("matrixRank", a);
  return counts(svdvals(A), toleranceOf(A, options)).cast("i32").sum(-1) as Tensor;
}

/**
 * The pseudo-inverse of Moore and Penrose, V·diag(1/S)·Uᵀ over the singular values that are not 0.
 *
 * Shapes: (…, m, n) → (…, n, m).
 *
 * @example
 * await pinv([[0], [2]]).toArray(); // [[0, 0.5]]
 */
export function pinv(a: TensorLike, options: RankOptions = {}): Tensor {
  const A = matrixOf("pinv", a);
  const { U, S, V } = svd(A);
  const isSome = counts(S, toleranceOf(A, options));
  const inverse = where(isSome, where(isSome, S, 1).reciprocal(), 0) as Tensor;
  return V.mul(inverse.expandDims(-2)).matmul(U.transpose());
}

/** The largest singular value over the smallest: how much solving may enlarge an error. @example await cond([[2, 0], [0, 1]]).item() // 2 */
export function cond(a: TensorLike): Tensor {
  const S = svdvals(squareOf("cond", a));
  return S.max(-1).div(S.min(-1)) as Tensor;
}
