/** Eigenvalues of symmetric matrices and singular values, by Jacobi's rotations. */
import {
  concat,
  customGradient,
  eye,
  repeatWhile,
  scan,
  slice,
  type Tensor,
  type TensorLike,
  where,
} from "../tensor/index.ts";
import { halves, risingOrder, rotate, rotationFor } from "./jacobi.ts";
import { matrixOf, squareOf } from "./matrices.ts";
import { qr } from "./qr.ts";

/** Six to ten are usual. */
const mostSweeps = 30;

/** Every pair of n columns once, in n − 1 rounds. Whether all is done is asked after a sweep: for svd that is a product of matrices. */
const sweep =
  <Carry>(n: number, round: (carry: Carry) => Carry) =>
  (carry: Carry): Carry =>
    scan((carry: Carry) => ({ carry: round(carry) }), carry, null, { length: Math.max(n - 1, 1) }).carry;

const precisionOf = (x: Tensor): number => (x.dtype === "f64" ? 2 ** -52 : 2 ** -23);
const sizesOf = (x: Tensor): [number, number] => x.shape.slice(-2) as [number, number];

/** Columns in the order of (…, n) places. */
const columnsAt = (x: Tensor, order: Tensor): Tensor =>
  x.takeAlong(order.expandDims(-2).broadcastTo(x.shape), -1);

/**
 * Eigenvalues of a symmetric matrix in rising order, and orthonormal eigenvectors as columns: A·v = λ·v. Only the lower triangle is
 * read. A vector's sign is not defined; here its largest element is positive. The gradient of vectors needs distinct
 * eigenvalues.
 *
 * Shapes: (…, n, n) → values (…, n), vectors (…, n, n).
 *
 * @throws ShapeError unless the matrices are square
 * @example
 * const { values } = eigh([[2, 1], [1, 2]]);
 * (await values.toArray()).map(Math.round); // [1, 3]
 */
export function eigh(a: TensorLike): { values: Tensor; vectors: Tensor } {
  const A = squareOf("eigh", a);
  // Values in a first row above the vectors: one tensor, one gradient rule.
  const parts = (packed: Tensor) => ({
    values: packed.at("...", 0, slice()) as Tensor,
    vectors: packed.at("...", slice(1), slice()) as Tensor,
  });
  const differentiable = customGradient(diagonalize, (cotangent, packed) => {
    const [{ values, vectors }, g] = [parts(packed), parts(cotangent)];
    const gaps = values.expandDims(-2).sub(values.expandDims(-1)) as Tensor; // λⱼ − λᵢ
    const isOwn = eye(sizesOf(A)[0], sizesOf(A)[0], { dtype: "bool" });
    const F = where(isOwn, 0, where(isOwn, 1, gaps).reciprocal()) as Tensor;
    const turned = vectors.transpose().matmul(g.vectors).mul(F);
    const inner = where(isOwn, g.values.expandDims(-1), turned) as Tensor;
    const full = vectors.matmul(inner).matmul(vectors.transpose());
    return [full.add(full.transpose()).mul(0.5)];
  });
  return parts(differentiable(A));
}

/** The eigenvalues alone, rising. @example (await eigvalsh([[0, 2], [2, 0]]).toArray()).map(Math.round) // [-2, 2] */
export const eigvalsh = (a: TensorLike): Tensor => eigh(a).values;

