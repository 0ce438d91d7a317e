/** NumPy's transforms: along an axis or several, of complex and real numbers. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { normalizeAxis, shapeText } from "../base/shape.ts";
import { concat, slice, type Tensor, type TensorLike, tensor } from "../tensor/index.ts";
import { type Complex, type ComplexLike, complexOf, conjugate, mapParts, realOf } from "./complex.ts";
import { inverse, transform } from "./transform.ts";

/** Where the factor 1/n stands: in the inverse ("backward", the default), as 1/√n in both ("ortho"), in the forward transform. */
export type FftNorm = "backward" | "ortho" | "forward";

export interface FftOptions {
  /** The length that is transformed: the axis is cut or filled with zeros. Its size when left out. */
  readonly n?: number;
  /** Default −1. */
  readonly axis?: number;
  readonly norm?: FftNorm;
}

export interface FftnOptions {
  /** The axes that are transformed; all when left out (the last two for `fft2`). */
  readonly axes?: readonly number[];
  readonly norm?: FftNorm;
}

export interface IrfftnOptions extends FftnOptions {
  /** How many real numbers the last of the axes holds: says whether it is odd; 2·(size − 1) when left out. */
  readonly n?: number;
}

/** The factor of a forward transform, and what an inverse that divides by n is multiplied with. */
function scales(norm: FftNorm, n: number): { readonly forward: number; readonly inverse: number } {
  switch (norm) {
    case "backward":
      return { forward: 1, inverse: 1 };
    case "ortho":
      return { forward: 1 / Math.sqrt(n), inverse: Math.sqrt(n) };
    case "forward":
      return { forward: 1 / n, inverse: n };
    default:
      norm satisfies never;
      throw new ArgumentError(`fft: norm "${norm}" is unknown; use "backward", "ortho" or "forward"`);
  }
}

/** Known size of an axis. */
function sizeOf(what: string, x: Tensor, axis: number): number {
  const size: unknown = x.shape[axis];
  if (typeof size === "number") return size;
  throw new ShapeError(`${what}: axis ${axis} of ${shapeText(x.shape)} must have a known size`);
}

/** The axis with `n` elements, as the last. */
function prepared(what: string, x: Tensor, axis: number, n: number): Tensor {
  if (!Number.isInteger(n) || n < 1)
    throw new ArgumentError(`${what}: the length must be a positive integer, got ${n}`);
  const last = toLast(x, axis);
  const size = sizeOf(what, last, last.shape.length - 1);
  if (size >= n) return size === n ? last : (last.slice(-1, 0, n) as Tensor);
  const none = last.shape.slice(0, -1).map(() => [0, 0] as const);
  return last.pad([...none, [0, n - size]]) as Tensor;
}

const toLast = (x: Tensor, axis: number): Tensor =>
  (axis === x.shape.length - 1 ? x : x.transpose(axis, -1)) as Tensor;

function along(
  what: string,
  x: Complex,
  { n, axis = -1 }: FftOptions,
  compute: (x: Complex, n: number) => Complex,
): Complex {
  const at = normalizeAxis(axis, x.real.shape.length, what);
  const length = n ?? sizeOf(what, x.real, at);
  const moved = mapParts(x, (part) => prepared(what, part, at, length));
  return mapParts(compute(moved, length), (part) => toLast(part, at));
}

const scaled = (x: Complex, factor: number): Complex =>
  factor === 1 ? x : mapParts(x, (part) => part.mul(factor) as Tensor);

/**
 * The discrete Fourier transform along an axis, Σ x[k]·e^(−2πi·jk/n), of any length.
 *
 * @throws ShapeError for an axis whose size is not known; ArgumentError for a length below 1
 * @example
 * const { real, imaginary } = fft([1, 0, 0, 0]);
 * real; // [1, 1, 1, 1]
 * (await imaginary.toArray()).map(Math.abs); // [0, 0, 0, 0]
 */
export function fft(x: ComplexLike, options: FftOptions = {}): Complex {
  const { norm = "backward" } = options;
  return along("fft", complexOf("fft", x), options, (part, n) =>
    scaled(transform(part), scales(norm, n).forward),
  );
}

/**
 * The inverse of {@link fft}: (1/n)·Σ x[j]·e^(2πi·jk/n).
 *
 * @example
 * const { real } = ifft(fft([1, 2, 3, 4]));
 * (await real.toArray()).map(Math.round); // [1, 2, 3, 4]
 */
