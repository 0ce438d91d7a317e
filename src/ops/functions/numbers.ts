/** Functions of one or two numbers composed of primitives: limits, remainders, interpolation, guarded logarithms. */
import { isFloat } from "../../base/dtype.ts";
import type { Node } from "../../graph/node.ts";
import { add, div, mul, neg, sub } from "../arithmetic.ts";
import { equal, greaterEqual, less, lessEqual, notEqual } from "../compare.ts";
import { like, zerosLike } from "../constants.ts";
import { customGradient } from "../custom-gradient.ts";
import { exp, log, log1p } from "../exponential.ts";
import { and, or } from "../logical.ts";
import { abs, maximum, minimum, remainder, sqrt } from "../magnitude.ts";
import { trunc } from "../rounding.ts";
import { select } from "../select.ts";
import { sigmoid } from "./activations.ts";

/** x limited to low … high, both of its shape and dtype; NaN stays NaN. At a limit the gradient is 0, as in PyTorch. */
export function clamp(x: Node, low?: Node, high?: Node): Node {
  const raised = low === undefined ? x : select(lessEqual(x, low), low, x);
  return high === undefined ? raised : select(greaterEqual(raised, high), high, raised);
}

/** a − trunc(a/b)·b, of the sign of a (as C's fmod and JavaScript's %); NaN for floats and 0 for integers where b is 0. */
export function fmod(a: Node, b: Node): Node {
  if (a.dtype === "u32" || a.dtype === "u8") return remainder(a, b);
  const rest = remainder(abs(a), abs(b));
  const value = select(less(a, zerosLike(a)), neg(rest), rest);
  if (!isFloat(a.dtype)) return value;
  return customGradient(value, [a, b], (g) => [g, neg(mul(g, trunc(div(a, b))))]);
}

/** Whether x is Infinity or −Infinity; x is a float. */
export const isInfinite = (x: Node): Node => equal(abs(x), like(x, Infinity));

/** √(a² + b²) without overflow on the way; the gradient at (0, 0) is 0. */
export function hypot(a: Node, b: Node): Node {
  const [x, y] = [abs(a), abs(b)];
  const [large, small] = [maximum(x, y), minimum(x, y)];
  const one = like(a, 1);
  const divisor = select(equal(large, zerosLike(a)), one, large);
  const ratio = div(small, divisor);
  const value = mul(large, sqrt(add(mul(ratio, ratio), one)));
  const infinite = or(isInfinite(a), isInfinite(b));
  const guarded = select(infinite, like(a, Infinity), value);
  return customGradient(guarded, [a, b], (g, result) => {
    const rate = div(g, select(equal(result, zerosLike(g)), one, result));
    return [mul(rate, a), mul(rate, b)];
  });
}

/** a + weight · (b − a). */
export const lerp = (a: Node, b: Node, weight: Node): Node => add(a, mul(weight, sub(b, a)));

/** x with NaN, Infinity and −Infinity replaced; what was replaced gets gradient 0. */
export function nanToNum(x: Node, nan: number, positive: number, negative: number): Node {
  const below = select(equal(x, like(x, -Infinity)), like(x, negative), x);
  const finite = select(equal(x, like(x, Infinity)), like(x, positive), below);
  return select(notEqual(x, x), like(x, nan), finite);
}

/** log(eᵃ + eᵇ), right for a and b of any size, infinite ones too. */
export function logAddExp(a: Node, b: Node): Node {
  const largest = maximum(a, b);
  const isSame = equal(a, b);
  const distance = select(isSame, zerosLike(a), neg(abs(sub(a, b))));
  const value = add(largest, log1p(exp(distance)));
  return customGradient(value, [a, b], (g) => {
    const difference = select(isSame, sub(a, a), sub(a, b));
    const lead = select(and(isSame, isInfinite(a)), zerosLike(a), difference);
    return [mul(g, sigmoid(lead)), mul(g, sigmoid(neg(lead)))];
  });
}

/** a · ln (1 + b), and 0 where a is 0 unless b is NaN. */
export function xlog1py(a: Node, b: Node): Node {
  const isBad = or(lessEqual(b, like(b, -1)), equal(b, like(b, Infinity)));
  const unused = and(equal(a, zerosLike(a)), isBad);
  return mul(a, log1p(select(unused, zerosLike(b), b)));
}

/** a · ln b, and 0 where a is 0 unless b is NaN. */
export function xlogy(a: Node, b: Node): Node {
  const isBad = or(lessEqual(b, zerosLike(b)), equal(b, like(b, Infinity)));
  const unused = and(equal(a, zerosLike(a)), isBad);
  return mul(a, log(select(unused, like(b, 1), b)));
}
