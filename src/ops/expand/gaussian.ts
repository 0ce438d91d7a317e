/** Box and Muller's pair (1958) in the steps of `fillNormal` in `base/random.ts`, whose bits it gives. */
import type { Float } from "./float.ts";

const logOdd = [0.6666666666666735, 0.2857142874366239, 0.1818357216161805, 0.14798198605116586];
const logEven = [0.3999999999940942, 0.22222198432149784, 0.15313837699209373];
const sines = [
  -0.16666666666666632, 0.00833333333332249, -0.0001984126982985795, 0.0000027557313707070068,
  -2.5050760253406863e-8, 1.58969099521155e-10,
];
const cosines = [
  0.0416666666666666, -0.001388888888887411, 0.00002480158728947673, -2.7557314351390663e-7,
  2.087572321298175e-9, -1.1359647557788195e-11,
];

/** ln(m / 2³²) for a whole number m from 1 to 2³²: fdlibm's e_log. */
function logOfFraction<V>(f: Float<V>, m: V): V {
  // m · 2⁻³² brought to [√½, √2) by known powers.
  let x = f.mul(m, 2 ** -32);
  let exponent = f.of(0);
  for (const power of [16, 8, 4, 2, 1]) {
    const isSmall = f.less(x, 2 ** -power);
    x = f.mul(x, f.select(isSmall, 2 ** power, 1));
    exponent = f.sub(exponent, f.select(isSmall, power, 0));
  }
  const isSmall = f.less(x, Math.SQRT1_2);
  x = f.mul(x, f.select(isSmall, 2, 1));
  const k = f.sub(exponent, f.select(isSmall, 1, 0));
  const fraction = f.sub(x, 1);
  const s = f.div(fraction, f.add(fraction, 2));
  const z = f.mul(s, s);
  const w = f.mul(z, z);
  const t1 = f.mul(w, f.polynomial(w, logEven));
  const t2 = f.mul(z, f.polynomial(w, logOdd));
  const half = f.mul(f.mul(f.of(0.5), fraction), fraction);
  const tail = f.add(f.mul(s, f.add(f.add(half, t1), t2)), f.mul(k, 1.9082149292705877e-10));
  return f.sub(f.mul(k, 0.6931471803691238), f.sub(f.sub(half, tail), fraction));
}

/** The cosine (part 0) or sine (part 1) half of the pair: r·cos 2πv, r·sin 2πv with r = √(−2 ln u). */
export function gaussian<V>(f: Float<V>, radiusWord: V, turnWord: V, part: 0 | 1): V {
  const { b } = f;
  const m = f.add(b.convert("f64", radiusWord), 1);
  const radius = b.unary("sqrt", f.mul(f.of(-2), logOfFraction(f, m)));
  const turn = b.convert("f64", turnWord);
  // Quarter turns to the nearest axis and the rest, from −1/8 to 1/8 of a turn; all exact.
  const quarter = b.unary("floor", f.div(f.add(turn, 2 ** 29), f.of(2 ** 30)));
  const angle = f.mul(f.sub(turn, f.mul(quarter, 2 ** 30)), Math.PI / 2 ** 31);
  const z = f.mul(angle, angle);
  const sine = f.add(angle, f.mul(f.mul(angle, z), f.polynomial(z, sines)));
  const cosine = f.sub(1, f.sub(f.mul(f.of(0.5), z), f.mul(f.mul(z, z), f.polynomial(z, cosines))));
  const whole = b.convert("i32", quarter);
  const hasBit = (bit: number): V => {
    const masked = b.binary("and", whole, b.constant("i32", bit));
    return b.compare("notEqual", masked, b.constant("i32", 0));
  };
  const isOdd = hasBit(1);
  const along = part === 0 ? b.select(isOdd, f.sub(0, sine), cosine) : b.select(isOdd, cosine, sine);
  return f.mul(b.select(hasBit(2), f.sub(0, radius), radius), along);
}
