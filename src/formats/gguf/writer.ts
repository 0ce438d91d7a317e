/** Writing GGUF files (llama.cpp): facts about a model and its arrays, quantized or not. The layout: `header.ts`. */
import { writeFileAtomic } from "#platform";
import { ArgumentError } from "../../base/errors.ts";
import { type GgufType, ggufTypes } from "./types.ts";

/** What a key can hold: whole numbers are u32, lists of them i32; other numbers are written as f32. */
export type GgufInput = string | boolean | number | readonly string[] | Int32Array | { readonly f32: number };

export interface GgufArray {
  readonly shape: readonly number[];
  /** `F32`, `F16`, `BF16`, `Q8_0` … */
  readonly type: string;
  /** Its elements, or blocks of them, as they stand in the file; asked for when it is written. */
  bytes(): Uint8Array | Promise<Uint8Array>;
}

const alignment = 32;
const padding = (size: number): number => (alignment - (size % alignment)) % alignment;

/**
 * Writes a file of version 3 that replaces an old one only when it is complete. One array is in memory at a time.
 *
 * @throws ArgumentError for types that are not known, rows that are no whole blocks and bytes of another length; FileError
 * @example
 * const half = { shape: [2, 2], type: "F32", bytes: () => new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer) };
 * await writeGguf("small.gguf", { "general.architecture": "test", "test.scale": { f32: 0.5 } }, new Map([["w", half]]));
 * const file = await openGguf("small.gguf");
 * (await file.read("w")).data; // Float32Array [1, 2, 3, 4]
 */
export async function writeGguf(
  path: string,
  metadata: Readonly<Record<string, GgufInput>>,
  arrays: ReadonlyMap<string, GgufArray>,
): Promise<void> {
  await writeFileAtomic(path, pieces(metadata, arrays));
}

async function* pieces(
  metadata: Readonly<Record<string, GgufInput>>,
  arrays: ReadonlyMap<string, GgufArray>,
): AsyncGenerator<Uint8Array> {
  const header = new Writer();
  header.u32(0x46554747);
  header.u32(3);
  header.u64(arrays.size);
  header.u64(Object.keys(metadata).length);
  for (const [key, value] of Object.entries(metadata)) {
    header.string(key);
    header.value(key, value);
  }
  const sizes = new Map<string, number>();
  let offset = 0;
  for (const [name, { shape, type }] of arrays) {
    const [number, size] = sizeOf(name, shape, type);
    header.string(name);
    header.u32(shape.length);
    for (const axis of shape.toReversed()) header.u64(axis);
    header.u32(number);
    header.u64(offset);
    sizes.set(name, size);
    offset += size + padding(size);
  }
  const head = header.done();
  yield head;
  yield new Uint8Array(padding(head.length));
  for (const [name, array] of arrays) {
    const bytes = await array.bytes();
    if (bytes.length !== sizes.get(name))
      throw new ArgumentError(`gguf: "${name}" takes ${sizes.get(name)} bytes, got ${bytes.length}`);
    yield bytes;
    yield new Uint8Array(padding(bytes.length));
  }
}

function sizeOf(name: string, shape: readonly number[], wanted: string): [number: number, sizeBytes: number] {
  const [number, type] = [...ggufTypes()].find(([, known]) => known.name === wanted) ?? [];
  if (number === undefined || type === undefined) {
    const known = [...ggufTypes().values()].map(({ name: one }) => one).join(", ");
    throw new ArgumentError(`gguf: "${name}" is of type "${wanted}"; known are ${known}`);
  }
  return [number, bytesOf(name, shape, type)];
}

function bytesOf(name: string, shape: readonly number[], type: GgufType): number {
  const { blockElements, blockBytes } = type;
  if ((shape.at(-1) ?? 1) % blockElements !== 0)
    throw new ArgumentError(
      `gguf: ${type.name} comes in blocks of ${blockElements}, rows of "${name}" have ${shape.at(-1)} elements`,
    );
  return (shape.reduce((n, size) => n * size, 1) / blockElements) * blockBytes;
}

/** Bytes that grow. */
class Writer {
  private bytes = new Uint8Array(1 << 16);
  private at = 0;

  u32(value: number): void {
    this.room(4).setUint32(0, value, true);
  }
  u64(value: number): void {
    this.room(8).setBigUint64(0, BigInt(value), true);
  }
  string(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.u64(bytes.length);
    const { byteOffset } = this.room(bytes.length);
    this.bytes.set(bytes, byteOffset);
  }
  value(key: string, value: GgufInput): void {
    if (typeof value === "string") {
      this.u32(8);
      this.string(value);
    } else if (typeof value === "boolean") {
      this.u32(7);
      this.room(1).setUint8(0, value ? 1 : 0);
    } else if (typeof value === "number" && Number.isInteger(value) && value >= 0 && value < 2 ** 32) {
      this.u32(4);
      this.u32(value);
    } else if (typeof value === "number" || "f32" in value) {
      const number = typeof value === "number" ? value : value.f32;
      if (Number.isNaN(number)) throw new ArgumentError(`gguf: "${key}" is NaN`);
      this.u32(6);
      this.room(4).setFloat32(0, number, true);
    } else this.list(value);
  }
  private list(values: readonly string[] | Int32Array): void {
    this.u32(9);
    this.u32(values instanceof Int32Array ? 5 : 8);
    this.u64(values.length);
    for (const value of values)
      if (typeof value === "string") this.string(value);
      else this.room(4).setInt32(0, value, true);
  }
  done(): Uint8Array {
    return this.bytes.subarray(0, this.at);
  }

  /** The next bytes: a view of them, as they move when there is no more room. */
  private room(count: number): DataView {
    const from = this.at;
    this.at += count;
    if (this.at > this.bytes.length) {
      const larger = new Uint8Array(Math.max(this.at, 2 * this.bytes.length));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    return new DataView(this.bytes.buffer, from, count);
  }
}
