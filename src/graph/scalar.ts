/**
 * The scalar instructions every code generator has. An op's `expand` is written against this interface, generic in the
 * value type, so the same text emits loop IR, runs on numbers (to measure ulp), or prints.
 */

/** Registers hold these; storage dtypes convert on load and store (f16 and bf16 to f32, i8 and u8 to i32). */
export type ScalarDType = "f32" | "f64" | "i32" | "u32" | "bool";

/** `round` is to nearest, ties to even. `not` inverts bool, or the bits of an integer. */
export type UnaryOperator = "neg" | "abs" | "sqrt" | "floor" | "ceil" | "trunc" | "round" | "not";

/**
 * `min` and `max` return NaN if either is NaN and order −0 below +0. Integer arithmetic wraps; `div` of integers truncates
 * and gives 0 for a zero divisor, `remainder` (integers only) then gives 0. `shiftRight` copies the sign for i32, not u32;
 * shift counts are taken modulo 32. `and`, `or`, `xor` work on bool and on integer bits. `scale` (f32) is a · 2ᵇ, rounded once,
 * for a whole b of at most 252 in magnitude and |a| from 2⁻²⁵ to 2²⁵ (or NaN); for others it is not defined.
 */
export type BinaryOperator =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "remainder"
  | "min"
  | "max"
  | "and"
  | "or"
  | "xor"
  | "shiftLeft"
  | "shiftRight"
  | "scale";

/** Give bool. With NaN all are false but `notEqual`. */
export type CompareOperator = "equal" | "notEqual" | "less" | "lessEqual" | "greater" | "greaterEqual";

export interface ScalarBuilder<V> {
  /** Whether `mulAdd` rounds once: which of two orders of arithmetic is the more exact can depend on it. */
  readonly fuses: boolean;
  /** Whether `scale` is one instruction: elsewhere a whole number added to the exponent's bits is cheaper. */
  readonly scales: boolean;
  constant(dtype: ScalarDType, value: number): V;
  dtypeOf(x: V): ScalarDType;
  unary(operator: UnaryOperator, x: V): V;
  binary(operator: BinaryOperator, a: V, b: V): V;
  compare(operator: CompareOperator, a: V, b: V): V;
  /** a × b + c: fused on targets whose arithmetic fuses, two roundings on the others. */
  mulAdd(a: V, b: V, c: V): V;
  select(condition: V, whenTrue: V, whenFalse: V): V;
  /** Float to integer truncates, saturates, and makes NaN 0; integer to integer keeps the low bits; to bool is ≠ 0. */
  convert(dtype: ScalarDType, x: V): V;
  /** The same bits under another dtype of the same width. */
  bitcast(dtype: ScalarDType, x: V): V;
  /**
   * An index that surely lies in 0 … size − 1: clamped, and reported to the status word when it did not.
   * `size` is the size of the axis it will index.
   */
  checkIndex(x: V, size: import("../base/size.ts").Size): V;
  /** x itself, reported to the status word when `condition` is false. */
  check(condition: V, x: V): V;
}
