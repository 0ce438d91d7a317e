/**
 * exp and expm1: x = n·ln 2 + r with |r| ≤ ½ ln 2, a polynomial in r, then a scale by 2ⁿ.
 *
 * n·ln 2 is taken off in two parts, of which the first has so few bits that its product with n is exact. Coefficients are
 * minimax fits for the relative error over the range of r, rounded one after the other, each refitted to those before.
 */
import type { ScalarBuilder } from "../../graph/scalar.ts";
import { exp64, expm164 } from "./exp64.ts";
import { Float } from "./float.ts";

/** ln 2 in 15 bits, and the rest. */
const ln2High = 0.693145751953125;
const ln2Low = 1.42860677e-6;
/** Added to a small number it leaves the number rounded in the lowest bits of the significand. */
export const magic = 1.5 * 2 ** 23;
const largest = 88.72283172607422;
const smallest = -87.33654;

/** (eʳ − 1 − r)/r² */
const coefficients = [
  0.4999999403953552, 0.1666652113199234, 0.04166829213500023, 0.0083687212318182, 0.0013818730367347598,
];

/** n (also in the low bits of `nBits`) and r. */
export function reduce<V>(f: Float<V>, x: V): { n: V; nBits: V; r: V } {
  const shifted = f.mulAdd(x, Math.LOG2E, magic);
  const n = f.sub(shifted, magic);
  const most = f.mulAdd(n, -ln2High, x);
  const r = f.mulAdd(n, -ln2Low, most);
  return { n, nBits: f.b.bitcast("i32", shifted), r };
}

/** eʳ − 1 */
export const smallExpm1 = <V>(f: Float<V>, r: V): V =>
  f.mulAdd(f.polynomial(r, coefficients), f.mul(r, r), r);

/**
 * eʳ, within 1 ulp: 1 + r·(1 + r·p) where `mulAdd` rounds once, 1 + (r + r²·p) where the product would be rounded, too. Both
 * lose half a unit in the last step; the first loses less before it.
 */
export function smallExp<V>(f: Float<V>, r: V): V {
  if (!f.b.fuses) return f.add(smallExpm1(f, r), 1);
  return f.mulAdd(f.mulAdd(f.polynomial(r, coefficients), r, 1), r, 1);
}

/** n moved to the place of the exponent: adding it to a float's bits scales the float by 2ⁿ. */
export const exponentOf = <V>(b: ScalarBuilder<V>, nBits: V): V =>
  b.binary("shiftLeft", nBits, b.constant("i32", 23));

/** Where `scale` has left the range of f32 on either side, subnormal numbers too: 2¹²⁸ and 2⁻¹⁵¹. */
const beyond = { above: 89, below: -105 };

/** eˣ: at most 1 ulp; 0 where the result would be below the smallest normal number. */
export function expandExp<V>(b: ScalarBuilder<V>, x: V): V {
  const f = new Float(b, x);
  if (f.dtype === "f64") return exp64(f, x);
  if (b.scales) {
    // Targets that scale make subnormal results zero. NaN stays.
    const { n, r } = reduce(f, f.min(f.max(x, beyond.below), beyond.above));
    return b.binary("scale", smallExp(f, r), n);
  }
  const { nBits, r } = reduce(f, x);
  const power = smallExp(f, r);
  const scaled = b.bitcast("f32", b.binary("add", b.bitcast("i32", power), exponentOf(b, nBits)));
  const floored = f.select(f.less(x, smallest), 0, scaled);
  // Above the range, and for NaN: x + Infinity.
  return f.select(f.lessEqual(x, largest), floored, f.add(x, Infinity));
}

/** eˣ − 1 without cancellation, for x ≤ 88; −1 from −25 down. Halves are used so that 2¹²⁸ does not overflow. */
export function expandExpm1<V>(b: ScalarBuilder<V>, x: V): V {
  const f = new Float(b, x);
  if (f.dtype === "f64") return expm164(f, x);
  const { nBits, r } = reduce(f, f.max(x, -25));
  const small = smallExpm1(f, r);
  const half = b.bitcast("f32", b.binary("add", exponentOf(b, nBits), b.constant("i32", 126 << 23)));
  const result = f.mulAdd(small, half, f.sub(half, 0.5));
  return f.select(f.lessEqual(x, largest), f.add(result, result), f.add(x, Infinity));
}

/** (tanh x − x)/x³ in powers of x², minimax for |x| ≤ ½. */
const tanhCoefficients = [
  -0.333331435918808, 0.13325870037078857, -0.053044773638248444, 0.017239771783351898,
];

/** tanh x: 1 − 2/(e²ˣ + 1) from ½ on (±1 from ±9 on), a polynomial below. */
export function expandTanh<V>(b: ScalarBuilder<V>, x: V): V {
  const f = new Float(b, x);
  if (f.dtype === "f64") {
    const t = expm164(f, f.min(f.max(f.add(x, x), -50), 50));
    return f.div(t, f.add(t, 2));
  }
  const magnitude = f.abs(x);
  const { nBits, r } = reduce(f, f.min(f.add(magnitude, magnitude), 20));
  const power = smallExp(f, r);
  const scaled = b.bitcast("f32", b.binary("add", b.bitcast("i32", power), exponentOf(b, nBits)));
  const large = f.copySign(f.sub(1, f.div(2, f.add(scaled, 1))), x);
  const square = f.mul(x, x);
  const small = f.mulAdd(f.polynomial(square, tanhCoefficients), f.mul(square, x), x);
  // NaN compares false: it takes the polynomial and stays NaN.
  return f.select(f.greaterEqual(magnitude, 0.5), large, small);
}
