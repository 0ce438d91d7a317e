/** Methods of one element at a time. Functions of the reals take integers too, and give f32 for them. */
import { type DType, isFloat } from "../../base/dtype.ts";
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
  /** ln |Γ(x)|, the logarithm of the gamma function. @example tensor([Infinity]).lgamma() // [Infinity] */
  lgamma<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** Γ′(x)/Γ(x), the slope of `lgamma`. @example tensor([Infinity]).digamma() // [Infinity] */
  digamma<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** 2ˣ, exact at whole numbers. @example tensor([3]).exp2() // [8] */
  exp2<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** The logarithm to the base 2, exact at powers of two. @example tensor([8]).log2() // [3] */
  log2<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** The logarithm to the base 10. @example tensor([1000]).log10() // [3] */
  log10<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** The cube root, of negative numbers too. @example tensor([-8]).cbrt() // [-2] */
  cbrt<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** tan x, x in radians. @example tensor([0]).tan() // [0] */
  tan<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** The angle in −π/2 … π/2 whose sine is x; NaN outside −1 … 1. @example tensor([0]).asin() // [0] */
  asin<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** The angle in 0 … π whose cosine is x; NaN outside −1 … 1. @example tensor([1]).acos() // [0] */
  acos<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** The angle in −π/2 … π/2 whose tangent is x. @example tensor([0]).atan() // [0] */
  atan<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** (eˣ − e⁻ˣ)/2. @example tensor([0]).sinh() // [0] */
  sinh<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** (eˣ + e⁻ˣ)/2. @example tensor([0]).cosh() // [1] */
  cosh<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** The inverse of sinh. @example tensor([0]).asinh() // [0] */
  asinh<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** The inverse of cosh; NaN below 1. @example tensor([1]).acosh() // [0] */
  acosh<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** The inverse of tanh; NaN outside −1 … 1. @example tensor([0]).atanh() // [0] */
  atanh<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** 1 − erf x, without cancellation for large x. @example tensor([0]).erfc() // [1] */
  erfc<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
  /** The inverse of erf: ±Infinity at ±1, NaN beyond. @example tensor([0, 1]).erfinv() // [0, Infinity] */
  erfinv<S extends TensorShape, D extends DType>(this: Tensor<S, D>): TensorOf<S, FloatOf<D>>;
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
  /** Whether x is Infinity or −Infinity. @example tensor([Infinity, 1]).isInfinite() // [true, false] */
  isInfinite<S extends TensorShape>(this: Tensor<S, any>): Tensor<S, "bool">;
  /**
   * NaN replaced by `nan` (0 when left out), infinities by `positiveInfinity` and `negativeInfinity` (the largest finite
   * numbers of the dtype when left out). Integers pass unchanged. What is replaced gets gradient 0.
   *
   * @example tensor([NaN, 1]).nanToNum() // [0, 1]
   */
  nanToNum<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    options?: {
      readonly nan?: number;
      readonly positiveInfinity?: number;
      readonly negativeInfinity?: number;
    },
  ): Tensor<S, D>;
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

interface Replacements {
  readonly nan?: number;
  readonly positiveInfinity?: number;
  readonly negativeInfinity?: number;
}

const largestFinite: Partial<Record<DType, number>> = {
  f16: 65504,
  bf16: 2 ** 128 - 2 ** 120,
  f64: Number.MAX_VALUE,
};

function nanToNum(x: Node, { nan = 0, ...options }: Replacements = {}): Node {
  if (!isFloat(x.dtype)) return x;
  const largest = largestFinite[x.dtype] ?? 2 ** 128 - 2 ** 104;
  const { positiveInfinity = largest, negativeInfinity = -largest } = options;
  return ops.nanToNum(x, nan, positiveInfinity, negativeInfinity);
}

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
  lgamma: real(ops.lgamma),
  digamma: real(ops.digamma),
  exp2: real(ops.exp2),
  log2: real(ops.log2),
  log10: real(ops.log10),
  cbrt: real(ops.cbrt),
  tan: real(ops.tan),
  asin: real(ops.asin),
  acos: real(ops.acos),
  atan: real(ops.atan),
  sinh: real(ops.sinh),
  cosh: real(ops.cosh),
  asinh: real(ops.asinh),
  acosh: real(ops.acosh),
  atanh: real(ops.atanh),
  erfc: real(ops.erfc),
  erfinv: real(ops.erfinv),
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
  isInfinite: real(ops.isInfinite),
  nanToNum,
};
