/** Systems with a triangular matrix, by substitution. */
import { ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { customGradient, scan, type Tensor, type TensorLike, where } from "../tensor/index.ts";
import { column, counters, isAt, matrixOf, outer, required, row, sameBatch, squareOf } from "./matrices.ts";

export interface TriangularOptions {
  /** Default true: the lower triangle is read; false: the upper. What lies on the other side is ignored. */
  readonly lower?: boolean;
  /** Default false: true takes the diagonal for ones. */
  readonly unitDiagonal?: boolean;
}

/**
 * X with A·X = B for a triangular A: forward or back substitution, n steps over all columns of B at once.
 *
 * Shapes: A (…, n, n), B (…, n, m) → (…, n, m); leading axes broadcast.
 *
 * @throws ShapeError when sizes do not fit. A 0 on the diagonal fails the run.
 * @example
 * await solveTriangular([[2, 0], [1, 1]], [[4], [5]]).toArray(); // [[2], [3]]
 */
export function solveTriangular(a: TensorLike, b: TensorLike, options: TriangularOptions = {}): Tensor {
  const { lower = true, unitDiagonal = false } = options;
  const [A, B] = systemOf("solveTriangular", a, b);
  const triangle = (x: Tensor): Tensor =>
    lower ? x.tril(unitDiagonal ? -1 : 0) : x.triu(unitDiagonal ? 1 : 0);
  const solve = customGradient(
    (m: Tensor, rhs: Tensor) => substitute(m, rhs, lower, unitDiagonal),
    (cotangent, x, m) => {
      const gB = solveTriangular(m.transpose(), cotangent, { lower: !lower, unitDiagonal });
      return [triangle(gB.matmul(x.transpose()).neg()), gB];
    },
  );
  return solve(A, B);
}

function substitute(a: Tensor, b: Tensor, lower: boolean, unitDiagonal: boolean): Tensor {
  const n = a.shape[a.shape.length - 1] as number;
  const pivots: Tensor = required(
    a.diagonal(),
    unitDiagonal ? a.diagonal().equal(a.diagonal()).or(true) : a.diagonal().notEqual(0),
    "solveTriangular: the matrix is singular, its diagonal holds a 0",
  );
  const at = counters(n);
  const { carry } = scan(
    (x: Tensor, k: Tensor) => {
      const isK = isAt(n, k);
      const pivot = where(isK, pivots, 0).sum(-1).expandDims(-1);
      const known: Tensor = unitDiagonal ? row(x, isK) : row(x, isK).div(pivot);
      const rest = where(lower ? at.greater(k) : at.less(k), column(a, isK), 0) as Tensor;
      const left = x.sub(outer(rest, known));
      return { carry: where(isK.expandDims(-1), known.expandDims(-2), left) as Tensor };
    },
    b,
    at,
    { reverse: !lower },
  );
  return carry;
}

/** A square matrix and right-hand sides of as many rows, in common leading axes. */
export function systemOf(what: string, a: TensorLike, b: TensorLike): [Tensor, Tensor] {
  const [A, B] = sameBatch(what, squareOf(what, a), matrixOf(what, b));
  const [n, rows] = [A, B].map((x) => x.shape[x.shape.length - 2]);
  if (n === rows) return [A, B];
  throw new ShapeError(
    `${what}: a matrix ${shapeText(A.shape)} takes right-hand sides of ${n} rows, got ${shapeText(B.shape)}; ` +
      "give a vector as a column: b.expandDims(-1)",
  );
}
