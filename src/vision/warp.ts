/** Images seen through a function of places: for each pixel of the result, a point of the image, and what is there. Pillow's filters. */
import type { TypedArray } from "../base/dtype.ts";
import { multipliedBytes, underAlpha } from "./alpha.ts";
import { emptyLike, type Image } from "./image.ts";
import type { Matrix, Plane } from "./move.ts";

/** How pixels between pixels are made, where nothing shrinks. */
export type WarpInterpolation = "nearest" | "bilinear" | "bicubic";

/** Writes, for row y of the result, the point of the image that each pixel shows. */
export type Places = (y: number, xs: Float64Array, ys: Float64Array) => void;

/** The points of a homography from the result to the image, at the middles of pixels. */
export function placesOf(m: Matrix): Places {
  const isAffine = m[6] === 0 && m[7] === 0;
  return (row, xs, ys) => {
    const y = row + 0.5;
    for (let j = 0; j < xs.length; j++) {
      const x = j + 0.5;
      const scale = isAffine ? 1 : m[6]! * x + m[7]! * y + m[8]!;
      xs[j] = (m[0]! * x + m[1]! * y + m[2]!) / scale;
      ys[j] = (m[3]! * x + m[4]! * y + m[5]!) / scale;
    }
  };
}

/** The same in fixed point of 16 bits, as Pillow finds nearest pixels of an affine map: ties fall to the same side. */
export function nearestPlacesOf(m: Matrix): Places {
  if (m[6] !== 0 || m[7] !== 0) return placesOf(m);
  const fixed = (value: number): number => Math.floor(value * 65536 + 0.5);
  const [a, b, d, e] = [fixed(m[0]!), fixed(m[1]!), fixed(m[3]!), fixed(m[4]!)];
  const x0 = fixed(m[2]! + m[0]! * 0.5 + m[1]! * 0.5);
  const y0 = fixed(m[5]! + m[3]! * 0.5 + m[4]! * 0.5);
  return (row, xs, ys) => {
    for (let j = 0; j < xs.length; j++) {
      xs[j] = (x0 + a * j + b * row) / 65536;
      ys[j] = (y0 + d * j + e * row) / 65536;
    }
  };
}

export interface WarpOptions {
  readonly height: number;
  readonly width: number;
  readonly interpolation: WarpInterpolation;
  /** What stands where the result shows nothing of the image. */
  readonly fill: number;
}

/** The image seen through `places`; colours count as much as their alpha. */
export function warped(image: Image, places: Places, options: WarpOptions): Image {
  const through = (given: Image, isMultiplied: boolean): Image => {
    const out = emptyLike(given, options.height, options.width);
    if (options.fill !== 0) fillWith(out, options.fill, isMultiplied);
    seenThrough(given, places, options.interpolation, out);
    return out;
  };
  return options.interpolation === "nearest" ? through(image, false) : underAlpha(image, through);
}

/** Every number the same, also after colours are divided by alpha. */
function fillWith({ data, dtype, shape: [, , channels] }: Image, fill: number, isMultiplied: boolean): void {
  data.fill(isMultiplied ? (dtype === "u8" ? multipliedBytes(fill, fill) : fill * fill) : fill);
  if (isMultiplied) for (let i = channels - 1; i < data.length; i += channels) data[i] = fill;
}

function seenThrough(image: Image, places: Places, interpolation: WarpInterpolation, out: Image): void {
  const [height, width] = out.shape;
  const [xs, ys] = [new Float64Array(width), new Float64Array(width)];
  const [rows, columns, channels] = image.shape;
  const sample = { nearest, bilinear, bicubic }[interpolation];
  // Fractions of bytes are cut off, and clipped by the array, as in Pillow.
  const to = image.dtype === "u8" ? new Uint8ClampedArray(out.data.buffer) : out.data;
  const cut = image.dtype === "u8";
  for (let y = 0; y < height; y++) {
    places(y, xs, ys);
    sample({ from: image.data, rows, columns, channels, xs, ys, to, start: y * width * channels, cut });
  }
}

