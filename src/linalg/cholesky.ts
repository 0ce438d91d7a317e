/** Factors of symmetric positive definite matrices, and orthogonal factors. */
import { customGradient, eye, scan, type Tensor, type TensorLike, where } from "../tensor/index.ts";
import { column, counters, isAt, required, row, squareOf } from "./matrices.ts";
import { solveTriangular } from "./triangular.ts";

/**
 * L with A = L·Lᵀ, lower triangular with a positive diagonal. Only A's lower triangle is read; the gradient is symmetric, as in
 * PyTorch.
 *
 * @throws ShapeError unless the matrices are square. One that is not positive definite fails the run.
 * @example
 * await cholesky([[4, 2], [2, 5]]).toArray(); // [[2, 0], [1, 2]]
 */
export function cholesky(a: TensorLike): Tensor {
  const differentiable = customGradient(factor, (cotangent, L) => [backward(cotangent, L)]);
  return differentiable(squareOf("cholesky", a));
}

function factor(a: Tensor): Tensor {
  const n = a.shape[a.shape.length - 1] as number;
  const at = counters(n);
  const { carry } = scan(
    (L: Tensor, k: Tensor) => {
      const isK = isAt(n, k);
      const done = L.mul(row(L, isK).expandDims(-2)).sum(-1) as Tensor;
      const left: Tensor = column(a, isK).sub(done);
      const pivot = where(isK, left, 0).sum(-1) as Tensor;
      const rule = "cholesky: the matrix is not positive definite: a pivot is not above 0";
      const root = required(pivot, pivot.greater(0), rule).sqrt().expandDims(-1);
      const next = where(at.greaterEqual(k), left.div(root), 0) as Tensor;
      return { carry: where(isK, next.expandDims(-1), L) as Tensor };
    },
    a.zerosLike(),
    at,
  );
  return carry;
}

/** ½·L⁻ᵀ·(Φ + Φᵀ)·L⁻¹ with Φ the lower triangle of Lᵀ·G, its diagonal halved. Murray, 2016, arXiv:1602.07527. */
function backward(cotangent: Tensor, L: Tensor): Tensor {
  const product = L.transpose().matmul(cotangent.tril());
  const n = L.shape[L.shape.length - 1] as number;
  const half = product.tril().mul(where(eye(n, n, { dtype: "bool" }), 0.5, 1).cast(L.dtype)) as Tensor;
  const symmetric = half.add(half.transpose()).mul(0.5);
  const left = solveTriangular(L.transpose(), symmetric, { lower: false });
  return solveTriangular(L.transpose(), left.transpose(), { lower: false }).transpose();
}
