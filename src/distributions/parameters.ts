/** Parameters of distributions as tensors of one float dtype and shape, and the special functions that their formulas use. */
import { type DType, isFloat, promote } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import { broadcastShapes } from "../base/shape.ts";
import type { Size } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import * as ops from "../ops/index.ts";
import { toNode } from "../tensor/convert.ts";
import type { random, Tensor, TensorLike } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";

export type Shape = readonly Size[];
export type Key = random.KeyLike;

const floatOf = (dtype: DType): DType => (isFloat(dtype) ? dtype : "f32");

/** Several parameters, broadcast to one shape and promoted to one float dtype. */
export function parameters(what: string, ...values: readonly TensorLike[]): Tensor[] {
  return located(() => {
    const nodes = values.map((value) => toNode(value, "f32", what));
    const dtype = nodes.map((node) => floatOf(node.dtype)).reduce((a, b) => promote(a, b));
    const shape = nodes.map((node) => node.shape).reduce((a, b) => broadcastShapes(a, b, what));
    return nodes.map((node) => fromNode(ops.broadcastTo(ops.cast(node, dtype), shape)));
  });
}

/** A value at which a distribution is asked, in the dtype of its parameters. */
export const argumentOf = (what: string, value: TensorLike, like: Tensor): Tensor =>
  located(() => fromNode(ops.cast(toNode(value, like.dtype, what), like.dtype)));

/** x repeated over the shape of a sample: (…sample, …x). */
export const repeated = (x: Tensor, sample: Shape): Tensor =>
  x.broadcastTo([...sample, ...x.shape] as never) as Tensor;

const lift =
  (op: (x: Node) => Node) =>
  (x: Tensor): Tensor =>
    located(() => fromNode(op(nodeOf(x))));

export const lgamma = lift(ops.lgamma);
export const digamma = lift(ops.digamma);
/** Φ⁻¹ in f64 inside. */
export const normalQuantile = lift((p) => ops.cast(ops.normalQuantile(ops.cast(p, "f64")), p.dtype));

/** ln B(a, b). */
export const logBeta = (a: Tensor, b: Tensor): Tensor =>
  lgamma(a)
    .add(lgamma(b))
    .sub(lgamma(a.add(b)));

/** `logProb` where the value lies in the support, −Infinity elsewhere. */
export const within = (isInside: Tensor, logProb: Tensor): Tensor =>
  located(() => {
    const inside = nodeOf(isInside);
    const value = nodeOf(logProb);
    const shape = broadcastShapes(inside.shape, value.shape, "logProb");
    const whole = ops.broadcastTo(value, shape);
    return fromNode(ops.select(ops.broadcastTo(inside, shape), whole, ops.like(whole, -Infinity)));
  });

/** Probabilities or logits, as given; both as tensors. */
export type Weights =
  | { readonly probabilities: TensorLike; readonly logits?: never }
  | { readonly logits: TensorLike; readonly probabilities?: never };

export function requireOne(what: string, { probabilities, logits }: Partial<Weights>): void {
  if ((probabilities === undefined) === (logits === undefined))
    throw new ArgumentError(`${what}: give either probabilities or logits`);
}
