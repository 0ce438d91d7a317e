/** Comparisons, element by element, as bool (with NaN all are false but `notEqual`), and logic on bool or on bits of integers. */
import type { DType } from "../../base/dtype.ts";
import type { TensorShape } from "../../base/shape-types.ts";
import type { Node } from "../../graph/node.ts";
import {
  and,
  equal,
  greater,
  greaterEqual,
  less,
  lessEqual,
  not,
  notEqual,
  or,
  shiftLeft,
  shiftRight,
  xor,
} from "../../ops/index.ts";
import { operands } from "../elementwise.ts";
import type { Tensor } from "../tensor.ts";
import type { Comparison, Elementwise, OperandCheck, TensorLike } from "../types.ts";

export interface ComparisonMethods {
  /** `x = other`. @example tensor([1, 2]).equal(2) // [false, true] */
  equal<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"equal", S, D, O>,
  ): Comparison<S, O>;
  /** `x ≠ other`; true where either is NaN. @example tensor([1, 2]).notEqual(2) // [true, false] */
  notEqual<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"notEqual", S, D, O>,
  ): Comparison<S, O>;
  /** `x < other`. @example tensor([1, 2]).less(2) // [true, false] */
  less<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"less", S, D, O>,
  ): Comparison<S, O>;
  /** `x ≤ other`. @example tensor([1, 2]).lessEqual(1) // [true, false] */
  lessEqual<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"lessEqual", S, D, O>,
  ): Comparison<S, O>;
  /** `x > other`. @example tensor([1, 2]).greater(1) // [false, true] */
  greater<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"greater", S, D, O>,
  ): Comparison<S, O>;
  /** `x ≥ other`. @example tensor([1, 2]).greaterEqual(2) // [false, true] */
  greaterEqual<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"greaterEqual", S, D, O>,
  ): Comparison<S, O>;
  /** Both true; integers bit by bit. @example tensor([true, true]).and([true, false]) // [true, false] */
  and<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"and", S, D, O>,
  ): Elementwise<S, D, O>;
  /** Either true; integers bit by bit. @example tensor([false, true]).or(false) // [false, true] */
  or<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"or", S, D, O>,
  ): Elementwise<S, D, O>;
  /** One true but not both; integers bit by bit. @example tensor([false, true]).xor(true) // [true, false] */
  xor<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"xor", S, D, O>,
  ): Elementwise<S, D, O>;
  /** x · 2^other, integers; high bits are lost. @example tensor([3], { dtype: "i32" }).shiftLeft(2) // [12] */
  shiftLeft<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"shiftLeft", S, D, O>,
  ): Elementwise<S, D, O>;
  /** ⌊x / 2^other⌋, integers. @example tensor([13], { dtype: "i32" }).shiftRight(2) // [3] */
  shiftRight<S extends TensorShape, D extends DType, const O extends TensorLike>(
    this: Tensor<S, D>,
    other: O & OperandCheck<"shiftRight", S, D, O>,
  ): Elementwise<S, D, O>;
  /** Not true; integers with all bits inverted. @example tensor([true]).not() // [false] */
  not<S extends TensorShape, D extends DType>(this: Tensor<S, D>): Tensor<S, D>;
}

const compare =
  (what: string, op: (a: Node, b: Node) => Node) =>
  (x: Node, other: TensorLike): Node =>
    op(...operands(what, x, other));

export const comparison = {
  equal: compare("equal", equal),
  notEqual: compare("notEqual", notEqual),
  less: compare("less", less),
  lessEqual: compare("lessEqual", lessEqual),
  greater: compare("greater", greater),
  greaterEqual: compare("greaterEqual", greaterEqual),
  and: compare("and", and),
  or: compare("or", or),
  xor: compare("xor", xor),
  shiftLeft: compare("shiftLeft", shiftLeft),
  shiftRight: compare("shiftRight", shiftRight),
  not,
};