/** A row of the result to fill. */
interface Row {
  readonly from: TypedArray;
  readonly rows: number;
  readonly columns: number;
  readonly channels: number;
  readonly xs: Float64Array;
  readonly ys: Float64Array;
  readonly to: TypedArray | Uint8ClampedArray;
  readonly start: number;
  /** Whether results are whole numbers. */
  readonly cut: boolean;
}

function nearest({ from, rows, columns, channels, xs, ys, to, start }: Row): void {
  for (let j = 0, o = start; j < xs.length; j++, o += channels) {
    const [x, y] = [Math.floor(xs[j]!), Math.floor(ys[j]!)];
    if (!(x >= 0 && x < columns && y >= 0 && y < rows)) continue;
    const p = (y * columns + x) * channels;
    for (let channel = 0; channel < channels; channel++) to[o + channel] = from[p + channel]!;
  }
}

function bilinear({ from, rows, columns, channels, xs, ys, to, start, cut }: Row): void {
  for (let j = 0, o = start; j < xs.length; j++, o += channels) {
    const [px, py] = [xs[j]!, ys[j]!];
    if (!(px >= 0 && px < columns && py >= 0 && py < rows)) continue;
    const [x, y] = [Math.floor(px - 0.5), Math.floor(py - 0.5)];
    const [dx, dy] = [px - 0.5 - x, py - 0.5 - y];
    const left = Math.max(x, 0) * channels;
    const right = Math.min(x + 1, columns - 1) * channels;
    const above = Math.max(y, 0) * columns * channels;
    const below = Math.min(y + 1, rows - 1) * columns * channels;
    for (let channel = 0; channel < channels; channel++) {
      const [a, b] = [from[above + left + channel]!, from[above + right + channel]!];
      const [c, d] = [from[below + left + channel]!, from[below + right + channel]!];
      const upper = a + (b - a) * dx;
      const lower = c + (d - c) * dx;
      const value = upper + (lower - upper) * dy;
      to[o + channel] = cut ? Math.trunc(value) : value;
    }
  }
}

/** Catmull and Rom's curve through four numbers, between the middle two. */
function cubic(a: number, b: number, c: number, d: number, at: number): number {
  const p2 = -a + c;
  const p3 = 2 * (a - b) + c - d;
  const p4 = -a + b - c + d;
  return b + at * (p2 + at * (p3 + at * p4));
}

function bicubic({ from, rows, columns, channels, xs, ys, to, start, cut }: Row): void {
  const across = new Float64Array(4);
  for (let j = 0, o = start; j < xs.length; j++, o += channels) {
    const [px, py] = [xs[j]!, ys[j]!];
    if (!(px >= 0 && px < columns && py >= 0 && py < rows)) continue;
    const [x, y] = [Math.floor(px - 0.5), Math.floor(py - 0.5)];
    const [dx, dy] = [px - 0.5 - x, py - 0.5 - y];
    const [x0, x1] = [clip(x - 1, columns) * channels, clip(x, columns) * channels];
    const [x2, x3] = [clip(x + 1, columns) * channels, clip(x + 2, columns) * channels];
    for (let channel = 0; channel < channels; channel++) {
      for (let k = 0; k < 4; k++) {
        const p = clip(y - 1 + k, rows) * columns * channels + channel;
        across[k] = cubic(from[p + x0]!, from[p + x1]!, from[p + x2]!, from[p + x3]!, dx);
      }
      const value = cubic(across[0]!, across[1]!, across[2]!, across[3]!, dy);
      to[o + channel] = cut ? Math.trunc(value) : value;
    }
  }
}

const clip = (index: number, count: number): number => (index < 0 ? 0 : index < count ? index : count - 1);

/** The mask seen through `places`, by the nearest element; 0 outside. */
export function warpedMask(
  { height: rows, width: columns, data }: Plane,
  places: Places,
  height: number,
  width: number,
): Plane {
  const to = new (data.constructor as new (length: number) => TypedArray)(height * width);
  const [xs, ys] = [new Float64Array(width), new Float64Array(width)];
  for (let y = 0; y < height; y++) {
    places(y, xs, ys);
    nearest({ from: data, rows, columns, channels: 1, xs, ys, to, start: y * width, cut: false });
  }
  return { height, width, data: to };
}
