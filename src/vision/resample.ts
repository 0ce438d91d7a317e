/**
 * Images of another size. Pillow's algorithm, bit for bit on bytes: rows, then columns, each a weighted sum of the pixels under a kernel
 * that is as much wider as the image shrinks; weights are fixed-point numbers of 22 bits. (Pillow, `Resample.c`.)
 */
import { emptyLike, type Image } from "./image.ts";

/** How pixels between pixels are made. */
export type Interpolation = "nearest" | "bilinear" | "bicubic" | "lanczos";

/** A part of an image: rows `top` to `top + height`, columns `left` to `left + width`. */
export interface Region {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

interface Kernel {
  readonly support: number;
  weight(x: number): number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

const kernels: Readonly<Record<Exclude<Interpolation, "nearest">, Kernel>> = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  // Keys, "Cubic convolution interpolation for digital image processing", 1981, a = −½.
  bicubic: {
    support: 2,
    weight(signed) {
      const x = Math.abs(signed);
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      return x < 2 ? -0.5 * (((x - 5) * x + 8) * x - 4) : 0;
    },
  },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** For each output position: the first input, how many, and their weights (`stride` apart). */
interface Weights {
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  readonly values: Float64Array;
  readonly stride: number;
}

function weightsOf(from: number, to: number, { support, weight }: Kernel, antialias: boolean): Weights {
  const scale = from / to;
  const width = antialias ? Math.max(scale, 1) : 1;
  const reach = support * width;
  const stride = Math.ceil(reach) * 2 + 1;
  const [starts, counts] = [new Int32Array(to), new Int32Array(to)];
  const values = new Float64Array(to * stride);
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - reach + 0.5));
    const count = Math.min(from, Math.trunc(center + reach + 0.5)) - start;
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const value = weight((k + start - center + 0.5) * (1 / width));
      values[i * stride + k] = value;
      sum += value;
    }
    if (sum !== 0) for (let k = 0; k < count; k++) values[i * stride + k]! /= sum;
    starts[i] = start;
    counts[i] = count;
  }
  return { starts, counts, values, stride };
}

const fixedBits = 22;
const half = 1 << (fixedBits - 1);

const fixedPoint = (values: Float64Array): Int32Array =>
  Int32Array.from(values, (value) => Math.trunc(value * (1 << fixedBits) + (value < 0 ? -0.5 : 0.5)));

/**
 * A region of an image at another size.
 *
 * @param antialias whether shrinking takes all pixels into account, as Pillow always does
 */
export function resample(
  image: Image,
  region: Region,
  [height, width]: readonly [height: number, width: number],
  interpolation: Interpolation,
  antialias = true,
): Image {
  if (interpolation === "nearest") return resampleNearest(image, region, [height, width]);
  const kernel = kernels[interpolation];
  const across = (): Weights => weightsOf(region.width, width, kernel, antialias);
  const down = (): Weights => weightsOf(region.height, height, kernel, antialias);
  if (region.height === height && region.width === width) return cropped(image, region);
  if (region.height === height) return rows(image, region, width, across());
  if (region.width === width) return columns(image, region, down());
  // The other way round only where that is less work on both axes: Pillow's rule, which decides how bytes in between are rounded.
  if (region.height > height && region.width < width) {
    const between = columns(image, region, down());
    return rows(between, { top: 0, left: 0, height, width: region.width }, width, across());
  }
  const between = rows(image, region, width, across());
  return columns(between, { top: 0, left: 0, height: region.height, width }, down());
}

/** A part of an image, which it has. */
export function cropped(image: Image, { top, left, height, width }: Region): Image {
  const [, columnCount, channels] = image.shape;
  const out = emptyLike(image, height, width);
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * columnCount + left) * channels;
    out.data.set(image.data.subarray(start, start + width * channels), y * width * channels);
  }
  return out;
}

/** Every row of a region with `width` pixels. */
function rows(image: Image, { top, left, height }: Region, width: number, weights: Weights): Image {
  const out = emptyLike(image, height, width);
  const [, columnCount, channels] = image.shape;
  const places: Places = {
    first: (top * columnCount + left) * channels,
    rowStride: columnCount * channels,
    height,
    width,
  };
  if (image.dtype === "f32")
    floatRows(image.data as Float32Array, out.data as Float32Array, channels, places, weights);
  else {
    const clamped = new Uint8ClampedArray(out.data.buffer);
    const byteRows = channels === 3 ? colorRows : anyRows;
    byteRows(image.data as Uint8Array, clamped, channels, places, weights, fixedPoint(weights.values));
  }
  return out;
}

interface Places {
  /** Of the region's first element. */
  readonly first: number;
  readonly rowStride: number;
  readonly height: number;
  readonly width: number;
}

/** Stores into a clamped array clip what lies outside 0 … 255, as negative weights make it. */
function colorRows(
  from: Uint8Array,
  to: Uint8ClampedArray,
  _channels: number,
  { first, rowStride, height, width }: Places,
  { starts, counts, stride }: Weights,
  fixed: Int32Array,
): void {
  for (let y = 0, o = 0; y < height; y++) {
    const row = first + y * rowStride;
    for (let x = 0; x < width; x++, o += 3) {
      let p = row + starts[x]! * 3;
      let k = x * stride;
      const end = k + counts[x]!;
      let red = half;
      let green = half;
      let blue = half;
      for (; k < end; k++, p += 3) {
        const w = fixed[k]!;
        red = (red + Math.imul(from[p]!, w)) | 0;
        green = (green + Math.imul(from[p + 1]!, w)) | 0;
        blue = (blue + Math.imul(from[p + 2]!, w)) | 0;
      }
      to[o] = red >> fixedBits;
      to[o + 1] = green >> fixedBits;
      to[o + 2] = blue >> fixedBits;
    }
  }
}

