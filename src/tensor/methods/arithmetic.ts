/** Arithmetic with another operand. Shapes broadcast as NumPy's, dtypes promote as PyTorch's; plain numbers never widen. */
import type { DType } from "../../base/dtype.ts";
import { ArgumentError } from "../../base/errors.ts";
import type { Broadcast, TensorShape } from "../../base/shape-types.ts";
import type { FloatOf } from "../../base/types/dtype.ts";
import type { Node } from "../../graph/node.ts";
import {
  add,
  atan2,
  clamp,
  div,
  fmod,
  hypot,
  lerp,
  like,
  logAddExp,
  maximum,
  minimum,
  mul,
  pow,
  remainder,
  sub,
  xlogy,
} from "../../ops/index.ts";
import { asFloat, floatOperands, operands } from "../elementwise.ts";
import type { Tensor } from "../tensor.ts";
import type { Elementwise, OperandCheck, PromoteOperand, ShapeOf, TensorLike, TensorOf } from "../types.ts";

export interface ArithmeticMethods {
  /** `x + other`. @example tensor([1, 2]).add(10) // [11, 12] */
  add<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"add", S, D, O>,
  ): Elementwise<S, D, O>;
  /** `x − other`. @example tensor([1, 2]).sub(1) // [0, 1] */
  sub<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"sub", S, D, O>,
  ): Elementwise<S, D, O>;
  /** `x × other`, element by element; `matmul` is the matrix product. @example tensor([1, 2]).mul([3, 4]) // [3, 8] */
  mul<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"mul", S, D, O>,
  ): Elementwise<S, D, O>;
  /** `x ÷ other`; integers give f32. @example tensor([1, 2]).div(2) // [0.5, 1] */
  div<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"div", S, D, O>,
  ): TensorOf<Broadcast<S, ShapeOf<O>>, FloatOf<PromoteOperand<D, O>>>;
  /** x to the power `other`; integers become f32. @example tensor([2]).pow(3) // [8] */
  pow<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"pow", S, D, O>,
  ): TensorOf<Broadcast<S, ShapeOf<O>>, FloatOf<PromoteOperand<D, O>>>;
  /** x − ⌊x / other⌋ · other, of the sign of `other`, as Python's %. @example tensor([-1]).remainder(3) // [2] */
  remainder<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"remainder", S, D, O>,
  ): Elementwise<S, D, O>;
  /** x − trunc(x / other) · other, of the sign of x, as C's fmod and JavaScript's %. @example tensor([-1]).fmod(3) // [-1] */
  fmod<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"fmod", S, D, O>,
  ): Elementwise<S, D, O>;
  /** The angle in −π … π of the point (other, x). @example tensor([0]).atan2(1) // [0] */
  atan2<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"atan2", S, D, O>,
  ): TensorOf<Broadcast<S, ShapeOf<O>>, FloatOf<PromoteOperand<D, O>>>;
  /** √(x² + other²) without overflow on the way; its gradient at (0, 0) is 0. @example tensor([3]).hypot(4) // [5] */
  hypot<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"hypot", S, D, O>,
  ): TensorOf<Broadcast<S, ShapeOf<O>>, FloatOf<PromoteOperand<D, O>>>;
  /** log(eˣ + e^other), right for numbers of any size. @example tensor([1000]).logAddExp(0) // [1000] */
  logAddExp<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"logAddExp", S, D, O>,
  ): TensorOf<Broadcast<S, ShapeOf<O>>, FloatOf<PromoteOperand<D, O>>>;
  /** x · ln other, and 0 where x is 0. @example tensor([0]).xlogy(0) // [0] */
  xlogy<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"xlogy", S, D, O>,
  ): TensorOf<Broadcast<S, ShapeOf<O>>, FloatOf<PromoteOperand<D, O>>>;
  /** x + weight · (other − x). @example tensor([1, 2]).lerp(3, 0.5) // [2, 2.5] */
  lerp<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"lerp", S, D, O>,
    weight: number,
  ): TensorOf<Broadcast<S, ShapeOf<O>>, FloatOf<PromoteOperand<D, O>>>;
  /** The larger of the two; NaN if either is. Equal ones share the gradient. @example tensor([1, 5]).maximum(3) // [3, 5] */
  maximum<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"maximum", S, D, O>,
  ): Elementwise<S, D, O>;
  /** The smaller of the two; NaN if either is. Equal ones share the gradient. @example tensor([1, 5]).minimum(3) // [1, 3] */
  minimum<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"minimum", S, D, O>,
  ): Elementwise<S, D, O>;
  /**
   * Limited to `min` … `max`, of which one may be left out; at a limit the gradient is 0. NaN stays NaN.
   *
   * @throws ArgumentError when neither is given
   * @example tensor([-1, 0.5, 2]).clamp({ min: 0, max: 1 }) // [0, 0.5, 1]
   */
  clamp<S extends TensorShape, D extends DType>(
    this: Tensor<S, D>,
    limits: { readonly min?: number; readonly max?: number },
  ): Tensor<S, D>;
  /** `clamp` with both limits. Limited to low … high. @example tensor([-1, 0.5, 2]).clip(0, 1) // [0, 0.5, 1] */
  clip<S extends TensorShape, D extends DType>(this: Tensor<S, D>, low: number, high: number): Tensor<S, D>;
}

type Binary = (a: Node, b: Node) => Node;
const binary =
  (what: string, op: Binary) =>
  (x: Node, other: TensorLike): Node =>
    op(...operands(what, x, other));

/** A function of the reals: integers become f32. */
const real =
  (what: string, op: Binary) =>
  (x: Node, other: TensorLike): Node =>
    op(...floatOperands(what, x, other));

/** Limits promote x as an operand of arithmetic would. */
function clampTo(x: Node, { min, max }: { readonly min?: number; readonly max?: number }): Node {
  if (min === undefined && max === undefined)
    throw new ArgumentError("clamp: neither min nor max is given; write clamp({ min: 0 })");
  const [value] = operands("clamp", operands("clamp", x, min ?? max!)[0], max ?? min!);
  const limit = (at: number | undefined): Node | undefined =>
    at === undefined ? undefined : like(value, at);
  return clamp(value, limit(min), limit(max));
}

/** Small whole exponents are products: exact, fast, and with a gradient at 0. */
function power(x: Node, other: TensorLike): Node {
  const float = asFloat(x);
  if (other === 1) return float;
  if (other === 2) return mul(float, float);
  if (other === 3) return mul(mul(float, float), float);
  return pow(...floatOperands("pow", float, other));
}

export const arithmetic = {
  add: binary("add", add),
  sub: binary("sub", sub),
  mul: binary("mul", mul),
  div: (x: Node, other: TensorLike): Node => div(...floatOperands("div", x, other)),
  pow: (x: Node, other: TensorLike): Node => power(x, other),
  remainder: binary("remainder", remainder),
  maximum: binary("maximum", maximum),
  minimum: binary("minimum", minimum),
  fmod: binary("fmod", fmod),
  atan2: real("atan2", atan2),
  hypot: real("hypot", hypot),
  logAddExp: real("logAddExp", logAddExp),
  xlogy: real("xlogy", xlogy),
  lerp: (x: Node, other: TensorLike, weight: number): Node => {
    const [from, to] = floatOperands("lerp", x, other);
    return lerp(from, to, like(from, weight));
  },
  clamp: clampTo,
  clip: (x: Node, low: number, high: number): Node => clampTo(x, { min: low, max: high }),
};
