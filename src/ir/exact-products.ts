/** Products of two f32 that are never rounded, for what their factors are made from: a 4-bit weight times a scale of 16 bits. */
import type { Value } from "./kernel.ts";

/** What every value is, 0 and what is not finite aside: so many significant bits, with powers of two from `low` to below `high`. */
interface Digits {
  readonly bits: number;
  readonly low: number;
  readonly high: number;
}

type Product = Extract<Value, { kind: "binary" }>;

/**
 * Whether x is a product of f32 whose significant bits all fit and whose exponents stay away from the ends, so that `mulAdd` of the
 * same factors gives what a sum with the product gives.
 */
export function isExactProduct(x: Value): x is Product {
  if (x.kind !== "binary" || x.operator !== "mul" || x.dtype !== "f32") return false;
  return digitsOf(x) !== undefined;
}

function digitsOf(x: Value): Digits | undefined {
  switch (x.kind) {
    case "constant": {
      const power = Math.log2(Math.abs(x.value));
      return Number.isInteger(power) && Math.abs(power) < 32
        ? { bits: 1, low: power, high: power + 1 }
        : undefined;
    }
    case "load":
      return x.buffer.dtype === "f16" ? { bits: 11, low: -24, high: 16 } : undefined;
    case "convert":
      return x.dtype === "f32" ? integerDigits(x.x) : undefined;
    case "binary": {
      if (x.operator !== "mul" || x.dtype !== "f32") return undefined;
      const [a, b] = [digitsOf(x.a), digitsOf(x.b)];
      if (a === undefined || b === undefined) return undefined;
      const product = { bits: a.bits + b.bits, low: a.low + b.low, high: a.high + b.high };
      return product.bits <= 24 && product.low >= -126 && product.high <= 127 ? product : undefined;
    }
    default:
      return undefined;
  }
}

function integerDigits(x: Value): Digits | undefined {
  if (x.kind === "load")
    return x.buffer.dtype === "u8" || x.buffer.dtype === "i8" ? { bits: 8, low: 0, high: 8 } : undefined;
  if (x.kind !== "binary" || x.operator !== "and") return undefined;
  const mask = x.b.kind === "constant" ? x.b.value : 0;
  if (mask < 1) return undefined;
  const [low, high] = [31 - Math.clz32(mask & -mask), 32 - Math.clz32(mask)];
  return { bits: high - low, low, high };
}
