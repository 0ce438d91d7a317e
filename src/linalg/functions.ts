/** Functions of square matrices. */
import { ArgumentError } from "../base/errors.ts";
import {
  concat,
  customGradient,
  eye,
  repeatWhile,
  slice,
  type Tensor,
  type TensorLike,
} from "../tensor/index.ts";
import { inverse } from "./lu.ts";
import { squareOf } from "./matrices.ts";

const identityLike = (a: Tensor): Tensor => {
  const n = a.shape[a.shape.length - 1] as number;
  return eye(n, n, { dtype: a.dtype }).broadcastTo(a.shape) as Tensor;
};

/**
 * Aᵏ by squaring; a negative k takes powers of the inverse.
 *
 * @throws ArgumentError unless k is an integer
 * @example
 * await matrixPower([[1, 1], [0, 1]], 5).toArray(); // [[1, 5], [0, 1]]
 */
export function matrixPower(a: TensorLike, k: number): Tensor {
  const A = squareOf("matrixPower", a);
  if (!Number.isSafeInteger(k))
    throw new ArgumentError(`matrixPower: the exponent must be an integer, got ${k}`);
  let [base, result] = [k < 0 ? inverse(A) : A, undefined as Tensor | undefined];
  for (let left = Math.abs(k); left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) result = result ? result.matmul(base) : base;
    if (left > 1) base = base.matmul(base);
  }
  return result ?? identityLike(A);
}

/** Terms of the series that f64 needs for a norm of at most ½. */
const terms = 17;

/**
 * e^A = Σ Aᵏ/k!: the series of A/2ˢ, small enough for it, squared s times. Its gradient is that of the same function of a matrix
 * twice as large (Najfeld and Havel 1995).
 *
 * @throws ShapeError unless the matrices are square
 * @example
 * await matrixExp([[0, 1], [0, 0]]).toArray(); // [[1, 1], [0, 1]]
 */
export function matrixExp(a: TensorLike): Tensor {
  const differentiable = customGradient(exponential, (cotangent, _value, m) => {
    const n = m.shape[m.shape.length - 1] as number;
    const turned = m.transpose() as Tensor;
    const rows = [concat([turned, cotangent], -1), concat([turned.zerosLike(), turned], -1)];
    const whole = matrixExp(concat(rows, -2) as Tensor);
    return [whole.at("...", slice(0, n), slice(n)) as Tensor];
  });
  return differentiable(squareOf("matrixExp", a));
}

function exponential(a: Tensor): Tensor {
  const one = identityLike(a);
  const norm = a.abs().sum(-2).max() as Tensor;
  const squarings = norm.mul(2).log2().ceil().maximum(0) as Tensor;
  const small = a.mul(squarings.neg().exp2()) as Tensor;
  let series = one;
  for (let k = terms; k >= 1; k--) series = small.matmul(series).div(k).add(one) as Tensor;
  const { value } = repeatWhile(
    ({ left }: { left: Tensor; value: Tensor }) => left.greater(0) as Tensor,
    ({ left, value: v }) => ({ left: left.sub(1) as Tensor, value: v.matmul(v) }),
    { left: squarings, value: series },
    { max: 1100 },
  );
  return value;
}
