/** Transforms one after the other, as a function of samples for `Dataset.map`. */
import { arrayTypeOf, type TypedArray } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { countElements, type HostArray } from "../base/host-array.ts";
import { fold, type RandomKey, randomKey } from "../base/random.ts";
import { shapeText } from "../base/shape.ts";
import type { Column, Columns } from "../data/index.ts";
import { type DecodeOptions, readPart } from "./codec.ts";
import type { Frame } from "./frame.ts";
import { asImage, type Image } from "./image.ts";
import type { Move, Plane } from "./move.ts";
import { giveBytes, withScratch } from "./scratch.ts";
import type { Transform } from "./transform.ts";

type Value = number | TypedArray | HostArray;

/** What is augmented: `images`, and what goes with it under names of its own. */
export interface ImageSample {
  readonly images: TypedArray | HostArray;
}

/** The sample with what moved as arrays that know their shapes. */
export type AugmentedSample<S> = {
  readonly [N in keyof S]: N extends "images"
    ? Image
    : N extends "boxes" | "keypoints"
      ? HostArray<readonly number[], "f32">
      : N extends "masks"
        ? HostArray
        : S[N];
};

/**
 * A function of one sample whose arrays know their shapes, and a key or a seed; or as `Dataset.map` calls it, of a sample, its position, its key and
 * the columns.
 */
export interface Augmentation {
  <S extends ImageSample>(
    sample: S,
    keyOrIndex: RandomKey | number,
    key?: RandomKey,
    columns?: Columns,
  ): AugmentedSample<S>;
  /** What becomes of columns, so that `map` reads no sample to find out. */
  columns(before: Columns): Columns;
  /**
   * The image in a file as the transforms make it, with the key or seed: the same as of `readImage`, but of a JPEG no more is decoded than
   * the first transform keeps, where that is a crop. Damage below that goes unnoticed, unless the file was cut short.
   */
  read(path: string, key: RandomKey | number, options?: ReadOptions): Promise<Image>;
}

export interface ReadOptions extends DecodeOptions {
  /**
   * Memory for the numbers of the image, such as its place in a batch: used where its type and length are those of the result, whose `data` it
   * then is. Until the promise settles it may hold anything.
   */
  readonly into?: TypedArray;
}

/**
 * Transforms, one after the other, as one function: for `Dataset.map`, or called with a sample and a key or seed. Each transform draws from a key
 * of its own, so the same key gives the same sample, on any thread and after any resume.
 *
 * A sample's `images` is the image. With it move, where the sample has them:
 * - `boxes` (n, 4): left, top, right, bottom in pixels. A box becomes the one around its moved corners, clipped to the image. One of which
 *   less than a tenth, or less than a pixel, is left becomes zeros, and its entry of `labels`, where there is one for each box, −1.
 * - `keypoints` (n, 2) or (n, 3): x, y and a visibility, which becomes 0 outside the image.
 * - `masks` (height, width) or (n, height, width), by the nearest element.
 *
 * Coordinates are continuous: the pixel in row i and column j covers x from j to j + 1. Everything else passes through.
 *
 * @throws ArgumentError where something but `randomErasing` follows `normalize`
 * @example
 * const change = augment(randomResizedCrop(2), randomFlip(), colorJitter({ brightness: 0.2 }), normalize());
 * change({ images: photo, labels: 3 }, 7).images.shape; // [3, 2, 2]
 */
export function augment(...transforms: readonly Transform[]): Augmentation {
  checkOrder(transforms);
  const inTurn = (frame: Frame, key: RandomKey, from: number): Frame =>
    transforms.reduce((current, { step }, i) => (i < from ? current : step(current, fold(key, i))), frame);
  const step = (frame: Frame, key: RandomKey, from = 0, into?: TypedArray): Frame =>
    withScratch(
      () => putInto(into, inTurn(frame, key, from)),
      (bytes, { image }) => image.data === bytes,
      into instanceof Float32Array ? into : undefined,
    );
  const augmented = (
    sample: ImageSample,
    keyOrIndex: RandomKey | number,
    key?: RandomKey,
    columns?: Columns,
  ) => {
    const given = key ?? (typeof keyOrIndex === "number" ? randomKey(keyOrIndex) : keyOrIndex);
    const shaped = withShapes(sample, columns);
    return withFrame(sample, shaped, step(frameOf(shaped), given));
  };
  const columns = (before: Columns): Columns => columnsAfter(augmented, before);
  const read = async (
    path: string,
    keyOrSeed: RandomKey | number,
    { into, ...options }: ReadOptions = {},
  ): Promise<Image> => {
    const key = typeof keyOrSeed === "number" ? randomKey(keyOrSeed) : keyOrSeed;
    const partOf = (height: number, width: number): Move["part"] =>
      transforms[0]?.moveOf?.(height, width, fold(key, 0))?.part;
    const { image, part, scratch } = await readPart(path, partOf, options);
    const frame = { image: part ? part.image(image) : image, channelsFirst: false };
    const result = step(frame, key, part ? 1 : 0, into).image;
    if (scratch === undefined) return result;
    const own = result.data === scratch ? ({ ...result, data: scratch.slice() } as Image) : result;
    giveBytes(scratch);
    return own;
  };
  return Object.assign(augmented, { columns, read }) as unknown as Augmentation;
}

/** The frame with its image in this memory, where it fits. */
function putInto(into: TypedArray | undefined, frame: Frame): Frame {
  const { dtype, shape, data } = frame.image;
  if (
    into === undefined ||
    data === into ||
    !(into instanceof arrayTypeOf(dtype)) ||
    into.length !== data.length
  )
    return frame;
  into.set(data);
  return { ...frame, image: { dtype, shape, data: into } as Image };
}