export function ifft(x: ComplexLike, options: FftOptions = {}): Complex {
  const { norm = "backward" } = options;
  return along("ifft", complexOf("ifft", x), options, (part, n) =>
    scaled(inverse(part, n), scales(norm, n).inverse),
  );
}

/**
 * The transform of real numbers: the first ⌊n/2⌋ + 1 elements, of which the others are the conjugates.
 *
 * Shapes: (…, n, …) → (…, ⌊n/2⌋ + 1, …).
 *
 * @example
 * rfft([1, 2, 3, 4]).real; // [10, -2, -2]
 */
export function rfft(x: TensorLike, options: FftOptions = {}): Complex {
  const { norm = "backward" } = options;
  return along("rfft", complexOf("rfft", realOf(x)), options, (part, n) =>
    mapParts(
      scaled(transform(part), scales(norm, n).forward),
      (half) => half.slice(-1, 0, Math.floor(n / 2) + 1) as Tensor,
    ),
  );
}

/**
 * The inverse of {@link rfft}: real numbers. `n` says whether their number was odd; 2·(size − 1) when left out.
 *
 * @example
 * (await irfft(rfft([1, 2, 3, 4])).toArray()).map(Math.round); // [1, 2, 3, 4]
 */
export function irfft(x: ComplexLike, options: FftOptions = {}): Tensor {
  const { axis = -1, norm = "backward" } = options;
  const given = complexOf("irfft", x);
  const at = normalizeAxis(axis, given.real.shape.length, "irfft");
  const n = options.n ?? 2 * (sizeOf("irfft", given.real, at) - 1);
  const half = Math.floor(n / 2) + 1;
  const whole = along("irfft", given, { axis: at, n: half }, (part) => {
    // The first element, and for an even n the last, are their own conjugates: what is imaginary in them does not count.
    const own = tensor(Array.from({ length: half }, (_, k) => Number(k > 0 && 2 * k !== n))).cast(
      part.real.dtype,
    ) as unknown as Tensor;
    const kept = { real: part.real, imaginary: part.imaginary.mul(own) as Tensor };
    const mirrored = conjugate(mapParts(kept, (one) => one.at("...", slice(n - half, 0, -1)) as Tensor));
    const all = {
      real: concat([kept.real, mirrored.real], -1) as Tensor,
      imaginary: concat([kept.imaginary, mirrored.imaginary], -1) as Tensor,
    };
    return scaled(inverse(all, n), scales(norm, n).inverse);
  });
  return whole.real;
}

function severalAxes(
  what: string,
  x: ComplexLike,
  { axes, norm }: FftnOptions,
  each: (x: Complex, options: FftOptions) => Complex,
): Complex {
  const given = complexOf(what, x);
  const chosen = axesOf(what, given.real, axes);
  return chosen.reduce<Complex>((value, axis) => each(value, { axis, ...(norm && { norm }) }), given);
}

/** All when left out. */
function axesOf(what: string, { shape }: Tensor, axes: readonly number[] | undefined): number[] {
  const given = axes ?? Array.from({ length: shape.length }, (_, i) => i);
  return given.map((axis) => normalizeAxis(axis, shape.length, what));
}

/** The axis that holds half of the elements, and the others. */
function halvedAxis(what: string, x: Tensor, axes: readonly number[] | undefined): [number, number[]] {
  const chosen = axesOf(what, x, axes);
  const last = chosen.pop();
  if (last === undefined) throw new ArgumentError(`${what}: there is no axis to transform along`);
  return [last, chosen];
}

/** {@link fft} along several axes, all when left out. @example fftn(ones([3, 4])).real.shape // [3, 4] */
export const fftn = (x: ComplexLike, options: FftnOptions = {}): Complex =>
  severalAxes("fftn", x, options, fft);

/** The inverse of {@link fftn}. @example (await ifftn(fftn([[1, 2]])).real.toArray()).flat().map(Math.round) // [1, 2] */
export const ifftn = (x: ComplexLike, options: FftnOptions = {}): Complex =>
  severalAxes("ifftn", x, options, ifft);

/** {@link fft} along the last two axes. @example fft2(ones([5, 3, 4])).real.shape // [5, 3, 4] */
export const fft2 = (x: ComplexLike, options: FftnOptions = {}): Complex =>
  severalAxes("fft2", x, { axes: [-2, -1], ...options }, fft);

