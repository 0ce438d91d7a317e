/**
 * Writing safetensors files.
 *
 * The tensors stand in the reference implementation's order (large element types first, then by name), so that each
 * begins at a multiple of its element's size, and equal contents give equal bytes.
 */

import { writeFileAtomic } from "#platform";
import type { DType } from "../../base/dtype.ts";
import { ArgumentError } from "../../base/errors.ts";
import { bytesView, type HostArray, hostArray, type NamedTensors } from "../../base/host-array.ts";
import { joinBytes } from "../../base/join-bytes.ts";
import {
  type FileDType,
  fileDTypes,
  hasLoneSurrogate,
  maxHeaderBytes,
  metadataKey,
  tensorText,
} from "./header.ts";

export interface SafetensorsWriteOptions {
  /** Strings about the file. */
  readonly metadata?: ReadonlyMap<string, string> | Readonly<Record<string, string>>;
}

/**
 * Writes named arrays to a file that replaces the old one only when it is complete.
 *
 * The arrays must not change until the promise settles.
 *
 * @throws FileError when it cannot be written (then the old file is intact), ArgumentError for names no file can hold
 * @example await writeSafetensors("model.safetensors", tensors, { metadata: { format: "netwright" } });
 */
export async function writeSafetensors(
  path: string,
  tensors: NamedTensors,
  options: SafetensorsWriteOptions = {},
): Promise<void> {
  await writeFileAtomic(path, pieces(tensors, options));
}

/**
 * The bytes of the file that `writeSafetensors` writes.
 *
 * @example serializeSafetensors(new Map(), { metadata: { made: "today" } }).length % 8 // 0
 */
export function serializeSafetensors(
  tensors: NamedTensors,
  options: SafetensorsWriteOptions = {},
): Uint8Array {
  return joinBytes(pieces(tensors, options));
}

/** The header, then views of the arrays: nothing is copied. */
function pieces(tensors: NamedTensors, { metadata = {} }: SafetensorsWriteOptions): Uint8Array[] {
  const inOrder = [...tensors].sort(byDTypeThenName);
  const strings = [...(metadata instanceof Map ? metadata : Object.entries(metadata))].sort(byName);
  const entries =
    strings.length === 0 ? [] : [property(metadataKey, jsonObject(strings.map(stringProperty)))];
  let offset = 0;
  for (const [name, array] of inOrder) {
    checkTensor(name, array);
    const end = offset + array.data.byteLength;
    const entry = { dtype: fileDTypeOf(array.dtype), shape: array.shape, data_offsets: [offset, end] };
    entries.push(property(name, JSON.stringify(entry)));
    offset = end;
  }
  return [encodeHeader(jsonObject(entries)), ...inOrder.map(([, { data }]) => bytesView(data))];
}

// An object is put together as text: a JavaScript object would move keys like "0" to its front.
const jsonObject = (properties: readonly string[]): string => `{${properties.join(",")}}`;
const property = (key: string, valueJson: string): string => `${JSON.stringify(key)}:${valueJson}`;

function stringProperty([key, value]: readonly [string, string]): string {
  if (typeof value === "string" && !hasLoneSurrogate(key + value))
    return property(key, JSON.stringify(value));
  throw new ArgumentError(`safetensors: metadata ${JSON.stringify(key)} must be a string of valid Unicode`);
}

/** Length and JSON, padded with spaces so that the data begins at a multiple of 8. */
function encodeHeader(text: string): Uint8Array {
  const json = new TextEncoder().encode(text);
  const length = Math.ceil(json.length / 8) * 8;
  if (length > maxHeaderBytes) {
    throw new ArgumentError(
      `safetensors: ${json.length} bytes of names and shapes, at most ${maxHeaderBytes} are allowed`,
    );
  }
  const bytes = new Uint8Array(8 + length).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(length), true);
  bytes.set(json, 8);
  return bytes;
}

function checkTensor(name: string, { dtype, shape, data }: HostArray): void {
  if (name === metadataKey || hasLoneSurrogate(name)) {
    const rule = name === metadataKey ? "is reserved by the format" : "is not valid Unicode";
    throw new ArgumentError(`safetensors: the name ${JSON.stringify(name)} ${rule}; rename the tensor`);
  }
  try {
    hostArray(dtype, shape, data);
  } catch (cause) {
    throw new ArgumentError(
      `safetensors: ${tensorText(name)} cannot be written: ${(cause as Error).message}`,
      { cause },
    );
  }
}

/** The reference implementation's order of element types. */
const dtypeOrder: readonly DType[] = ["f64", "f32", "u32", "i32", "bf16", "f16", "i8", "u8", "bool"];

function byDTypeThenName(a: readonly [string, HostArray], b: readonly [string, HostArray]): number {
  return dtypeOrder.indexOf(a[1].dtype) - dtypeOrder.indexOf(b[1].dtype) || byName(a, b);
}

/** In the order of code points, which is that of UTF-8 bytes; UTF-16's differs beyond the first plane. */
function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x !== y) return afterSurrogates(x) - afterSurrogates(y);
  }
  return a.length - b.length;
}

/** Surrogates (halves of higher code points) are moved behind all other units. */
const afterSurrogates = (unit: number): number =>
  unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit;

const fileDTypeOf = (dtype: DType): FileDType =>
  (Object.keys(fileDTypes) as FileDType[]).find((name) => fileDTypes[name] === dtype && name !== "I64")!;
