/** sin, cos, tanh and erf. */
import type { Node } from "../graph/node.ts";
import { mul, neg, sub } from "./arithmetic.ts";
import { like } from "./constants.ts";
import { unary, unaryOp } from "./elementwise.ts";
import { erf as erfOfNumber } from "./erf-reference.ts";
import { expandErf } from "./expand/erf.ts";
import { expandTanh } from "./expand/exp.ts";
import { expandCos, expandSin } from "./expand/trig.ts";
import { exp } from "./exponential.ts";

type Unary = (x: Node) => Node;

export const sinOp = unaryOp({
  name: "sin",
  takes: "float",
  cost: 26,
  evaluate: Math.sin,
  gradient: (g, { inputs: [x] }) => [mul(g, cos(x!))],
  expand: expandSin,
});
/** sin x: at most 2 ulp in f32. Compiled, |x| above 2³⁰ (f64: above a million) gives NaN. */
export const sin: Unary = unary(sinOp);

export const cosOp = unaryOp({
  name: "cos",
  takes: "float",
  cost: 27,
  evaluate: Math.cos,
  gradient: (g, { inputs: [x] }) => [neg(mul(g, sin(x!)))],
  expand: expandCos,
});
/** cos x: at most 2 ulp in f32. Compiled, |x| above 2³⁰ (f64: above a million) gives NaN. */
export const cos: Unary = unary(cosOp);

export const tanhOp = unaryOp({
  name: "tanh",
  takes: "float",
  cost: 29,
  evaluate: Math.tanh,
  gradient: (g, node) => [mul(g, sub(like(node, 1), mul(node, node)))],
  expand: expandTanh,
});
/** tanh x: at most 2 ulp in f32. */
export const tanh: Unary = unary(tanhOp);

export const erfOp = unaryOp({
  name: "erf",
  takes: "float",
  cost: 33,
  evaluate: erfOfNumber,
  gradient: (g, { inputs: [x] }) => [mul(mul(g, like(g, 2 / Math.sqrt(Math.PI))), exp(neg(mul(x!, x!))))],
  expand: expandErf,
});
/** erf x = 2/√π ∫₀ˣ e^(−t²) dt: at most 2 ulp in f32. */
export const erf: Unary = unary(erfOp);
