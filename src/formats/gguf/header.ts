/**
 * The header of a GGUF file, hostile until proven right.
 *
 * A file is "GGUF", a version, two counts, key–value pairs about the model, entries of tensors (name, sizes, type, offset), padding,
 * and the tensors' bytes, each at a multiple of `general.alignment`. Version 3 is read, and 2, which is alike; strings are
 * a length and UTF-8, sizes stand fastest first: the reverse of a shape.
 */
import { FormatError } from "../../base/errors.ts";
import { type GgufType, ggufTypes, otherTypes } from "./types.ts";

/** A list is a typed array where its elements are plain numbers of up to 32 bits, or f64. */
export type GgufValue = number | bigint | boolean | string | readonly GgufValue[];

export interface GgufTensor {
  readonly name: string;
  /** Row-major: the last size is the fastest. */
  readonly shape: readonly number[];
  readonly type: GgufType;
  readonly elementCount: number;
  /** From the beginning of the file. */
  readonly begin: number;
  readonly end: number;
}

export interface GgufHeader {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
}

export function invalid(file: string, what: string): FormatError {
  return new FormatError(`"${file}" is not a valid GGUF file: ${what}`);
}

const shown = (text: string): string => JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
const cutShort = "it is cut short or damaged: copy or download it again";

/** Thrown where the bytes at hand end before the header does, and the file goes on: read more of it. */
export class HeaderIsLonger extends Error {}

/** Walks over the first bytes of a file. */
class Cursor {
  readonly file: string;
  private readonly view: DataView;
  private readonly bytes: Uint8Array;
  private readonly fileBytes: number;
  at = 0;

  constructor(file: string, bytes: Uint8Array, fileBytes: number) {
    this.file = file;
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.fileBytes = fileBytes;
  }

  /** The position of the next `count` bytes, which are there. */
  take(count: number, what: string): number {
    const from = this.at;
    if (from + count > this.fileBytes)
      throw invalid(this.file, `${what} ends after the file's ${this.fileBytes} bytes; ${cutShort}`);
    if (from + count > this.bytes.length) throw new HeaderIsLonger();
    this.at = from + count;
    return from;
  }

  u32 = (what: string): number => this.view.getUint32(this.take(4, what), true);
  u64 = (what: string): bigint => this.view.getBigUint64(this.take(8, what), true);

  /** A number of things that take `bytesEach` bytes at least: never more than the file has room for. */
  count(what: string, bytesEach: number): number {
    const count = this.u64(what);
    if (count * BigInt(bytesEach) > BigInt(this.fileBytes - this.at)) {
      throw invalid(
        this.file,
        `${what} is ${count}, more than its ${this.fileBytes} bytes have room for; ${cutShort}`,
      );
    }
    return Number(count);
  }

  string(what: string): string {
    const length = this.count(`the length of ${what}`, 1);
    const from = this.take(length, what);
    // Vocabularies of older tools hold bytes that are no UTF-8: they become replacement characters.
    return decoder.decode(this.bytes.subarray(from, from + length));
  }

  /** A scalar of one of the metadata's types. */
  scalar(type: ScalarType, what: string): number | bigint | boolean {
    const from = this.take(type.bytes, what);
    return type.read(this.view, from);
  }
}

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

interface ScalarType {
  readonly bytes: number;
  readonly read: (view: DataView, at: number) => number | bigint | boolean;
}

/** 64-bit integers become numbers where those hold them. */
const narrowed = (value: bigint): number | bigint =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : value;

const scalarTypes: ReadonlyMap<number, ScalarType> = new Map([
  [0, { bytes: 1, read: (view, at) => view.getUint8(at) }],
  [1, { bytes: 1, read: (view, at) => view.getInt8(at) }],
  [2, { bytes: 2, read: (view, at) => view.getUint16(at, true) }],
  [3, { bytes: 2, read: (view, at) => view.getInt16(at, true) }],
  [4, { bytes: 4, read: (view, at) => view.getUint32(at, true) }],
  [5, { bytes: 4, read: (view, at) => view.getInt32(at, true) }],
  [6, { bytes: 4, read: (view, at) => view.getFloat32(at, true) }],
  [7, { bytes: 1, read: (view, at) => view.getUint8(at) !== 0 }],
  [10, { bytes: 8, read: (view, at) => narrowed(view.getBigUint64(at, true)) }],
  [11, { bytes: 8, read: (view, at) => narrowed(view.getBigInt64(at, true)) }],
  [12, { bytes: 8, read: (view, at) => view.getFloat64(at, true) }],
]);
const stringType = 8;
const arrayType = 9;
const deepestList = 4;

/**
 * The header from a file's first bytes.
 *
 * @throws HeaderIsLonger when it goes on after them
 */
