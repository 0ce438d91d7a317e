/** Brightness, contrast, saturation, hue, gray. Figures are Pillow's, bit for bit. */
import { checkOptions } from "../base/options.ts";
import type { Draws } from "../data/index.ts";
import { drawn } from "./crop.ts";
import { shiftHue } from "./hue.ts";
import {
  type ByteImage,
  bytesOf,
  checkNumber,
  checkRange,
  colorChannels,
  emptyBytes,
  type Image,
} from "./image.ts";
import { blendTable, lookedUp } from "./tables.ts";
import { pixelTransform, randomPixelTransform, type Transform } from "./transform.ts";

/** 16 bits of 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), rounded. */
export const grayOf = (red: number, green: number, blue: number): number =>
  (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;

/**
 * Black at 0, the image at 1, brighter beyond.
 *
 * @throws ArgumentError for a negative factor
 * @example brightness(1.5)({ dtype: "u8", shape: [1, 2, 1], data: Uint8Array.of(100, 200) }).data // [150, 255]
 */
export function brightness(factor: number): Transform {
  checkNumber("brightness: the factor", factor, 0);
  return pixelTransform("brightness", (image) => lookedUp("brightness", image, [blendTable(0, factor)]));
}

/**
 * Even gray of the image's mean at 0, the image at 1, more contrast beyond.
 *
 * @throws ArgumentError for a negative factor
 * @example contrast(2)({ dtype: "u8", shape: [1, 2, 1], data: Uint8Array.of(100, 120) }).data // [90, 130]
 */
export function contrast(factor: number): Transform {
  checkNumber("contrast: the factor", factor, 0);
  return pixelTransform("contrast", (image) => contrasted(image, factor));
}

function contrasted(image: Image, factor: number): Image {
  const { data, shape } = bytesOf("contrast", image);
  const channels = shape[2];
  let sum = 0;
  if (channels < 3) for (let i = 0; i < data.length; i += channels) sum += data[i]!;
  else for (let i = 0; i < data.length; i += channels) sum += grayOf(data[i]!, data[i + 1]!, data[i + 2]!);
  const mean = Math.floor(sum / (shape[0] * shape[1]) + 0.5);
  return lookedUp("contrast", image, [blendTable(mean, factor)]);
}

/**
 * Gray at 0, the image at 1, more colour beyond. Gray images stay as they are.
 *
 * @throws ArgumentError for a negative factor
 * @example saturation(0)({ dtype: "u8", shape: [1, 1, 3], data: Uint8Array.of(255, 0, 0) }).data // [76, 76, 76]
 */
export function saturation(factor: number): Transform {
  checkNumber("saturation: the factor", factor, 0);
  return pixelTransform("saturation", (image) =>
    saturated(bytesOf("saturation", image), Math.fround(factor)),
  );
}

function saturated(image: ByteImage, factor: number): ByteImage {
  const [height, width, channels] = image.shape;
  if (channels < 3) return image;
  const out = emptyBytes(height, width, channels);
  const from = image.data;
  const to = new Uint8ClampedArray(out.data.buffer);
  for (let i = 0; i < from.length; i += channels) {
    const [red, green, blue] = [from[i]!, from[i + 1]!, from[i + 2]!];
    const gray = grayOf(red, green, blue);
    // Cut off after the point, then clipped by the array: the same as clipping first.
    to[i] = Math.fround(gray + Math.fround(factor * (red - gray))) | 0;
    to[i + 1] = Math.fround(gray + Math.fround(factor * (green - gray))) | 0;
    to[i + 2] = Math.fround(gray + Math.fround(factor * (blue - gray))) | 0;
    if (channels === 4) to[i + 3] = from[i + 3]!;
  }
  return out;
}

/**
 * Colours turned around the circle of hues: 0 the image, ½ and −½ the opposite colours. Gray images stay as they are.
 *
 * @throws ArgumentError for a turn outside −½ … ½
 * @example hue(0.5)({ dtype: "u8", shape: [1, 1, 3], data: Uint8Array.of(255, 0, 0) }).data // [0, 255, 252]
 */
export function hue(turn: number): Transform {
  checkNumber("hue: the turn", turn, -0.5, 0.5);
  return pixelTransform("hue", (image) => shiftHue(bytesOf("hue", image), turn));
}

/**
 * Gray in every channel: as many channels as before, or one.
 *
 * @throws ArgumentError for other channels than 1, or as the image has
 * @example grayscale()({ dtype: "u8", shape: [1, 1, 3], data: Uint8Array.of(255, 0, 0) }).data // [76, 76, 76]
 * @example grayscale({ channels: 1 })(photo).shape // [4, 4, 1]
 */
export function grayscale(options: { readonly channels?: 1 | 3 } = {}): Transform {
  checkOptions("grayscale", options, ["channels"]);
  return pixelTransform("grayscale", (image) => grayed(bytesOf("grayscale", image), options.channels));
}

function grayed(image: ByteImage, wanted?: number): ByteImage {
  const [height, width, channels] = image.shape;
  const out = emptyBytes(height, width, wanted ?? channels);
  const count = out.shape[2];
  const [colors, colorsOut] = [colorChannels(channels), colorChannels(count)];
  const [from, to] = [image.data, out.data];
  for (let i = 0, o = 0; i < from.length; i += channels, o += count) {
    const gray = colors === 1 ? from[i]! : grayOf(from[i]!, from[i + 1]!, from[i + 2]!);
    for (let channel = 0; channel < colorsOut; channel++) to[o + channel] = gray;
    if (colorsOut < count) to[o + colorsOut] = from[i + colors] ?? 255;
  }
  return out;
}

/**
 * Gray at random.
 *
 * @throws ArgumentError for a probability outside 0 … 1
 * @example randomGrayscale({ probability: 1 })(photo, 7).shape // [4, 4, 3]
 */
export function randomGrayscale(options: { readonly probability?: number } = {}): Transform {
  checkOptions("randomGrayscale", options, ["probability"]);
  const { probability = 0.1 } = options;
  checkNumber("randomGrayscale: probability", probability, 0, 1);
  return randomPixelTransform("randomGrayscale", (image, random) =>
    random.boolean(probability) ? grayed(bytesOf("randomGrayscale", image)) : image,
  );
}

/** How much: a number x is the range from 1 − x (at least 0) to 1 + x. */
export type Jitter = number | readonly [from: number, to: number];

export interface ColorJitterOptions {
  readonly brightness?: Jitter;
  readonly contrast?: Jitter;
  readonly saturation?: Jitter;
  /** A number x is the range from −x to x, within −½ … ½. */
  readonly hue?: Jitter;
}

/**
 * Brightness, contrast, saturation and hue changed by factors at random, in a random order.
 *
 * @throws ArgumentError for ranges that are none
 * @example colorJitter({ brightness: 0.2, hue: 0.1 })(photo, 7).shape // [4, 4, 3]
 */
export function colorJitter(options: ColorJitterOptions): Transform {
  const names = ["brightness", "contrast", "saturation", "hue"] as const;
  checkOptions("colorJitter", options, names);
  const ranges = names.map((name) => {
    const jitter = options[name] ?? 0;
    const [center, low, high] = name === "hue" ? [0, -0.5, 0.5] : [1, 0, Infinity];
    if (typeof jitter === "number")
      checkNumber(`colorJitter: ${name}`, jitter, 0, name === "hue" ? 0.5 : Infinity);
    const range =
      typeof jitter === "number" ? ([Math.max(low!, center! - jitter), center! + jitter] as const) : jitter;
    return checkRange(`colorJitter: ${name}`, range, low, high);
  });
  const changes = [brightness, contrast, saturation, hue];
  return randomPixelTransform("colorJitter", (image, random) => {
    let result = image;
    for (const i of shuffled(4, random)) {
      const [low, high] = ranges[i]!;
      const neutral = i === 3 ? 0 : 1;
      const factor = drawn(random, ranges[i]!);
      if (low !== neutral || high !== neutral) result = changes[i]!(factor)(result);
    }
    return result;
  });
}

/** 0 … n − 1 in a random order. */
function shuffled(n: number, random: Draws): number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
