/** Small pieces for tests that build kernels by hand. */
import { arrayTypeOf, type DType, encode, type TypedArray } from "../base/dtype.ts";
import type { Size } from "../base/size.ts";
import { KernelBuilder } from "../ir/builder.ts";
import type { Affine, Kernel, KernelBuffer } from "../ir/kernel.ts";

export const kernelBuffer = (
  name: string,
  dtype: DType,
  elements: Size,
  access: KernelBuffer["access"] = "read",
): KernelBuffer => ({ name, dtype, elements, access, scope: "program" });

export function kernelOf(
  name: string,
  buffers: readonly KernelBuffer[],
  build: (b: KernelBuilder) => void,
): Kernel {
  const builder = new KernelBuilder();
  build(builder);
  return { name, buffers, parameters: [], body: builder.statements, cost: { flop: 0, bytes: 0 } };
}

/** `scale` of numbers for which it is defined, in a vector loop and one by one. */
export function scalings(): { kernel: Kernel; arrays: Float32Array[]; expected: Float32Array } {
  const numbers = [1, -1, 0.75, 1.4, -(2 ** -25), 2 ** 25, 1 + 2 ** -23, NaN];
  const exponents = [-252, -151, -150, -149, -127, -126, -125, -3, 0, 1, 7, 126, 127, 128, 129, 252];
  const [a, b] = [numbers.flatMap((x) => exponents.map(() => x)), numbers.flatMap(() => exponents)];
  const count = a.length;
  const [x, y] = [kernelBuffer("x", "f32", count), kernelBuffer("y", "f32", count)];
  const [v, s] = [kernelBuffer("v", "f32", count, "write"), kernelBuffer("s", "f32", count, "write")];
  const kernel = kernelOf("scale", [x, y, v, s], (builder) => {
    const compute = (i: Affine) => builder.binary("scale", builder.load(x, i), builder.load(y, i));
    builder.vector("i", count, (i) => builder.store(v, i, compute(i)));
    builder.serial("i", count, (i) => builder.store(s, i, compute(i)));
  });
  const arrays = [
    Float32Array.from(a),
    Float32Array.from(b),
    new Float32Array(count),
    new Float32Array(count),
  ];
  return { kernel, arrays, expected: arrays[0]!.map((value, i) => value * 2 ** arrays[1]![i]!) };
}

/** Values that break things: zeros of both signs, ties, subnormals, the largest, Infinity and NaN; extremes of integers. */
export function extremesOf(dtype: DType): number[] {
  switch (dtype) {
    case "bool":
      return [0, 1];
    case "i8":
      return [0, 1, -1, 127, -128, 100];
    case "u8":
      return [0, 1, 127, 128, 255];
    case "i32":
      return [...integers, -1, -2, -7, -31, -123456789, -(2 ** 31), -(2 ** 31) + 1];
    case "u32":
      return [...integers, 2 ** 31, 2 ** 31 + 1, 2 ** 32 - 2, 2 ** 32 - 1];
    default: {
      const positive = [...floats, ...(dtype === "f64" ? [5e-324, 1e-310, 1.7e308, 2 ** 52 + 0.5] : [])];
      return [...positive, ...positive.map((x) => -x), NaN];
    }
  }
}

const integers = [0, 1, 2, 7, 31, 32, 33, 65535, 65536, 123456789, 2 ** 31 - 2, 2 ** 31 - 1];
const floats = [
  0,
  1,
  0.5,
  1.5,
  2.5,
  3.7,
  0.49999997,
  1e-45,
  1e-40,
  2 ** -126,
  3.4028234663852886e38,
  65504,
  65520,
  2 ** 23 + 0.5,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  1e10,
  Infinity,
];

/** All pairs of extremes as two arrays of storage bits. */
export function extremePairs(dtype: DType): { a: TypedArray; b: TypedArray; count: number } {
  const values = extremesOf(dtype);
  const a = values.flatMap((x) => values.map(() => x));
  const b = values.flatMap(() => values);
  return { a: encode(dtype, a), b: encode(dtype, b), count: a.length };
}

export const zeros = (dtype: DType, count: number): TypedArray => new (arrayTypeOf(dtype))(count);

/** The same numbers, all NaNs alike: for exact comparisons, of bytes, as long as they are equal. */
export const exact = (array: ArrayLike<number>): Float64Array =>
  Float64Array.from(array, (x) => (Number.isNaN(x) ? NaN : x));

/** The bits of a 16-bit float, all NaNs alike. */
export const exact16 = (dtype: "f16" | "bf16", array: ArrayLike<number>): Int32Array =>
  Int32Array.from(array, (bits) => ((bits & 0x7fff) > (dtype === "f16" ? 0x7c00 : 0x7f80) ? -1 : bits));

/** Numbers that are the same every time. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
