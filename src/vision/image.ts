/** What an image is here: numbers in rows of pixels, and what an image has to be for a function that takes one. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { countElements, type HostArray } from "../base/host-array.ts";
import { shapeText } from "../base/shape.ts";
import { scratchZeros } from "./scratch.ts";

/**
 * Pixels, (height, width, channels): bytes from 0 to 255, or f32. Channels are gray (1), gray and alpha (2), red, green, blue (3), or these
 * and alpha (4); colours are sRGB.
 */
export type Image = HostArray<[height: number, width: number, channels: number], "u8" | "f32">;

/** An image in bytes. */
export type ByteImage = HostArray<[height: number, width: number, channels: number], "u8">;

/** A height and a width; one number is both. */
export type Size = number | readonly [height: number, width: number];

/** A part of an image: rows `top` to `top + height`, columns `left` to `left + width`. */
export interface Region {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** The same numbers as an image, where they are one: (height, width), or (height, width, channels). */
export function asImage(what: string, { dtype, shape, data }: HostArray): Image {
  const [height, width, channels = 1] = shape;
  if ((shape.length !== 2 && shape.length !== 3) || channels > 4 || countElements(shape) === 0)
    throw new ShapeError(
      `${what}: an image is (height, width, channels) with 1 to 4 channels, got ${shapeText(shape)}`,
    );
  if (dtype !== "u8" && dtype !== "f32")
    throw new ArgumentError(`${what}: pixels are bytes (u8) or f32, got ${dtype}`);
  return { dtype, shape: [height!, width!, channels], data: data as Uint8Array | Float32Array };
}

/** The image, where it is in bytes: what works by tables or in steps of 1/255 takes no other. */
export function bytesOf(what: string, image: Image): ByteImage {
  if (image.dtype === "u8") return image as ByteImage;
  throw new ArgumentError(
    `${what}: works on bytes, got an image in f32; put it before what makes f32 of them`,
  );
}

/** An image in bytes of this size, all zero. */
export const emptyBytes = (height: number, width: number, channels: number): ByteImage => ({
  dtype: "u8",
  shape: [height, width, channels],
  data: scratchZeros(height * width * channels),
});

/** An image like another in its dtype and channels, all zero. */
export function emptyLike(image: Image, height: number, width: number): Image {
  const count = height * width * image.shape[2];
  const data = image.dtype === "u8" ? scratchZeros(count) : new Float32Array(count);
  return { dtype: image.dtype, shape: [height, width, image.shape[2]], data };
}

/** How many channels are colours: all but alpha. */
export const colorChannels = (channels: number): number => (channels % 2 === 0 ? channels - 1 : channels);

/** A size as its height and width. @throws ArgumentError unless both are positive integers */
export function sizeOf(what: string, size: Size): [height: number, width: number] {
  const pair: readonly number[] = typeof size === "number" ? [size, size] : size;
  if (pair.length === 2 && pair.every((length) => Number.isInteger(length) && length > 0))
    return [pair[0]!, pair[1]!];
  throw new ArgumentError(
    `${what}: a size is a positive integer, or [height, width] of two, got ${JSON.stringify(size)}`,
  );
}

/** Numbers in a range. @throws ArgumentError naming it */
export function checkNumber(what: string, value: number, low: number, high = Infinity): number {
  if (typeof value === "number" && value >= low && value <= high) return value;
  const range = high === Infinity ? `of at least ${low}` : `from ${low} to ${high}`;
  throw new ArgumentError(`${what} must be a number ${range}, got ${value}`);
}

/** A range of numbers to draw from. @throws ArgumentError unless low ≤ high */
export function checkRange(
  what: string,
  range: readonly [number, number],
  low = -Infinity,
  high = Infinity,
): readonly [number, number] {
  const [from, to] = range;
  if (range.length === 2 && from >= low && from <= to && to <= high) return range;
  throw new ArgumentError(
    `${what} must be [from, to] with ${low === -Infinity ? "" : `${low} ≤ `}from ≤ to${high === Infinity ? "" : ` ≤ ${high}`}, got ${JSON.stringify(range)}`,
  );
}