function diagonalize(a: Tensor): Tensor {
  const [n] = sizesOf(a);
  const lower = a.tril();
  const symmetric: Tensor = lower.add(a.tril(-1).transpose());
  const even = n + (n % 2);
  const scale = symmetric.abs().max([-2, -1], { keepDims: true }) as Tensor;
  // One row more, alone on its diagonal and above all others, makes the number of columns even.
  const start = n === even ? symmetric : bordered(symmetric, scale.mul(2 * n).add(1) as Tensor);
  const bound = scale.mul(precisionOf(a)).mul(n).max() as Tensor;
  const isOff = eye(even, even, { dtype: "bool" }).not();
  const { vectors } = repeatWhile(
    ({ matrix: m }: { matrix: Tensor; vectors: Tensor }) =>
      where(isOff, m, 0).abs().max().greater(bound) as Tensor,
    sweep(even, ({ matrix: m, vectors: v }) => {
      const [p, q] = halves(m.diagonal() as Tensor, -1);
      const between = halves(halves(m, -2)[0], -1)[1].diagonal() as Tensor;
      const rotation = rotationFor(p, q, between);
      return { matrix: rotate(rotate(m, rotation, -1), rotation, -2), vectors: rotate(v, rotation, -1) };
    }),
    { matrix: start, vectors: eye(even, even, { dtype: a.dtype }).broadcastTo(start.shape) as Tensor },
    { max: mostSweeps },
  );
  // Of vectors that are nearly right these quotients are nearer than what a thousand rotations left on the diagonal.
  const found = start.matmul(vectors).mul(vectors).sum(-2) as Tensor;
  const order = risingOrder(found);
  const values = found.takeAlong(order, -1).at("...", slice(0, n)) as Tensor;
  const columns = columnsAt(vectors, order).at("...", slice(0, n), slice(0, n)) as Tensor;
  return concat([values.expandDims(-2), signed(columns)], -2) as Tensor;
}

/** A row and a column of zeros more, with `corner` (…, 1, 1) where they meet. */
function bordered(x: Tensor, corner: Tensor): Tensor {
  const [n] = sizesOf(x);
  const side = x.at("...", slice(0, 1)).zerosLike() as Tensor; // (…, n, 1)
  const top = concat([x, side], -1);
  return concat([top, concat([side.transpose(), corner], -1)], -2).reshape([
    ...x.shape.slice(0, -2),
    n + 1,
    n + 1,
  ]) as Tensor;
}

/** Each column times ±1, so that its largest element is positive. */
function signed(columns: Tensor): Tensor {
  const largest = columns.abs().argmax(-2, { keepDims: true });
  const sign = columns.takeAlong(largest, -2).sign();
  return columns.mul(where(sign.equal(0), 1, sign)) as Tensor;
}

/**
 * A = U·diag(S)·Vᵀ with orthonormal columns in U and V and singular values S that fall: the reduced decomposition. A pair of
 * columns may have its sign turned; here the largest element of each column of V is positive. The gradient of U and V needs
 * distinct singular values that are not 0.
 *
 * Shapes: (…, m, n), k = min(m, n) → U (…, m, k), S (…, k), V (…, n, k).
 *
 * @throws ShapeError unless A is a matrix
 * @example
 * const { S } = svd([[3, 0], [0, -4]]);
 * (await S.toArray()).map(Math.round); // [4, 3]
 */
export function svd(a: TensorLike): { U: Tensor; S: Tensor; V: Tensor } {
  const A = matrixOf("svd", a);
  const [m, n] = sizesOf(A);
  if (m >= n) return tallSvd(A);
  const { U, S, V } = tallSvd(A.transpose());
  return { U: V, S, V: U };
}

/** The singular values alone, falling. @example (await svdvals([[0, 5]]).toArray()).map(Math.round) // [5] */
export const svdvals = (a: TensorLike): Tensor => svd(a).S;

function tallSvd(a: Tensor): { U: Tensor; S: Tensor; V: Tensor } {
  const [m] = sizesOf(a);
  const parts = (packed: Tensor) => ({
    U: packed.at("...", slice(0, m), slice()) as Tensor,
    S: packed.at("...", m, slice()) as Tensor,
    V: packed.at("...", slice(m + 1), slice()) as Tensor,
  });
  const differentiable = customGradient(
    (x: Tensor) => orthogonalize(x),
    (cotangent, packed) => [svdBackward(parts(packed), parts(cotangent))],
  );
  return parts(differentiable(a));
}

