/**
 * Runs an expansion on one number, every instruction rounded to its dtype: the definition of functions whose bits must be the
 * same everywhere is their own instructions.
 */
import { castFloat, roundTo } from "../../base/dtype.ts";
import { InternalError } from "../../base/errors.ts";
import type {
  BinaryOperator,
  CompareOperator,
  ScalarBuilder,
  ScalarDType,
  UnaryOperator,
} from "../../graph/scalar.ts";

export interface Scalar {
  readonly dtype: ScalarDType;
  readonly value: number;
}

const isFloat = (dtype: ScalarDType): boolean => dtype === "f32" || dtype === "f64";

function roundHalfEven(x: number): number {
  const near = Math.round(x);
  return Math.abs(near - x) === 0.5 && near % 2 !== 0 ? near - 1 : near;
}

const unaries: Record<UnaryOperator, (x: number, dtype: ScalarDType) => number> = {
  neg: (x) => -x,
  abs: Math.abs,
  sqrt: Math.sqrt,
  floor: Math.floor,
  ceil: Math.ceil,
  trunc: Math.trunc,
  round: roundHalfEven,
  not: (x, dtype) => (dtype === "bool" ? 1 - x : ~x),
};

const binaries: Record<BinaryOperator, (a: number, b: number, dtype: ScalarDType) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b, dtype) => (isFloat(dtype) ? a * b : Math.imul(a, b)),
  div: (a, b, dtype) => (isFloat(dtype) ? a / b : b === 0 ? 0 : Math.trunc(a / b)),
  remainder: (a, b) => (b === 0 ? 0 : a % b),
  min: (a, b) => Math.min(a, b),
  max: (a, b) => Math.max(a, b),
  and: (a, b) => a & b,
  or: (a, b) => a | b,
  xor: (a, b) => a ^ b,
  shiftLeft: (a, b) => a << b,
  shiftRight: (a, b, dtype) => (dtype === "u32" ? a >>> b : a >> b),
  scale: (a, b) => a * 2 ** b,
};

const compares: Record<CompareOperator, (a: number, b: number) => boolean> = {
  equal: (a, b) => a === b,
  notEqual: (a, b) => a !== b,
  less: (a, b) => a < b,
  lessEqual: (a, b) => a <= b,
  greater: (a, b) => a > b,
  greaterEqual: (a, b) => a >= b,
};

const bits = new DataView(new ArrayBuffer(4));
const readBits: Partial<Record<ScalarDType, () => number>> = {
  f32: () => bits.getFloat32(0),
  i32: () => bits.getInt32(0),
  u32: () => bits.getUint32(0),
};
const writeBits: Partial<Record<ScalarDType, (value: number) => void>> = {
  f32: (value) => bits.setFloat32(0, value),
  i32: (value) => bits.setInt32(0, value),
  u32: (value) => bits.setUint32(0, value),
};

const scalar = (dtype: ScalarDType, value: number): Scalar => ({ dtype, value: roundTo(dtype, value) });

export const numberBuilder: ScalarBuilder<Scalar> = {
  fuses: false,
  scales: false,
  constant: scalar,
  dtypeOf: ({ dtype }) => dtype,
  unary: (operator, { dtype, value }) => scalar(dtype, unaries[operator](value, dtype)),
  binary: (operator, a, b) => scalar(a.dtype, binaries[operator](a.value, b.value, a.dtype)),
  compare: (operator, a, b) => ({ dtype: "bool", value: Number(compares[operator](a.value, b.value)) }),
  mulAdd: () => {
    throw new InternalError("mulAdd rounds once or twice: its bits differ between targets");
  },
  select: (condition, whenTrue, whenFalse) => (condition.value ? whenTrue : whenFalse),
  convert: (dtype, x) => ({
    dtype,
    value: isFloat(x.dtype) ? castFloat(dtype, x.value) : roundTo(dtype, x.value),
  }),
  bitcast(dtype, x) {
    writeBits[x.dtype]!(x.value);
    return { dtype, value: readBits[dtype]!() };
  },
  checkIndex: (x) => x,
  check: (_condition, x) => x,
};
