/** Activations and softmax as methods: compositions that fusion makes fast, stable at any size of input. */
import type { DType } from "../../base/dtype.ts";
import type { TensorShape } from "../../base/shape-types.ts";
import type { FloatOf } from "../../base/types/dtype.ts";
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import { asFloat } from "../elementwise.ts";
import type { Tensor } from "../tensor.ts";
import type { TensorOf } from "../types.ts";

export interface ActivationMethods {
  /** max(x, 0); its gradient at 0 is 0. @example tensor([-1, 2]).relu() // [0, 2] */
  relu<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** 1 / (1 + e⁻ˣ). @example tensor([0]).sigmoid() // [0.5] */
  sigmoid<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** log(1 + eˣ), a smooth relu. @example tensor([400]).softplus() // [400] */
  softplus<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** x · sigmoid(x), also called swish. @example tensor([0]).silu() // [0] */
  silu<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** x · Φ(x) with Φ the normal distribution's; `"tanh"` approximates it. @example tensor([0]).gelu() // [0] */
  gelu<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    options?: { readonly approximate?: "none" | "tanh" },
  ): TensorOf<S, FloatOf<D>>;
  /** eˣ / Σ eˣ along an axis, the last when left out. @example tensor([0, 0]).softmax() // [0.5, 0.5] */
  softmax<S extends TensorShape, D extends DType>(this: Tensor<S, D>, axis?: number): TensorOf<S, FloatOf<D>>;
  /** x − log Σ eˣ along an axis, the last when left out. @example tensor([5]).logSoftmax() // [0] */
  logSoftmax<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    axis?: number,
  ): TensorOf<S, FloatOf<D>>;
}

const real =
  (op: (x: Node) => Node) =>
  (x: Node): Node =>
    op(asFloat(x));

export const activations = {
  relu: real(ops.relu),
  sigmoid: real(ops.sigmoid),
  softplus: real(ops.softplus),
  silu: real(ops.silu),
  gelu: (x: Node, { approximate = "none" }: { approximate?: "none" | "tanh" } = {}): Node =>
    (approximate === "tanh" ? ops.geluTanh : ops.gelu)(asFloat(x)),
  softmax: (x: Node, axis = -1): Node => ops.softmax(asFloat(x), axis),
  logSoftmax: (x: Node, axis = -1): Node => ops.logSoftmax(asFloat(x), axis),
};
