/** Reading `test/fixtures/*.json`: the encoded arrays, and the deterministic numbers of `test/fixtures/shared.py`. */
import { readFileSync } from "node:fs";

export interface EncodedArray {
  readonly shape: readonly number[];
  readonly dtype: "f32" | "f64" | "i32" | "u8" | "bool";
  /** Base64 of the little-endian bytes. */
  readonly data?: string;
  /** Instead of data: every element is this number. */
  readonly fill?: number;
}

/** A row of `ops-*.json`: see `test/fixtures/README.md`. */
export interface OpCase {
  readonly op: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly inputs: readonly EncodedArray[];
  /** Null where `error` is true. */
  readonly output: EncodedArray | null;
  /** Of `sum(weights · output)` for each input; null where there is none, or none is prescribed. */
  readonly gradients: readonly (EncodedArray | null)[];
  readonly note?: string;
  /** Relative, where PyTorch's own f32 result needs more than 1e-5. */
  readonly tolerance?: number;
  /** The op must refuse these inputs. */
  readonly error?: true;
}

export interface OpFixture {
  readonly generator: string;
  readonly versions: Readonly<Record<string, string>>;
  /** `weights` of an output with n elements are `hashedUniform(weightsSeed, n, 1)`. */
  readonly weightsSeed: number;
  readonly cases: readonly OpCase[];
}

export const opFixtures = [
  "ops-elementwise.json",
  "ops-functions.json",
  "ops-reduce.json",
  "ops-contraction.json",
  "ops-movement.json",
  "ops-indexed.json",
  "ops-at-and-set.json",
  "ops-spatial.json",
  "ops-rearrangement.json",
  "ops-normalization.json",
  "ops-losses.json",
  "ops-extremes.json",
] as const;

/** The fixture's content; the caller states its type. */
export function readFixture<Content>(name: string): Content {
  return JSON.parse(readFileSync(new URL(`./fixtures/${name}`, import.meta.url), "utf8")) as Content;
}

/** An encoded array's elements. */
export function decodeArray(encoded: EncodedArray): Float32Array | Float64Array | Int32Array | Uint8Array {
  if (encoded.fill !== undefined) {
    return new Float32Array(encoded.shape.reduce((a, b) => a * b, 1)).fill(encoded.fill);
  }
  const bytes = Uint8Array.from(Buffer.from(encoded.data ?? "", "base64"));
  switch (encoded.dtype) {
    case "f32":
      return new Float32Array(bytes.buffer);
    case "f64":
      return new Float64Array(bytes.buffer);
    case "i32":
      return new Int32Array(bytes.buffer);
    case "u8":
    case "bool":
      return bytes;
  }
}

/**
 * `count` f32 numbers in [-limit, limit), the same in Python and TypeScript: MurmurHash3's 32-bit finalizer of
 * `index + seed · 0x9e3779b9`, over 2³², scaled in f64 and rounded once.
 */
export function hashedUniform(seed: number, count: number, limit: number): Float32Array {
  const numbers = new Float32Array(count);
  for (let index = 0; index < count; index++) numbers[index] = (2 * hashedUnit(seed, index) - 1) * limit;
  return numbers;
}

/** One number in [0, 1): see `hashedUniform`. */
export function hashedUnit(seed: number, index: number): number {
  let h = (index + Math.imul(seed, 0x9e3779b9)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}
