/** What a model will see, as a picture: images with their labels, boxes, key points and masks. */
import { writeFileAtomic } from "#platform";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { checkOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import { Dataset } from "../data/index.ts";
import { loadSharp } from "./codec.ts";
import { type ByteImage, checkNumber, emptyBytes } from "./image.ts";
import { imageNet, type NormalizeOptions } from "./normalize.ts";
import { caption, type Drawing, overlay } from "./overlay.ts";
import { resample } from "./resample.ts";

export interface ShowBatchOptions {
  /** Images in a row; default 8, or as many as there are. */
  readonly columns?: number;
  /** Images at most; default 32. */
  readonly count?: number;
  /** Names of the classes; those of an `imageFolder` unless told otherwise. */
  readonly classes?: readonly string[];
  /** What `normalize` was given, to be undone; default ImageNet's for three channels. Images in f32 within 0 … 1 are shown as they are. */
  readonly normalized?: NormalizeOptions;
}

/** Arrays by column, with a leading axis of samples. */
export type ShownBatch = Readonly<Record<string, HostArray>>;

/** Pixels between images, and the least width at which an image is shown: smaller ones are enlarged. */
const gap = 6;
const leastWidth = 112;
const captionHeight = 18;

/**
 * `renderBatch` into a file.
 *
 * @throws ShapeError for images that are none; ArgumentError for an empty batch; PlatformError without the package "sharp"
 * @example
 * const pixels = await tensor(photo).expandDims(0).toHost();
 * await showBatch({ images: pixels, labels: await tensor([1], { dtype: "i32" }).toHost() }, "batch.png", { classes: ["cat", "dog"] });
 */
export async function showBatch(
  source: Dataset | ShownBatch,
  path: string,
  options: ShowBatchOptions = {},
): Promise<void> {
  await writeFileAtomic(path, [await renderBatch(source, options)]);
}

/**
 * Draws a batch, or the first samples of a dataset, as the bytes of a PNG: `images`, and where they are there `labels` (classes, or
 * shares of them), `boxes`, `keypoints` and `masks`.
 *
 * @throws ShapeError for images that are none; ArgumentError for an empty batch; PlatformError without the package "sharp"
 * @example
 * const png = await renderBatch({ images: await tensor(photo).expandDims(0).toHost() });
 * String.fromCharCode(...png.slice(1, 4)); // "PNG"
 */
export async function renderBatch(
  source: Dataset | ShownBatch,
  options: ShowBatchOptions = {},
): Promise<Uint8Array> {
  checkOptions("showBatch", options, ["columns", "count", "classes", "normalized"]);
  const { count = 32, classes = (source as { classes?: readonly string[] }).classes } = options;
  checkNumber("showBatch: count", count, 1);
  const batch = await batchOf(source, count);
  const images = imagesOf(batch.images, options.normalized ?? {}, count);
  const columns = Math.min(options.columns ?? 8, images.length);
  checkNumber("showBatch: columns", columns, 1);
  const [height, width] = images[0]!.shape;
  const scale = Math.max(1, Math.ceil(leastWidth / width));
  const tile = { height: height * scale + captionHeight + gap, width: width * scale + gap };
  const size = [Math.ceil(images.length / columns) * tile.height + gap, columns * tile.width + gap] as const;
  const canvas = emptyBytes(size[0], size[1], 3);
  canvas.data.fill(255);
  const drawings: string[] = [];
  for (const [i, image] of images.entries()) {
    const left = gap + (i % columns) * tile.width;
    const top = gap + Math.floor(i / columns) * tile.height;
    const drawing: Drawing = { left, top, scale, height, width };
    paste(
      canvas,
      resample(image, whole(image), [height * scale, width * scale], "nearest") as ByteImage,
      top,
      left,
    );
    tint(canvas, batch.masks, i, drawing);
    drawings.push(overlay(batch, i, drawing), caption(labelText(batch.labels, i, classes), drawing));
  }
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${size[1]}" height="${size[0]}">${drawings.join("")}</svg>`;
  const sharp = await loadSharp("drawing a batch");
  const raw = { height: size[0], width: size[1], channels: 3 } as const;
  const drawn = sharp(canvas.data, { raw }).composite([{ input: new TextEncoder().encode(svg) as never }]);
  return new Uint8Array(await drawn.png().toBuffer());
}

async function batchOf(source: Dataset | ShownBatch, count: number): Promise<ShownBatch> {
  if (!(source instanceof Dataset)) return source;
  const first = Uint32Array.from({ length: Math.min(count, source.length) }, (_, i) => i);
  return source.load(first) as Promise<ShownBatch>;
}

const whole = ({ shape: [height, width] }: ByteImage) => ({ top: 0, left: 0, height, width });

/** Each image in bytes of three channels. */
function imagesOf(images: HostArray | undefined, normalized: NormalizeOptions, count: number): ByteImage[] {
  if (images === undefined) throw new ArgumentError('showBatch: there are no "images"');
  const { dtype, shape, data } = images;
  const isFloat = dtype === "f32";
  if ((dtype !== "u8" && !isFloat) || shape.length < 3 || shape.length > 4)
    throw new ShapeError(
      `showBatch: images are bytes (N, height, width, channels) or f32 (N, channels, height, width), got ${dtype} ${shapeText(shape)}`,
    );
  if (shape[0] === 0) throw new ArgumentError("showBatch: the batch is empty");
  const isFirst = isFloat && shape.length === 4 && shape[1]! <= 4;
  const [a, b, c = 1] = shape.slice(1) as [number, number, number?];
  const [height, width, channels] = isFirst ? [b, c, a] : [a, b, c];
  const bytes = isFloat
    ? bytesOfFloats(data as Float32Array, [channels, height * width, isFirst], normalized)
    : (data as Uint8Array);
  const size = height * width * channels;
  return Array.from({ length: Math.min(count, shape[0]!) }, (_, i) => {
    const image = emptyBytes(height, width, 3);
    for (let p = 0; p < height * width; p++)
      for (let channel = 0; channel < 3; channel++) {
        const from = channels < 3 ? 0 : channel;
        image.data[3 * p + channel] =
          bytes[i * size + (isFirst ? from * height * width + p : p * channels + from)]!;
      }
    return image;
  });
}

/** Numbers in 0 … 1 as they are; others by what `normalize` did, undone. */
function bytesOfFloats(
  data: Float32Array,
  [channels, pixels, isFirst]: readonly [number, number, boolean],
  { mean, deviation }: NormalizeOptions,
): Uint8ClampedArray {
  const isPlain = mean === undefined && deviation === undefined && data.every((x) => x >= 0 && x <= 1);
  const known = channels === 3 ? imageNet : { mean: 0.5, deviation: 0.5 };
  const of = (values: number | readonly number[], channel: number): number =>
    typeof values === "number" ? values : values[channel]!;
  const out = new Uint8ClampedArray(data.length);
  for (let i = 0; i < data.length; i++) {
    const channel = isFirst ? Math.floor(i / pixels) % channels : i % channels;
    const value = isPlain
      ? data[i]!
      : data[i]! * of(deviation ?? known.deviation, channel) + of(mean ?? known.mean, channel);
    out[i] = 255 * value;
  }
  return out;
}

function paste(canvas: ByteImage, image: ByteImage, top: number, left: number): void {
  const [height, width] = image.shape;
  for (let y = 0; y < height; y++)
    canvas.data.set(
      image.data.subarray(y * width * 3, (y + 1) * width * 3),
      ((top + y) * canvas.shape[1] + left) * 3,
    );
}

/** Colours that are told apart by people of any colour vision: Okabe and Ito, 2002. */
export const palette = [0xe69f00, 0x56b4e9, 0x009e73, 0xf0e442, 0x0072b2, 0xd55e00, 0xcc79a7] as const;

/** Half of each masked pixel in the mask's colour: of its number where there is one mask, of its place where there are several. */
function tint(
  canvas: ByteImage,
  masks: HostArray | undefined,
  sample: number,
  { left, top, scale, height, width }: Drawing,
): void {
  if (masks === undefined) return;
  const planes = masks.shape.length === 4 ? masks.shape[1]! : 1;
  const size = height * width;
  for (let plane = 0; plane < planes; plane++)
    for (let y = 0; y < height * scale; y++)
      for (let x = 0; x < width * scale; x++) {
        const element =
          (sample * planes + plane) * size + Math.floor(y / scale) * width + Math.floor(x / scale);
        const value = masks.data[element]!;
        if (value === 0) continue;
        const color = palette[(planes > 1 ? plane : Math.abs(value) - 1) % palette.length]!;
        const at = ((top + y) * canvas.shape[1] + left + x) * 3;
        for (let channel = 0; channel < 3; channel++) {
          const level = (color >> (16 - 8 * channel)) & 255;
          canvas.data[at + channel] = (canvas.data[at + channel]! + level) >> 1;
        }
      }
}

/** The class's name or number; the two largest shares where labels are shares. */
function labelText(
  labels: HostArray | undefined,
  sample: number,
  classes: readonly string[] | undefined,
): string {
  if (labels === undefined) return "";
  const nameOf = (label: number): string => classes?.[label] ?? String(label);
  if (labels.shape.length === 1) return nameOf(labels.data[sample]!);
  const row = Array.from(labels.data.subarray(sample * labels.shape[1]!, (sample + 1) * labels.shape[1]!));
  if (labels.dtype !== "f32")
    return row
      .filter((label) => label >= 0)
      .map(nameOf)
      .join(" ");
  const largest = row.map((share, label) => ({ share, label })).sort((a, b) => b.share - a.share);
  const shown = largest.slice(0, 2).filter(({ share }) => share > 0);
  return shown
    .map(({ share, label }) => (share === 1 ? nameOf(label) : `${nameOf(label)} ${share.toFixed(2)}`))
    .join(", ");
}
