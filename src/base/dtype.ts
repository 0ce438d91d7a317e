/**
 * Element types: their bytes, their JavaScript arrays, and PyTorch's promotion rules.
 *
 * `f16` and `bf16` are storage types: arithmetic on them runs in f32 and is rounded when it is stored.
 */
import { DTypeError } from "./errors.ts";

export type DType = "f32" | "f64" | "f16" | "bf16" | "i32" | "u32" | "i8" | "u8" | "bool";

export type TypedArray =
  | Float32Array
  | Float64Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Int8Array
  | Uint8Array;

interface DTypeFacts {
  readonly bytes: number;
  readonly kind: "float" | "integer" | "bool";
  /** The array whose elements are the stored bits: raw 16-bit patterns for f16 and bf16, 0 and 1 for bool. */
  readonly array: {
    new (length: number): TypedArray;
    new (buffer: ArrayBufferLike, byteOffset?: number, length?: number): TypedArray;
    readonly BYTES_PER_ELEMENT: number;
  };
}

const facts: Record<DType, DTypeFacts> = {
  f32: { bytes: 4, kind: "float", array: Float32Array },
  f64: { bytes: 8, kind: "float", array: Float64Array },
  f16: { bytes: 2, kind: "float", array: Uint16Array },
  bf16: { bytes: 2, kind: "float", array: Uint16Array },
  i32: { bytes: 4, kind: "integer", array: Int32Array },
  u32: { bytes: 4, kind: "integer", array: Uint32Array },
  i8: { bytes: 1, kind: "integer", array: Int8Array },
  u8: { bytes: 1, kind: "integer", array: Uint8Array },
  bool: { bytes: 1, kind: "bool", array: Uint8Array },
};

export const dtypes = Object.keys(facts) as readonly DType[];

export const bytesOf = (dtype: DType): number => facts[dtype].bytes;
export const arrayTypeOf = (dtype: DType): DTypeFacts["array"] => facts[dtype].array;
export const isFloat = (dtype: DType): boolean => facts[dtype].kind === "float";
export const isInteger = (dtype: DType): boolean => facts[dtype].kind === "integer";
export const isDType = (text: string): text is DType => Object.hasOwn(facts, text);

/** The dtype arithmetic runs in: f32 for the 16-bit floats, i32 for the 8-bit integers, else the dtype itself. */
export function computeDType(dtype: DType): "f32" | "f64" | "i32" | "u32" | "bool" {
  if (dtype === "f16" || dtype === "bf16") return "f32";
  if (dtype === "i8" || dtype === "u8") return "i32";
  return dtype;
}

/**
 * The dtype of `a ∘ b` for two tensors, as in PyTorch: a float beats an integer, an integer beats bool,
 * within a kind the wider one wins; f16 with bf16 gives f32, u8 with i8 gives i32 (PyTorch: i16, which we do not have).
 */
export function promote(a: DType, b: DType): DType {
  if (a === b) return a;
  if (facts[a].kind !== facts[b].kind) return rank(a) > rank(b) ? a : b;
  if (isFloat(a)) return a === "f64" || b === "f64" ? "f64" : "f32";
  if (a === "u32" || b === "u32") {
    const other = a === "u32" ? b : a;
    if (other === "u8") return "u32";
    throw new DTypeError(
      `no dtype holds both ${a} and ${b}: cast one of them first, for example x.cast("i32")`,
    );
  }
  return "i32";
}

const kindRank = { bool: 0, integer: 1, float: 2 } as const;
const rank = (dtype: DType): number => kindRank[facts[dtype].kind];

/** The f32 value of a bf16 bit pattern. */
export function bf16ToNumber(bits: number): number {
  scratchBits[0] = bits << 16;
  return scratchFloat[0]!;
}

/** The bf16 bit pattern nearest to `value` (round half to even; NaN stays NaN). */
export function numberToBf16(value: number): number {
  scratchFloat[0] = value;
  const bits = scratchBits[0]!;
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** The value of an f16 bit pattern. */
export function f16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** The f16 bit pattern nearest to `value` (round half to even, overflow to Infinity, subnormals kept). */
export function numberToF16(value: number): number {
  scratchFloat[0] = value;
  const bits = scratchBits[0]! >>> 0;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  const absolute = Math.abs(scratchFloat[0]!);
  if (magnitude < 0x38800000) return sign | roundHalfEven(absolute * 2 ** 24);
  const exponent = (magnitude >>> 23) - 127;
  return sign | (((exponent + 15) << 10) + roundHalfEven((absolute / 2 ** exponent - 1) * 1024));
}

function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}

const scratchFloat = new Float32Array(1);
const scratchBits = new Int32Array(scratchFloat.buffer);

/** `value` as an element of `dtype` holds it: rounded, wrapped (integers), or made 0 or 1. */
export function roundTo(dtype: DType, value: number): number {
  switch (dtype) {
    case "f64":
      return value;
    case "f32":
      return Math.fround(value);
    case "f16":
      return f16ToNumber(numberToF16(value));
    case "bf16":
      return bf16ToNumber(numberToBf16(value));
    case "bool":
      return value === 0 ? 0 : 1;
    default: {
      const cell = new (arrayTypeOf(dtype))(1);
      cell[0] = value;
      return cell[0]!;
    }
  }
}

/**
 * A float cast to `dtype`. To integers: the fraction is cut off, NaN is 0, and what does not fit 32 bits saturates
 * (WebAssembly's rule, so that every target agrees); the 8-bit types then keep the low bits.
 */
export function castFloat(dtype: DType, value: number): number {
  if (!isInteger(dtype)) return roundTo(dtype, value);
  if (Number.isNaN(value)) return 0;
  const [low, high] = dtype === "u32" ? [0, 2 ** 32 - 1] : [-(2 ** 31), 2 ** 31 - 1];
  return roundTo(dtype, Math.trunc(Math.min(high, Math.max(low, value))));
}

/** Elements of storage bits as numbers: reads f16 and bf16 patterns, leaves the rest. */
export function decode(dtype: DType, stored: ArrayLike<number>): Float64Array {
  const out = new Float64Array(stored.length);
  const read = dtype === "f16" ? f16ToNumber : dtype === "bf16" ? bf16ToNumber : undefined;
  for (let i = 0; i < out.length; i++) out[i] = read ? read(stored[i]!) : stored[i]!;
  return out;
}

/** Numbers as storage bits of `dtype`. */
export function encode(dtype: DType, values: ArrayLike<number>): TypedArray {
  const out = new (arrayTypeOf(dtype))(values.length);
  for (let i = 0; i < out.length; i++) out[i] = encodeOne(dtype, values[i]!);
  return out;
}

function encodeOne(dtype: DType, value: number): number {
  if (dtype === "f16") return numberToF16(value);
  if (dtype === "bf16") return numberToBf16(value);
  return dtype === "f32" || dtype === "f64" ? value : roundTo(dtype, value);
}
