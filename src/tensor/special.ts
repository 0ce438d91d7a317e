/** Special functions of several arguments, which broadcast. Those of one are methods: `lgamma`, `digamma`, `erf`, `erfinv`. */
import { type DType, promote } from "../base/dtype.ts";
import { broadcastShapes } from "../base/shape.ts";
import type { Node } from "../graph/node.ts";
import * as ops from "../ops/index.ts";
import { toNode } from "./convert.ts";
import { floatOf } from "./elementwise.ts";
import { isTensor } from "./handle.ts";
import { located } from "./located.ts";
import { fromNode, type Tensor } from "./tensor.ts";
import type { TensorLike } from "./types.ts";

/** Arguments in one float dtype, which plain numbers do not widen, and one shape. */
function applied(what: string, op: (...x: Node[]) => Node, values: readonly TensorLike[]): Tensor {
  return located(() => {
    const own = values.filter(isTensor).map((value) => toNode(value).dtype);
    const dtype = floatOf(own.length === 0 ? "f32" : own.reduce((a: DType, b: DType) => promote(a, b)));
    const nodes = values.map((value) => ops.cast(toNode(value, dtype, what), dtype));
    const shape = nodes.map((node) => node.shape).reduce((a, b) => broadcastShapes(a, b, what));
    return fromNode(op(...nodes.map((node) => ops.broadcastTo(node, shape))));
  });
}

/**
 * The regularised lower incomplete gamma function P(a, x) = 1/Γ(a) ∫₀ˣ tᵃ⁻¹ e⁻ᵗ dt for a, x ≥ 0: the share of a gamma distribution
 * below x. Computed in f64; NaN for negative arguments. Gradients flow to x, and to a of the first order.
 *
 * @example gammainc(1, [0, 1]); // [0, 0.6321205496788025]
 */
export const gammainc = (a: TensorLike, x: TensorLike): Tensor => applied("gammainc", ops.gammainc, [a, x]);

/**
 * The regularised upper incomplete gamma function Q(a, x) = 1 − P(a, x), exact where it is small too.
 *
 * @example gammaincc(1, 50); // 1.9287498933537385e-22
 */
export const gammaincc = (a: TensorLike, x: TensorLike): Tensor =>
  applied("gammaincc", ops.gammaincc, [a, x]);

/**
 * The regularised incomplete beta function I_x(a, b) = 1/B(a, b) ∫₀ˣ tᵃ⁻¹ (1 − t)ᵇ⁻¹ dt for a, b > 0 and 0 ≤ x ≤ 1: the share of a
 * beta distribution below x. Computed in f64; NaN elsewhere. Gradients flow to x, and to a and b of the first order.
 *
 * @example betainc(2, 2, [0.25, 0.5, 1]); // [0.15625, 0.5, 1]
 */
export const betainc = (a: TensorLike, b: TensorLike, x: TensorLike): Tensor =>
  applied("betainc", ops.betainc, [a, b, x]);
