/** Reading GGUF files (llama.cpp): named arrays, quantized or not, and facts about the model. The layout: `header.ts`. */
import { type FileReader, mapFile, openFile } from "#platform";
import { arrayTypeOf } from "../../base/dtype.ts";
import { ArgumentError, nearestName } from "../../base/errors.ts";
import type { HostArray } from "../../base/host-array.ts";
import { MappedArray, type MappedFile } from "../../base/mapped-array.ts";
import type { OpenOptions } from "../safetensors/reader.ts";
import { type GgufHeader, type GgufTensor, type GgufValue, HeaderIsLonger, parseHeader } from "./header.ts";

/** An open file: its header is read and checked, its tensors are read when asked for. */
export interface GgufFile {
  readonly version: number;
  /** `general.architecture`, `llama.block_count`, `tokenizer.ggml.tokens` … */
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** By name, with the shape in row-major order and the type's name: `Q4_1`, `F32` … */
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[]; readonly type: string }>;
  /** A tensor's elements: f32 for quantized types, the dtype of the file else. */
  read(name: string): Promise<HostArray>;
  /** A tensor where it lies in the file, if that is mapped and the tensor is not quantized; else as `read` gives it. */
  map(name: string): Promise<HostArray | MappedArray>;
  /** A tensor's bytes as they stand in the file, u8: blocks of a quantized type are rows of the last axis. */
  blocks(name: string): Promise<HostArray | MappedArray>;
  /** Why the file is not mapped; undefined when it is. */
  readonly notMapped: string | undefined;
  /** Nothing is read after it. What was mapped stays as long as it is used. */
  close(): Promise<void>;
}

/** Headers hold the vocabulary: some megabytes. */
const firstRead = 1 << 20;

/**
 * Opens a GGUF file without reading its tensors.
 *
 * Types that are read: F32, F16, BF16, F64, I8, I32, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2_K … Q6_K.
 *
 * @throws FileError when it cannot be read, FormatError naming the tensor or key when it is not what it claims to be
 * @example
 * const file = await openGguf("model.gguf");
 * file.metadata.get("general.architecture"); // "test"
 * const weight = await file.read("Q4_1"); // its elements in f32
 * weight.shape; // [2, 256]
 * await file.close();
 */
export async function openGguf(path: string, { mmap = false }: OpenOptions = {}): Promise<GgufFile> {
  const mapped = mmap ? mapFile(path) : { reason: "it was not asked for: pass { mmap: true }" };
  const reader = await openFile(path);
  try {
    const header = await readHeader(reader);
    const source: Source = { reader, header, mapped: "reason" in mapped ? undefined : mapped };
    return {
      version: header.version,
      metadata: header.metadata,
      tensors: new Map(
        [...header.tensors].map(([name, { shape, type }]) => [name, { shape, type: type.name }]),
      ),
      read: (name) => readTensor(source, tensorOf(source, name)),
      map: (name) => mapTensor(source, tensorOf(source, name)),
      blocks: (name) => blocksOf(source, tensorOf(source, name)),
      notMapped: "reason" in mapped ? mapped.reason : undefined,
      close: () => reader.close(),
    };
  } catch (cause) {
    await reader.close();
    throw cause;
  }
}

interface Source {
  readonly reader: FileReader;
  readonly header: GgufHeader;
  readonly mapped: MappedFile | undefined;
}

async function readHeader(reader: FileReader): Promise<GgufHeader> {
  for (let length = firstRead; ; length *= 2) {
    const bytes = new Uint8Array(Math.min(length, reader.sizeBytes));
    await reader.readAt(0, bytes);
    try {
      return parseHeader(reader.path, bytes, reader.sizeBytes);
    } catch (error) {
      if (!(error instanceof HeaderIsLonger)) throw error;
    }
  }
}

function tensorOf({ reader, header }: Source, name: string): GgufTensor {
  const tensor = header.tensors.get(name);
  if (tensor) return tensor;
  const nearest = nearestName(name, header.tensors.keys());
  const hint = nearest ? `; the nearest is "${nearest}"` : "";
  throw new ArgumentError(`"${reader.path}" has no tensor ${JSON.stringify(name)}${hint}`);
}

async function bytesOf({ reader }: Source, { begin, end }: GgufTensor): Promise<Uint8Array> {
  const bytes = new Uint8Array(end - begin);
  await reader.readAt(begin, bytes);
  return bytes;
}

async function readTensor(source: Source, tensor: GgufTensor): Promise<HostArray> {
  const bytes = await bytesOf(source, tensor);
  const { shape, type, elementCount } = tensor;
  const { dtype, dequantize, blockBytes, blockElements } = type;
  if (!dequantize) return { dtype, shape, data: new (arrayTypeOf(dtype))(bytes.buffer) };
  const data = new Float32Array(elementCount);
  for (let block = 0; block * blockElements < elementCount; block++)
    dequantize(bytes, block * blockBytes, data, block * blockElements);
  return { dtype: "f32", shape, data };
}

async function mapTensor(source: Source, tensor: GgufTensor): Promise<HostArray | MappedArray> {
  const { shape, type } = tensor;
  if (!source.mapped || type.dequantize) return readTensor(source, tensor);
  return new MappedArray(source.mapped, tensor.begin, { dtype: type.dtype, shape });
}

async function blocksOf(source: Source, tensor: GgufTensor): Promise<HostArray | MappedArray> {
  const { blockElements, blockBytes } = tensor.type;
  const rowBytes = ((tensor.shape.at(-1) ?? 1) / blockElements) * blockBytes;
  const info = { dtype: "u8", shape: [...tensor.shape.slice(0, -1), rowBytes] } as const;
  if (source.mapped) return new MappedArray(source.mapped, tensor.begin, info);
  return { ...info, data: await bytesOf(source, tensor) };
}
