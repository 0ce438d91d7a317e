/** A sample as a report shows it: an image, a text, or a row of numbers. */

import { decode } from "../base/dtype.ts";
import type { HostArray } from "../base/host-array.ts";
import type { Dataset, Sample } from "../data/index.ts";
import { toBase64 } from "./base64.ts";
import type { EvaluationOptions } from "./evaluation.ts";

export type DrawnInput =
  | {
      readonly kind: "image";
      readonly height: number;
      readonly width: number;
      /** 1: grey, 3: red, green, blue, pixel by pixel. */
      readonly channels: 1 | 3;
      /** Bytes, in base 64. */
      readonly pixels: string;
    }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "row"; readonly cells: readonly { readonly name: string; readonly value: number }[] };

const longestRow = 64;
const longestText = 2000;
const largestSide = 512;

export async function drawnInput(
  dataset: Dataset,
  index: number,
  inputs: readonly string[],
  { describe, features }: Pick<EvaluationOptions, "describe" | "features">,
): Promise<DrawnInput> {
  const batch = (await dataset.load([index])) as Record<string, HostArray>;
  if (describe !== undefined)
    return { kind: "text", text: String(describe(sampleOf(batch))).slice(0, longestText) };
  const arrays = inputs.map((name) => [name, first(batch[name]!)] as const);
  const image = arrays.length === 1 ? imageOf(arrays[0]![1]) : undefined;
  return image ?? { kind: "row", cells: cellsOf(arrays, features) };
}

/** The sample of a batch of one, as datasets have it: numbers, and arrays without shapes. */
const sampleOf = (batch: Record<string, HostArray>): Sample<any> =>
  Object.fromEntries(
    Object.entries(batch).map(([name, { shape, data }]) => [name, shape.length === 1 ? data[0]! : data]),
  );

/** One array of a batch of one. */
const first = ({ dtype, shape, data }: HostArray): HostArray => ({ dtype, shape: shape.slice(1), data });

/**
 * (height, width), with 1 or 3 channels before or after; or as many numbers from 0 to 1 in a row as a square of at least 8 × 8
 * has: digits are often given so.
 */
function imageOf({ dtype, shape, data }: HostArray): DrawnInput | undefined {
  const place = placeOf(shape);
  if (place === undefined) return undefined;
  const values = decode(dtype, data as never);
  const { height, width, channels, isPlanar } = place;
  if (Math.max(height, width) > largestSide) return undefined;
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (shape.length === 1 && (low < 0 || high > 1)) return undefined;
  // Bytes and 0 … 1 are shown as they are, standardized images from their darkest to their brightest.
  const [from, to] = low >= 0 && high <= 1 ? [0, 1] : low >= 0 && high <= 255 ? [0, 255] : [low, high];
  const pixels = new Uint8Array(height * width * channels);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < channels; c++) {
      const value = values[isPlanar ? c * height * width + i : i * channels + c]!;
      pixels[i * channels + c] = Math.round((255 * (value - from)) / (to - from || 1));
    }
  }
  return { kind: "image", height, width, channels, pixels: toBase64(pixels) };
}

interface Place {
  readonly height: number;
  readonly width: number;
  readonly channels: 1 | 3;
  readonly isPlanar: boolean;
}

const isChannels = (n: number): n is 1 | 3 => n === 1 || n === 3;

function placeOf(shape: readonly number[]): Place | undefined {
  const [a = 0, b = 0, c = 0] = shape;
  if (shape.length === 3 && isChannels(a) && b >= 4 && c >= 4)
    return { channels: a, height: b, width: c, isPlanar: true };
  if (shape.length === 3 && isChannels(c) && a >= 4 && b >= 4)
    return { height: a, width: b, channels: c, isPlanar: false };
  if (shape.length === 2 && a >= 4 && b >= 4) return { height: a, width: b, channels: 1, isPlanar: true };
  const side = Math.sqrt(a);
  const isSquare = shape.length === 1 && side >= 8 && Number.isInteger(side);
  return isSquare ? { height: side, width: side, channels: 1, isPlanar: true } : undefined;
}

function cellsOf(
  arrays: readonly (readonly [string, HostArray])[],
  features: readonly string[] | undefined,
): { name: string; value: number }[] {
  const cells = arrays.flatMap(([name, { dtype, data }]) => {
    const values = decode(dtype, data as never);
    return Array.from(values, (value, i) => ({ name: values.length === 1 ? name : `${name} ${i}`, value }));
  });
  return cells.slice(0, longestRow).map(({ name, value }, i) => ({ name: features?.[i] ?? name, value }));
}
