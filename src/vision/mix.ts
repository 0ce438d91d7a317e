/** Batches whose images are mixed with each other, and their labels in the same proportion. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { countElements, type HostArray } from "../base/host-array.ts";
import { checkOptions } from "../base/options.ts";
import { type RandomKey, randomKey } from "../base/random.ts";
import { shapeText } from "../base/shape.ts";
import { draws } from "../data/index.ts";
import { beta } from "./beta.ts";
import { checkNumber } from "./image.ts";

/** Images in f32, (N, channels, height, width), and a class, or a share of each class, for each. */
export interface LabelledBatch {
  readonly images: HostArray;
  readonly labels: HostArray;
}

/** The same, with a share of each class for each image. */
export interface MixedBatch {
  readonly images: HostArray<readonly number[], "f32">;
  readonly labels: HostArray<[batch: number, classes: number], "f32">;
}

export interface MixOptions {
  /** How many classes there are. */
  readonly classes: number;
  /** What is drawn from: a key, or a seed. Another for each batch: `fold(key, step)`. */
  readonly key: RandomKey | number;
  /** Of the beta distribution of the share; default 1. */
  readonly alpha?: number;
}

/**
 * Each image mixed with the one before it in the batch, λ of its own and 1 − λ of the other, λ from a beta distribution; labels alike. Zhang and
 * others, "mixup: beyond empirical risk minimization", 2017. The batch itself stays; `crossEntropy` takes the labels as they are.
 *
 * @throws ArgumentError for labels that are no classes, or an alpha that is not positive; ShapeError for images without a batch axis
 * @example
 * const images = await zeros([2, 3, 8, 8]).toHost();
 * const labels = await tensor([0, 1], { dtype: "i32" }).toHost();
 * mixup({ images, labels }, { classes: 10, key: 1 }).labels.shape; // [2, 10]
 */
export function mixup(batch: LabelledBatch, options: MixOptions): MixedBatch {
  const { images, labels, own } = prepared("mixup", batch, options);
  const [count, size] = [images.shape[0]!, countElements(images.shape.slice(1))];
  const data = new Float32Array(images.data.length);
  for (let i = 0; i < count; i++) {
    const before = ((i + count - 1) % count) * size;
    for (let x = 0; x < size; x++)
      data[i * size + x] = own * images.data[i * size + x]! + (1 - own) * images.data[before + x]!;
  }
  return { images: { ...images, data }, labels: mixedLabels(labels, own) };
}

/**
 * In each image a part from the one before it in the batch: a rectangle of 1 − λ of the area, λ from a beta distribution, at a random
 * place, cut off at the edge; labels in proportion to the areas. Yun and others, "CutMix: regularization strategy to train strong classifiers",
 * 2019. The batch itself stays; `crossEntropy` takes the labels as they are.
 *
 * @throws as `mixup`
 * @example
 * const images = await zeros([2, 3, 8, 8]).toHost();
 * const labels = await tensor([0, 1], { dtype: "i32" }).toHost();
 * cutMix({ images, labels }, { classes: 10, key: 1 }).labels.shape; // [2, 10]
 */
export function cutMix(batch: LabelledBatch, options: MixOptions): MixedBatch {
  const { images, labels, own, random } = prepared("cutMix", batch, options);
  if (images.shape.length !== 4)
    throw new ShapeError(
      `cutMix: images must be (N, channels, height, width), got ${shapeText(images.shape)}`,
    );
  const [count, channels, height, width] = images.shape as [number, number, number, number];
  const half = 0.5 * Math.sqrt(1 - own);
  const span = (size: number): [from: number, to: number] => {
    const [center, reach] = [random.integer(size), Math.trunc(half * size)];
    return [Math.max(0, center - reach), Math.min(size, center + reach)];
  };
  const [[left, right], [top, bottom]] = [span(width), span(height)];
  const data = images.data.slice();
  const size = channels * height * width;
  for (let i = 0; i < count; i++)
    for (let channel = 0; channel < channels; channel++)
      for (let y = top; y < bottom; y++) {
        const row = (channel * height + y) * width;
        const before = ((i + count - 1) % count) * size + row;
        data.set(images.data.subarray(before + left, before + right), i * size + row + left);
      }
  const kept = 1 - ((right - left) * (bottom - top)) / (height * width);
  return { images: { ...images, data }, labels: mixedLabels(labels, kept) };
}

type Floats = HostArray<readonly number[], "f32">;

function prepared(what: string, { images, labels }: LabelledBatch, options: MixOptions) {
  checkOptions(what, options, ["classes", "key", "alpha"]);
  const { classes, key, alpha = 1 } = options;
  checkNumber(`${what}: alpha`, alpha, 1e-3);
  if (images.dtype !== "f32" || images.shape.length < 2)
    throw new ShapeError(
      `${what}: images must be f32 (N, channels, height, width), as normalize gives them, got ${images.dtype} ${shapeText(images.shape)}`,
    );
  const random = draws(typeof key === "number" ? randomKey(key) : key);
  const shares = sharesOf(what, labels, images.shape[0]!, classes);
  return { images: images as Floats, labels: shares, own: beta(random, alpha, alpha), random };
}

/** A share of each class for each image: all of one, where labels are classes. */
function sharesOf(
  what: string,
  { dtype, shape, data }: HostArray,
  count: number,
  classes: number,
): MixedBatch["labels"] {
  if (dtype === "f32" && shape.length === 2 && shape[0] === count && shape[1] === classes)
    return { dtype, shape: [count, classes], data: data as Float32Array };
  if (shape.length !== 1 || shape[0] !== count)
    throw new ShapeError(
      `${what}: labels must be (${count},) classes or (${count}, ${classes}) shares of classes in f32, got ${dtype} ${shapeText(shape)}`,
    );
  const shares = new Float32Array(count * classes);
  for (let i = 0; i < count; i++) {
    const label = data[i]!;
    if (!(Number.isInteger(label) && label >= 0 && label < classes))
      throw new ArgumentError(`${what}: label ${label} of image ${i} is no class from 0 to ${classes - 1}`);
    shares[i * classes + label] = 1;
  }
  return { dtype: "f32", shape: [count, classes], data: shares };
}

function mixedLabels(labels: MixedBatch["labels"], own: number): MixedBatch["labels"] {
  const [count, classes] = labels.shape;
  const data = labels.data.map((share, i) => {
    const before = labels.data[((Math.floor(i / classes) + count - 1) % count) * classes + (i % classes)]!;
    return own * share + (1 - own) * before;
  });
  return { ...labels, data };
}
