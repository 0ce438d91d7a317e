/**
 * IDX files (LeCun, the format of MNIST): one array. Two zero bytes, a byte for the element type, a byte for the rank, each
 * size as 32-bit big-endian, then the elements, big-endian.
 */
import { gunzip, readFile, writeFileAtomic } from "#platform";
import { arrayTypeOf, bytesOf, type DType, type TypedArray } from "../base/dtype.ts";
import { ArgumentError, FormatError } from "../base/errors.ts";
import { bytesView, type HostArray, hostArray } from "../base/host-array.ts";

interface ElementType {
  readonly code: number;
  readonly bytes: number;
  /** What elements become: 16-bit integers are widened. */
  readonly dtype: DType;
}

const elementTypes = {
  u8: { code: 0x08, bytes: 1, dtype: "u8" },
  i8: { code: 0x09, bytes: 1, dtype: "i8" },
  i16: { code: 0x0b, bytes: 2, dtype: "i32" },
  i32: { code: 0x0c, bytes: 4, dtype: "i32" },
  f32: { code: 0x0d, bytes: 4, dtype: "f32" },
  f64: { code: 0x0e, bytes: 8, dtype: "f64" },
} as const satisfies Record<string, ElementType>;

export type IdxElementType = keyof typeof elementTypes;

interface ReadOptions {
  /** The most a compressed file may decompress to: 1 GiB. */
  readonly maxBytes?: number;
}

/**
 * Reads an IDX file, compressed with gzip or not (its first bytes tell).
 *
 * @throws FileError when it cannot be read, FormatError when it is not what its header claims
 * @example const images = await readIdx("train-images-idx3-ubyte"); // u8 (60000, 28, 28)
 */
export async function readIdx(path: string, { maxBytes = 2 ** 30 }: ReadOptions = {}): Promise<HostArray> {
  return parseIdxFile(path, await readFile(path), maxBytes);
}

/**
 * As `parseIdx`, decompressed first where need be.
 *
 * @example (await parseIdxFile("x.idx", Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 5, 6), 100)).shape; // [2]
 */
export async function parseIdxFile(name: string, bytes: Uint8Array, maxBytes: number): Promise<HostArray> {
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return parseIdx(bytes, name);
  const content = await gunzip(bytes, { maxBytes }).catch((cause) => {
    throw new FormatError(`"${name}": ${cause.message}`, { cause });
  });
  return parseIdx(content, name);
}

/**
 * The array in an IDX file's bytes; `name` is what messages call them. Elements of one byte are a view, not a copy.
 *
 * @throws FormatError when the bytes are not what the header claims; nothing is allocated before that is known
 * @example parseIdx(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 7, 9)).shape // [2]
 */
export function parseIdx(bytes: Uint8Array, name = "bytes"): HostArray {
  const { element, shape, headerBytes } = parseHeader(bytes, name);
  const count = shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
  const data = bytes.subarray(headerBytes);
  if (count * element.bytes !== data.length) {
    const relation =
      count * element.bytes > data.length ? "it is cut short" : "bytes follow that belong to nothing";
    throw invalid(
      name,
      `its header claims ${count * element.bytes} bytes of data (shape [${shape.slice(0, 8).join(", ")}` +
        `${shape.length > 8 ? ", …" : ""}], ${element.bytes} bytes an element), ${data.length} are there; ${relation}: ` +
        "copy or download it again",
    );
  }
  return { dtype: element.dtype, shape, data: decode(element, data, count) };
}

function parseHeader(
  bytes: Uint8Array,
  name: string,
): { element: ElementType; shape: number[]; headerBytes: number } {
  if (bytes.length < 4) throw invalid(name, `it has ${bytes.length} bytes, a header needs at least 4`);
  const [zero0, zero1, code, rank] = bytes as unknown as [number, number, number, number];
  const element = Object.values(elementTypes).find((type) => type.code === code);
  if (zero0 !== 0 || zero1 !== 0 || !element) {
    const start = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw invalid(name, `it begins with ${start}, not with 00 00 and an element type (08, 09, 0b to 0e)`);
  }
  const headerBytes = 4 + 4 * rank;
  if (bytes.length < headerBytes) {
    throw invalid(
      name,
      `it ends within its header: ${headerBytes} bytes for ${rank} sizes, ${bytes.length} are there`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerBytes);
  return {
    element,
    shape: Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis)),
    headerBytes,
  };
}

