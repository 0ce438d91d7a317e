/** Orthogonal factors by Householder's reflections, and least squares. */
import { ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import {
  concat,
  customGradient,
  eye,
  scan,
  slice,
  type Tensor,
  type TensorLike,
  where,
} from "../tensor/index.ts";
import { column, counters, isAt, matrixOf, outer, sameBatch } from "./matrices.ts";
import { solveTriangular } from "./triangular.ts";

/**
 * A = Q·R with orthonormal columns in Q and an upper triangle R: the reduced factors, with LAPACK's signs.
 *
 * Shapes: A (…, m, n), k = min(m, n) → Q (…, m, k), R (…, k, n). The gradient needs a matrix of full column rank.
 *
 * @throws ShapeError unless A is a matrix
 * @example
 * const { Q, R } = qr([[3, 1], [4, 2]]);
 * (await R.at(0, 0).item()); // -5
 * Q.shape; // [2, 2]
 */
export function qr(a: TensorLike): { Q: Tensor; R: Tensor } {
  const A = matrixOf("qr", a);
  const [m, n] = A.shape.slice(-2) as [number, number];
  if (m >= n) return tallQr(A);
  const { Q, R } = tallQr(A.at("...", slice(0, m)) as Tensor);
  const right = Q.transpose().matmul(A.at("...", slice(m)));
  return { Q, R: concat([R, right], -1) as Tensor };
}

/** m ≥ n: both factors travel as one tensor, Q above R, so that one gradient rule serves both. */
function tallQr(a: Tensor): { Q: Tensor; R: Tensor } {
  const [m] = a.shape.slice(-2) as [number, number];
  const parts = (packed: Tensor) => ({
    Q: packed.at("...", slice(0, m), slice()) as Tensor,
    R: packed.at("...", slice(m), slice()) as Tensor,
  });
  const differentiable = customGradient(
    (x: Tensor) => reflect(x),
    (cotangent, packed) => {
      const { Q: gQ, R: gR } = parts(cotangent);
      return [backward(parts(packed), gQ, gR)];
    },
  );
  return parts(differentiable(a));
}

function reflect(a: Tensor): Tensor {
  const [m, n] = a.shape.slice(-2) as [number, number];
  const at = counters(m);
  const steps = counters(n);
  /** (…, m) with v·v = 2, or 0 where there is nothing to reflect. */
  const { carry, outputs } = scan(
    (x: Tensor, k: Tensor) => {
      const isK = at.equal(k) as Tensor;
      const own = column(x, isAt(n, k));
      const below = where(at.greater(k), own, 0) as Tensor;
      const head = where(isK, own, 0).sum(-1).expandDims(-1) as Tensor;
      const rest: Tensor = below.square().sum(-1).expandDims(-1);
      const length = head.square().add(rest).sqrt() as Tensor;
      const goal = where(head.less(0), length, length.neg()) as Tensor;
      const raw = where(isK, head.sub(goal), below) as Tensor;
      const size = raw.square().sum(-1).expandDims(-1) as Tensor;
      const isIdle = rest.equal(0);
      const v = where(isIdle, 0, raw.mul(where(isIdle, 1, size).reciprocal().mul(2).sqrt())) as Tensor;
      return { carry: applied(v, x), output: v };
    },
    a,
    steps,
  );
  const start = eye(m, n, { dtype: a.dtype }).broadcastTo(a.shape) as Tensor;
  const { carry: Q } = scan((x: Tensor, v: Tensor) => ({ carry: applied(v, x) }), start, outputs as Tensor, {
    reverse: true,
  });
  return concat([Q, carry.at("...", slice(0, n), slice()).triu()], -2) as Tensor;
}

/** x − v·(vᵀ·x) */
const applied = (v: Tensor, x: Tensor): Tensor =>
  x.sub(outer(v, v.expandDims(-1).mul(x).sum(-2) as Tensor)) as Tensor;

/** (gQ + Q·copyltu(R·gRᵀ − gQᵀ·Q))·R⁻ᵀ: Walter and Lehmann, 2018, arXiv:1009.6112. */
function backward({ Q, R }: { Q: Tensor; R: Tensor }, gQ: Tensor, gR: Tensor): Tensor {
  const M = R.matmul(gR.transpose()).sub(gQ.transpose().matmul(Q));
  const below = M.tril(-1);
  const symmetric = below.add(below.transpose()).add(M.tril().sub(below));
  const right = gQ.add(Q.matmul(symmetric));
  return solveTriangular(R, right.transpose(), { lower: false }).transpose();
}

/**
 * The X that makes ‖A·X − B‖ least, for A of full column rank and m ≥ n: by QR factors.
 *
 * Shapes: A (…, m, n), B (…, m, k) → (…, n, k).
 *
 * @throws ShapeError when A is wider than tall, or the rows differ
 * @example
 * await lstsq([[2], [0]], [[6], [5]]).toArray(); // [[3]]
 */
export function lstsq(a: TensorLike, b: TensorLike): Tensor {
  const [A, B] = sameBatch("lstsq", matrixOf("lstsq", a), matrixOf("lstsq", b));
  const [m, n] = A.shape.slice(-2) as [number, number];
  if (m < n || B.shape[B.shape.length - 2] !== m) {
    throw new ShapeError(
      `lstsq: takes at least as many equations as unknowns and a right-hand side of as many rows, got ${shapeText(A.shape)} and ${shapeText(B.shape)}`,
    );
  }
  const { Q, R } = qr(A);
  return solveTriangular(R, Q.transpose().matmul(B), { lower: false });
}
