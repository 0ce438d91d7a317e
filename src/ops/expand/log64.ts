/** log and log1p in f64, to about 1e-16 relative; the polynomial is the one of fdlibm (Sun Microsystems, e_log.c). */

import { scale64 } from "./exp64.ts";
import type { Float } from "./float.ts";

const ln2High = 0.6931471803691238;
const ln2Low = 1.9082149292705877e-10;

/** log(1 + f) = f − f²/2 + s·(f²/2 + R(s²)) with s = f/(2 + f). */
const coefficients = [
  0.6666666666666735, 0.3999999999940942, 0.2857142874366239, 0.22222198432149784, 0.1818357216161805,
  0.15313837699209373, 0.14798198605116586,
];

/** e with x/2ᵉ in [√½, √2). First x is brought by known powers into the range of f32, whose exponent can be read. */
function exponentOf<V>(f: Float<V>, x: V): V {
  const { b } = f;
  const i32 = (value: number): V => b.constant("i32", value);
  let [rest, exponent] = [x, i32(0)];
  for (const power of [512, 256, 128, 64]) {
    const [isLarge, isSmall] = [f.greaterEqual(rest, 2 ** power), f.less(rest, 2 ** -power)];
    const factor = f.select(isLarge, 2 ** -power, f.select(isSmall, 2 ** power, 1));
    const moved = b.select(isLarge, i32(power), b.select(isSmall, i32(-power), i32(0)));
    rest = f.mul(rest, factor);
    exponent = b.binary("add", exponent, moved);
  }
  const above = b.binary(
    "sub",
    b.bitcast("i32", b.convert("f32", rest)),
    b.bitcast("i32", b.constant("f32", Math.SQRT1_2)),
  );
  return b.binary("add", exponent, b.binary("shiftRight", above, i32(23)));
}

function logarithm<V>(f: Float<V>, fraction: V, exponent: V): V {
  const e = f.b.convert("f64", exponent);
  const s = f.div(fraction, f.add(fraction, 2));
  const z = f.mul(s, s);
  const half = f.mul(f.mul(fraction, fraction), 0.5);
  const tail = f.mulAdd(s, f.mulAdd(z, f.polynomial(z, coefficients), half), f.mul(e, ln2Low));
  return f.mulAdd(e, ln2High, f.sub(fraction, f.sub(half, tail)));
}

const negative = <V>(f: Float<V>, n: V): V => f.b.unary("neg", n);

export function log64<V>(f: Float<V>, x: V): V {
  const exponent = exponentOf(f, x);
  const m = scale64(f, x, negative(f, exponent));
  return f.withPoles(x, logarithm(f, f.sub(m, 1), exponent), 0);
}

/** log(1 + x) = log u + (x − (u − 1))/u with u = 1 + x rounded. */
export function log1p64<V>(f: Float<V>, x: V): V {
  const u = f.add(x, 1);
  const correction = f.div(f.sub(x, f.sub(u, 1)), u);
  const exponent = exponentOf(f, u);
  const m = scale64(f, u, negative(f, exponent));
  return f.withPoles(x, f.add(logarithm(f, f.sub(m, 1), exponent), correction), -1);
}

/** log₂ x, a whole number at powers of two: the exponent is added last. */
export function log264<V>(f: Float<V>, x: V): V {
  const exponent = exponentOf(f, x);
  const m = scale64(f, x, negative(f, exponent));
  const fraction = logarithm(f, f.sub(m, 1), f.b.constant("i32", 0));
  return f.withPoles(x, f.mulAdd(fraction, Math.LOG2E, f.b.convert("f64", exponent)), 0);
}
