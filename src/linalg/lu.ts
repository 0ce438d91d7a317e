/** LU factors with partial pivoting, and what follows from them: solving, inverses, determinants. */
import { customGradient, eye, scan, type Tensor, type TensorLike, where } from "../tensor/index.ts";
import { column, counters, isAt, outer, required, row, squareOf } from "./matrices.ts";
import { solveTriangular, systemOf } from "./triangular.ts";

export interface LuFactors {
  /** (…, n, n): ones on the diagonal. */
  readonly lower: Tensor;
  /** (…, n, n). */
  readonly upper: Tensor;
  /** i32 (…, n): row i of L·U is row `order[i]` of A. */
  readonly order: Tensor;
  /** (…): 1 or −1, the determinant of the permutation. */
  readonly sign: Tensor;
}

/** Both factors in one matrix, as LAPACK keeps them. */
interface Packed {
  readonly factors: Tensor;
  readonly order: Tensor;
  readonly sign: Tensor;
}

function factorize(a: Tensor): Packed {
  const n = a.shape[a.shape.length - 1] as number;
  const batch = a.shape.slice(0, -2);
  const at = counters(n);
  const start: Packed = {
    factors: a,
    order: at.broadcastTo([...batch, n]),
    sign: a.sum([-2, -1]).zerosLike().add(1) as Tensor,
  };
  const { carry } = scan(
    ({ factors, order, sign }: Packed, k: Tensor) => {
      const isK = isAt(n, k);
      const size = where(at.less(k), -1, column(factors, isK).abs()) as Tensor;
      const p = size.argmax(-1) as Tensor; // (…)
      const isP = at.equal(p.expandDims(-1)) as Tensor; // (…, n)
      const [rowK, rowP] = [row(factors, isK), row(factors, isP)];
      const swapped = where(
        isK.expandDims(-1),
        rowP.expandDims(-2),
        where(isP.expandDims(-1), rowK.expandDims(-2), factors),
      ) as Tensor;
      const pivot = where(isK, rowP, 0).sum(-1).expandDims(-1) as Tensor;
      const below = at.greater(k);
      const quotient = column(swapped, isK).div(where(pivot.equal(0), 1, pivot));
      const shares = where(below, quotient, 0) as Tensor;
      const left = swapped.sub(outer(shares, where(below, rowP, 0) as Tensor));
      const orders = [isK, isP].map((is) => where(is, order, 0).sum(-1).expandDims(-1) as Tensor);
      const isMoved = p.notEqual(k);
      return {
        carry: {
          factors: where(below.expandDims(-1).and(isK), shares.expandDims(-1), left) as Tensor,
          order: where(isK, orders[1]!, where(isP, orders[0]!, order)).cast("i32") as Tensor,
          sign: where(isMoved, sign.neg(), sign) as Tensor,
        },
      };
    },
    start,
    at,
  );
  return carry;
}

const unit = { lower: true, unitDiagonal: true } as const;

/** Rows of b in the order of the factors. */
function permuted(b: Tensor, order: Tensor): Tensor {
  const index = order.expandDims(-1).broadcastTo(b.shape);
  return b.takeAlong(index, -2);
}

function solveWith({ factors, order }: Packed, b: Tensor): Tensor {
  const y = solveTriangular(factors, permuted(b, order), unit);
  return solveTriangular(factors, y, { lower: false });
}

/**
 * P·A = L·U with rows exchanged so that no |element of L| is above 1. Singular matrices have a 0 on U's diagonal. No gradient
 * flows.
 *
 * @example
 * const { lower, upper, order } = lu([[0, 2], [4, 8]]);
 * lower; // [[1, 0], [0, 1]]
 * upper; // [[4, 8], [0, 2]]
 * order; // [1, 0]
 */
export function lu(a: TensorLike): LuFactors {
  const A = squareOf("lu", a);
  const { factors, order, sign } = factorize(A);
  const n = A.shape[A.shape.length - 1] as number;
  return { lower: factors.tril(-1).add(eye(n, n, { dtype: A.dtype })), upper: factors.triu(), order, sign };
}

/**
 * X with A·X = B, by LU factors with partial pivoting.
 *
 * Shapes: A (…, n, n), B (…, n, m) → (…, n, m); leading axes broadcast.
 *
 * @throws ShapeError when sizes do not fit. A singular matrix fails the run.
 * @example
 * await solve([[2, 0], [1, 4]], [[2], [9]]).toArray(); // [[1], [2]]
 */
export function solve(a: TensorLike, b: TensorLike): Tensor {
  const [A, B] = systemOf("solve", a, b);
  const differentiable = customGradient(
    (m: Tensor, rhs: Tensor) => solveWith(regular(m), rhs),
    (cotangent, x, m) => {
      const gB = solve(m.transpose(), cotangent);
      return [gB.matmul(x.transpose()).neg(), gB];
    },
  );
  return differentiable(A, B);
}

/** Factors of a matrix that has an inverse; another fails the run. */
function regular(a: Tensor): Packed {
  const packed = factorize(a);
  const pivots: Tensor = packed.factors.diagonal();
  const checked = required(
    pivots,
    pivots.notEqual(0),
    "solve: the matrix is singular, an elimination step found only zeros",
  );
  const { factors } = packed;
  const n = factors.shape[factors.shape.length - 1] as number;
  return {
    ...packed,
    factors: where(eye(n, n, { dtype: "bool" }), checked.expandDims(-1), factors) as Tensor,
  };
}

/**
 * A⁻¹. To solve a system `solve` is better: it is faster and rounds less.
 *
 * @throws ShapeError unless the matrices are square. A singular one fails the run.
 * @example
 * await inverse([[2, 0], [0, 4]]).toArray(); // [[0.5, 0], [0, 0.25]]
 */
export function inverse(a: TensorLike): Tensor {
  const A = squareOf("inverse", a);
  const n = A.shape[A.shape.length - 1] as number;
  return solve(A, eye(n, n, { dtype: A.dtype }));
}

/**
 * The determinant: (…, n, n) → (…). Its gradient is det A · A⁻ᵀ; where A is singular, asking for it fails the run.
 *
 * @example
 * await det([[2, 1], [1, 3]]).item(); // 5
 */
export function det(a: TensorLike): Tensor {
  const differentiable = customGradient(
    (m: Tensor) => {
      const { factors, sign } = factorize(m);
      return factors.diagonal().prod(-1).mul(sign) as Tensor;
    },
    (cotangent, value, m) => [scaled(cotangent.mul(value), inverse(m).transpose())],
  );
  return differentiable(squareOf("det", a));
}

/**
 * Sign and logarithm of the magnitude of the determinant, which neither overflow nor vanish: sign 0 and −Infinity for a singular
 * matrix.
 *
 * @example
 * const { sign, logAbs } = slogdet([[0, 2], [2, 0]]);
 * sign; // -1
 * logAbs; // 1.3862943649291992
 */
export function slogdet(a: TensorLike): { sign: Tensor; logAbs: Tensor } {
  const A = squareOf("slogdet", a);
  const logAbs = customGradient(
    (m: Tensor) => factorize(m).factors.diagonal().abs().log().sum(-1) as Tensor,
    (cotangent, _value, m) => [scaled(cotangent, inverse(m).transpose())],
  );
  const { factors, sign } = factorize(A);
  return { sign: factors.diagonal().sign().prod(-1).mul(sign) as Tensor, logAbs: logAbs(A) };
}

/** Each matrix times its number. */
const scaled = (factor: Tensor, x: Tensor): Tensor => factor.expandDims(-1).expandDims(-1).mul(x) as Tensor;
