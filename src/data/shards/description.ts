/**
 * A folder of shards: samples in files of some megabytes each, for data that is larger than memory.
 *
 *     index.json                      what is here; written last, so a folder without it is not finished
 *     shard-00000.safetensors …       each column as one tensor: [samples, …sample shape], in the dtype it is stored in
 *
 * Every shard can be read by whatever reads safetensors. `index.json`:
 *
 *     { "format": "netwright-shards", "version": 1, "samples": 70000, "blockSamples": 1024, "tag": "",
 *       "columns": { "images": { "dtype": "f32", "shape": [784], "stored": { "dtype": "u8", "divideBy": 255 } }, … },
 *       "shards": [{ "file": "shard-00000.safetensors", "samples": 65536, "bytes": 51642552 }, …] }
 *
 * `blockSamples` are read at once; all shards but the last hold a multiple of it.
 */
import { joinPath, readFile } from "#platform";
import { bytesOf, type DType, dtypes } from "../../base/dtype.ts";
import { FormatError } from "../../base/errors.ts";
import { shapeText } from "../../base/shape.ts";
import type { Column, Columns } from "../column.ts";

export const indexFile = "index.json";
export const formatName = "netwright-shards";
const maxIndexBytes = 2 ** 26;

export interface ShardEntry {
  readonly file: string;
  readonly samples: number;
  readonly bytes: number;
}

export interface ShardsDescription {
  readonly format: typeof formatName;
  readonly version: 1;
  readonly samples: number;
  readonly blockSamples: number;
  /** What the writer said of it: where it comes from. */
  readonly tag: string;
  readonly columns: Columns;
  readonly shards: readonly ShardEntry[];
}

/** The index of a folder, checked. @throws FileError when there is none, FormatError naming what is wrong with it */
export async function readDescription(folder: string): Promise<ShardsDescription> {
  const path = joinPath(folder, indexFile);
  const bytes = await readFile(path);
  if (bytes.length > maxIndexBytes)
    throw new FormatError(`"${path}" has ${bytes.length} bytes: no index of shards`);
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new FormatError(`"${path}" is not JSON: ${(cause as Error).message}`, { cause });
  }
  return checked(path, content);
}

function checked(path: string, content: unknown): ShardsDescription {
  const wrong = (what: string): FormatError => new FormatError(`"${path}" is no index of shards: ${what}`);
  const found = (content ?? {}) as Partial<Record<keyof ShardsDescription, unknown>>;
  if (found.format !== formatName)
    throw wrong(`its format is ${JSON.stringify(found.format)}, not "${formatName}"`);
  if (found.version !== 1)
    throw wrong(`its version is ${JSON.stringify(found.version)}; this Netwright reads version 1`);
  const { samples, blockSamples, tag = "", columns, shards } = found;
  if (!isSize(samples) || samples < 1 || samples >= 2 ** 32)
    throw wrong(`samples is ${JSON.stringify(samples)}`);
  if (!isSize(blockSamples) || blockSamples < 1)
    throw wrong(`blockSamples is ${JSON.stringify(blockSamples)}`);
  if (typeof columns !== "object" || columns === null || Object.keys(columns).length === 0)
    throw wrong("it names no columns");
  for (const [name, column] of Object.entries(columns)) {
    if (!isColumn(column)) throw wrong(`column "${name}" is ${JSON.stringify(column)}`);
  }
  if (!Array.isArray(shards) || shards.length === 0) throw wrong("it names no shards");
  let sum = 0;
  shards.forEach((shard: Partial<ShardEntry>, i) => {
    const isPlain = typeof shard?.file === "string" && /^[\w.-]+\.safetensors$/.test(shard.file);
    if (!isPlain || !isSize(shard.samples) || shard.samples < 1 || !isSize(shard.bytes))
      throw wrong(`shard ${i} is ${JSON.stringify(shard)}`);
    if (i < shards.length - 1 && shard.samples % blockSamples !== 0)
      throw wrong(`shard ${i} has ${shard.samples} samples, no multiple of ${blockSamples}`);
    sum += shard.samples;
  });
  if (sum !== samples) throw wrong(`its shards have ${sum} samples together, it says ${samples}`);
  return { ...(found as ShardsDescription), tag: String(tag) };
}

const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

function isColumn(value: unknown): value is Column {
  const { dtype, shape, stored } = (value ?? {}) as Partial<Column>;
  const isDType = (name: unknown): boolean => dtypes.includes(name as DType);
  if (!isDType(dtype) || !Array.isArray(shape) || !shape.every(isSize)) return false;
  if (!Number.isSafeInteger(shape.reduce((product, size) => product * size, bytesOf(dtype!)))) return false;
  if (stored === undefined) return true;
  return dtype === "f32" && ["u8", "i8", "bool"].includes(stored.dtype) && stored.divideBy > 0;
}

/** A column in a message: `f32 (784,) stored as u8`. */
export const columnText = ({ dtype, shape, stored }: Column): string =>
  `${dtype} ${shapeText(shape)}${stored ? ` stored as ${stored.dtype} / ${stored.divideBy}` : ""}`;
