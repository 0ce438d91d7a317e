/** Arithmetic with another operand. Shapes broadcast as NumPy's, dtypes promote as PyTorch's; plain numbers never widen. */
import type { DType } from "../../base/dtype.ts";
import type { Broadcast, TensorShape } from "../../base/shape-types.ts";
import type { FloatOf } from "../../base/types/dtype.ts";
import type { Node } from "../../graph/node.ts";
import { add, div, maximum, minimum, mul, pow, remainder, sub } from "../../ops/index.ts";
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
  /** Limited to low … high. @example tensor([-1, 0.5, 2]).clip(0, 1) // [0, 0.5, 1] */
  clip<S extends TensorShape, D extends DType>(this: Tensor<S, D>, low: number, high: number): Tensor<S, D>;
}

type Binary = (a: Node, b: Node) => Node;
const binary =
  (what: string, op: Binary) =>
  (x: Node, other: TensorLike): Node =>
    op(...operands(what, x, other));

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
  clip: (x: Node, low: number, high: number): Node =>
    minimum(...operands("clip", maximum(...operands("clip", x, low)), high)),
};
