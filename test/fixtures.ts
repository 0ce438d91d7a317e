/** Reading `test/fixtures/*.json`: the encoded arrays, and the deterministic numbers of `test/fixtures/shared.py`. */
import { readFileSync } from "node:fs";

export interface EncodedArray {
  readonly shape: readonly number[];
  readonly dtype: "f32" | "f64" | "i32" | "bool";
  /** Base64 of the little-endian bytes. */
  readonly data: string;
}

/** The fixture's content; the caller states its type. */
export function readFixture<Content>(name: string): Content {
  return JSON.parse(readFileSync(new URL(`./fixtures/${name}`, import.meta.url), "utf8")) as Content;
}

/** An encoded array's elements. */
export function decodeArray(encoded: EncodedArray): Float32Array | Float64Array | Int32Array | Uint8Array {
  const bytes = Uint8Array.from(Buffer.from(encoded.data, "base64"));
  switch (encoded.dtype) {
    case "f32":
      return new Float32Array(bytes.buffer);
    case "f64":
      return new Float64Array(bytes.buffer);
    case "i32":
      return new Int32Array(bytes.buffer);
    case "bool":
      return bytes;
  }
}

/**
 * `count` f32 numbers in [-limit, limit), the same in Python and TypeScript: MurmurHash3's 32-bit finalizer of
 * `index + seed · 0x9e3779b9`, over 2³², scaled in f64 and rounded once.
 */
export function hashedUniform(seed: number, count: number, limit: number): Float32Array {
  return Float32Array.from({ length: count }, (_, index) => (2 * hashedUnit(seed, index) - 1) * limit);
}

/** One number in [0, 1): see `hashedUniform`. */
export function hashedUnit(seed: number, index: number): number {
  let h = (index + Math.imul(seed, 0x9e3779b9)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}
