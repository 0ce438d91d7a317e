/** sin and cos in f64, to about 1e-15 for |x| up to a million; polynomials of fdlibm (Sun Microsystems, k_sin.c, k_cos.c). */
import type { Float } from "./float.ts";

const twoOverPi = 0.6366197723675814;
/** π/2 in parts of 33 bits: their products with n < 2²⁰ are exact. */
const halfPi = [1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21];

const sinCoefficients = [
  -0.16666666666666632, 0.00833333333332249, -0.0001984126982985795, 2.7557313707070068e-6,
  -2.5050760253406863e-8, 1.58969099521155e-10,
];
const cosCoefficients = [
  0.0416666666666666, -0.001388888888887411, 2.480158728947673e-5, -2.7557314351390663e-7,
  2.087572321298175e-9, -1.1359647557788195e-11,
];

export function trig64<V>(f: Float<V>, x: V, quarters: 0 | 1): V {
  const { b } = f;
  const n = b.unary("round", f.mul(x, twoOverPi));
  let r = x;
  for (const part of halfPi) r = f.mulAdd(n, -part, r);
  const square = f.mul(r, r);
  const sine = f.mulAdd(f.polynomial(square, sinCoefficients), f.mul(square, r), r);
  const half = f.mul(square, 0.5);
  const cosine = f.sub(1, f.sub(half, f.mul(f.mul(square, square), f.polynomial(square, cosCoefficients))));
  const quadrant = b.binary("add", b.convert("i32", n), b.constant("i32", quarters));
  const has = (bit: number): V =>
    b.compare("notEqual", b.binary("and", quadrant, b.constant("i32", bit)), b.constant("i32", 0));
  const result = f.select(has(1), cosine, sine);
  const signed = f.select(has(2), b.unary("neg", result), result);
  return f.select(f.lessEqual(f.abs(x), 2 ** 20), signed, NaN);
}