/** The inverse of {@link fft2}. @example (await ifft2(fft2([[1, 2]])).real.toArray()).flat().map(Math.round) // [1, 2] */
export const ifft2 = (x: ComplexLike, options: FftnOptions = {}): Complex =>
  severalAxes("ifft2", x, { axes: [-2, -1], ...options }, ifft);

/**
 * {@link fftn} of real numbers, all axes when left out: of the last axis the first ⌊n/2⌋ + 1 elements, of which the others follow.
 *
 * @throws ArgumentError without an axis; ShapeError for an axis whose size is not known
 * @example rfftn(ones([3, 4])).real.shape // [3, 3]
 */
export function rfftn(x: TensorLike, { axes, norm = "backward" }: FftnOptions = {}): Complex {
  const given = realOf(x);
  const [axis, others] = halvedAxis("rfftn", given, axes);
  return severalAxes("rfftn", rfft(given, { axis, norm }), { axes: others, norm }, fft);
}

/**
 * The inverse of {@link rfftn}: real numbers.
 *
 * @throws ArgumentError without an axis; ShapeError for an axis whose size is not known
 * @example (await irfftn(rfftn([[1, 2, 3], [4, 5, 6]]), { n: 3 }).toArray()).flat().map(Math.round) // [1, 2, 3, 4, 5, 6]
 */
export function irfftn(x: ComplexLike, { axes, n, norm = "backward" }: IrfftnOptions = {}): Tensor {
  const given = complexOf("irfftn", x);
  const [axis, others] = halvedAxis("irfftn", given.real, axes);
  const rest = severalAxes("irfftn", given, { axes: others, norm }, ifft);
  return irfft(rest, { axis, norm, ...(n !== undefined && { n }) });
}

/** {@link rfftn} along the last two axes. @example rfft2(ones([5, 3, 4])).real.shape // [5, 3, 3] */
export const rfft2 = (x: TensorLike, options: FftnOptions = {}): Complex =>
  rfftn(x, { axes: [-2, -1], ...options });

/** The inverse of {@link rfft2}. @example (await irfft2(rfft2([[1, 2]])).toArray()).flat().map(Math.round) // [1, 2] */
export const irfft2 = (x: ComplexLike, options: IrfftnOptions = {}): Tensor =>
  irfftn(x, { axes: [-2, -1], ...options });

/** The frequencies of `fft`'s elements, 0 first, in cycles a unit of `spacing`. @example fftfreq(4) // [0, 0.25, -0.5, -0.25] */
export function fftfreq(n: number, spacing = 1): Tensor<[number], "f32"> {
  if (!Number.isInteger(n) || n < 1)
    throw new ArgumentError(`fftfreq: the length must be a positive integer, got ${n}`);
  return tensor(Array.from({ length: n }, (_, i) => (i < n / 2 ? i : i - n) / (n * spacing)));
}

/** The frequencies of `rfft`'s elements. @example rfftfreq(4) // [0, 0.25, 0.5] */
export function rfftfreq(n: number, spacing = 1): Tensor<[number], "f32"> {
  if (!Number.isInteger(n) || n < 1)
    throw new ArgumentError(`rfftfreq: the length must be a positive integer, got ${n}`);
  return tensor(Array.from({ length: Math.floor(n / 2) + 1 }, (_, i) => i / (n * spacing)));
}

/** The element of frequency 0 moved to the middle of axes, all when left out. @example fftshift([0, 1, 2, -2, -1]) // [-2, -1, 0, 1, 2] */
export const fftshift = (x: TensorLike, axes?: readonly number[]): Tensor =>
  shifted("fftshift", x, axes, (n) => Math.floor(n / 2));

/** The inverse of {@link fftshift}. @example ifftshift([-2, -1, 0, 1, 2]) // [0, 1, 2, -2, -1] */
export const ifftshift = (x: TensorLike, axes?: readonly number[]): Tensor =>
  shifted("ifftshift", x, axes, (n) => -Math.floor(n / 2));

function shifted(
  what: string,
  x: TensorLike,
  axes: readonly number[] | undefined,
  by: (n: number) => number,
): Tensor {
  const given = realOf(x);
  const chosen: readonly number[] = axes ?? Array.from({ length: given.shape.length }, (_, i) => i);
  return chosen.reduce<Tensor>((value, axis) => {
    const at = normalizeAxis(axis, value.shape.length, what);
    return value.roll(by(sizeOf(what, value, at)), at) as Tensor;
  }, given);
}
