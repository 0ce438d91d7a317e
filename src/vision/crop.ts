/** Other sizes, parts and mirror images. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { Draws } from "../data/index.ts";
import {
  type ByteImage,
  checkNumber,
  checkRange,
  emptyLike,
  type Image,
  type Region,
  type Size,
  sizeOf,
} from "./image.ts";
import { mirrored } from "./kernel.ts";
import { gathered, type Move } from "./move.ts";
import { nearestPlaces, resample } from "./resample.ts";
import { geometricTransform, randomGeometricTransform, type Transform } from "./transform.ts";
import type { Interpolation } from "./weights.ts";

export interface ResizeOptions {
  /** Default "bilinear". Masks take the nearest element whatever it is. */
  readonly interpolation?: Interpolation;
  /** Whether shrinking takes all pixels into account; default true, as in Pillow. */
  readonly antialias?: boolean;
}

const interpolations: readonly string[] = ["nearest", "bilinear", "bicubic", "lanczos"];

/** @throws ArgumentError for another name */
export function checkInterpolation<T extends string>(what: string, name: T, known = interpolations): T {
  if (known.includes(name)) return name;
  throw new ArgumentError(`${what}: interpolation must be one of ${known.join(", ")}, got ${name}`);
}

/**
 * Images of another size, by Pillow's algorithm. One number is the shorter side, the longer follows in proportion; [height, width] is the
 * size itself.
 *
 * @throws ArgumentError for sizes that are no positive integers
 * @example resize([2, 3])(photo).shape // [2, 3, 3]
 */
export function resize(size: Size, options: ResizeOptions = {}): Transform {
  checkOptions("resize", options, ["interpolation", "antialias"]);
  const { interpolation = "bilinear", antialias = true } = options;
  checkInterpolation("resize", interpolation);
  const [height, width] = sizeOf("resize", size);
  return geometricTransform("resize", (h, w) => {
    const to: readonly [number, number] =
      typeof size === "number" ? shorterSide(h, w, size) : [height, width];
    if (to[0] === h && to[1] === w) return undefined;
    return resampling({ top: 0, left: 0, height: h, width: w }, to, { interpolation, antialias });
  });
}

/** Sizes of which the shorter is `size`, the other rounded down, as in torchvision. */
const shorterSide = (height: number, width: number, size: number): readonly [number, number] =>
  width <= height ? [Math.trunc((size * height) / width), size] : [size, Math.trunc((size * width) / height)];

/** A region at another size. */
function resampling(
  region: Region,
  size: readonly [number, number],
  { interpolation, antialias }: Required<ResizeOptions>,
): Move {
  const { top, left } = region;
  const [yScale, xScale] = [size[0] / region.height, size[1] / region.width];
  return {
    height: size[0],
    width: size[1],
    image: (image) => resample(image, region, size, interpolation, antialias),
    part: {
      region,
      image: (part) => resample(part, { ...region, top: 0, left: 0 }, size, interpolation, antialias),
    },
    mask: (mask) =>
      gathered(
        mask,
        nearestPlaces(region.height, size[0]).map((y) => y + top),
        nearestPlaces(region.width, size[1]).map((x) => x + left),
      ),
    point: (x, y) => [(x - left) * xScale, (y - top) * yScale],
  };
}

/**
 * A part of the image. What of it lies outside is filled.
 *
 * @throws ArgumentError for numbers that are no integers, or a part of no size
 * @example crop({ top: 0, left: 1, height: 2, width: 2 })(photo).shape // [2, 2, 3]
 */
export function crop(region: Region, options: { readonly fill?: number } = {}): Transform {
  checkOptions("crop", options, ["fill"]);
  const { top, left, height, width } = region;
  if (![top, left, height, width].every(Number.isInteger) || height < 1 || width < 1)
    throw new ArgumentError(`crop: top, left, height and width must be integers, the last two positive, got ${JSON.stringify(region)}`); // biome-ignore format: one message
  return geometricTransform("crop", (h, w) => cropping(region, h, w, options.fill ?? 0));
}

