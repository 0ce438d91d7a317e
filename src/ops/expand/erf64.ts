/** erf and erfc in f64, to about 1e-15; the rational functions are those of fdlibm (Sun Microsystems, s_erf.c). */
import { exp64 } from "./exp64.ts";
import type { Float } from "./float.ts";

/** numerator and denominator in rising powers */
type Rational = readonly [readonly number[], readonly number[]];

/** (erf x − x)/x in x², below 0.84375 */
const near: Rational = [
  [
    0.12837916709551256, -0.3250421072470015, -0.02848174957559851, -0.005770270296489442,
    -2.3763016656650163e-5,
  ],
  [
    1, 0.39791722395915535, 0.0650222499887673, 0.005081306281875766, 0.00013249473800432164,
    -3.960228278775368e-6,
  ],
];
/** erf x − 0.845… in |x| − 1, below 1.25 */
const middle: Rational = [
  [
    -0.0023621185607526594, 0.41485611868374833, -0.3722078760357013, 0.31834661990116175,
    -0.11089469428239668, 0.035478304325618236, -0.002166375594868791,
  ],
  [
    1, 0.10642088040084423, 0.540397917702171, 0.07182865441419627, 0.12617121980876164, 0.01363708391202905,
    0.011984499846799107,
  ],
];
const middleOffset = 0.8450629115104675;
/** ln(x·erfc x) + x² + 0.5625 in 1/x², below 1/0.35 and above */
const far: Rational = [
  [
    -0.009864944034847148, -0.6938585727071818, -10.558626225323291, -62.375332450326006, -162.39666946257347,
    -184.60509290671104, -81.2874355063066, -9.814329344169145,
  ],
  [
    1, 19.651271667439257, 137.65775414351904, 434.56587747522923, 645.3872717332679, 429.00814002756783,
    108.63500554177944, 6.570249770319282, -0.0604244152148581,
  ],
];
const farther: Rational = [
  [
    -0.0098649429247001, -0.799283237680523, -17.757954917754752, -160.63638485582192, -637.5664433683896,
    -1025.0951316110772, -483.5191916086514,
  ],
  [
    1, 30.33806074348246, 325.7925129965739, 1536.729586084437, 3199.8582195085955, 2553.0504064331644,
    474.52854120695537, -22.44095244658582,
  ],
];

const ratio = <V>(f: Float<V>, x: V, [above, below]: Rational): V =>
  f.div(f.polynomial(x, above), f.polynomial(x, below));

export function erf64<V>(f: Float<V>, x: V): V {
  const magnitude = f.min(f.abs(x), 6);
  const small = f.mulAdd(magnitude, ratio(f, f.mul(x, x), near), magnitude);
  const medium = f.add(ratio(f, f.sub(magnitude, 1), middle), middleOffset);
  const large = f.sub(1, erfc(f, magnitude));
  const tail = f.select(f.less(magnitude, 1.25), medium, large);
  const result = f.select(f.greaterEqual(magnitude, 0.84375), tail, small);
  return f.select(f.less(x, 0), f.b.unary("neg", result), result);
}

/** exp(−x² − 0.5625 + R/S)/x, for 1.25 ≤ x ≤ 6. −x² is rounded: at erfc ≤ 0.08 its error is far below that of the 1. */
function erfc<V>(f: Float<V>, x: V): V {
  const square = f.mul(x, x);
  const inverse = f.div(1, square);
  const fraction = f.select(f.less(x, 1 / 0.35), ratio(f, inverse, far), ratio(f, inverse, farther));
  return f.div(exp64(f, f.add(f.sub(-0.5625, square), fraction)), x);
}

/** erfc x = 1 − erf x without cancellation: where erfc is small, exp of −x² split so that the greater part is exact. */
export function erfc64<V>(f: Float<V>, x: V): V {
  const { b } = f;
  const magnitude = f.min(f.abs(x), 28);
  const small = f.sub(1, f.mulAdd(magnitude, ratio(f, f.mul(x, x), near), magnitude));
  const medium = f.sub(1 - middleOffset, ratio(f, f.sub(magnitude, 1), middle));
  const tail = f.select(f.less(magnitude, 1.25), medium, erfcFar(f, magnitude));
  const result = f.select(f.greaterEqual(magnitude, 0.84375), tail, small);
  const mirrored = f.select(f.less(x, 0), f.sub(2, result), result);
  return f.select(b.compare("equal", x, x), mirrored, x);
}

function erfcFar<V>(f: Float<V>, x: V): V {
  const { b } = f;
  const high = b.convert("f64", b.convert("f32", x));
  const inverse = f.div(1, f.mul(x, x));
  const fraction = f.select(f.less(x, 1 / 0.35), ratio(f, inverse, far), ratio(f, inverse, farther));
  const low = f.mulAdd(b.binary("sub", high, x), b.binary("add", high, x), fraction);
  const main = exp64(f, f.sub(-0.5625, f.mul(high, high)));
  return f.div(f.mul(main, exp64(f, low)), x);
}
