/** Reading safetensors files (Hugging Face): named arrays, and strings about them. The layout: `header.ts`. */
import { type FileReader, mapFile, openFile } from "#platform";
import { arrayTypeOf } from "../../base/dtype.ts";
import { ArgumentError } from "../../base/errors.ts";
import type { HostArray, NamedTensors } from "../../base/host-array.ts";
import { MappedArray, type MappedFile } from "../../base/mapped-array.ts";
import { type Header, headerLength, invalid, parseHeader, type TensorInfo, tensorText } from "./header.ts";

export interface SafetensorsContent {
  readonly tensors: NamedTensors;
  readonly metadata: ReadonlyMap<string, string>;
}

/** An open file: its header is read and checked, its tensors are read when asked for. */
export interface SafetensorsFile {
  readonly metadata: ReadonlyMap<string, string>;
  /** By name, in the order of their bytes in the file, with dtype and shape as `read` gives them. */
  readonly tensors: ReadonlyMap<string, Pick<HostArray, "dtype" | "shape">>;
  read(name: string): Promise<HostArray>;
  /** Rows `first … first + count` of a tensor, along its first axis: nothing else is read. */
  readRows(name: string, first: number, count: number): Promise<HostArray>;
  /**
   * A tensor where it lies in the file, if that is mapped; else, and for I64 and BOOL, whose bytes are not yet elements, as
   * `read` gives it.
   */
  map(name: string): Promise<HostArray | MappedArray>;
  /** Why the file is not mapped; undefined when it is. */
  readonly notMapped: string | undefined;
  /** Nothing is read after it. What was mapped stays as long as it is used. */
  close(): Promise<void>;
}

export interface OpenOptions {
  /**
   * Default false. True maps the file into memory where the platform can (Node on Linux, with `koffi`): opening takes
   * milliseconds, and tensors made of `map`'s arrays are read by machine code in the file's own pages, which come in when they
   * are touched. Such a file must not be cut short or written in place meanwhile: that ends the process (SIGBUS). Replacing
   * it by renaming, as `writeSafetensors` and `save` do, is safe.
   */
  readonly mmap?: boolean;
}

/**
 * Opens a file without reading its tensors: for models larger than what is needed of them.
 *
 * @throws FileError when it cannot be read, FormatError naming the tensor when it is not what it claims to be
 * @example
 * await writeSafetensors("model.safetensors", new Map([["w", await tensor([1, 2]).toHost()]]));
 * const file = await openSafetensors("model.safetensors", { mmap: true });
 * const w = tensor(await file.map("w")); // no second copy, where machine code runs
 */
export async function openSafetensors(
  path: string,
  { mmap = false }: OpenOptions = {},
): Promise<SafetensorsFile> {
  const mapped = mmap ? mapFile(path) : { reason: "it was not asked for: pass { mmap: true }" };
  const reader = "reason" in mapped ? await openFile(path) : readerOf(mapped);
  try {
    const header = await readHeader(reader);
    const read = (name: string): Promise<HostArray> => readTensor(reader, header, name);
    return {
      ...header,
      read,
      readRows: (name, first, count) => readTensor(reader, header, name, { first, count }),
      notMapped: "reason" in mapped ? mapped.reason : undefined,
      async map(name) {
        if ("reason" in mapped) return read(name);
        const info = infoOf(path, header, name);
        return isStoredAsRead(info) ? new MappedArray(mapped, info.begin, info) : read(name);
      },
      close: () => reader.close(),
    };
  } catch (cause) {
    await reader.close();
    throw cause;
  }
}

/**
 * Reads a whole file. I64 is narrowed to i32, with an error that names tensor, position and value where it does not fit.
 *
 * @throws FileError when it cannot be read, FormatError naming the tensor when it is not what it claims to be
 * @example const { tensors, metadata } = await readSafetensors("model.safetensors");
 */
export async function readSafetensors(path: string): Promise<SafetensorsContent> {
  const file = await openSafetensors(path);
  try {
    const tensors: NamedTensors = new Map();
    for (const name of file.tensors.keys()) tensors.set(name, await file.read(name));
    return { tensors, metadata: file.metadata };
  } finally {
    await file.close();
  }
}

/**
 * The content of a file that is in memory already; `name` is what messages call it. The arrays are copies.
 *
 * @example
 * const bytes = serializeSafetensors(new Map([["w", await tensor([1, 2]).toHost()]]));
 * parseSafetensors(bytes).tensors.get("w")!.shape; // [2]
 */
