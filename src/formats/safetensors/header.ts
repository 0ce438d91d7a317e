/**
 * The header of a safetensors file, hostile until proven right.
 *
 * A file is 8 bytes of little-endian header length, a JSON object, and the tensors' bytes. The object maps names to
 * `{ dtype, shape, data_offsets: [begin, end] }`, offsets counted from the header's end; `__metadata__` maps strings to
 * strings. The tensors cover the rest of the file without overlap and without gaps.
 */
import { bytesOf, type DType } from "../../base/dtype.ts";
import { FormatError } from "../../base/errors.ts";
import { duplicateKey } from "../duplicate-key.ts";

/** The limit of the reference implementation: a header names tensors, it does not hold them. */
export const maxHeaderBytes = 100_000_000;
export const metadataKey = "__metadata__";

/** I64 is narrowed to i32 when its elements are read. */
export const fileDTypes = {
  F64: "f64",
  F32: "f32",
  F16: "f16",
  BF16: "bf16",
  I64: "i32",
  I32: "i32",
  I8: "i8",
  U32: "u32",
  U8: "u8",
  BOOL: "bool",
} as const satisfies Record<string, DType>;

export type FileDType = keyof typeof fileDTypes;

export interface TensorInfo {
  readonly fileDType: FileDType;
  /** As it is read. */
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly elementCount: number;
  /** From the beginning of the file. */
  readonly begin: number;
  readonly end: number;
}

export interface Header {
  /** In the order of their bytes. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** `file: tensor "name": what is wrong; what to do`. */
export function invalid(file: string, what: string, cause?: unknown): FormatError {
  return new FormatError(`"${file}" is not a valid safetensors file: ${what}`, { cause });
}

/** A tensor's name in a message; a hostile one may be megabytes long. */
export const tensorText = (name: string): string =>
  `tensor ${JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name)}`;

/** The length of the JSON from the file's first 8 bytes, checked against the file's size before anything is allocated. */
export function headerLength(file: string, first8: Uint8Array, fileBytes: number): number {
  if (fileBytes < 8) throw invalid(file, `it has ${fileBytes} bytes, a header needs at least 8; ${cutShort}`);
  const length = new DataView(first8.buffer, first8.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) {
    throw invalid(
      file,
      `its header claims ${length} bytes, more than the ${maxHeaderBytes} allowed; ${otherFormat}`,
    );
  }
  if (length > BigInt(fileBytes - 8)) {
    throw invalid(file, `its header claims ${length} bytes, the file has ${fileBytes}; ${cutShort}`);
  }
  return Number(length);
}

const cutShort = "it is cut short or of another format: copy or download it again";
const otherFormat = "it is probably of another format";

/** The header from its JSON bytes, every promise it makes checked against the bytes that follow it. */
export function parseHeader(file: string, json: Uint8Array, fileBytes: number): Header {
  const entries = Object.entries(parseObject(file, json));
  const tensors = new Map<string, TensorInfo>();
  let metadata: ReadonlyMap<string, string> = new Map();
  const dataStart = 8 + json.length;
  for (const [name, value] of entries) {
    if (name === metadataKey) metadata = parseMetadata(file, value);
    else tensors.set(name, parseTensor(file, name, value, dataStart));
  }
  const inOrder = [...tensors].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end);
  checkCoverage(file, inOrder, dataStart, fileBytes);
  return { tensors: new Map(inOrder), metadata };
}

function parseObject(file: string, json: Uint8Array): object {
  let text: string;
  let value: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(json);
  } catch (cause) {
    throw invalid(file, `its header is not UTF-8 text; ${otherFormat}`, cause);
  }
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw invalid(file, `its header is not JSON; ${otherFormat}`, cause);
  }
  if (!isObject(value)) throw invalid(file, "its header is JSON, but not an object");
  const repeated = duplicateKey(text);
  if (repeated !== undefined) {
    throw invalid(file, `its header has ${tensorText(repeated).replace("tensor", "the key")} twice`);
  }
  return value;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function parseMetadata(file: string, value: unknown): ReadonlyMap<string, string> {
  if (!isObject(value)) throw invalid(file, `${metadataKey} must be an object of strings`);
  const entries = Object.entries(value).map(([key, text]): [string, string] => {
    if (typeof text !== "string") throw invalid(file, `${metadataKey} must be an object of strings`);
    return [key, text];
  });
  return new Map(entries);
}

