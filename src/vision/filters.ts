/** Changes that see a pixel's neighbours, and noise. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fillNormal, fold } from "../base/random.ts";
import { drawn } from "./crop.ts";
import {
  type ByteImage,
  bytesOf,
  checkNumber,
  checkRange,
  colorChannels,
  emptyLike,
  type Image,
} from "./image.ts";
import { clippedByte } from "./tables.ts";
import { pixelTransform, randomPixelTransform, type Transform } from "./transform.ts";

/**
 * Smoothed at 0, the image at 1, sharper beyond: Pillow's `ImageEnhance.Sharpness`.
 *
 * @throws ArgumentError for a negative factor
 * @example sharpness(2)(photo).shape // [4, 4, 3]
 */
export function sharpness(factor: number): Transform {
  checkNumber("sharpness: the factor", factor, 0);
  return pixelTransform("sharpness", (image) => sharpened(bytesOf("sharpness", image), Math.fround(factor)));
}

/** Smoothed by 1 1 1, 1 5 1, 1 1 1 over 13; pixels at the edge stay as they are. */
function sharpened(image: ByteImage, factor: number): ByteImage {
  const [height, width, channels] = image.shape;
  const from = image.data;
  const out: ByteImage = { ...image, data: from.slice() };
  const colors = colorChannels(channels);
  const row = width * channels;
  for (let y = 1; y < height - 1; y++)
    for (let x = 1; x < width - 1; x++)
      for (let channel = 0; channel < colors; channel++) {
        const i = y * row + x * channels + channel;
        const [above, below] = [i - row, i + row];
        const sum =
          from[above - channels]! + from[above]! + from[above + channels]! +
          from[i - channels]! + 5 * from[i]! + from[i + channels]! +
          from[below - channels]! + from[below]! + from[below + channels]!; // biome-ignore format: a square
        const smooth = Math.floor(sum / 13 + 0.5);
        out.data[i] = clippedByte(Math.fround(smooth + Math.fround(factor * (from[i]! - smooth))));
      }
  return out;
}

export interface GaussianBlurOptions {
  /** Pixels that are averaged along each axis, an odd number. Default: 6 (largest) sigma and the next odd number up, at least 3. */
  readonly kernelSize?: number;
  /** The standard deviation in pixels, or a range to draw it from; default [0.1, 2]. */
  readonly sigma?: number | readonly [from: number, to: number];
}

/**
 * Each pixel the average of its neighbours under a bell curve; the image goes on as its mirror image beyond its edge (torchvision's
 * `gaussian_blur`).
 *
 * @throws ArgumentError for an even kernel size, one wider than twice the image, a sigma that is not positive
 * @example gaussianBlur({ sigma: 0.5 })(photo).shape // [4, 4, 3]
 */
export function gaussianBlur(options: GaussianBlurOptions = {}): Transform {
  checkOptions("gaussianBlur", options, ["kernelSize", "sigma"]);
  const { sigma = [0.1, 2] } = options;
  const range = typeof sigma === "number" ? ([sigma, sigma] as const) : sigma;
  checkRange("gaussianBlur: sigma", range, 1e-6);
  const { kernelSize = Math.max(3, 2 * Math.ceil(3 * range[1]) + 1) } = options;
  if (!Number.isInteger(kernelSize) || kernelSize < 1 || kernelSize % 2 === 0)
    throw new ArgumentError(`gaussianBlur: kernelSize must be an odd positive integer, got ${kernelSize}`);
  const blur = (image: Image, deviation: number): Image => blurred(image, bellWeights(kernelSize, deviation));
  if (range[0] === range[1]) return pixelTransform("gaussianBlur", (image) => blur(image, range[0]));
  return randomPixelTransform("gaussianBlur", (image, random) => blur(image, drawn(random, range)));
}

/** A bell curve at whole pixels, of sum 1. */
export function bellWeights(count: number, deviation: number): Float64Array {
  const weights = Float64Array.from({ length: count }, (_, i) =>
    Math.exp(-0.5 * ((i - (count - 1) / 2) / deviation) ** 2),
  );
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

function blurred(image: Image, weights: Float64Array): Image {
  const [height, width, channels] = image.shape;
  if (weights.length > 2 * Math.min(height, width) - 1)
    throw new ArgumentError(
      `gaussianBlur: a kernel of ${weights.length} is too wide for an image of ${height} × ${width}; lower kernelSize or sigma`,
    );
  const across = smoothed(image.data, [height, width, channels], weights);
  const sums = smoothed(across, [1, height, width * channels], weights);
  const out = emptyLike(image, height, width);
  if (image.dtype === "f32") out.data.set(sums);
  else for (let i = 0; i < sums.length; i++) out.data[i] = Math.round(sums[i]!);
  return out;
}

/** Weighted sums along the middle axis of three. */
export function smoothed(
  from: ArrayLike<number>,
  [outer, length, inner]: readonly [number, number, number],
  weights: Float64Array,
): Float32Array {
  const out = new Float32Array(outer * length * inner);
  const reach = (weights.length - 1) / 2;
  for (let o = 0; o < outer; o++)
    for (let i = 0; i < length; i++) {
      const to = (o * length + i) * inner;
      for (let k = -reach; k <= reach; k++) {
        const mirrored = i + k < 0 ? -(i + k) : i + k >= length ? 2 * (length - 1) - (i + k) : i + k;
        const start = (o * length + mirrored) * inner;
        const weight = weights[k + reach]!;
        for (let x = 0; x < inner; x++) out[to + x]! += weight * from[start + x]!;
      }
    }
  return out;
}

export interface GaussianNoiseOptions {
  /** Default 0. Both in 0 … 1, black to white. */
  readonly mean?: number;
  /** Default 0.1. */
  readonly deviation?: number;
}

/**
 * Normal noise on each colour of each pixel, clipped to black and white.
 *
 * @throws ArgumentError for a negative deviation
 * @example gaussianNoise({ deviation: 0.05 })(photo, 7).shape // [4, 4, 3]
 */
export function gaussianNoise(options: GaussianNoiseOptions = {}): Transform {
  checkOptions("gaussianNoise", options, ["mean", "deviation"]);
  const { mean = 0, deviation = 0.1 } = options;
  checkNumber("gaussianNoise: deviation", deviation, 0);
  checkNumber("gaussianNoise: mean", mean, -1, 1);
  return randomPixelTransform("gaussianNoise", (image, _, key) => {
    const [height, width, channels] = image.shape;
    const out = emptyLike(image, height, width);
    const scale = image.dtype === "u8" ? 255 : 1;
    const noise = new Float32Array(out.data.length);
    fillNormal(fold(key, 0), noise, mean * scale, deviation * scale);
    const colors = colorChannels(channels);
    const rounded = image.dtype === "u8" ? 0.5 : 0;
    for (let i = 0; i < noise.length; i++) {
      const value = image.data[i]!;
      // A byte array cuts off after the point.
      out.data[i] = i % channels < colors ? Math.min(scale, Math.max(0, value + noise[i]! + rounded)) : value;
    }
    return out;
  });
}
