/** Hyperbolic functions, their inverses and the cube root in f64, from exp and log: to a few 1e-16. */
import { exp64, expm164 } from "./exp64.ts";
import type { Float } from "./float.ts";
import { odd } from "./inverse64.ts";
import { log1p64, log64 } from "./log64.ts";

/** From here up e^(−x) is nothing beside eˣ, and x² nothing beside x⁴. */
const far = 22;
const veryFar = 2 ** 28;

/** eˣ/2, where eˣ may overflow and its half not. */
function halfExp<V>(f: Float<V>, x: V): V {
  const root = exp64(f, f.mul(x, 0.5));
  return f.mul(f.mul(root, 0.5), root);
}

/** (t + t/(t + 1))/2 with t = eˣ − 1 */
export const sinh64 = <V>(f: Float<V>, x: V): V =>
  odd(f, x, (magnitude) => {
    const t = expm164(f, magnitude);
    const near = f.mul(f.add(t, f.div(t, f.add(t, 1))), 0.5);
    return f.select(f.greaterEqual(magnitude, far), halfExp(f, magnitude), near);
  });

export function cosh64<V>(f: Float<V>, x: V): V {
  const magnitude = f.abs(x);
  const e = exp64(f, magnitude);
  const near = f.mul(f.add(e, f.div(1, e)), 0.5);
  return f.select(f.greaterEqual(magnitude, far), halfExp(f, magnitude), near);
}

/** log(x + √(x² + 1)) = log1p(x + x²/(1 + √(x² + 1))) */
export const asinh64 = <V>(f: Float<V>, x: V): V =>
  odd(f, x, (magnitude) => {
    const square = f.mul(magnitude, magnitude);
    const root = f.b.unary("sqrt", f.add(square, 1));
    const near = log1p64(f, f.add(f.div(square, f.add(root, 1)), magnitude));
    return f.select(f.greaterEqual(magnitude, veryFar), f.add(log64(f, magnitude), Math.LN2), near);
  });

/** log(x + √(x² − 1)) = log1p(t + √(2t + t²)) with t = x − 1 */
export function acosh64<V>(f: Float<V>, x: V): V {
  const t = f.sub(x, 1);
  const root = f.b.unary("sqrt", f.mul(t, f.add(t, 2)));
  const near = log1p64(f, f.add(t, root));
  const value = f.select(f.greaterEqual(x, veryFar), f.add(log64(f, x), Math.LN2), near);
  return f.select(f.less(x, 1), NaN, value);
}

/** ½ log((1 + x)/(1 − x)) = ½ log1p(2x/(1 − x)) */
export const atanh64 = <V>(f: Float<V>, x: V): V =>
  odd(f, x, (magnitude) => f.mul(log1p64(f, f.div(f.add(magnitude, magnitude), f.sub(1, magnitude))), 0.5));

/** exp(log x / 3), and one step of Newton's method. */
export const cbrt64 = <V>(f: Float<V>, x: V): V =>
  odd(f, x, (magnitude) => {
    const y = exp64(f, f.mul(log64(f, magnitude), 1 / 3));
    const step = f.mul(f.sub(y, f.div(f.div(magnitude, y), y)), 1 / 3);
    return f.select(f.less(magnitude, Infinity), f.sub(y, step), magnitude);
  });
