/** A folder of images as training data: a folder for each class, augmented as is said by name. */
import { joinPath, listFolder } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { type Dataset, trainTestSplit } from "../data/index.ts";
import * as imageTransforms from "../vision/image-transforms.ts";
import * as vision from "../vision/index.ts";
import type { Named, TrainingData } from "./define.ts";
import { makeNamed } from "./named.ts";
import type { Names } from "./names.ts";

export interface ImageFolderDataOptions {
  /** With a folder for each class; or with `train`, and `validation` (or `val`) and `test`, that have them. */
  readonly path: string;
  /** Height and width that every image is brought to. */
  readonly size: vision.Size;
  /** Default 3. */
  readonly channels?: 1 | 3 | 4;
  /** What training images go through before they are numbers, by name: `["randomFlip", { "randomRotation": 10 }]`. */
  readonly augment?: readonly Named[];
  /** Mean and deviation, or true for ImageNet's; left alone, numbers from 0 to 1. */
  readonly normalize?: boolean | vision.NormalizeOptions;
  /** Shares of the images, where the folder is not parted; 0.2 each unless told otherwise, 0 for none. */
  readonly validation?: number;
  readonly test?: number;
  /** Of the split; 0 unless told otherwise. */
  readonly seed?: number;
}

const optionNames = ["path", "size", "channels", "augment", "normalize", "validation", "test", "seed"];

/** Images are read when a batch needs them. Parts of an undivided folder have its classes in equal shares. */
export async function imageFolderData(options: ImageFolderDataOptions): Promise<TrainingData> {
  checkOptions("imageFolder", options ?? {}, optionNames as never);
  const { path, size, augment = [], normalize = false } = options ?? {};
  if (typeof path !== "string" || size === undefined)
    throw new ArgumentError(
      'imageFolder: needs { "path": a folder, "size": height and width of the images }',
    );
  const toNumbers =
    normalize === false ? vision.toFloat() : vision.normalize(normalize === true ? {} : normalize);
  const changes = augment.map((item, i) =>
    makeNamed(
      { file: "imageFolder", key: `augment[${i}]` },
      { what: "transform", names: imageTransforms as Names },
      item,
    ),
  ) as vision.Transform[];
  const { train, validation, test, classes } = await partsOf(options);
  const seen = (part: Dataset): Dataset => part.map(vision.augment(toNumbers) as never);
  return {
    train: train.map(vision.augment(...changes, toNumbers) as never),
    ...(validation && { validation: seen(validation) }),
    ...(test && { test: seen(test) }),
    classes,
    prepare: async (path) => seen(await vision.imageFiles(path, decodingOf(options))),
  };
}

interface Parts {
  readonly train: Dataset;
  readonly validation?: Dataset | undefined;
  readonly test?: Dataset | undefined;
  readonly classes: readonly string[];
}

async function partsOf(options: ImageFolderDataOptions): Promise<Parts> {
  const { path, validation = 0.2, test = 0.2, seed = 0 } = options;
  const folders = ((await listFolder(path)) ?? []).filter(({ isFolder }) => isFolder).map(({ name }) => name);
  if (folders.includes("train")) return partedFolder(options, folders);
  const whole = await opened(options, path);
  const { classes } = whole;
  if (test === 0) {
    if (validation === 0) return { train: whole, classes };
    const parts = trainTestSplit<Dataset>(whole, { test: validation, seed, stratify: "labels" });
    return { train: parts.train, validation: parts.test, classes };
  }
  const parts = trainTestSplit<Dataset>(whole, { test, validation, seed, stratify: "labels" });
  return { ...parts, validation: validation === 0 ? undefined : parts.validation, classes };
}

/** Shares mean nothing there: who parted the folder has decided. */
async function partedFolder(options: ImageFolderDataOptions, folders: readonly string[]): Promise<Parts> {
  const { path } = options;
  if (options.validation !== undefined || options.test !== undefined)
    throw new ArgumentError(`imageFolder: "${path}" has its parts in folders: leave validation and test out`);
  const train = await opened(options, joinPath(path, "train"));
  const part = async (...names: readonly string[]): Promise<Dataset | undefined> => {
    const name = names.find((own) => folders.includes(own));
    if (name === undefined) return undefined;
    const found = await opened(options, joinPath(path, name));
    if (found.classes.join("\n") === train.classes.join("\n")) return found;
    throw new ArgumentError(
      `imageFolder: "${joinPath(path, name)}" has the classes ${found.classes.join(", ")}, train has ${train.classes.join(", ")}`,
    );
  };
  const [validation, test] = [await part("validation", "val"), await part("test")];
  return { train, validation, test, classes: train.classes };
}

const decodingOf = ({ size, channels }: ImageFolderDataOptions): vision.ImageFolderOptions => ({
  size,
  ...(channels && { channels }),
});

const opened = (options: ImageFolderDataOptions, path: string): Promise<vision.ImageFolder> =>
  vision.imageFolder(path, decodingOf(options));