/** What comes of a sample of zeros. */
function columnsAfter(
  augmented: (sample: ImageSample, index: number, key: RandomKey, columns: Columns) => object,
  before: Columns,
): Columns {
  const zeros = Object.entries(before).map(([name, { dtype, shape }]) => {
    return [name, new (arrayTypeOf(dtype))(countElements(shape))] as const;
  });
  const after = augmented(Object.fromEntries(zeros) as never, 0, randomKey(0), before);
  return Object.fromEntries(
    Object.entries(after as Readonly<Record<string, HostArray>>).map(([name, value]): [string, Column] => [
      name,
      ArrayBuffer.isView(value) ? before[name]! : { dtype: value.dtype, shape: value.shape },
    ]),
  );
}

function checkOrder(transforms: readonly Transform[]): void {
  const first = transforms.findIndex(({ title }) => title === "normalize" || title === "toFloat");
  const after =
    first < 0 ? undefined : transforms.slice(first + 1).find(({ takesAnyLayout }) => !takesAnyLayout);
  if (after)
    throw new ArgumentError(
      `augment: ${after.title} comes after ${transforms[first]!.title}, which gives (channels, height, width); put it before`,
    );
}

/** The arrays that an augmentation knows, with their shapes. */
type Shaped = Readonly<Partial<Record<"images" | "boxes" | "keypoints" | "masks" | "labels", HostArray>>>;

function withShapes(sample: ImageSample, columns: Columns | undefined): Shaped {
  const shaped = ["images", "boxes", "keypoints", "masks", "labels"].flatMap((name) => {
    const value = (sample as unknown as Readonly<Record<string, Value | undefined>>)[name];
    if (value === undefined || typeof value === "number") return [];
    if (!ArrayBuffer.isView(value)) return [[name, value] as const];
    const column = columns?.[name];
    if (column)
      return [[name, { dtype: column.dtype, shape: column.shape, data: value } as HostArray] as const];
    if (name === "labels")
      return [[name, { dtype: "i32", shape: [value.length], data: value } as HostArray] as const];
    throw new ShapeError(`augment: "${name}" is an array without a shape; give { dtype, shape, data }`);
  });
  return Object.fromEntries(shaped);
}

function frameOf({ images, boxes, keypoints, masks }: Shaped): Frame {
  if (images === undefined) throw new ArgumentError('augment: the sample has no "images"');
  return {
    image: asImage("augment", images),
    channelsFirst: false,
    ...(boxes && { boxes: floatsOf("boxes", boxes, [4]) }),
    ...(keypoints && {
      points: { data: floatsOf("keypoints", keypoints, [2, 3]), rowLength: keypoints.shape.at(-1) as 2 | 3 },
    }),
    ...(masks && { masks: { dtype: masks.dtype, planes: planesOf(masks, images) } }),
  };
}

function floatsOf(name: string, { dtype, shape, data }: HostArray, lengths: readonly number[]): Float32Array {
  if (dtype === "f32" && lengths.includes(shape.at(-1)!)) return data as Float32Array;
  throw new ShapeError(
    `augment: "${name}" must be f32 with rows of ${lengths.join(" or ")} numbers, got ${dtype} ${shapeText(shape)}`,
  );
}

function planesOf({ shape, data }: HostArray, images: HostArray): readonly Plane[] {
  const [height, width] = shape.slice(-2) as [number, number];
  const fits =
    (shape.length === 2 || shape.length === 3) && height === images.shape[0] && width === images.shape[1];
  if (!fits)
    throw new ShapeError(
      `augment: "masks" must be (height, width) or (n, height, width) of the image ${shapeText(images.shape)}, got ${shapeText(shape)}`,
    );
  const count = countElements(shape.slice(0, -2));
  const size = height * width;
  return Array.from({ length: count }, (_, i) => ({
    height,
    width,
    data: data.subarray(i * size, (i + 1) * size),
  }));
}

function withFrame(sample: ImageSample, shaped: Shaped, frame: Frame): Readonly<Record<string, Value>> {
  const { image, boxes, points, masks } = frame;
  return {
    ...sample,
    images: image,
    ...(boxes && { boxes: { dtype: "f32", shape: shaped.boxes!.shape, data: boxes } }),
    ...(boxes && labelsLeft(shaped, boxes)),
    ...(points && { keypoints: { dtype: "f32", shape: shaped.keypoints!.shape, data: points.data } }),
    ...(masks && { masks: joined(shaped.masks!, masks.planes) }),
  };
}

/** −1 for the labels of boxes that are gone. */
function labelsLeft({ labels }: Shaped, boxes: Float32Array): { readonly labels?: HostArray } {
  if (labels === undefined || labels.shape[0] !== boxes.length / 4 || labels.shape.length !== 1) return {};
  const data = labels.data.slice();
  for (let i = 0; i < data.length; i++) if (boxes[4 * i + 2] === 0 && boxes[4 * i + 3] === 0) data[i] = -1;
  return { labels: { ...labels, data } as HostArray };
}

function joined({ dtype, shape }: HostArray, planes: readonly Plane[]): HostArray {
  const { height, width, data: first } = planes[0]!;
  if (planes.length === 1)
    return { dtype, shape: [...shape.slice(0, -2), height, width], data: first } as HostArray;
  const data = new (first.constructor as new (length: number) => TypedArray)(planes.length * height * width);
  for (const [i, plane] of planes.entries()) data.set(plane.data, i * height * width);
  return { dtype, shape: [planes.length, height, width], data } as HostArray;
}
