/**
 * The discrete Fourier transform along the last axis, Σ x[k]·e^(−2πi·jk/n): by factors of n (Cooley and Tukey 1965), each a product
 * with a small matrix; for a large prime as a convolution of a length that has small factors (Bluestein 1970).
 */
import type { DType } from "../base/dtype.ts";
import { type Tensor, tensor } from "../tensor/index.ts";
import { type Complex, mapParts, multiply } from "./complex.ts";

/** Up to this length a transform is a product with its matrix. */
const largestMatrix = 64;

/** x (…, n), complex → the same shape. */
export function transform(x: Complex): Complex {
  const shape = x.real.shape as readonly number[];
  const n = shape[shape.length - 1]!;
  if (n <= 1) return x;
  if (n <= largestMatrix) return byMatrix(x, n);
  const factor = factorOf(n);
  return factor === undefined ? byConvolution(x, n) : byFactors(x, n, factor);
}

/** The largest factor up to `largestMatrix` that leaves another; undefined for what has only large primes. */
function factorOf(n: number): number | undefined {
  for (let factor = largestMatrix; factor > 1; factor--) if (n % factor === 0 && factor < n) return factor;
  return undefined;
}

/** e^(−2πi·t/n) for the turns t, of which only the rest by n counts: exact for large ones. */
function roots(turns: readonly number[], n: number, shape: readonly number[], dtype: DType): Complex {
  const angles = turns.map((turn) => (2 * Math.PI * (turn % n)) / n);
  const part = (f: (angle: number) => number): Tensor =>
    tensor(Float64Array.from(angles, f), { dtype: "f64", shape: [...shape] }).cast(
      dtype,
    ) as unknown as Tensor;
  return { real: part(Math.cos), imaginary: part((angle) => -Math.sin(angle)) };
}

const table = (rows: number, columns: number): number[] =>
  Array.from({ length: rows * columns }, (_, i) => Math.floor(i / columns) * (i % columns));

function byMatrix(x: Complex, n: number): Complex {
  const matrix = roots(table(n, n), n, [n, n], x.real.dtype);
  return {
    real: x.real.matmul(matrix.real).sub(x.imaginary.matmul(matrix.imaginary)) as Tensor,
    imaginary: x.real.matmul(matrix.imaginary).add(x.imaginary.matmul(matrix.real)) as Tensor,
  };
}

/** n = p·q: p-point transforms over the columns of (p, q), a turn for each element, q-point transforms over the rows. */
function byFactors(x: Complex, n: number, p: number): Complex {
  const q = n / p;
  const batch = (x.real.shape as readonly number[]).slice(0, -1);
  const turned = mapParts(x, (part) => part.reshape([...batch, p, q]).transpose() as Tensor); // (…, q, p)
  const columns = mapParts(transform(turned), (part) => part.transpose() as Tensor); // (…, p, q)
  const rows = transform(multiply(columns, roots(table(p, q), n, [p, q], x.real.dtype)));
  return mapParts(rows, (part) => part.transpose().reshape([...batch, n]) as Tensor);
}

/** jk = (j² + k² − (j − k)²)/2: a convolution with e^(πi·k²/n), in a length that has only the factor 2. */
function byConvolution(x: Complex, n: number): Complex {
  const length = 2 ** Math.ceil(Math.log2(2 * n - 1));
  const squares = Array.from({ length: n }, (_, k) => (k * k) % (2 * n));
  const chirp = roots(squares, 2 * n, [n], x.real.dtype);
  const around = Array.from({ length }, (_, k) =>
    k < n ? squares[k]! : k > length - n ? squares[length - k]! : -1,
  );
  const kernel = roots(
    around.map((turn) => (turn < 0 ? 0 : turn)),
    2 * n,
    [length],
    x.real.dtype,
  );
  const isUsed = tensor(
    around.map((turn) => Number(turn >= 0)),
    { dtype: "f64" },
  ).cast(x.real.dtype) as unknown as Tensor;
  // The kernel turns the other way.
  const filter = transform({
    real: kernel.real.mul(isUsed) as Tensor,
    imaginary: kernel.imaginary.mul(isUsed).neg() as Tensor,
  });
  const none = (x.real.shape as readonly number[]).slice(0, -1).map(() => [0, 0] as const);
  const padded = mapParts(multiply(x, chirp), (part) => part.pad([...none, [0, length - n]]) as Tensor);
  const convolved = inverse(multiply(transform(padded), filter), length);
  return multiply(
    mapParts(convolved, (part) => part.slice(-1, 0, n) as Tensor),
    chirp,
  );
}

/** (1/n)·Σ x[j]·e^(2πi·jk/n): the transform of the parts exchanged. */
export function inverse(x: Complex, n: number): Complex {
  const { real, imaginary } = transform({ real: x.imaginary, imaginary: x.real });
  return { real: imaginary.div(n) as Tensor, imaginary: real.div(n) as Tensor };
}