export function parseSafetensors(bytes: Uint8Array, name = "bytes"): SafetensorsContent {
  const length = headerLength(name, bytes, bytes.length);
  const header = parseHeader(name, bytes.subarray(8, 8 + length), bytes.length);
  const tensors = [...header.tensors].map(([tensor, info]): [string, HostArray] => [
    tensor,
    decodeTensor(name, tensor, info, bytes.slice(info.begin, info.end)),
  ]);
  return { tensors: new Map(tensors), metadata: header.metadata };
}

async function readHeader(reader: FileReader): Promise<Header> {
  const first8 = new Uint8Array(8);
  if (reader.sizeBytes >= 8) await reader.readAt(0, first8);
  const json = new Uint8Array(headerLength(reader.path, first8, reader.sizeBytes));
  await reader.readAt(8, json);
  return parseHeader(reader.path, json, reader.sizeBytes);
}

/** Everything comes from the mapping: the path may name another file by now. */
const readerOf = (file: MappedFile): FileReader => ({
  path: file.path,
  sizeBytes: file.sizeBytes,
  readAt: async (position, into) => file.copyTo(into, position),
  close: async () => {},
});

function infoOf(path: string, { tensors }: Header, name: string): TensorInfo {
  const info = tensors.get(name);
  if (info !== undefined) return info;
  const some = [...tensors.keys()].slice(0, 10).join(", ");
  throw new ArgumentError(`"${path}" has no ${tensorText(name)}; it has ${tensors.size}: ${some}`);
}

/** Nothing is converted and nothing need be checked. */
const isStoredAsRead = ({ fileDType }: TensorInfo): boolean => fileDType !== "I64" && fileDType !== "BOOL";

async function readTensor(reader: FileReader, header: Header, name: string, rows?: Rows): Promise<HostArray> {
  const whole = infoOf(reader.path, header, name);
  const info = rows === undefined ? whole : rowsOf(reader.path, name, whole, rows);
  const bytes = new Uint8Array(info.end - info.begin);
  await reader.readAt(info.begin, bytes);
  return decodeTensor(reader.path, name, info, bytes);
}

interface Rows {
  readonly first: number;
  readonly count: number;
}

function rowsOf(file: string, name: string, info: TensorInfo, { first, count }: Rows): TensorInfo {
  const [total, ...rest] = info.shape;
  const isInside = Number.isInteger(first) && Number.isInteger(count) && first >= 0 && count >= 0;
  if (total === undefined || !isInside || first + count > total) {
    throw new ArgumentError(
      `"${file}", ${tensorText(name)}: rows ${first} to ${first + count} of shape [${info.shape.join(", ")}]`,
    );
  }
  const rowBytes = total === 0 ? 0 : (info.end - info.begin) / total;
  const begin = info.begin + first * rowBytes;
  return { ...info, shape: [count, ...rest], begin, end: begin + count * rowBytes };
}

/** `bytes` belong to the result. Numbers in the file are little-endian, as on every machine Node and browsers run on. */
function decodeTensor(file: string, name: string, info: TensorInfo, bytes: Uint8Array): HostArray {
  const { dtype, fileDType, shape } = info;
  if (fileDType === "I64")
    return { dtype, shape, data: narrow(file, name, shape, new BigInt64Array(bytes.buffer)) };
  if (dtype === "bool") checkBools(file, name, shape, bytes);
  return { dtype, shape, data: new (arrayTypeOf(dtype))(bytes.buffer) };
}

function narrow(file: string, name: string, shape: readonly number[], wide: BigInt64Array): Int32Array {
  const words = new Int32Array(wide.buffer);
  const out = new Int32Array(wide.length);
  for (let i = 0; i < out.length; i++) {
    const low = words[2 * i]!;
    if (words[2 * i + 1] !== low >> 31) {
      const what = `the I64 value ${wide[i]} at ${position(i, shape)} does not fit into i32`;
      throw invalid(file, `${tensorText(name)}: ${what} (-2^31 to 2^31 - 1); convert it where it was made`);
    }
    out[i] = low;
  }
  return out;
}

function checkBools(file: string, name: string, shape: readonly number[], bytes: Uint8Array): void {
  const at = bytes.findIndex((byte) => byte > 1);
  if (at < 0) return;
  throw invalid(
    file,
    `${tensorText(name)}: the BOOL byte at ${position(at, shape)} is ${bytes[at]}, neither 0 nor 1`,
  );
}

/** The index of a flat position: `[1, 3]`. */
function position(flat: number, shape: readonly number[]): string {
  const index = shape.map(() => 0);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis] = flat % shape[axis]!;
    flat = Math.floor(flat / shape[axis]!);
  }
  return `[${index.join(", ")}]`;
}
