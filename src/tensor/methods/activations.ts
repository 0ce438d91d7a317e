/** Activations and softmax as methods: compositions that fusion makes fast, stable at any size of input. */
import type { DType } from "../../base/dtype.ts";
import type { TensorShape } from "../../base/shape-types.ts";
import type { FloatOf } from "../../base/types/dtype.ts";
import type { Node } from "../../graph/node.ts";
import type { Gate } from "../../ops/index.ts";
import * as ops from "../../ops/index.ts";
import { toNode } from "../convert.ts";
import { asFloat } from "../elementwise.ts";
import type { Tensor } from "../tensor.ts";
import type { TensorLike, TensorOf } from "../types.ts";

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
  /** x where x > 0, else `slope` · x. @example tensor([-2, 3]).leakyRelu(0.1) // [-0.2, 3] */
  leakyRelu<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    slope?: number,
  ): TensorOf<S, FloatOf<D>>;
  /** x where x > 0, else `slope` · x with a tensor that broadcasts to x. @example tensor([-2, 3]).prelu(tensor([0.5, 0.5])) // [-1, 3] */
  prelu<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    slope: TensorLike,
  ): TensorOf<S, FloatOf<D>>;
  /** min(max(x, 0), 6). @example tensor([-1, 3, 9]).relu6() // [0, 3, 6] */
  relu6<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** x within [low, high], else the nearer end; ±1 when left out. @example tensor([-3, 0.5, 2]).hardTanh() // [-1, 0.5, 1] */
  hardTanh<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    options?: { readonly low?: number; readonly high?: number },
  ): TensorOf<S, FloatOf<D>>;
  /** x/6 + 1/2 within [0, 1]. @example tensor([-3, 0, 4]).hardSigmoid() // [0, 0.5, 1] */
  hardSigmoid<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** x · hardSigmoid(x). @example tensor([-4, 0, 4]).hardSwish() // [0, 0, 4] */
  hardSwish<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** x where x > 0, else `alpha` · (eˣ − 1). @example tensor([-100, 2]).elu() // [-1, 2] */
  elu<S extends TensorShape, D extends DType>(this: Tensor<S, D>, alpha?: number): TensorOf<S, FloatOf<D>>;
  /** x where x > 0, else `alpha` · (e^(x/alpha) − 1). @example tensor([-100, 2]).celu(0.5) // [-0.5, 2] */
  celu<S extends TensorShape, D extends DType>(this: Tensor<S, D>, alpha?: number): TensorOf<S, FloatOf<D>>;
  /** elu scaled so that mean 0 and variance 1 are kept. @example tensor([0]).selu() // [0] */
  selu<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** x · tanh(softplus(x)). @example tensor([0]).mish() // [0] */
  mish<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** x / (1 + |x|). @example tensor([-1, 3]).softsign() // [-0.5, 0.75] */
  softsign<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** log sigmoid(x). @example tensor([-400]).logSigmoid() // [-400] */
  logSigmoid<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** x − tanh(x). @example tensor([0]).tanhShrink() // [0] */
  tanhShrink<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** x moved towards 0 by `lambda`, 0.5 when left out. @example tensor([-2, 0.2, 1]).softShrink() // [-1.5, 0, 0.5] */
  softShrink<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    lambda?: number,
  ): TensorOf<S, FloatOf<D>>;
  /** 0 where |x| ≤ `lambda`, 0.5 when left out. @example tensor([-2, 0.2, 1]).hardShrink() // [-2, 0, 1] */
  hardShrink<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    lambda?: number,
  ): TensorOf<S, FloatOf<D>>;
  /**
   * The first half along an axis, the last when left out, times the gate of the second: `sigmoid`, or `silu`, `gelu`, `relu`,
   * `tanh`, `none` (SwiGLU, GEGLU, ReGLU …).
   *
   * @throws ShapeError when the axis has no even size
   * @example tensor([3, 5, 0, 400]).glu() // [1.5, 5]
   */
  glu<D extends DType>(
    this: Tensor<any, D>,
    options?: { readonly axis?: number; readonly gate?: Gate },
  ): Tensor<any, FloatOf<D>>;
  /** softmax(−x) along an axis, the last when left out. @example tensor([7, 7]).softmin() // [0.5, 0.5] */
  softmin<S extends TensorShape, D extends DType>(this: Tensor<S, D>, axis?: number): TensorOf<S, FloatOf<D>>;
  /** eˣ / Σ eˣ along an axis, the last when left out. @example tensor([0, 0]).softmax() // [0.5, 0.5] */
  softmax<S extends TensorShape, D extends DType>(this: Tensor<S, D>, axis?: number): TensorOf<S, FloatOf<D>>;
  /** x − log Σ eˣ along an axis, the last when left out. @example tensor([5]).logSoftmax() // [0] */
  logSoftmax<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    axis?: number,
  ): TensorOf<S, FloatOf<D>>;
  /**
   * The nearest point of the simplex along an axis, the last when left out: max(x − τ, 0) of sum 1, with exact zeros. Martins and
   * Astudillo, "From softmax to sparsemax", ICML 2016.
   *
   * @example tensor([0, 0.5, -3]).sparsemax() // [0.25, 0.75, 0]
   */
  sparsemax<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    axis?: number,
  ): TensorOf<S, FloatOf<D>>;
  /**
   * max(x/2 − τ, 0)² of sum 1 along an axis, the last when left out: between softmax and sparsemax. Peters, Niculae and Martins,
   * "Sparse sequence-to-sequence models", ACL 2019.
   *
   * @example tensor([7, 0]).entmax15() // [1, 0]
   */
  entmax15<S extends TensorShape, D extends DType>(
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
  leakyRelu: (x: Node, slope = 0.01): Node => ops.leakyRelu(asFloat(x), slope),
  prelu: (x: Node, slope: TensorLike): Node => {
    const own = asFloat(x);
    return ops.parametricRelu(own, ops.broadcastTo(toNode(slope, own.dtype, "prelu"), own.shape));
  },
  relu6: real(ops.relu6),
  hardTanh: (x: Node, { low = -1, high = 1 }: { low?: number; high?: number } = {}): Node =>
    ops.hardTanh(asFloat(x), low, high),
  hardSigmoid: real(ops.hardSigmoid),
  hardSwish: real(ops.hardSwish),
  elu: (x: Node, alpha = 1): Node => ops.elu(asFloat(x), alpha),
  celu: (x: Node, alpha = 1): Node => ops.celu(asFloat(x), alpha),
  selu: real(ops.selu),
  mish: real(ops.mish),
  softsign: real(ops.softsign),
  logSigmoid: real(ops.logSigmoid),
  tanhShrink: real(ops.tanhShrink),
  softShrink: (x: Node, lambda = 0.5): Node => ops.softShrink(asFloat(x), lambda),
  hardShrink: (x: Node, lambda = 0.5): Node => ops.hardShrink(asFloat(x), lambda),
  glu: (x: Node, { axis = -1, gate = "sigmoid" }: { axis?: number; gate?: ops.Gate } = {}): Node =>
    ops.glu(asFloat(x), axis, gate),
  softmin: (x: Node, axis = -1): Node => ops.softmax(ops.neg(asFloat(x)), axis),
  softmax: (x: Node, axis = -1): Node => ops.softmax(asFloat(x), axis),
  logSoftmax: (x: Node, axis = -1): Node => ops.logSoftmax(asFloat(x), axis),
  sparsemax: (x: Node, axis = -1): Node => ops.sparsemax(asFloat(x), axis),
  entmax15: (x: Node, axis = -1): Node => ops.entmax15(asFloat(x), axis),
};
