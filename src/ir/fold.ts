/** Constant folding of scalar instructions: the meaning of each operator on numbers, rounded as its dtype rounds. */
import { castFloat, isFloat, roundTo } from "../base/dtype.ts";
import type { BinaryOperator, CompareOperator, ScalarDType, UnaryOperator } from "../graph/scalar.ts";
import type { Value } from "./kernel.ts";

export const unaryMeaning: Record<UnaryOperator, (x: number, dtype: ScalarDType) => number> = {
  neg: (x) => -x,
  abs: Math.abs,
  sqrt: Math.sqrt,
  floor: Math.floor,
  ceil: Math.ceil,
  trunc: Math.trunc,
  round: roundHalfEven,
  not: (x, dtype) => (dtype === "bool" ? 1 - x : ~x),
};

export const binaryMeaning: Record<BinaryOperator, (a: number, b: number, dtype: ScalarDType) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b, dtype) => (dtype === "i32" || dtype === "u32" ? Math.imul(a, b) : a * b),
  div: (a, b, dtype) => (dtype === "i32" || dtype === "u32" ? (b === 0 ? 0 : Math.trunc(a / b)) : a / b),
  remainder: (a, b) => (b === 0 ? 0 : a % b),
  min: (a, b) => Math.min(a, b),
  max: (a, b) => Math.max(a, b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shiftLeft: (a, b) => a << (b & 31),
  shiftRight: (a, b, dtype) => (dtype === "u32" ? a >>> (b & 31) : a >> (b & 31)),
  scale: (a, b) => a * 2 ** b,
};

export const compareMeaning: Record<CompareOperator, (a: number, b: number) => boolean> = {
  equal: (a, b) => a === b,
  notEqual: (a, b) => a !== b,
  less: (a, b) => a < b,
  lessEqual: (a, b) => a <= b,
  greater: (a, b) => a > b,
  greaterEqual: (a, b) => a >= b,
};

export const convertMeaning = (from: ScalarDType, to: ScalarDType, x: number): number =>
  isFloat(from) ? castFloat(to, x) : roundTo(to, x);

function roundHalfEven(x: number): number {
  if (!Number.isFinite(x) || Math.abs(x) >= 2 ** 52) return x;
  const floor = Math.floor(x);
  const rest = x - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
  return rounded === 0 && (x < 0 || Object.is(x, -0)) ? -0 : rounded;
}

export function foldUnary(operator: UnaryOperator, x: Value): number | undefined {
  return x.kind === "constant" ? roundTo(x.dtype, unaryMeaning[operator](x.value, x.dtype)) : undefined;
}

export function foldBinary(operator: BinaryOperator, a: Value, b: Value): number | undefined {
  if (a.kind !== "constant" || b.kind !== "constant") return undefined;
  return roundTo(a.dtype, binaryMeaning[operator](a.value, b.value, a.dtype));
}

export function foldCompare(operator: CompareOperator, a: Value, b: Value): number | undefined {
  if (a.kind !== "constant" || b.kind !== "constant") return undefined;
  return compareMeaning[operator](a.value, b.value) ? 1 : 0;
}

export function foldConvert(dtype: ScalarDType, x: Value): number | undefined {
  if (x.kind !== "constant") return undefined;
  return convertMeaning(x.dtype, dtype, x.value);
}
