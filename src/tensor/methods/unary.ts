/** Methods of one element at a time. Functions of the reals take integers too, and give f32 for them. */
import type { DType } from "../../base/dtype.ts";
import type { TensorShape } from "../../base/shape-types.ts";
import type { FloatOf } from "../../base/types/dtype.ts";
import type { Node } from "../../graph/node.ts";
import * as ops from "../../ops/index.ts";
import { asFloat } from "../elementwise.ts";
import type { Tensor } from "../tensor.ts";
import type { TensorOf } from "../types.ts";

export interface UnaryMethods {
  /** eˣ. @example tensor([0]).exp() // [1] */
  exp<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** eˣ − 1, exact near 0. @example tensor([0]).expm1() // [0] */
  expm1<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** ln x; −Infinity at 0, NaN below. @example tensor([1]).log() // [0] */
  log<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** ln(1 + x), exact near 0. @example tensor([0]).log1p() // [0] */
  log1p<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** √x; NaN below 0. @example tensor([4]).sqrt() // [2] */
  sqrt<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** 1 / √x. @example tensor([4]).rsqrt() // [0.5] */
  rsqrt<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** 1 / x. @example tensor([4]).reciprocal() // [0.25] */
  reciprocal<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** sin x, x in radians. @example tensor([0]).sin() // [0] */
  sin<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** cos x, x in radians. @example tensor([0]).cos() // [1] */
  cos<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** tanh x. @example tensor([0]).tanh() // [0] */
  tanh<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** erf x = 2/√π ∫₀ˣ e^(−t²) dt. @example tensor([0]).erf() // [0] */
  erf<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** −x. @example tensor([1, -2]).neg() // [-1, 2] */
  neg<S extends TensorShape, D extends DType>(this: Tensor<S, D>): Tensor<S, D>;
  /** |x|; its gradient at 0 is 0. @example tensor([1, -2]).abs() // [1, 2] */
  abs<S extends TensorShape, D extends DType>(this: Tensor<S, D>): Tensor<S, D>;
  /** 1, 0 or −1; 0 for NaN. @example tensor([3, -2]).sign() // [1, -1] */
  sign<S extends TensorShape, D extends DType>(this: Tensor<S, D>): Tensor<S, D>;
  /** x². @example tensor([3]).square() // [9] */
  square<S extends TensorShape, D extends DType>(this: Tensor<S, D>): Tensor<S, D>;
  /** ⌊x⌋; gradient 0. @example tensor([1.7]).floor() // [1] */
  floor<S extends TensorShape, D extends DType>(this: Tensor<S, D>): Tensor<S, D>;
  /** ⌈x⌉; gradient 0. @example tensor([1.2]).ceil() // [2] */
  ceil<S extends TensorShape, D extends DType>(this: Tensor<S, D>): Tensor<S, D>;
  /** x without its fraction; gradient 0. @example tensor([-1.7]).trunc() // [-1] */
  trunc<S extends TensorShape, D extends DType>(this: Tensor<S, D>): Tensor<S, D>;
  /** The nearest integer, halves to the even one; gradient 0. @example tensor([0.5, 1.5]).round() // [0, 2] */
  round<S extends TensorShape, D extends DType>(this: Tensor<S, D>): Tensor<S, D>;
  /** Whether x is NaN. @example tensor([NaN, 1]).isNaN() // [true, false] */
  isNaN<S extends TensorShape>(this: Tensor<S, any>): Tensor<S, "bool">;
  /** Whether x is neither NaN nor infinite. @example tensor([Infinity, 1]).isFinite() // [false, true] */
  isFinite<S extends TensorShape>(this: Tensor<S, any>): Tensor<S, "bool">;
}

type Unary = (x: Node) => Node;
/** A function of the reals: integers become f32 first. */
const real =
  (op: Unary): Unary =>
  (x) =>
    op(asFloat(x));

/** |x| < Infinity is false for NaN, which compares with nothing. */
const finite = (x: Node): Node => {
  const real = asFloat(x);
  return ops.less(ops.abs(real), ops.like(real, Infinity));
};

export const unary = {
  exp: real(ops.exp),
  expm1: real(ops.expm1),
  log: real(ops.log),
  log1p: real(ops.log1p),
  sqrt: real(ops.sqrt),
  rsqrt: real(ops.rsqrt),
  reciprocal: real((x) => ops.div(ops.like(x, 1), x)),
  sin: real(ops.sin),
  cos: real(ops.cos),
  tanh: real(ops.tanh),
  erf: real(ops.erf),
  neg: ops.neg,
  abs: ops.abs,
  sign: ops.sign,
  square: (x: Node): Node => ops.mul(x, x),
  floor: ops.floor,
  ceil: ops.ceil,
  trunc: ops.trunc,
  round: ops.round,
  isNaN: (x: Node): Node => ops.notEqual(x, x),
  isFinite: finite,
};
