/**
 * Images of another size. Pillow's algorithm, bit for bit on bytes: rows, then columns, each a weighted sum of the pixels under a kernel
 * that is as much wider as the image shrinks; weights are fixed-point numbers of 22 bits. (Pillow, `Resample.c`.)
 */
import { underAlpha } from "./alpha.ts";
import { type ByteImage, emptyLike, type Image, type Region } from "./image.ts";
import { type Pass, resampled } from "./kernel.ts";
import { fixedBits, fixedPoint, type Interpolation, type Weights, weightsOf } from "./weights.ts";

/**
 * A region of an image at another size; colours count as much as their alpha.
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
  const pass = (axis: "across" | "down", from: number, to: number): Pass[] =>
    from === to ? [] : [{ axis, weights: weightsOf(from, to, interpolation, antialias) }];
  const across = pass("across", region.width, width);
  const down = pass("down", region.height, height);
  // The other way round only where that is less work on both axes: Pillow's rule, which decides how bytes in between are rounded.
  const isDownFirst = region.height > height && region.width < width;
  const passes = isDownFirst ? [...down, ...across] : [...across, ...down];
  if (passes.length === 0) return cropped(image, region);
  return underAlpha(
    image,
    (given) =>
      (given.dtype === "u8" && resampled(given as ByteImage, region, passes)) ||
      inTurn(given, region, passes),
  );
}

/** One pass after the other, a number at a time. */
export function inTurn(image: Image, region: Region, passes: readonly Pass[]): Image {
  let [current, part] = [image, region];
  for (const { axis, weights } of passes) {
    current = axis === "across" ? rows(current, part, weights) : columns(current, part, weights);
    const [height, width] = current.shape;
    part = { top: 0, left: 0, height, width };
  }
  return current;
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

/** Every row of a region with as many pixels as there are weights. */
function rows(image: Image, { top, left, height }: Region, weights: Weights): Image {
  const [, columnCount, channels] = image.shape;
  const { starts, counts, stride } = weights;
  const out = emptyLike(image, height, starts.length);
  const sum = summing(image, weights);
  const to = storing(out);
  for (let y = 0, o = 0; y < height; y++) {
    const row = ((top + y) * columnCount + left) * channels;
    for (let x = 0; x < starts.length; x++)
      for (let channel = 0; channel < channels; channel++)
        to[o++] = sum(row + starts[x]! * channels + channel, channels, x * stride, counts[x]!);
  }
  return out;
}

/** Every column of a region with as many pixels as there are weights. */
function columns(image: Image, { top, left, width }: Region, weights: Weights): Image {
  const [, columnCount, channels] = image.shape;
  const { starts, counts, stride } = weights;
  const out = emptyLike(image, starts.length, width);
  const sum = summing(image, weights);
  const to = storing(out);
  const rowStride = columnCount * channels;
  for (let y = 0, o = 0; y < starts.length; y++) {
    const row = (top + starts[y]!) * rowStride + left * channels;
    for (let x = 0; x < width * channels; x++) to[o++] = sum(row + x, rowStride, y * stride, counts[y]!);
  }
  return out;
}

/** Stores clip what lies outside 0 … 255, as negative weights make it. */
const storing = ({ dtype, data }: Image): Float32Array | Uint8ClampedArray =>
  dtype === "f32" ? (data as Float32Array) : new Uint8ClampedArray(data.buffer);

type Sum = (place: number, step: number, weight: number, count: number) => number;

/** The sum of `count` pixels, `step` apart, by weights from a place on. */
function summing({ dtype, data }: Image, { values }: Weights): Sum {
  if (dtype === "f32")
    return (place, step, weight, count) => {
      let sum = 0;
      for (let k = 0; k < count; k++) sum += data[place + k * step]! * values[weight + k]!;
      return sum;
    };
  const fixed = fixedPoint(values);
  return (place, step, weight, count) => {
    let sum = 1 << (fixedBits - 1);
    for (let k = 0; k < count; k++) sum = (sum + Math.imul(data[place + k * step]!, fixed[weight + k]!)) | 0;
    return sum >> fixedBits;
  };
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
