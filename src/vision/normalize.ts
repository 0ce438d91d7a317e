/** From bytes to what a network takes: f32, (channels, height, width). */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { Image } from "./image.ts";
import { lookedUp } from "./kernel.ts";
import { resultFloats } from "./scratch.ts";
import { type Transform, transformOf } from "./transform.ts";

export interface NormalizeOptions {
  /** Of each channel, in 0 … 1; one number is for all. ImageNet's unless told otherwise. */
  readonly mean?: number | readonly number[];
  /** The standard deviation of each channel. */
  readonly deviation?: number | readonly number[];
}

/** Of the training images of ImageNet, in 0 … 1: what published networks expect. */
export const imageNet = { mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225] } as const;

/**
 * Bytes (height, width, channels) to f32 (channels, height, width): (x / 255 − mean) / deviation, as torchvision's `ToTensor` and
 * `Normalize` compute it. An image in f32 is taken as 0 … 1. Nothing but `randomErasing` works on an image after that.
 *
 * @throws ArgumentError for deviations that are not positive, ShapeError where there are not as many numbers as channels
 * @example normalize()(photo).shape // [3, 4, 4]
 * @example normalize({ mean: 0.5, deviation: 0.5 })({ dtype: "u8", shape: [1, 2, 1], data: Uint8Array.of(0, 255) }).data // [-1, 1]
 */
export function normalize(options: NormalizeOptions = {}): Transform {
  checkOptions("normalize", options, ["mean", "deviation"]);
  return channelsFirst("normalize", options.mean ?? imageNet.mean, options.deviation ?? imageNet.deviation);
}

/**
 * Bytes (height, width, channels) to f32 (channels, height, width) in 0 … 1: torchvision's `ToTensor`.
 *
 * @example toFloat()({ dtype: "u8", shape: [1, 2, 1], data: Uint8Array.of(0, 255) }).data // [0, 1]
 */
export const toFloat = (): Transform => channelsFirst("toFloat", 0, 1);

function channelsFirst(
  title: string,
  mean: number | readonly number[],
  deviation: number | readonly number[],
): Transform {
  const deviations = typeof deviation === "number" ? [deviation] : deviation;
  if (!deviations.every((value) => value > 0))
    throw new ArgumentError(`${title}: deviations must be positive, got ${JSON.stringify(deviation)}`);
  const tables = new Map<number, readonly Float32Array[]>();
  return transformOf(title, (frame) => {
    const channels = frame.image.shape[2];
    let table = tables.get(channels);
    if (table === undefined) {
      table = tablesOf(perChannel(title, mean, channels), perChannel(title, deviation, channels));
      tables.set(channels, table);
    }
    return { ...frame, channelsFirst: true, image: normalized(frame.image, table) };
  });
}

function perChannel(title: string, values: number | readonly number[], channels: number): readonly number[] {
  if (typeof values === "number") return Array.from({ length: channels }, () => values);
  if (values.length === channels) return values;
  throw new ShapeError(
    `${title}: ${values.length} numbers for an image of ${channels} ${channels === 1 ? "channel" : "channels"}; ` +
      "give mean and deviation as one number, or one for each channel",
  );
}

/** For each channel the 256 results, and behind them mean and deviation for images in f32. */
const tablesOf = (means: readonly number[], deviations: readonly number[]): readonly Float32Array[] =>
  means.map((mean, channel) => {
    const [mean32, deviation32] = [Math.fround(mean), Math.fround(deviations[channel]!)];
    const table = Float32Array.from(
      { length: 258 },
      (_, byte) => Math.fround(Math.fround(byte / 255) - mean32) / deviation32,
    );
    table[256] = mean32;
    table[257] = deviation32;
    return table;
  });

function normalized({ dtype, shape, data }: Image, tables: readonly Float32Array[]): Image {
  const [height, width, channels] = shape;
  const found = dtype === "u8" ? lookedUp({ dtype, shape, data: data as Uint8Array }, tables) : undefined;
  if (found) return { dtype: "f32", shape: [channels, height, width], data: found };
  const out = resultFloats(data.length);
  for (let channel = 0, o = 0; channel < channels; channel++) {
    const table = tables[channel]!;
    if (dtype === "u8") for (let i = channel; i < data.length; i += channels) out[o++] = table[data[i]!]!;
    else
      for (let i = channel; i < data.length; i += channels)
        out[o++] = Math.fround(data[i]! - table[256]!) / table[257]!;
  }
  return { dtype: "f32", shape: [channels, height, width], data: out };
}
