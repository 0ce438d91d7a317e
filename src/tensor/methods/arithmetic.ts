/** Arithmetic with another operand. Shapes broadcast as NumPy's, dtypes promote as PyTorch's; plain numbers never widen. */
import type { DType } from "../../base/dtype.ts";
import type { Broadcast, TensorShape } from "../../base/shape-types.ts";
import type { FloatOf } from "../../base/types/dtype.ts";
import type { Node } from "../../graph/node.ts";
import { add, div, mul, sub } from "../../ops/index.ts";
import { floatOperands, operands } from "../elementwise.ts";
import type { Tensor } from "../tensor.ts";
import type { Elementwise, OperandCheck, PromoteOperand, ShapeOf, TensorLike, TensorOf } from "../types.ts";

export interface ArithmeticMethods {
  /** `x + other`. @example tensor([1, 2]).add(10) // 11, 12 */
  add<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"add", S, D, O>,
  ): Elementwise<S, D, O>;
  /** `x − other`. @example tensor([1, 2]).sub(1) // 0, 1 */
  sub<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"sub", S, D, O>,
  ): Elementwise<S, D, O>;
  /** `x × other`, element by element; `matmul` is the matrix product. @example tensor([1, 2]).mul([3, 4]) // 3, 8 */
  mul<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"mul", S, D, O>,
  ): Elementwise<S, D, O>;
  /** `x ÷ other`; integers give f32. @example tensor([1, 2]).div(2) // 0.5, 1 */
  div<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"div", S, D, O>,
  ): TensorOf<Broadcast<S, ShapeOf<O>>, FloatOf<PromoteOperand<D, O>>>;
}

type Binary = (a: Node, b: Node) => Node;
const binary =
  (what: string, op: Binary) =>
  (x: Node, other: TensorLike): Node =>
    op(...operands(what, x, other));

export const arithmetic = {
  add: binary("add", add),
  sub: binary("sub", sub),
  mul: binary("mul", mul),
  div: (x: Node, other: TensorLike): Node => div(...floatOperands("div", x, other)),
};
