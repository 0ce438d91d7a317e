/** a × b + c rounded once, as fused multiply-add instructions give it. */

const float = new Float64Array(1);
const bits = new BigInt64Array(float.buffer);

export function fusedMultiplyAdd(dtype: "f32" | "f64", a: number, b: number, c: number): number {
  return dtype === "f32" ? fusedF32(a, b, c) : fusedF64(a, b, c);
}

/** The product of two f32 is exact in f64; the sum is rounded to odd there, so that rounding it again is harmless. */
function fusedF32(a: number, b: number, c: number): number {
  const product = a * b;
  const sum = product + c;
  if (!Number.isFinite(sum)) return Math.fround(sum);
  const part = sum - product;
  const error = product - (sum - part) + (c - part);
  if (error === 0) return Math.fround(sum);
  float[0] = sum;
  if ((bits[0]! & 1n) === 0n) bits[0]! += error > 0 === sum > 0 ? 1n : -1n;
  return Math.fround(float[0]!);
}

/** Exactly, in integers: significand × 2^exponent. */
function fusedF64(a: number, b: number, c: number): number {
  const plain = a * b + c;
  if (!Number.isFinite(a) || !Number.isFinite(b) || !Number.isFinite(c) || a === 0 || b === 0) return plain;
  const [x, y, z] = [parts(a), parts(b), parts(c)];
  const product = { significand: x.significand * y.significand, exponent: x.exponent + y.exponent };
  const exponent = c === 0 ? product.exponent : Math.min(product.exponent, z.exponent);
  const shifted = (p: Parts): bigint => p.significand << BigInt(p.exponent - exponent);
  const sum = c === 0 ? product.significand : shifted(product) + shifted(z);
  return sum === 0n ? 0 : rounded(sum, exponent);
}

interface Parts {
  readonly significand: bigint;
  readonly exponent: number;
}

function parts(x: number): Parts {
  float[0] = x;
  const biased = Number((bits[0]! >> 52n) & 0x7ffn);
  const fraction = bits[0]! & 0xfffffffffffffn;
  const magnitude = biased === 0 ? fraction : fraction | 0x10000000000000n;
  return { significand: x < 0 ? -magnitude : magnitude, exponent: Math.max(biased, 1) - 1075 };
}

/** significand × 2^exponent to nearest, ties to even, subnormals included. */
function rounded(significand: bigint, exponent: number): number {
  const negative = significand < 0n;
  const magnitude = negative ? -significand : significand;
  const drop = Math.max(magnitude.toString(2).length - 53, -1074 - exponent);
  let kept = magnitude;
  if (drop > 0) {
    const unit = 1n << BigInt(drop);
    const rest = magnitude & (unit - 1n);
    kept = magnitude >> BigInt(drop);
    if (rest * 2n > unit || (rest * 2n === unit && (kept & 1n) === 1n)) kept++;
  }
  const scale = exponent + Math.max(drop, 0);
  // Two steps, each exact: 2^scale alone may be below the smallest number.
  const value = scale < -1000 ? Number(kept) * 2 ** (scale + 100) * 2 ** -100 : Number(kept) * 2 ** scale;
  return negative ? -value : value;
}