const invalid = (name: string, what: string): FormatError =>
  new FormatError(`"${name}" is not a valid IDX file: ${what}`);

function decode(element: ElementType, data: Uint8Array, count: number): TypedArray {
  const ArrayType = arrayTypeOf(element.dtype);
  if (element.bytes === 1) return new ArrayType(data.buffer, data.byteOffset, count);
  if (element.bytes !== bytesOf(element.dtype)) return widen(data, count);
  return new ArrayType(swapBytes(data, element.bytes).buffer);
}

function widen(data: Uint8Array, count: number): Int32Array {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  const out = new Int32Array(count);
  for (let i = 0; i < count; i++) out[i] = view.getInt16(2 * i);
  return out;
}

/** A copy in which every element's bytes are reversed. */
function swapBytes(data: Uint8Array, elementBytes: number): Uint8Array {
  const out = new Uint8Array(data.length);
  for (let at = 0; at < out.length; at += elementBytes) {
    for (let i = 0; i < elementBytes; i++) out[at + i] = data[at + elementBytes - 1 - i]!;
  }
  return out;
}

interface WriteOptions {
  /** The element type in the file: the array's dtype unless told otherwise; `i16` narrows i32 with a range check. */
  readonly elementType?: IdxElementType;
}

/**
 * Writes an array to an IDX file that replaces the old one only when it is complete.
 *
 * @throws FileError when it cannot be written (then the old file is intact), ArgumentError when IDX cannot hold the array
 * @example await writeIdx("images.idx", bytes);
 */
export async function writeIdx(path: string, array: HostArray, options: WriteOptions = {}): Promise<void> {
  await writeFileAtomic(path, serializeIdx(array, options));
}

/**
 * The bytes of the file that `writeIdx` writes.
 *
 * @example serializeIdx({ dtype: "u8", shape: [2], data: Uint8Array.of(7, 9) }).length // 10
 */
export function serializeIdx(
  array: HostArray,
  { elementType = defaultType(array.dtype) }: WriteOptions = {},
): Uint8Array {
  const { dtype, shape, data } = hostArray(array.dtype, array.shape, array.data);
  const element: ElementType = elementTypes[elementType];
  if (element.dtype !== dtype) {
    throw new ArgumentError(
      `IDX: elements of ${dtype} cannot be written as ${elementType}; cast the array first`,
    );
  }
  const tooLarge = shape.find((size) => size >= 2 ** 32);
  if (shape.length > 255 || tooLarge !== undefined) {
    throw new ArgumentError(
      `IDX: at most 255 sizes below 2^32, got ${shape.length}: ${shape.slice(0, 8).join(", ")}`,
    );
  }
  const header = new Uint8Array(4 + 4 * shape.length);
  header.set([0, 0, element.code, shape.length]);
  shape.forEach((size, axis) => void new DataView(header.buffer).setUint32(4 + 4 * axis, size));
  const body = swapBytes(bytesView(element.bytes === 2 ? narrow(data) : data), element.bytes);
  const whole = new Uint8Array(header.length + body.length);
  whole.set(header);
  whole.set(body, header.length);
  return whole;
}

function defaultType(dtype: DType): IdxElementType {
  if (Object.hasOwn(elementTypes, dtype)) return dtype as IdxElementType;
  const known = "u8, i8, i32, f32 or f64";
  throw new ArgumentError(`IDX: has no element type for ${dtype}; cast the array to ${known} first`);
}

function narrow(values: TypedArray): Int16Array {
  const at = values.findIndex((value) => value < -(2 ** 15) || value >= 2 ** 15);
  if (at < 0) return Int16Array.from(values);
  throw new ArgumentError(
    `IDX: element ${at} is ${values[at]}, which does not fit into i16; write it as i32`,
  );
}