/** Columns are rotated until all are orthogonal (Hestenes 1958): their lengths are the singular values. */
function orthogonalize(a: Tensor): Tensor {
  const [m, n] = sizesOf(a);
  const even = n + (n % 2);
  const start = even === n ? a : (concat([a, a.at("...", slice(0, 1)).zerosLike()], -1) as Tensor);
  const square = [...a.shape.slice(0, -2), even, even];
  const precision = precisionOf(a) * Math.sqrt(m);
  const { columns, V } = repeatWhile(
    ({ columns: x }: { columns: Tensor; V: Tensor }) => {
      const products = x.transpose().matmul(x);
      const lengths = products.diagonal().sqrt() as Tensor;
      const allowed = lengths.expandDims(-1).mul(lengths.expandDims(-2)).mul(precision) as Tensor;
      return products
        .abs()
        .greater(allowed)
        .and(eye(even, even, { dtype: "bool" }).not())
        .any() as Tensor;
    },
    sweep(even, ({ columns: x, V: v }) => {
      const [p, q] = halves(x, -1);
      const dot = (s: Tensor, t: Tensor): Tensor => s.mul(t).sum(-2) as Tensor;
      const rotation = rotationFor(dot(p, p), dot(q, q), dot(p, q));
      return { columns: rotate(x, rotation, -1), V: rotate(v, rotation, -1) };
    }),
    { columns: start, V: eye(even, even, { dtype: a.dtype }).broadcastTo(square) as Tensor },
    { max: mostSweeps },
  );
  const lengths = columns.square().sum(-2).sqrt() as Tensor;
  // The column that was added lies in a place of its own: its row of V is the last.
  const isAdded = even === n ? lengths.less(-1) : V.at("...", n, slice()).abs().greater(0.5);
  const order = risingOrder(where(isAdded, Infinity, lengths.neg()) as Tensor);
  const first = <T extends Tensor>(x: T): Tensor => x.at("...", slice(0, n)) as Tensor;
  const S = first(lengths.takeAlong(order, -1) as Tensor);
  const right = first(columnsAt(V, order)).at("...", slice(0, n), slice()) as Tensor;
  const turned = signed(right);
  const turn = turned.mul(right).sum(-2).sign().expandDims(-2) as Tensor;
  const sorted = first(columnsAt(columns, order)).mul(turn) as Tensor;
  // Q of orthogonal columns is each divided by its length, and completes those of length 0.
  const { Q, R } = qr(sorted);
  const sign = R.diagonal().sign().expandDims(-2) as Tensor;
  const U = Q.mul(where(sign.equal(0), 1, sign)) as Tensor;
  return concat([U, S.expandDims(-2), turned], -2) as Tensor;
}

type Svd = { U: Tensor; S: Tensor; V: Tensor };

/** Townsend, "Differentiating the singular value decomposition", 2016. */
function svdBackward({ U, S, V }: Svd, g: Svd): Tensor {
  const [m, n] = [sizesOf(U)[0], sizesOf(V)[0]];
  const isOwn = eye(n, n, { dtype: "bool" });
  const squares = S.square();
  const gaps = squares.expandDims(-2).sub(squares.expandDims(-1)) as Tensor;
  const F = where(isOwn, 0, where(isOwn, 1, gaps).reciprocal()) as Tensor;
  const skew = (x: Tensor, gx: Tensor): Tensor => {
    const inner = x.transpose().matmul(gx);
    return inner.sub(inner.transpose()).mul(F) as Tensor;
  };
  const [row, col] = [S.expandDims(-2), S.expandDims(-1)] as [Tensor, Tensor];
  const middle = skew(U, g.U).mul(row).add(skew(V, g.V).mul(col)) as Tensor;
  const inner = where(isOwn, g.S.expandDims(-1), middle) as Tensor;
  const core = U.matmul(inner).matmul(V.transpose()) as Tensor;
  if (m === n) return core;
  const outside = g.U.sub(U.matmul(U.transpose().matmul(g.U))).div(row) as Tensor;
  return core.add(outside.matmul(V.transpose()));
}
