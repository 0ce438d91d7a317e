/** A folder for each class, an image in each file. */
import { joinPath, listFolder } from "#platform";
import type { TypedArray } from "../base/dtype.ts";
import { ArgumentError, FileError, ShapeError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { checkOptions } from "../base/options.ts";
import { fold, type RandomKey, randomKey } from "../base/random.ts";
import { shapeText } from "../base/shape.ts";
import { type Column, type Dataset, lazyDataset } from "../data/index.ts";
import type { Augmentation } from "./augment.ts";
import { readImage } from "./codec.ts";
import { resize } from "./crop.ts";
import { type ByteImage, type Size, sizeOf } from "./image.ts";

export interface ImageFolderOptions {
  /** Every image is resized to it; their shapes are not kept. */
  readonly size?: Size;
  /** Instead: what makes samples of one shape from the images as they are, such as `augment(randomResizedCrop(224), …)`. */
  readonly transform?: Augmentation;
  /** Default 3. */
  readonly channels?: 1 | 3 | 4;
  /** An image of more pixels is refused; default 100 million. */
  readonly maxPixels?: number;
}

type ImageColumn = Column<readonly [number, number, number], "u8" | "f32">;

/** Images and the numbers of their classes. */
export interface ImageFolder
  extends Dataset<{ readonly images: ImageColumn; readonly labels: Column<[], "i32"> }> {
  /** Names of the folders, sorted: class i is `classes[i]`. */
  readonly classes: readonly string[];
  /** Of the files, in the order of samples. */
  readonly paths: readonly string[];
}

const isImage = (name: string): boolean => /\.(png|jpe?g|webp|avif|tiff?|gif)$/i.test(name);

/**
 * The images of a folder that has a folder for each class. Samples are in the order of classes, then of paths (both sorted by name); files
 * that do not end in .png, .jpg, .jpeg, .webp, .avif, .tif, .tiff or .gif are passed over, folders within a class are searched too.
 *
 * Files are read and decoded when a sample is delivered: by `for await` over a loader, which reads ahead, by `fit`, or by `load`. A file that
 * is damaged is named in the error; `loader(…, { corrupt: "skip" })` leaves it out and notes it. `images` come in bytes (height, width,
 * channels) unless a transform makes others of them.
 *
 * @throws FileError for a folder that is not there, ArgumentError for one without classes or images, or without `size` and `transform` where the
 *   first image cannot be read; PlatformError without the package "sharp"
 * @example
 * // not run: it needs a folder of photos
 * const photos = await imageFolder("photos", { size: 8 });
 * const training = photos.map(augment(randomFlip(), normalize()));
 * for await (const { images, labels } of loader(training, { batchSize: 32, corrupt: "skip" })) trainStep(images, labels);
 */
export async function imageFolder(path: string, options: ImageFolderOptions = {}): Promise<ImageFolder> {
  checkOptions("imageFolder", options, optionNames);
  const { classes, paths, labels } = await filesOf(path);
  const { column, read } = await imagesOf(paths, options);
  const dataset = lazyDataset({
    length: paths.length,
    columns: { images: column },
    known: { labels },
    read,
    name: (index) => paths[index]!,
  });
  return Object.assign(dataset, { classes, paths }) as unknown as ImageFolder;
}

const optionNames = ["size", "transform", "channels", "maxPixels"] as const;

/**
 * One image or the images of a folder (and of folders within it), without classes: what predictions are made of. Read, resized and refused
 * as by {@link imageFolder}; `paths` are in the order of samples.
 *
 * @throws FileError for what is not there, ArgumentError for a folder without images
 * @example
 * await writeImage("photo.png", photo);
 * const { length, paths } = await imageFiles("photo.png", { size: 8 });
 * [length, paths]; // [1, ["photo.png"]]
 */
export async function imageFiles(
  path: string,
  options: ImageFolderOptions = {},
): Promise<Dataset<{ readonly images: ImageColumn }> & Pick<ImageFolder, "paths">> {
  checkOptions("imageFiles", options, optionNames);
  const isFolder = (await listFolder(path)) !== undefined;
  const paths = isFolder ? await imagesIn(path) : [path];
  if (paths.length === 0) throw new ArgumentError(`imageFiles: "${path}" has no images in it`);
  const { column, read } = await imagesOf(paths, options);
  const name = (index: number): string => paths[index]!;
  const dataset = lazyDataset({ length: paths.length, columns: { images: column }, read, name });
  return Object.assign(dataset, { paths }) as never;
}

type ReadImages = (
  index: number,
  key: RandomKey,
  into?: { readonly images?: TypedArray },
) => Promise<{ readonly images: HostArray }>;

/** What makes a sample of each file, and the shape that all have. */
async function imagesOf(
  paths: readonly string[],
  { size, transform, ...decoding }: ImageFolderOptions,
): Promise<{ readonly column: ImageColumn; readonly read: ReadImages }> {
  if (size !== undefined && transform !== undefined)
    throw new ArgumentError(
      "imageFolder: give size or transform, not both; a transform can begin with resize",
    );
  const resized = size === undefined ? undefined : resize(sizeOf("imageFolder: size", size));
  const readOne: ReadImages = async (index, key, into) => {
    if (transform) {
      const options = { ...decoding, ...(into?.images && { into: into.images }) };
      return { images: await transform.read(paths[index]!, fold(key, 0), options) };
    }
    const image = await readImage(paths[index]!, decoding);
    return { images: resized ? resized(image) : image };
  };
  const column = await imageColumn(paths[0]!, readOne, size, decoding.channels ?? 3);
  const read: ReadImages = async (index, key, into) => {
    const sample = await readOne(index, key, into);
    if (shapeText(sample.images.shape) === shapeText(column.shape)) return sample;
    throw new ShapeError(
      `the image is ${shapeText(sample.images.shape)}, the first one is ${shapeText(column.shape)}; ` +
        "give imageFolder a size, or a transform that makes images of one shape",
    );
  };
  return { column, read };
}

/** Of the size that was asked for, or of the first image. */
async function imageColumn(
  first: string,
  read: ReadImages,
  size: Size | undefined,
  channels: number,
): Promise<ImageColumn> {
  if (size !== undefined) return { dtype: "u8", shape: [...sizeOf("imageFolder: size", size), channels] };
  try {
    const { dtype, shape } = (await read(0, randomKey(0))).images as ByteImage;
    return { dtype, shape };
  } catch (cause) {
    throw new ArgumentError(
      `imageFolder: the first image, "${first}", cannot tell the shape of all: ${(cause as Error).message}; give a size`,
      { cause },
    );
  }
}

async function filesOf(path: string): Promise<{ classes: string[]; paths: string[]; labels: Int32Array }> {
  const entries = await listFolder(path);
  if (entries === undefined)
    throw new FileError(`cannot read "${path}": there is no such folder; check the path`);
  const classes = entries.filter(({ isFolder }) => isFolder).map(({ name }) => name);
  if (classes.length === 0)
    throw new ArgumentError(`imageFolder: "${path}" has no folders in it; it needs one for each class`);
  const paths: string[] = [];
  const labels: number[] = [];
  for (const [label, name] of classes.entries()) {
    const found = await imagesIn(joinPath(path, name));
    if (found.length === 0)
      throw new ArgumentError(
        `imageFolder: "${joinPath(path, name)}" has no images in it; remove the folder, or fill it`,
      );
    paths.push(...found);
    labels.push(...found.map(() => label));
  }
  return { classes, paths, labels: Int32Array.from(labels) };
}

/** Paths of images in a folder and those within it. Links to folders are not followed, so there is no circle. */
async function imagesIn(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const { name, isFolder } of (await listFolder(folder)) ?? []) {
    const path = joinPath(folder, name);
    if (isFolder) found.push(...(await imagesIn(path)));
    else if (isImage(name)) found.push(path);
  }
  return found;
}
