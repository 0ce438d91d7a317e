/** exp and expm1 in f64, to about 1e-16 relative: the same reduction as in `exp.ts` with a longer polynomial. */
import type { Float } from "./float.ts";

/** ln 2 in 33 bits, and the rest. */
const ln2High = 0.6931471803691238;
const ln2Low = 1.9082149292705877e-10;
const largest = 709.782712893384;

/** (eʳ − 1 − r)/r², minimax for |r| ≤ ½ ln 2. */
const coefficients = [
  0.5, 0.16666666666666682, 0.041666666666666095, 0.008333333333317035, 0.0013888888889115622,
  0.00019841269896382746, 2.4801586926635282e-5, 2.75572348628425e-6, 2.7557581850757577e-7,
  2.5112036557465567e-8, 2.082662550541367e-9,
];

/** eʳ − 1 for x = n·ln 2 + r, and n. */
function reduced<V>(f: Float<V>, x: V): { n: V; small: V } {
  const n = f.b.unary("round", f.mul(x, Math.LOG2E));
  const r = f.mulAdd(n, -ln2Low, f.mulAdd(n, -ln2High, x));
  return { n: f.b.convert("i32", n), small: f.mulAdd(f.polynomial(r, coefficients), f.mul(r, r), r) };
}

/** x · 2ⁿ. There are no 64-bit integers to make the exponent from: n = 16k + rest, each power by way of an f32. */
export function scale64<V>(f: Float<V>, x: V, n: V): V {
  const { b } = f;
  const i32 = (value: number): V => b.constant("i32", value);
  const power = (exponent: V): V => {
    const biased = b.binary("add", exponent, i32(127));
    return b.convert("f64", b.bitcast("f32", b.binary("shiftLeft", biased, i32(23))));
  };
  const k = b.binary("shiftRight", n, i32(4));
  const rest = b.binary("sub", n, b.binary("shiftLeft", k, i32(4)));
  let byEight = power(k);
  for (let doubling = 0; doubling < 3; doubling++) byEight = f.mul(byEight, byEight);
  return f.mul(f.mul(f.mul(x, byEight), power(rest)), byEight);
}

export function exp64<V>(f: Float<V>, x: V): V {
  const { n, small } = reduced(f, f.min(f.max(x, -746), 710));
  const result = scale64(f, f.add(small, 1), n);
  return f.select(f.lessEqual(x, largest), result, f.add(x, Infinity));
}

export function expm164<V>(f: Float<V>, x: V): V {
  const { n, small } = reduced(f, f.min(f.max(x, -40), 710));
  const half = scale64(f, f.of(0.5), n);
  const result = f.mulAdd(small, half, f.sub(half, 0.5));
  return f.select(f.lessEqual(x, largest), f.add(result, result), f.add(x, Infinity));
}

/** 2ˣ: exact at whole numbers. */
export function exp264<V>(f: Float<V>, x: V): V {
  const near = f.min(f.max(x, -1080), 1025);
  const n = f.b.unary("round", near);
  const r = f.mul(f.sub(near, n), Math.LN2);
  const small = f.mulAdd(f.polynomial(r, coefficients), f.mul(r, r), r);
  const result = scale64(f, f.add(small, 1), f.b.convert("i32", n));
  return f.select(f.less(x, 1024), result, f.add(x, Infinity));
}