export function parseHeader(file: string, bytes: Uint8Array, fileBytes: number): GgufHeader {
  const cursor = new Cursor(file, bytes, fileBytes);
  const magic = cursor.u32("the first word");
  if (magic !== 0x46554747) {
    throw invalid(file, `it does not begin with "GGUF"; it is probably of another format`);
  }
  const version = cursor.u32("the version");
  if (version !== 2 && version !== 3) {
    throw invalid(file, `its version is ${version}; 2 and 3 are read: convert it with a current llama.cpp`);
  }
  const tensorCount = cursor.count("the number of tensors", 24);
  const pairCount = cursor.count("the number of keys", 13);
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < pairCount; i++) {
    const key = cursor.string(`key ${i}`);
    if (metadata.has(key)) throw invalid(file, `it has the key ${shown(key)} twice`);
    metadata.set(key, parseValue(cursor, cursor.u32(`the type of ${shown(key)}`), shown(key), 0));
  }
  const entries = Array.from({ length: tensorCount }, (_, i) => parseEntry(cursor, i));
  const alignment = alignmentOf(file, metadata);
  const dataStart = Math.ceil(cursor.at / alignment) * alignment;
  const tensors = new Map<string, GgufTensor>();
  for (const entry of entries) {
    if (tensors.has(entry.name)) throw invalid(file, `it has the tensor ${shown(entry.name)} twice`);
    tensors.set(entry.name, placed(file, entry, { dataStart, alignment, fileBytes }));
  }
  return { version, metadata, tensors };
}

function parseValue(cursor: Cursor, type: number, what: string, depth: number): GgufValue {
  if (type === stringType) return cursor.string(what);
  if (type === arrayType) return parseList(cursor, what, depth);
  const scalar = scalarTypes.get(type);
  if (!scalar) throw invalid(cursor.file, `${what} has the unknown type ${type}; ${cutShort}`);
  return cursor.scalar(scalar, what);
}

function parseList(cursor: Cursor, what: string, depth: number): readonly GgufValue[] {
  if (depth >= deepestList)
    throw invalid(cursor.file, `${what} holds lists in more than ${deepestList} levels`);
  const type = cursor.u32(`the element type of ${what}`);
  const bytesEach = scalarTypes.get(type)?.bytes ?? (type === stringType ? 8 : 12);
  const count = cursor.count(`the number of elements of ${what}`, bytesEach);
  const values: GgufValue[] = [];
  for (let i = 0; i < count; i++) values.push(parseValue(cursor, type, what, depth + 1));
  return values;
}

interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  readonly offset: bigint;
}

function parseEntry(cursor: Cursor, index: number): Entry {
  const name = cursor.string(`the name of tensor ${index}`);
  const rank = cursor.u32(`the rank of ${shown(name)}`);
  if (rank > 8)
    throw invalid(cursor.file, `tensor ${shown(name)} has ${rank} axes, more than 8; ${cutShort}`);
  const sizes = Array.from({ length: rank }, () => Number(cursor.u64(`the shape of ${shown(name)}`)));
  const type = cursor.u32(`the type of ${shown(name)}`);
  return { name, shape: sizes.reverse(), type, offset: cursor.u64(`the offset of ${shown(name)}`) };
}

function alignmentOf(file: string, metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = metadata.get("general.alignment") ?? 32;
  if (typeof alignment === "number" && alignment >= 8 && alignment % 8 === 0 && alignment <= 2 ** 30)
    return alignment;
  throw invalid(file, `general.alignment is ${String(alignment).slice(0, 40)}, not a multiple of 8`);
}

function placed(
  file: string,
  { name, shape, type: typeNumber, offset }: Entry,
  { dataStart, alignment, fileBytes }: { dataStart: number; alignment: number; fileBytes: number },
): GgufTensor {
  const fail = (what: string): FormatError => invalid(file, `tensor ${shown(name)}: ${what}`);
  const type = ggufTypes().get(typeNumber);
  if (!type) throw fail(unknownType(typeNumber));
  const elementCount = shape.reduce((product, size) => product * size, 1);
  if (!(elementCount * 8 <= Number.MAX_SAFE_INTEGER)) throw fail(`shape [${shape.join(", ")}] is too large`);
  if ((shape.at(-1) ?? 1) % type.blockElements !== 0) {
    throw fail(
      `${type.name} comes in blocks of ${type.blockElements}, its rows have ${shape.at(-1) ?? 1} elements`,
    );
  }
  const bytes = (elementCount / type.blockElements) * type.blockBytes;
  if (offset % BigInt(alignment) !== 0n) throw fail(`its offset ${offset} is no multiple of ${alignment}`);
  const begin = dataStart + Number(offset);
  if (!(begin + bytes <= fileBytes)) {
    const range = `${type.name} of shape [${shape.join(", ")}] at ${begin} takes ${bytes} bytes`;
    throw fail(`${range}, the file has ${fileBytes}; ${cutShort}`);
  }
  return { name, shape, type, elementCount, begin, end: begin + bytes };
}

function unknownType(number: number): string {
  const name = otherTypes[number];
  const known = [...ggufTypes().values()].map((type) => type.name).join(", ");
  const what = name ? `its type ${name} is not read` : `its type ${number} is unknown`;
  return `${what}; those read are ${known}: quantize the model anew with one of them`;
}
