/** Activations, each stable at extremes forward and backward. */
import { ArgumentError, ShapeError } from "../../base/errors.ts";
import { normalizeAxis, shapeText } from "../../base/shape.ts";
import { composed } from "../../graph/composition.ts";
import type { Node } from "../../graph/node.ts";
import { add, div, mul, neg, sub } from "../arithmetic.ts";
import { equal, greaterEqual, lessEqual } from "../compare.ts";
import { like, zerosLike } from "../constants.ts";
import { customGradient } from "../custom-gradient.ts";
import { exp, expm1, log1p } from "../exponential.ts";
import { abs, maximum, sign } from "../magnitude.ts";
import { select } from "../select.ts";
import { sliceAxis } from "../slice.ts";
import { erf, tanh } from "../trigonometric.ts";

/** x where x > 0, else 0; the gradient at 0 is 0, NaN stays NaN. */
export function relu(x: Node): Node {
  const zero = zerosLike(x);
  return composed(select(lessEqual(x, zero), zero, x), "relu", [x]);
}

/** σ(x) = 1/(1 + e⁻ˣ), 0 and 1 at the ends; gradient σ(1 − σ), never NaN. */
export function sigmoid(x: Node): Node {
  const one = like(x, 1);
  const value = div(one, add(one, exp(neg(x))));
  const y = customGradient(value, [x], (g, y) => [mul(g, mul(y, sub(one, y)))]);
  return composed(y, "sigmoid", [x]);
}

/** log(1 + eˣ) = max(x, 0) + log(1 + e^(−|x|)): x itself for large x; gradient σ(x). */
export function softplus(x: Node): Node {
  const value = add(maximum(x, zerosLike(x)), log1p(exp(neg(abs(x)))));
  return composed(
    customGradient(value, [x], (g) => [mul(g, sigmoid(x))]),
    "softplus",
    [x],
  );
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

/** x where x > 0, else slope · x; the gradient at 0 is the slope (Maas, Hannun, Ng 2013). */
export const leakyRelu = (x: Node, slope: number): Node => parametricRelu(x, like(x, slope));

/** x where x > 0, else slope · x with a slope of x's shape (He, Zhang, Ren, Sun 2015). */
export const parametricRelu = (x: Node, slope: Node): Node =>
  select(lessEqual(x, zerosLike(x)), mul(x, slope), x);

/** x within [low, high], else the nearer end; the gradient is 0 from the ends on. */
export function hardTanh(x: Node, low: number, high: number): Node {
  const [bottom, top] = [like(x, low), like(x, high)];
  return select(lessEqual(x, bottom), bottom, select(greaterEqual(x, top), top, x));
}

/** min(max(x, 0), 6) (Howard et al. 2017). */
export const relu6 = (x: Node): Node => hardTanh(x, 0, 6);

/** σ in three straight pieces: x/6 + 1/2 between −3 and 3, 0 and 1 outside (Howard et al. 2019). */
export const hardSigmoid = (x: Node): Node => hardTanh(add(div(x, like(x, 6)), like(x, 0.5)), 0, 1);

/** x · hardSigmoid(x), 0 up to −3 and x itself above 3. */
export function hardSwish(x: Node): Node {
  const inner = mul(x, div(add(x, like(x, 3)), like(x, 6)));
  const left = select(lessEqual(x, like(x, -3)), zerosLike(x), inner);
  return select(greaterEqual(x, like(x, 3)), x, left);
}

/** x where x > 0, else alpha · (eˣ − 1) (Clevert, Unterthiner, Hochreiter 2016). */
export const elu = (x: Node, alpha: number): Node => exponentialBelow(x, alpha, 1);

/** elu with negative part alpha · (e^(x/alpha) − 1): its slope is continuous (Barron 2017). */
export const celu = (x: Node, alpha: number): Node => exponentialBelow(x, alpha, alpha);

/** scale · elu(x, alpha) with the constants that keep mean 0 and variance 1 (Klambauer et al. 2017). */
export const selu = (x: Node): Node => mul(elu(x, 1.6732632423543772), like(x, 1.0507009873554805));

/** x where x > 0, else scale · (e^(x/width) − 1); what is not chosen stays finite. */
function exponentialBelow(x: Node, scale: number, width: number): Node {
  const zero = zerosLike(x);
  const isBelow = lessEqual(x, zero);
  const below = select(isBelow, x, zero);
  const curve = expm1(width === 1 ? below : div(below, like(x, width)));
  return select(isBelow, scale === 1 ? curve : mul(curve, like(x, scale)), x);
}

/** x · tanh(softplus(x)) (Misra 2020). */
export const mish = (x: Node): Node => mul(x, tanh(softplus(x)));

/** x / (1 + |x|), ±1 at the ends; gradient 1 / (1 + |x|)² (Turian, Bergstra, Bengio 2009). */
export function softsign(x: Node): Node {
  const scale = add(abs(x), like(x, 1));
  const value = select(equal(abs(x), like(x, Infinity)), sign(x), div(x, scale));
  return customGradient(value, [x], (g) => [div(div(g, scale), scale)]);
}

/** x moved towards 0 by λ, 0 where it would cross (Donoho 1995). */
export const softShrink = (x: Node, lambda: number): Node =>
  select(lessEqual(abs(x), like(x, lambda)), zerosLike(x), sub(x, mul(sign(x), like(x, lambda))));

/** x outside [−λ, λ], 0 inside. */
export const hardShrink = (x: Node, lambda: number): Node =>
  select(lessEqual(abs(x), like(x, lambda)), zerosLike(x), x);

/** x − tanh(x). */
export const tanhShrink = (x: Node): Node => sub(x, tanh(x));

/** What may gate a linear unit. */
const gates = { sigmoid, silu, gelu, relu, tanh, none: (x: Node): Node => x };

/** The name of a gate. */
export type Gate = keyof typeof gates;

/** a · gate(b) (Dauphin et al. 2017; Shazeer 2020). */
export const gated = (a: Node, b: Node, gate: Gate): Node => mul(a, gates[gate](b));

/** The first half along an axis times the gate of the second. */
export function glu(x: Node, axis: number, gate: Gate): Node {
  const at = normalizeAxis(axis, x.shape.length, "glu");
  const size = x.shape[at]!;
  if (typeof size !== "number" || size % 2 !== 0)
    throw new ShapeError(
      `glu: axis ${axis} of ${shapeText(x.shape)} has no two equal halves; give it an even size`,
    );
  if (!(gate in gates))
    throw new ArgumentError(`glu: "${gate}" is no gate; gates are ${Object.keys(gates).join(", ")}`);
  return gated(sliceAxis(x, at, 0, size / 2), sliceAxis(x, at, size / 2, size / 2), gate);
}