function anyRows(
  from: Uint8Array,
  to: Uint8ClampedArray,
  channels: number,
  { first, rowStride, height, width }: Places,
  { starts, counts, stride }: Weights,
  fixed: Int32Array,
): void {
  for (let y = 0, o = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < channels; channel++, o++) {
        let p = first + y * rowStride + starts[x]! * channels + channel;
        let k = x * stride;
        const end = k + counts[x]!;
        let sum = half;
        for (; k < end; k++, p += channels) sum = (sum + Math.imul(from[p]!, fixed[k]!)) | 0;
        to[o] = sum >> fixedBits;
      }
    }
  }
}

function floatRows(
  from: Float32Array,
  to: Float32Array,
  channels: number,
  { first, rowStride, height, width }: Places,
  { starts, counts, stride, values }: Weights,
): void {
  for (let y = 0, o = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let channel = 0; channel < channels; channel++, o++) {
        const p = first + y * rowStride + starts[x]! * channels + channel;
        let sum = 0;
        for (let k = 0; k < counts[x]!; k++) sum += from[p + k * channels]! * values[x * stride + k]!;
        to[o] = sum;
      }
    }
  }
}

/** Every column of a region with as many pixels as there are weights. */
function columns(image: Image, { top, left, width }: Region, weights: Weights): Image {
  const [, columnCount, channels] = image.shape;
  const { starts, counts, stride, values } = weights;
  const out = emptyLike(image, starts.length, width);
  const rowStride = columnCount * channels;
  const length = width * channels;
  const first = (top * columnCount + left) * channels;
  const fixed = image.dtype === "u8" ? fixedPoint(values) : undefined;
  const clamped = fixed && new Uint8ClampedArray(out.data.buffer);
  for (let y = 0; y < starts.length; y++) {
    const start = first + starts[y]! * rowStride;
    const [from, to] = [y * stride, y * stride + counts[y]!];
    if (fixed && clamped)
      byteColumn(image.data as Uint8Array, start, rowStride, clamped.subarray(y * length, (y + 1) * length), fixed.subarray(from, to)); // biome-ignore format: one call
    else {
      const row = out.data.subarray(y * length, (y + 1) * length) as Float32Array;
      for (let x = 0; x < length; x++) {
        let sum = 0;
        for (let k = from, p = start + x; k < to; k++, p += rowStride) sum += image.data[p]! * values[k]!;
        row[x] = sum;
      }
    }
  }
  return out;
}

/** One output row: up to four input rows at a time, so that sums stay in registers. */
function byteColumn(
  from: Uint8Array,
  start: number,
  rowStride: number,
  to: Uint8ClampedArray,
  weights: Int32Array,
): void {
  const length = to.length;
  const count = weights.length;
  if (count <= 4) {
    const [a, b, c, d] = [weights[0]!, weights[1] ?? 0, weights[2] ?? 0, weights[3] ?? 0];
    const second = count > 1 ? rowStride : 0;
    const third = count > 2 ? 2 * rowStride : 0;
    if (count === 4)
      for (let x = 0, p = start; x < length; x++, p++)
        to[x] =
          (half +
            Math.imul(from[p]!, a) +
            Math.imul(from[p + second]!, b) +
            Math.imul(from[p + third]!, c) +
            Math.imul(from[p + 3 * rowStride]!, d)) >>
          fixedBits;
    else
      for (let x = 0, p = start; x < length; x++, p++)
        to[x] =
          (half +
            Math.imul(from[p]!, a) +
            Math.imul(from[p + second]!, b) +
            Math.imul(from[p + third]!, c)) >>
          fixedBits;
    return;
  }
  for (let x = 0; x < length; x++) {
    let sum = half;
    for (let k = 0, p = start + x; k < count; k++, p += rowStride)
      sum = (sum + Math.imul(from[p]!, weights[k]!)) | 0;
    to[x] = sum >> fixedBits;
  }
}

/** Adds up steps as Pillow does, so that ties fall to the same side. */
export function nearestPlaces(from: number, to: number): Int32Array {
  const places = new Int32Array(to);
  const step = from / to;
  let at = step * 0.5;
  for (let i = 0; i < to; i++, at += step) places[i] = Math.min(from - 1, Math.floor(at));
  return places;
}

function resampleNearest(
  image: Image,
  { top, left, height: rowCount, width: columnCount }: Region,
  [height, width]: readonly [number, number],
): Image {
  const channels = image.shape[2];
  const out = emptyLike(image, height, width);
  const [ys, xs] = [nearestPlaces(rowCount, height), nearestPlaces(columnCount, width)];
  const [from, to] = [image.data, out.data];
  for (let y = 0, o = 0; y < height; y++) {
    const row = (top + ys[y]!) * image.shape[1] + left;
    for (let x = 0; x < width; x++) {
      const p = (row + xs[x]!) * channels;
      for (let channel = 0; channel < channels; channel++) to[o++] = from[p + channel]!;
    }
  }
  return out;
}
