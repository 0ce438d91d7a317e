/**
 * pow: |a|ᵇ = exp(b · log |a|) with the logarithm as a sum of two floats, because b multiplies its error; then C's special
 * cases. Products that must be exact are made of factors cut to 12 bits.
 */
import type { ScalarBuilder } from "../../graph/scalar.ts";
import { exponentOf, largest, reduce, smallExp, smallest } from "./exp.ts";
import { exp64 } from "./exp64.ts";
import { Float } from "./float.ts";
import { log64 } from "./log64.ts";

const ln2High = 0.693145751953125;
const ln2Low = 1.42860677e-6;

/** (log((1 + s)/(1 − s)) − 2s)/s³ in powers of s², |s| ≤ 0.1716. */
const coefficients = [
  0.6666666865348816, 0.3999975323677063, 0.2857005000114441, 0.23017087578773499,
] as const;

/** The upper 12 bits of the significand. */
function cut<V>(f: Float<V>, x: V): V {
  const { b } = f;
  return b.bitcast("f32", b.binary("and", b.bitcast("u32", x), b.constant("u32", 0xfffff000)));
}

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
  const signed = f.select(isOdd, negate(f, unsigned), unsigned);
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

/** log x = e·ln 2 + log m as high + low, by s = (m − 1)/(m + 1): log m = 2s + s³·P(s²). */
function logarithm<V>(f: Float<V>, x: V): Two<V> {
  const { b } = f;
  const isSubnormal = f.less(x, 2 ** -126);
  const normal = f.select(isSubnormal, f.mul(x, 2 ** 23), x);
  const i32 = (value: number): V => b.constant("i32", value);
  const above = b.binary("sub", b.bitcast("i32", normal), b.bitcast("i32", f.of(Math.SQRT1_2)));
  const shift = b.binary("and", above, i32(0xff800000 | 0));
  const fraction = f.sub(b.bitcast("f32", b.binary("sub", b.bitcast("i32", normal), shift)), 1);
  const e = f.add(f.mul(b.convert("f32", shift), 2 ** -23), f.select(isSubnormal, -23, 0));

  const below = f.add(fraction, 2);
  const lost = b.binary("sub", fraction, f.sub(below, 2));
  const s = f.div(fraction, below);
  const sLow = f.div(f.mulAdd(s, negate(f, lost), remainder(f, fraction, s, below)), below);

  const cubic = cubicTerms(f, s);
  // d(2 atanh s) = 2(1 + s² + …) ds
  const twiceLow = f.add(sLow, sLow);
  const lowPart = f.mulAdd(f.mul(s, s), twiceLow, twiceLow);
  const rest = f.add(f.mulAdd(e, ln2Low, lowPart), cubic);
  const { high, low } = sum(f, f.mul(e, ln2High), f.add(s, s));
  return sum(f, high, f.add(low, rest));
}

/** s³·P(s²). The first term of P outweighs the others 60 to 1: its product with s² is made of exact parts. */
function cubicTerms<V>(f: Float<V>, s: V): V {
  const [first, ...others] = coefficients;
  const sHigh = cut(f, s);
  const sLow = f.b.binary("sub", s, sHigh);
  const square = f.mul(s, s);
  const squareError = f.b.binary("sub", f.mul(sHigh, sHigh), square);
  const squareLow = f.mulAdd(sLow, f.add(sHigh, s), squareError);
  const squareHigh = cut(f, square);
  const left = f.add(f.b.binary("sub", square, squareHigh), squareLow);
  const firstHigh = 0.66650390625;
  const tail = f.mulAdd(
    f.polynomial(square, others),
    f.mul(square, square),
    f.mul(square, first - firstHigh),
  );
  const low = f.mulAdd(left, firstHigh, tail);
  return f.mulAdd(s, f.mul(squareHigh, firstHigh), f.mul(s, low));
}

interface Two<V> {
  readonly high: V;
  readonly low: V;
}

/** a + b and what the sum rounds off, where |a| ≥ |b| or a is 0. */
function sum<V>(f: Float<V>, a: V, b: V): Two<V> {
  const high = f.add(a, b);
  return { high, low: f.b.binary("sub", b, f.b.binary("sub", high, a)) };
}

const negate = <V>(f: Float<V>, x: V): V => f.b.unary("neg", x);

/** n − q·d, exactly but for the last product. */
function remainder<V>(f: Float<V>, n: V, q: V, d: V): V {
  const [qHigh, dHigh] = [cut(f, q), cut(f, d)];
  const [qLow, dLow] = [f.b.binary("sub", q, qHigh), f.b.binary("sub", d, dHigh)];
  const first = f.mulAdd(negate(f, qHigh), dHigh, n);
  const second = f.mulAdd(negate(f, qHigh), dLow, first);
  return f.mulAdd(negate(f, qLow), dLow, f.mulAdd(negate(f, qLow), dHigh, second));
}

function power32<V>(f: Float<V>, magnitude: V, exponent: V): V {
  const { b } = f;
  const { high, low } = logarithm(f, magnitude);
  const [logHigh, bHigh] = [cut(f, high), cut(f, exponent)];
  const logLow = f.add(b.binary("sub", high, logHigh), low);
  const most = f.mul(bHigh, logHigh);
  const rest = f.mulAdd(bHigh, logLow, f.mul(b.binary("sub", exponent, bHigh), f.add(high, low)));
  const product = f.add(most, rest);
  const { nBits, r } = reduce(f, product, b.binary("sub", rest, b.binary("sub", product, most)));
  const power = smallExp(f, r);
  const scaled = b.bitcast("f32", b.binary("add", b.bitcast("i32", power), exponentOf(b, nBits)));
  return f.select(f.lessEqual(product, largest), f.select(f.less(product, smallest), 0, scaled), Infinity);
}
