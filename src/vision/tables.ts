/** Changes of each number by itself: what happens to a byte stands in a table. Names and figures are Pillow's (`ImageOps`, `ImageEnhance`). */
import { ArgumentError } from "../base/errors.ts";
import { bytesOf, checkNumber, colorChannels, emptyLike, type Image } from "./image.ts";
import { pixelTransform, type Transform } from "./transform.ts";

/** The image with each colour looked up; a table a channel, or one for all. Alpha stays. */
export function lookedUp(what: string, image: Image, tables: readonly Uint8Array[]): Image {
  const { data } = bytesOf(what, image);
  const [height, width, channels] = image.shape;
  const out = emptyLike(image, height, width);
  const [to, colors] = [out.data, colorChannels(channels)];
  if (tables.length === 1 && colors === channels) {
    const table = tables[0]!;
    for (let i = 0; i < data.length; i++) to[i] = table[data[i]!]!;
    return out;
  }
  for (let channel = 0; channel < channels; channel++) {
    const table = tables[tables.length === 1 ? 0 : channel];
    if (channel < colors && table)
      for (let i = channel; i < data.length; i += channels) to[i] = table[data[i]!]!;
    else for (let i = channel; i < data.length; i += channels) to[i] = data[i]!;
  }
  return out;
}

const tableOf = (value: (byte: number) => number): Uint8Array =>
  Uint8Array.from({ length: 256 }, (_, i) => value(i));

/** Clipped and cut off after the point, as C makes bytes of floats. */
export const clippedByte = (value: number): number =>
  value <= 0 ? 0 : value >= 255 ? 255 : Math.trunc(value);

/** `from` at factor 0, `byte` at 1, further away beyond: f32 arithmetic, as in Pillow's `Image.blend`. */
export const blended = (from: number, byte: number, factor: number): number =>
  clippedByte(Math.fround(from + Math.fround(factor * (byte - from))));

/** A table that blends each byte with one other. */
export function blendTable(from: number, factor: number): Uint8Array {
  const factor32 = Math.fround(factor);
  return tableOf((byte) => blended(from, byte, factor32));
}

/**
 * Every colour as its opposite: 255 − x, or 1 − x in f32.
 *
 * @example invert()({ dtype: "u8", shape: [1, 1, 1], data: Uint8Array.of(55) }).data // [200]
 */
export const invert = (): Transform =>
  pixelTransform("invert", (image) => {
    if (image.dtype === "u8") return lookedUp("invert", image, [tableOf((byte) => 255 - byte)]);
    return { ...image, data: (image.data as Float32Array).map((x) => 1 - x) };
  });

/**
 * Colours of at least the threshold as their opposites.
 *
 * @throws ArgumentError for a threshold outside 0 … 256
 * @example solarize(128)({ dtype: "u8", shape: [1, 2, 1], data: Uint8Array.of(55, 200) }).data // [55, 55]
 */
export function solarize(threshold: number): Transform {
  checkNumber("solarize: the threshold", threshold, 0, 256);
  const table = tableOf((byte) => (byte < threshold ? byte : 255 - byte));
  return pixelTransform("solarize", (image) => lookedUp("solarize", image, [table]));
}

/**
 * Colours of fewer bits: the lower ones are zero.
 *
 * @throws ArgumentError for bits that are no integer from 0 to 8
 * @example posterize(2)({ dtype: "u8", shape: [1, 2, 1], data: Uint8Array.of(55, 200) }).data // [0, 192]
 */
export function posterize(bits: number): Transform {
  checkNumber("posterize: bits", bits, 0, 8);
  if (!Number.isInteger(bits)) throw new ArgumentError(`posterize: bits must be an integer, got ${bits}`);
  const table = tableOf((byte) => byte & ~(2 ** (8 - bits) - 1));
  return pixelTransform("posterize", (image) => lookedUp("posterize", image, [table]));
}

/**
 * Each colour stretched so that the darkest is 0 and the brightest 255.
 *
 * @example autocontrast()({ dtype: "u8", shape: [1, 3, 1], data: Uint8Array.of(50, 60, 70) }).data // [0, 127, 255]
 */
export const autocontrast = (): Transform => byHistogram("autocontrast", stretching);

function stretching(counts: Uint32Array): Uint8Array {
  const [low, high] = [counts.findIndex((count) => count > 0), counts.findLastIndex((count) => count > 0)];
  if (high <= low) return tableOf((byte) => byte);
  const scale = 255 / (high - low);
  return tableOf((byte) => clippedByte(byte * scale + -low * scale));
}

/**
 * Each colour's histogram as flat as whole bytes allow.
 *
 * @example equalize()({ dtype: "u8", shape: [2, 2, 1], data: Uint8Array.of(9, 9, 9, 12) }).data // [9, 9, 9, 12]
 */
export const equalize = (): Transform => byHistogram("equalize", flattening);

function flattening(counts: Uint32Array): Uint8Array {
  const used = counts.filter((count) => count > 0);
  const step = Math.floor((used.reduce((sum, count) => sum + count, 0) - (used.at(-1) ?? 0)) / 255);
  if (used.length <= 1 || step === 0) return tableOf((byte) => byte);
  let sum = Math.floor(step / 2);
  return tableOf((byte) => {
    const level = Math.min(255, Math.floor(sum / step));
    sum += counts[byte]!;
    return level;
  });
}

/** A table for each colour from how often each byte occurs. */
function byHistogram(title: string, tableFrom: (counts: Uint32Array) => Uint8Array): Transform {
  return pixelTransform(title, (image) => {
    const { data } = bytesOf(title, image);
    const channels = image.shape[2];
    const tables = Array.from({ length: colorChannels(channels) }, (_, channel) => {
      const counts = new Uint32Array(256);
      for (let i = channel; i < data.length; i += channels) counts[data[i]!]!++;
      return tableFrom(counts);
    });
    return lookedUp(title, image, tables);
  });
}
