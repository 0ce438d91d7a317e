/**
 * The element types of GGUF: how many bytes a block of elements takes, and what its elements are.
 *
 * Quantized types keep small blocks of whole numbers with a scale, and some a minimum, of their own: x = scale · q + minimum. The
 * layouts are those of ggml (Gerganov and others); `d`, `m`, `qs`, `qh` are its names.
 */
import type { DType } from "../../base/dtype.ts";
import { half, signed, word } from "./bits.ts";
import { dequantizeQ2K, dequantizeQ3K, dequantizeQ4K, dequantizeQ5K, dequantizeQ6K } from "./k-quants.ts";

export interface GgufType {
  readonly name: string;
  /** Elements of a block; 1 for plain types. */
  readonly blockElements: number;
  readonly blockBytes: number;
  /** Of what `read` gives: f32 for quantized types. */
  readonly dtype: DType;
  /** Writes the elements of the block that begins at `at`; undefined where the bytes are the elements already. */
  readonly dequantize?: Dequantize;
}

export type Dequantize = (bytes: Uint8Array, at: number, out: Float32Array, to: number) => void;

const plain = (name: string, blockBytes: number, dtype: DType): GgufType => ({
  name,
  blockElements: 1,
  blockBytes,
  dtype,
});
const blocks = (
  name: string,
  blockElements: number,
  blockBytes: number,
  dequantize: Dequantize,
): GgufType => ({ name, blockElements, blockBytes, dtype: "f32", dequantize });

/**
 * By the number that files hold. I16 and I64 are narrowed or widened to i32 when they are read. (A function, for bundlers: a table whose
 * rows are calls stays in every page.)
 */
export const ggufTypes = (): ReadonlyMap<number, GgufType> =>
  new Map([
    [0, plain("F32", 4, "f32")],
    [1, plain("F16", 2, "f16")],
    [2, blocks("Q4_0", 32, 18, dequantizeQ4_0)],
    [3, blocks("Q4_1", 32, 20, dequantizeQ4_1)],
    [6, blocks("Q5_0", 32, 22, dequantizeQ5_0)],
    [7, blocks("Q5_1", 32, 24, dequantizeQ5_1)],
    [8, blocks("Q8_0", 32, 34, dequantizeQ8_0)],
    [10, blocks("Q2_K", 256, 84, dequantizeQ2K)],
    [11, blocks("Q3_K", 256, 110, dequantizeQ3K)],
    [12, blocks("Q4_K", 256, 144, dequantizeQ4K)],
    [13, blocks("Q5_K", 256, 176, dequantizeQ5K)],
    [14, blocks("Q6_K", 256, 210, dequantizeQ6K)],
    [24, plain("I8", 1, "i8")],
    [26, plain("I32", 4, "i32")],
    [28, plain("F64", 8, "f64")],
    [30, plain("BF16", 2, "bf16")],
  ]);

/** Types that exist and are not read, for messages. */
export const otherTypes: Readonly<Record<number, string>> = {
  9: "Q8_1",
  15: "Q8_K",
  16: "IQ2_XXS",
  17: "IQ2_XS",
  18: "IQ3_XXS",
  19: "IQ1_S",
  20: "IQ4_NL",
  21: "IQ3_S",
  22: "IQ2_S",
  23: "IQ4_XS",
  25: "I16",
  27: "I64",
  29: "IQ1_M",
  34: "TQ1_0",
  35: "TQ2_0",
  39: "MXFP4",
};

/** 4 bits less 8: elements 0 … 15 in the low halves of the bytes, 16 … 31 in the high ones. */
function dequantizeQ4_0(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const d = half(bytes, at);
  for (let i = 0; i < 16; i++) {
    const q = bytes[at + 2 + i]!;
    out[to + i] = d * ((q & 15) - 8);
    out[to + 16 + i] = d * ((q >> 4) - 8);
  }
}

function dequantizeQ4_1(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const d = half(bytes, at);
  const m = half(bytes, at + 2);
  for (let i = 0; i < 16; i++) {
    const q = bytes[at + 4 + i]!;
    out[to + i] = d * (q & 15) + m;
    out[to + 16 + i] = d * (q >> 4) + m;
  }
}

/** Bit i of `qh` is the fifth bit of element i. */
function dequantizeQ5_0(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const d = half(bytes, at);
  const qh = word(bytes, at + 2);
  for (let i = 0; i < 16; i++) {
    const q = bytes[at + 6 + i]!;
    out[to + i] = d * (((q & 15) | (((qh >>> i) & 1) << 4)) - 16);
    out[to + 16 + i] = d * (((q >> 4) | (((qh >>> (i + 16)) & 1) << 4)) - 16);
  }
}

function dequantizeQ5_1(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const d = half(bytes, at);
  const m = half(bytes, at + 2);
  const qh = word(bytes, at + 4);
  for (let i = 0; i < 16; i++) {
    const q = bytes[at + 8 + i]!;
    out[to + i] = d * ((q & 15) | (((qh >>> i) & 1) << 4)) + m;
    out[to + 16 + i] = d * ((q >> 4) | (((qh >>> (i + 16)) & 1) << 4)) + m;
  }
}

function dequantizeQ8_0(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const d = half(bytes, at);
  for (let i = 0; i < 32; i++) out[to + i] = d * signed(bytes[at + 2 + i]!);
}
