/**
 * log and log1p: x = 2ᵉ·m with m in [2/3, 4/3), a polynomial for log(1 + f), f = m − 1, then e·ln 2 is added in two parts
 * (the first has so few bits that its product with e is exact).
 */
import type { ScalarBuilder } from "../../graph/scalar.ts";
import { Float } from "./float.ts";
import { log1p64, log64 } from "./log64.ts";

const ln2High = 0.693145751953125;
const ln2Low = 1.42860677e-6;

/** (log(1 + f) − f + f²/2) / f³, minimax relative to log(1 + f) for f in [−1/3, 1/3). */
const coefficients = [
  0.3333321511745453, -0.2499980628490448, 0.2001042664051056, -0.16680197417736053, 0.14005734026432037,
  -0.12187450379133224, 0.13984593749046326, -0.12880174815654755,
];

const exponentBits = 0x7f800000 | 0x80000000;

/** 2ᵉ as exponent bits (e << 23) such that x/2ᵉ lies in [low, 2·low). */
function exponentFrom<V>(b: ScalarBuilder<V>, x: V, low: number): V {
  const above = b.binary("sub", b.bitcast("i32", x), b.bitcast("i32", b.constant("f32", low)));
  return b.binary("and", above, b.constant("i32", exponentBits | 0));
}

/** log(1 + f) + e·ln 2, e given as e << 23. */
function logarithm<V>(f: Float<V>, fraction: V, exponent: V, offset: V | number): V {
  const { b } = f;
  const e = f.add(f.mul(b.convert("f32", exponent), 2 ** -23), offset);
  const square = f.mul(fraction, fraction);
  const inner = f.mulAdd(f.polynomial(fraction, coefficients), fraction, -0.5);
  const tail = f.mulAdd(inner, square, f.mul(e, ln2Low));
  return f.mulAdd(e, ln2High, f.add(tail, fraction));
}

/** log x: NaN below 0, −Infinity at 0. */
export function expandLog<V>(b: ScalarBuilder<V>, x: V): V {
  const f = new Float(b, x);
  if (f.dtype === "f64") return log64(f, x);
  const isSubnormal = f.less(x, 2 ** -126);
  const normal = f.select(isSubnormal, f.mul(x, 2 ** 23), x);
  const exponent = exponentFrom(b, normal, 2 / 3);
  const m = b.bitcast("f32", b.binary("sub", b.bitcast("i32", normal), exponent));
  const result = logarithm(f, f.sub(m, 1), exponent, f.select(isSubnormal, -23, 0));
  return f.withPoles(x, result, 0);
}

/** log(1 + x), accurate for small x: x/2ᵉ + 1/2ᵉ − 1 is rounded once, where 1 + x would lose the low bits of x. */
export function expandLog1p<V>(b: ScalarBuilder<V>, x: V): V {
  const f = new Float(b, x);
  if (f.dtype === "f64") return log1p64(f, x);
  const exponent = exponentFrom(b, f.add(x, 1), 2 / 3);
  const scaled = b.bitcast("f32", b.binary("sub", b.bitcast("i32", x), exponent));
  const quarter = b.bitcast("f32", b.binary("sub", b.bitcast("i32", f.of(4)), exponent));
  const fraction = f.add(scaled, f.mulAdd(quarter, 0.25, -1));
  return f.withPoles(x, logarithm(f, fraction, exponent, 0), -1);
}
