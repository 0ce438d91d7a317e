/** Activations, each stable at extremes forward and backward. */
import type { Node } from "../../graph/node.ts";
import { add, div, mul, neg, sub } from "../arithmetic.ts";
import { lessEqual } from "../compare.ts";
import { like, zerosLike } from "../constants.ts";
import { customGradient } from "../custom-gradient.ts";
import { exp, log1p } from "../exponential.ts";
import { abs, maximum } from "../magnitude.ts";
import { select } from "../select.ts";
import { erf, tanh } from "../trigonometric.ts";

/** x where x > 0, else 0; the gradient at 0 is 0, NaN stays NaN. */
export function relu(x: Node): Node {
  const zero = zerosLike(x);
  return select(lessEqual(x, zero), zero, x);
}

/** σ(x) = 1/(1 + e⁻ˣ), 0 and 1 at the ends; gradient σ(1 − σ), never NaN. */
export function sigmoid(x: Node): Node {
  const one = like(x, 1);
  return customGradient(div(one, add(one, exp(neg(x)))), [x], (g, y) => [mul(g, mul(y, sub(one, y)))]);
}

/** log(1 + eˣ) = max(x, 0) + log(1 + e^(−|x|)): x itself for large x; gradient σ(x). */
export function softplus(x: Node): Node {
  const value = add(maximum(x, zerosLike(x)), log1p(exp(neg(abs(x)))));
  return customGradient(value, [x], (g) => [mul(g, sigmoid(x))]);
}

/** log σ(x) = −softplus(−x). */
export const logSigmoid = (x: Node): Node => neg(softplus(neg(x)));

/** x · σ(x) (Swish; Ramachandran, Zoph, Le 2017). */
export const silu = (x: Node): Node => mul(x, sigmoid(x));

/** x · Φ(x) = x/2 · (1 + erf(x/√2)) (Hendrycks, Gimpel 2016). */
export function gelu(x: Node): Node {
  const inner = erf(mul(x, like(x, Math.SQRT1_2)));
  return mul(mul(x, like(x, 0.5)), add(inner, like(x, 1)));
}

/** GELU with Φ approximated: x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³))). */
export function geluTanh(x: Node): Node {
  const cube = mul(mul(x, x), mul(x, like(x, 0.044715)));
  const inner = tanh(mul(add(x, cube), like(x, Math.sqrt(2 / Math.PI))));
  return mul(mul(x, like(x, 0.5)), add(inner, like(x, 1)));
}
