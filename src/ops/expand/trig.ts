/**
 * sin and cos: x = n·π/2 + r with |r| ≤ π/4, a polynomial in r, and quadrant n chooses which and its sign.
 *
 * π/2 is taken off in f64, in parts so short that the products with n < 2³⁰ are exact: an f32 may come within 2⁻³⁰ of a
 * multiple of π/2, and r must be right in all its bits there too. Beyond |x| = 2³⁰ (neighbouring f32 are then ten turns apart)
 * the result is NaN.
 */
import type { ScalarBuilder } from "../../graph/scalar.ts";
import { Float } from "./float.ts";
import { trig64 } from "./trig64.ts";

/** The largest |x| that is reduced. */
export const trigLimit = 2 ** 30;
const twoOverPi = 0.6366197723675814;
/** π/2 in parts of 22, 22 and 53 bits. */
const halfPi = [1.570796012878418, 3.139164164167596e-7, 6.223372171896613e-14] as const;

/** (sin r − r)/r³ and (cos r − 1 + r²/2)/r⁴ in powers of r², minimax for |r| ≤ π/4. */
const sinCoefficients = [-0.16666655242443085, 0.008332187309861183, -0.00019517897453624755];
const cosCoefficients = [0.04166664555668831, -0.0013887304812669754, 2.4431552446912974e-5];

function reduce<V>(b: ScalarBuilder<V>, x: V): { quadrant: V; r: V } {
  const exact = b.convert("f64", x);
  const f = new Float(b, exact);
  const n = b.unary("round", f.mul(exact, twoOverPi));
  const r = halfPi.reduce((rest, part) => f.mulAdd(n, -part, rest), exact);
  return { quadrant: b.convert("i32", n), r: b.convert("f32", r) };
}

/** sin of a point `quarters` quarter turns ahead of x. */
function expandTrig<V>(b: ScalarBuilder<V>, x: V, quarters: 0 | 1): V {
  const f = new Float(b, x);
  if (f.dtype === "f64") return trig64(f, x, quarters);
  const { quadrant, r } = reduce(b, x);
  const turned = quarters === 0 ? quadrant : b.binary("add", quadrant, b.constant("i32", 1));
  const square = f.mul(r, r);
  const sine = f.mulAdd(f.polynomial(square, sinCoefficients), f.mul(square, r), r);
  const inner = f.mulAdd(f.polynomial(square, cosCoefficients), square, -0.5);
  const cosine = f.mulAdd(inner, square, 1);
  const result = f.select(isSet(b, turned, 1), cosine, sine);
  const signed = flipSign(b, result, turned);
  return f.select(f.lessEqual(f.abs(x), trigLimit), signed, NaN);
}

const isSet = <V>(b: ScalarBuilder<V>, bits: V, bit: number): V =>
  b.compare("notEqual", b.binary("and", bits, b.constant("i32", bit)), b.constant("i32", 0));

/** −x in quadrants 2 and 3: bit 1 moves to the sign. */
function flipSign<V>(b: ScalarBuilder<V>, x: V, quadrant: V): V {
  const i32 = (value: number): V => b.constant("i32", value);
  const sign = b.binary("shiftLeft", b.binary("and", quadrant, i32(2)), i32(30));
  return b.bitcast("f32", b.binary("xor", b.bitcast("i32", x), sign));
}

/** sin x: at most 2 ulp for |x| ≤ 2³⁰, NaN beyond. */
export const expandSin = <V>(b: ScalarBuilder<V>, x: V): V => expandTrig(b, x, 0);

/** cos x: at most 2 ulp for |x| ≤ 2³⁰, NaN beyond. */
export const expandCos = <V>(b: ScalarBuilder<V>, x: V): V => expandTrig(b, x, 1);
