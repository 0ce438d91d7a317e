/**
 * pow: |a|ᵇ = exp(b · log |a|), then C's special cases. b multiplies the logarithm's error: for f32 both functions are
 * computed in f64, with as many terms as that needs, and the result is rounded once.
 */
import type { ScalarBuilder } from "../../graph/scalar.ts";
import { exponentOf, magic } from "./exp.ts";
import { exp64 } from "./exp64.ts";
import { Float } from "./float.ts";
import { log64 } from "./log64.ts";

/** (log((1 + s)/(1 − s)) − 2s)/s³ in powers of s², minimax for |s| ≤ 0.1716: 5e-12 of the logarithm. */
const logCoefficients = [0.6666666564549738, 0.40000335209106275, 0.2853730623322843, 0.2358221152414146];
/** (eʳ − 1 − r)/r², minimax for |r| ≤ ½ ln 2: 5e-11 of eʳ. */
const expCoefficients = [
  0.5000000067651448, 0.16666665869317984, 0.041666295061034114, 0.008333497020996552, 0.001394465102980279,
  0.00019790351152233735,
];
/** From where on the result is infinite, and below what it is not normal. */
const [overflow, underflow] = [128 * Math.LN2, -126 * Math.LN2];
/** Where powers have left the range of f32 on either side, subnormal numbers too: 2¹²⁸ and 2⁻¹⁵¹. */
const beyond = { above: 89, below: -105 };

/** aᵇ as C defines it: pow(x, 0) = pow(1, y) = 1, NaN for a negative base with a fraction as exponent. */
export function expandPow<V>(builder: ScalarBuilder<V>, a: V, b: V): V {
  const f = new Float(builder, a);
  const magnitude = f.abs(a);
  const power = f.dtype === "f64" ? exp64(f, f.mul(b, log64(f, magnitude))) : power32(f, magnitude, b);
  const isFraction = different(f, builder.unary("floor", b), b);
  const real = f.select(builder.binary("and", f.less(a, 0), isFraction), NaN, power);
  const unsigned = f.select(isExtreme(f, magnitude, b), extreme(f, magnitude, b), real);
  const isNegative = builder.binary("or", f.less(a, 0), f.less(f.div(1, a), 0));
  const isOdd = builder.binary("and", isOddInteger(f, b, isFraction), isNegative);
  const signed = f.select(isOdd, builder.unary("neg", unsigned), unsigned);
  const isOne = builder.binary("or", f.equal(b, 0), f.equal(a, 1));
  const hasNaN = builder.binary("or", different(f, a, a), different(f, b, b));
  return f.select(isOne, 1, f.select(hasNaN, NaN, signed));
}

const different = <V>(f: Float<V>, x: V, y: V): V => f.b.compare("notEqual", x, y);

/** Where logarithms or products would be infinite. */
function isExtreme<V>(f: Float<V>, magnitude: V, b: V): V {
  const base = f.b.binary("or", f.equal(magnitude, 0), f.equal(magnitude, Infinity));
  return f.b.binary("or", base, f.equal(f.abs(b), Infinity));
}

/** Infinity where base and exponent push the same way, else 0; 1 for a base of ±1. */
function extreme<V>(f: Float<V>, magnitude: V, b: V): V {
  const opposed = f.b.binary("xor", f.less(magnitude, 1), f.less(b, 0));
  return f.select(f.equal(magnitude, 1), 1, f.select(opposed, 0, Infinity));
}

/** Floats of 2²⁴ and more (2⁵³ in f64) are all even. */
function isOddInteger<V>(f: Float<V>, x: V, isFraction: V): V {
  const half = f.mul(x, 0.5);
  const halfIsFraction = different(f, f.b.unary("floor", half), half);
  return f.b.binary("and", halfIsFraction, f.b.unary("not", isFraction));
}

/** log x = e·ln 2 + log m in f64, for an f32; by s = (m − 1)/(m + 1): log m = 2s + s³·P(s²). */
function logarithm<V>(f: Float<V>, x: V): V {
  const { b } = f;
  const isSubnormal = f.less(x, 2 ** -126);
  const normal = f.select(isSubnormal, f.mul(x, 2 ** 23), x);
  const above = b.binary("sub", b.bitcast("i32", normal), b.bitcast("i32", f.of(Math.SQRT1_2)));
  const shift = b.binary("and", above, b.constant("i32", 0xff800000 | 0));
  const fraction = f.sub(b.bitcast("f32", b.binary("sub", b.bitcast("i32", normal), shift)), 1);
  const e = f.add(f.mul(b.convert("f32", shift), 2 ** -23), f.select(isSubnormal, -23, 0));

  const [wideFraction, wideExponent] = [b.convert("f64", fraction), b.convert("f64", e)];
  const wide = new Float(b, wideFraction);
  const s = wide.div(wideFraction, wide.add(wideFraction, 2));
  const square = wide.mul(s, s);
  const quotient = wide.mulAdd(wide.polynomial(square, logCoefficients), square, 2);
  return wide.mulAdd(wideExponent, Math.LN2, wide.mul(s, quotient));
}

function power32<V>(f: Float<V>, magnitude: V, exponent: V): V {
  const { b } = f;
  const log = logarithm(f, magnitude);
  const wide = new Float(b, log);
  const product = wide.mul(log, b.convert("f64", exponent));
  const near = wide.min(wide.max(product, beyond.below), beyond.above);
  const n = b.unary("round", wide.mul(near, Math.LOG2E));
  const r = wide.mulAdd(n, -Math.LN2, near);
  const small = wide.mulAdd(wide.polynomial(r, expCoefficients), wide.mul(r, r), r);
  const power = b.convert("f32", wide.add(small, 1));
  const twos = b.convert("f32", n);
  if (b.scales) return b.binary("scale", power, twos);
  const bits = exponentOf(b, b.bitcast("i32", f.add(twos, magic)));
  const scaled = b.bitcast("f32", b.binary("add", b.bitcast("i32", power), bits));
  const floored = f.select(wide.less(product, underflow), 0, scaled);
  return f.select(wide.less(product, overflow), floored, Infinity);
}