/** A region of an image of height h and width w, filled outside. */
function cropping(
  { top, left, height, width }: Region,
  h: number,
  w: number,
  fill: number,
): Move | undefined {
  if (top === 0 && left === 0 && height === h && width === w) return undefined;
  const isInside = top >= 0 && left >= 0 && top + height <= h && left + width <= w;
  const places = (start: number, count: number, size: number): Int32Array =>
    Int32Array.from({ length: count }, (_, i) => (start + i < size ? Math.max(-1, start + i) : -1));
  return {
    height,
    width,
    ...(isInside && { part: { region: { top, left, height, width }, image: (part: Image) => part } }),
    image(image) {
      const out = emptyLike(image, height, width);
      if (fill !== 0) out.data.fill(fill);
      const channels = image.shape[2];
      const [from, to] = [Math.max(0, left), Math.min(w, left + width)];
      if (to <= from) return out;
      for (let y = Math.max(0, top); y < Math.min(h, top + height); y++) {
        const row = image.data.subarray((y * w + from) * channels, (y * w + to) * channels);
        out.data.set(row, ((y - top) * width + from - left) * channels);
      }
      return out;
    },
    mask: (mask) => gathered(mask, places(top, height, h), places(left, width, w)),
    point: (x, y) => [x - left, y - top],
  };
}

/**
 * The middle of the image; zeros around an image that is smaller.
 *
 * @throws ArgumentError for sizes that are no positive integers
 * @example centerCrop(2)(photo).shape // [2, 2, 3]
 */
export function centerCrop(size: Size): Transform {
  const [height, width] = sizeOf("centerCrop", size);
  // Halves go to the even number, as Python rounds; padding is larger after than before.
  const middle = (whole: number, part: number): number =>
    whole >= part ? halfToEven(whole - part) : -Math.floor((part - whole) / 2);
  return geometricTransform("centerCrop", (h, w) =>
    cropping({ top: middle(h, height), left: middle(w, width), height, width }, h, w, 0),
  );
}

const halfToEven = (twice: number): number => (twice % 4 === 3 ? (twice + 1) / 2 : Math.floor(twice / 2));

export interface RandomCropOptions {
  /** Pixels added on every side before; default 0. */
  readonly padding?: number;
  /** What is added; default 0. */
  readonly fill?: number;
}

/**
 * A part of the image from a place at random. An image that is too small is padded on all sides.
 *
 * @throws ArgumentError for sizes that are no positive integers
 * @example randomCrop(2, { padding: 1 })(photo, 7).shape // [2, 2, 3]
 */
export function randomCrop(size: Size, options: RandomCropOptions = {}): Transform {
  checkOptions("randomCrop", options, ["padding", "fill"]);
  const { padding = 0, fill = 0 } = options;
  checkNumber("randomCrop: padding", padding, 0);
  const [height, width] = sizeOf("randomCrop", size);
  return randomGeometricTransform("randomCrop", (h, w, random) => {
    const start = (whole: number, part: number): number => {
      const pad = Math.max(padding, part - whole);
      return random.integer(whole + 2 * pad - part + 1) - pad;
    };
    const top = start(h, height);
    return cropping({ top, left: start(w, width), height, width }, h, w, fill);
  });
}

export interface RandomResizedCropOptions extends ResizeOptions {
  /** The part's area over the image's; default [0.08, 1]. */
  readonly scale?: readonly [number, number];
  /** The part's width over its height; default [3/4, 4/3]. */
  readonly ratio?: readonly [number, number];
}

/**
 * A part of random area and shape from a random place, at one size: the usual training crop of ImageNet (Szegedy and others, "Going deeper
 * with convolutions", 2015).
 *
 * @throws ArgumentError for sizes that are no positive integers and ranges that are none
 * @example randomResizedCrop(2)(photo, 7).shape // [2, 2, 3]
 */
export function randomResizedCrop(size: Size, options: RandomResizedCropOptions = {}): Transform {
  checkOptions("randomResizedCrop", options, ["interpolation", "antialias", "scale", "ratio"]);
  const { interpolation = "bilinear", antialias = true, scale = [0.08, 1], ratio = [3 / 4, 4 / 3] } = options;
  checkInterpolation("randomResizedCrop", interpolation);
  checkRange("randomResizedCrop: scale", scale, 0);
  checkRange("randomResizedCrop: ratio", ratio, 0);
  const to = sizeOf("randomResizedCrop", size);
  return randomGeometricTransform("randomResizedCrop", (h, w, random) =>
    resampling(randomRegion(h, w, scale, ratio, random), to, { interpolation, antialias }),
  );
}

