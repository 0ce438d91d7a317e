/** Inverse trigonometric functions in f64, to about 1e-15; the polynomial is the one of fdlibm (Sun Microsystems, s_atan.c). */
import type { Float } from "./float.ts";

/** (atan t − t)/t³ in powers of t², |t| ≤ 7/16. */
const coefficients = [
  -0.3333333333333293, 0.19999999999876483, -0.14285714272503466, 0.11111110405462356, -0.09090887133436507,
  0.0769187620504483, -0.06661073137387531, 0.058335701337905735, -0.049768779946159324, 0.036531572744216916,
  -0.016285820115365782,
];

/** From `low` up: atan x = atan c + atan((x − c)/(1 + c·x)); atan c in two parts. */
const steps = [
  { low: 0.4375, c: 0.5, high: 0.4636476090008061, rest: 2.2698777452961687e-17 },
  { low: 0.6875, c: 1, high: 0.7853981633974483, rest: 3.061616997868383e-17 },
  { low: 1.1875, c: 1.5, high: 0.982793723247329, rest: 1.3903311031230998e-17 },
] as const;
const halfPi = { high: 1.5707963267948966, rest: 6.123233995736766e-17 };

/** The angle for a magnitude in 0 … Infinity. */
function positiveAtan<V>(f: Float<V>, x: V): V {
  let [t, high, rest] = [x, f.of(0), f.of(0)];
  for (const step of steps) {
    const isHere = f.greaterEqual(x, step.low);
    t = f.select(isHere, f.div(f.sub(x, step.c), f.mulAdd(x, step.c, 1)), t);
    high = f.select(isHere, step.high, high);
    rest = f.select(isHere, step.rest, rest);
  }
  const isFar = f.greaterEqual(x, 2.4375);
  t = f.select(isFar, f.div(-1, x), t);
  high = f.select(isFar, halfPi.high, high);
  rest = f.select(isFar, halfPi.rest, rest);
  const square = f.mul(t, t);
  const tail = f.mulAdd(f.mul(square, f.polynomial(square, coefficients)), t, rest);
  return f.add(high, f.add(tail, t));
}

/** An odd function from its values for x ≥ 0; −0 stays −0, NaN stays NaN. */
export function odd<V>(f: Float<V>, x: V, positive: (magnitude: V) => V): V {
  const value = positive(f.abs(x));
  const signed = f.select(f.less(x, 0), f.b.unary("neg", value), value);
  return f.select(f.equal(x, 0), x, signed);
}

export const atan64 = <V>(f: Float<V>, x: V): V => odd(f, x, (magnitude) => positiveAtan(f, magnitude));

/** asin x = atan(x/√(1 − x²)); beyond 1 the root is NaN. */
export const asin64 = <V>(f: Float<V>, x: V): V =>
  odd(f, x, (magnitude) => {
    const root = f.b.unary("sqrt", f.mul(f.sub(1, magnitude), f.add(magnitude, 1)));
    return positiveAtan(f, f.div(magnitude, root));
  });

/** acos x = 2 atan √((1 − x)/(1 + x)) */
export function acos64<V>(f: Float<V>, x: V): V {
  const half = positiveAtan(f, f.b.unary("sqrt", f.div(f.sub(1, x), f.add(x, 1))));
  return f.add(half, half);
}

/** Whether x is below zero or is −0, whose inverse is. */
const isNegative = <V>(f: Float<V>, x: V): V =>
  f.b.binary("or", f.less(x, 0), f.b.binary("and", f.equal(x, 0), f.less(f.div(1, x), 0)));

/** The angle of the point (x, y), with C's values at zeros and infinities. */
export function atan264<V>(f: Float<V>, y: V, x: V): V {
  const { b } = f;
  const [height, width] = [f.abs(y), f.abs(x)];
  const areEqual = b.compare("equal", height, width);
  const isEnd = b.binary("or", f.equal(height, 0), f.equal(height, Infinity));
  const atEnd = f.select(f.equal(height, 0), 0, 1);
  const ratio = f.select(b.binary("and", areEqual, isEnd), atEnd, f.div(height, width));
  const angle = positiveAtan(f, ratio);
  const turned = f.sub(Math.PI, f.sub(angle, 2 * halfPi.rest));
  const upper = f.select(isNegative(f, x), turned, angle);
  return f.select(isNegative(f, y), b.unary("neg", upper), upper);
}