function parseTensor(file: string, name: string, value: unknown, dataStart: number): TensorInfo {
  const fail = (what: string): FormatError => invalid(file, `${tensorText(name)}: ${what}`);
  if (hasLoneSurrogate(name)) throw fail("its name is not valid Unicode");
  if (!isObject(value)) throw fail("its entry is not an object");
  const [fileDType, shape, offsets] = ["dtype", "shape", "data_offsets"].map((key) =>
    Object.hasOwn(value, key) ? value[key] : undefined,
  );
  if (typeof fileDType !== "string") throw fail("its entry has no dtype");
  if (!isFileDType(fileDType)) {
    const known = Object.keys(fileDTypes).join(", ");
    throw fail(
      `dtype ${JSON.stringify(fileDType.slice(0, 20))} is not one of ${known}; convert it where it was made`,
    );
  }
  if (!isSizes(shape)) throw fail("its shape is not a list of sizes of 0 or more");
  if (!isSizes(offsets) || offsets.length !== 2)
    throw fail("its data_offsets are not two positions of 0 or more");
  const elementCount = countChecked(shape);
  const [begin, end] = offsets as [number, number];
  const fileBytes = elementCount === undefined ? undefined : elementCount * fileBytesOf(fileDType);
  if (elementCount === undefined || fileBytes !== end - begin) {
    const needed = fileBytes ?? "more than 2^53";
    throw fail(
      `${fileDType} of shape [${shape.slice(0, 8).join(", ")}${shape.length > 8 ? ", …" : ""}] takes ${needed} bytes, ` +
        `its data_offsets [${begin}, ${end}] hold ${end - begin}`,
    );
  }
  const dtype = fileDTypes[fileDType];
  return { fileDType, dtype, shape, elementCount, begin: dataStart + begin, end: dataStart + end };
}

export const hasLoneSurrogate = (text: string): boolean => /\p{Surrogate}/u.test(text);
const isFileDType = (text: string): text is FileDType => Object.hasOwn(fileDTypes, text);
const fileBytesOf = (dtype: FileDType): number => (dtype === "I64" ? 8 : bytesOf(fileDTypes[dtype]));
const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);

/** The product of the sizes, or undefined when it (with zeros left out) is beyond exact arithmetic in bytes. */
function countChecked(shape: readonly number[]): number | undefined {
  let product = 1;
  for (const size of shape) {
    product *= size || 1;
    if (product * 8 > Number.MAX_SAFE_INTEGER) return undefined;
  }
  return shape.includes(0) ? 0 : product;
}

/** Each tensor begins where the one before ends, and the last one ends with the file. */
function checkCoverage(
  file: string,
  inOrder: readonly (readonly [string, TensorInfo])[],
  dataStart: number,
  fileBytes: number,
): void {
  let covered = dataStart;
  for (const [name, { begin, end }] of inOrder) {
    const range = `its data_offsets [${begin - dataStart}, ${end - dataStart}]`;
    if (end > fileBytes) {
      const held = `the file holds ${fileBytes - dataStart} bytes of data; ${cutShort}`;
      throw invalid(file, `${tensorText(name)}: ${range} end after the file: ${held}`);
    }
    if (begin !== covered) {
      const relation = begin < covered ? "overlap the tensor before, which ends at" : "leave a gap after";
      throw invalid(file, `${tensorText(name)}: ${range} ${relation} ${covered - dataStart}`);
    }
    covered = end;
  }
  if (covered !== fileBytes) {
    const extra = fileBytes - covered;
    throw invalid(file, `${extra} bytes after the last tensor belong to none; ${cutShort}`);
  }
}