/** Ten tries; then the largest part in the middle whose shape is allowed. */
function randomRegion(
  h: number,
  w: number,
  scale: readonly [number, number],
  [narrow, wide]: readonly [number, number],
  random: Draws,
): Region {
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = h * w * drawn(random, scale);
    const aspect = Math.exp(drawn(random, [Math.log(narrow), Math.log(wide)]));
    const width = Math.round(Math.sqrt(area * aspect));
    const height = Math.round(Math.sqrt(area / aspect));
    if (width < 1 || width > w || height < 1 || height > h) continue;
    return { top: random.integer(h - height + 1), left: random.integer(w - width + 1), height, width };
  }
  const aspect = w / h;
  const width = aspect > wide ? Math.max(1, Math.round(h * wide)) : w;
  const height = aspect < narrow ? Math.max(1, Math.round(w / narrow)) : h;
  return { top: Math.floor((h - height) / 2), left: Math.floor((w - width) / 2), height, width };
}

/** A number from a range, which may be a single one. */
export const drawn = (random: Draws, [low, high]: readonly [number, number]): number =>
  low < high ? random.uniform(low, high) : low;

/**
 * Left and right exchanged.
 *
 * @example horizontalFlip()(photo).shape // [4, 4, 3]
 */
export const horizontalFlip = (): Transform =>
  geometricTransform("horizontalFlip", (h, w) => flip(h, w, false));

/**
 * Top and bottom exchanged.
 *
 * @example verticalFlip()(photo).shape // [4, 4, 3]
 */
export const verticalFlip = (): Transform => geometricTransform("verticalFlip", (h, w) => flip(h, w, true));

function flip(height: number, width: number, isVertical: boolean): Move {
  const inOrder = (length: number): Int32Array => Int32Array.from({ length }, (_, i) => i);
  return {
    height,
    width,
    image: isVertical ? flippedRows : flippedColumns,
    mask: (mask) =>
      isVertical
        ? gathered(mask, inOrder(height).reverse(), inOrder(width))
        : gathered(mask, inOrder(height), inOrder(width).reverse()),
    point: isVertical ? (x, y) => [x, height - y] : (x, y) => [width - x, y],
  };
}

function flippedRows(image: Image): Image {
  const [height, width, channels] = image.shape;
  const out = emptyLike(image, height, width);
  const length = width * channels;
  for (let y = 0; y < height; y++)
    out.data.set(image.data.subarray(y * length, (y + 1) * length), (height - 1 - y) * length);
  return out;
}

function flippedColumns(image: Image): Image {
  const found = image.dtype === "u8" ? mirrored(image as ByteImage) : undefined;
  if (found) return found;
  const [height, width, channels] = image.shape;
  const out = emptyLike(image, height, width);
  const [from, to] = [image.data, out.data];
  for (let y = 0, o = 0; y < height; y++)
    for (let p = ((y + 1) * width - 1) * channels; p >= y * width * channels; p -= channels)
      for (let channel = 0; channel < channels; channel++) to[o++] = from[p + channel]!;
  return out;
}

export interface RandomFlipOptions {
  /** Default 0.5. */
  readonly probability?: number;
  /** Which sides are exchanged: "horizontal" (default) are left and right. */
  readonly direction?: "horizontal" | "vertical";
}

/**
 * The mirror image, at random.
 *
 * @throws ArgumentError for a probability outside 0 … 1
 * @example randomFlip()(photo, 7).shape // [4, 4, 3]
 */
export function randomFlip(options: RandomFlipOptions = {}): Transform {
  checkOptions("randomFlip", options, ["probability", "direction"]);
  const { probability = 0.5, direction = "horizontal" } = options;
  checkNumber("randomFlip: probability", probability, 0, 1);
  if (direction !== "horizontal" && direction !== "vertical")
    throw new ArgumentError(`randomFlip: direction must be "horizontal" or "vertical", got ${direction}`);
  return randomGeometricTransform("randomFlip", (h, w, random) =>
    random.boolean(probability) ? flip(h, w, direction === "vertical") : undefined,
  );
}
