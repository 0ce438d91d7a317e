/** Numbers out of bytes, little-endian, at any position. */
import { f16ToNumber } from "../../base/dtype.ts";

let halves: Float32Array | undefined;

/** All f16 values by their bits: a file has millions of scales. */
const halfTable = (): Float32Array =>
  (halves ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => f16ToNumber(bits)));

/** An f16. */
export const half = (bytes: Uint8Array, at: number): number =>
  (halves ?? halfTable())[bytes[at]! | (bytes[at + 1]! << 8)]!;

/** A u32. */
export const word = (bytes: Uint8Array, at: number): number =>
  (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;

/** A byte as an i8. */
export const signed = (byte: number): number => (byte << 24) >> 24;
