/**
 * sin and cos: x = n·π/2 + r with |r| ≤ π/4, a polynomial in r, and quadrant n chooses which and its sign.
 *
 * π/2 is taken off in parts of at most 12 bits, n as two halves of 11 bits, so that every product is exact. This reaches
 * |x| = 2²²·π/2 ≈ 6.5 million; beyond (neighbouring f32 are then half a radian apart) the result is NaN.
 */
import type { ScalarBuilder } from "../../graph/scalar.ts";
import { Float } from "./float.ts";
import { trig64 } from "./trig64.ts";

/** The largest |x| that is reduced. */
export const trigLimit = 2 ** 22 * 1.5;
const twoOverPi = 0.6366197723675814;
const halfPi = [1.57080078125, -4.410743713378906e-6, -4.371395334601402e-8, 2.563344e-12] as const;
const magic = 1.5 * 2 ** 23;

/** (sin r − r)/r³ and (cos r − 1 + r²/2)/r⁴ in powers of r², minimax for |r| ≤ π/4. */
const sinCoefficients = [-0.16666655242443085, 0.008332187309861183, -0.00019517897453624755];
const cosCoefficients = [0.04166664555668831, -0.0013887304812669754, 2.4431552446912974e-5];

/**
 * Cuts n in a multiple of 2¹¹ and a rest, both of few bits, so that what is taken off is exact but for a tail, added last.
 * The product that n is rounded from is itself rounded, so a large n can be one off: a second, small step puts it right.
 */
function reduce<V>(f: Float<V>, x: V): { quadrant: V; r: V } {
  const [first, second, third, fourth] = halfPi;
  const [shifted, n] = quarterTurns(f, x);
  const high = f.sub(f.add(n, magic * 2 ** 11), magic * 2 ** 11);
  const low = f.sub(n, high);
  const once = f.mulAdd(low, -first, f.mulAdd(high, -first, x));
  const twice = f.mulAdd(low, -second, f.mulAdd(high, -second, once));
  const most = f.mulAdd(high, -third, twice);
  const [correction, one] = quarterTurns(f, most);
  const tail = f.mulAdd(one, -(second + third), f.mulAdd(low, -third, f.mul(n, -fourth)));
  return { quadrant: f.b.binary("add", correction, shifted), r: f.add(f.mulAdd(one, -first, most), tail) };
}

/** n as an integer (its low bits) and as a float. */
function quarterTurns<V>(f: Float<V>, x: V): [V, V] {
  const shifted = f.mulAdd(x, twoOverPi, magic);
  return [f.b.bitcast("i32", shifted), f.sub(shifted, magic)];
}

/** sin of a point `quarters` quarter turns ahead of x. */
function expandTrig<V>(b: ScalarBuilder<V>, x: V, quarters: 0 | 1): V {
  const f = new Float(b, x);
  if (f.dtype === "f64") return trig64(f, x, quarters);
  const { quadrant, r } = reduce(f, x);
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

/** sin x: at most 2 ulp for |x| ≤ 6.2 million, NaN beyond. */
export const expandSin = <V>(b: ScalarBuilder<V>, x: V): V => expandTrig(b, x, 0);

/** cos x: at most 2 ulp for |x| ≤ 6.2 million, NaN beyond. */
export const expandCos = <V>(b: ScalarBuilder<V>, x: V): V => expandTrig(b, x, 1);
