/** Instructions for one element: f32 and f64 as themselves, i32, u32 and bool (0 or 1) as i32. */
import { InternalError } from "../../base/errors.ts";
import type { BinaryOperator, CompareOperator, ScalarDType, UnaryOperator } from "../../graph/scalar.ts";
import type { Emitter, Push } from "./emitter.ts";
import type { PlainOp } from "./opcodes.ts";

export function pushConstant(e: Emitter, dtype: ScalarDType, value: number): void {
  if (dtype === "f32") e.code.f32(value);
  else if (dtype === "f64") e.code.f64(value);
  else e.code.i32(dtype === "bool" ? (value ? 1 : 0) : value);
}

export const missing = (operator: string, dtype: ScalarDType): InternalError =>
  new InternalError(`${operator} of ${dtype} has no instruction`);

const floatUnary = {
  neg: "neg",
  abs: "abs",
  sqrt: "sqrt",
  floor: "floor",
  ceil: "ceil",
  trunc: "trunc",
  round: "nearest",
} as const;

export function pushUnary(e: Emitter, operator: UnaryOperator, dtype: ScalarDType, x: Push): void {
  const { code } = e;
  if (dtype === "f32" || dtype === "f64") {
    if (operator === "not") throw missing(operator, dtype);
    x();
    return code.op(`${dtype}.${floatUnary[operator]}`);
  }
  if (operator === "sqrt") throw missing(operator, dtype);
  if (operator === "not") {
    x();
    if (dtype === "bool") return code.op("i32.eqz");
    code.i32(-1);
    return code.op("i32.xor");
  }
  if (operator === "neg" && dtype !== "bool") {
    code.i32(0);
    x();
    return code.op("i32.sub");
  }
  if (operator === "abs" && dtype === "i32") {
    x();
    e.code.i32(0);
    x();
    code.op("i32.sub");
    x();
    code.i32(0);
    code.op("i32.ge_s");
    return code.op("select");
  }
  x();
}

const integerBinary: Partial<Record<BinaryOperator, PlainOp>> = {
  add: "i32.add",
  sub: "i32.sub",
  mul: "i32.mul",
  and: "i32.and",
  or: "i32.or",
  xor: "i32.xor",
  shiftLeft: "i32.shl",
};

/** What arithmetic on 0 and 1 comes to when the result is "is it not 0". */
export const boolBinary: Partial<Record<BinaryOperator, "and" | "or" | "xor">> = {
  add: "or",
  sub: "xor",
  mul: "and",
  min: "and",
  max: "or",
  and: "and",
  or: "or",
  xor: "xor",
};

export function pushBinary(e: Emitter, operator: BinaryOperator, dtype: ScalarDType, a: Push, b: Push): void {
  const { code } = e;
  const apply = (op: PlainOp): void => {
    a();
    b();
    code.op(op);
  };
  if (operator === "scale" && dtype === "f32") return pushScaled(e, a, b);
  if (dtype === "f32" || dtype === "f64") {
    if (!isFloatBinary(operator)) throw missing(operator, dtype);
    return apply(`${dtype}.${operator}`);
  }
  if (dtype === "bool") {
    const op = boolBinary[operator];
    if (op === undefined) throw missing(operator, dtype);
    return apply(`i32.${op}`);
  }
  const plain = integerBinary[operator];
  if (plain !== undefined) return apply(plain);
  const sign = dtype === "i32" ? "s" : "u";
  if (operator === "shiftRight") return apply(`i32.shr_${sign}`);
  if (operator === "div" || operator === "remainder") return pushDivision(e, operator, dtype, a, b);
  a();
  b();
  apply(operator === "min" ? `i32.lt_${sign}` : `i32.gt_${sign}`);
  code.op("select");
}

const isFloatBinary = (operator: BinaryOperator): operator is "add" | "sub" | "mul" | "div" | "min" | "max" =>
  ["add", "sub", "mul", "div", "min", "max"].includes(operator);

/** a · 2ᵇ as two products by powers made of halves of b, neither of which rounds on the way. */
function pushScaled({ code }: Emitter, a: Push, b: Push): void {
  const half = (): void => {
    b();
    code.op("i32.trunc_sat_f32_s");
    code.i32(1);
    code.op("i32.shr_s");
  };
  const timesPower = (exponent: Push): void => {
    exponent();
    code.i32(127);
    code.op("i32.add");
    code.i32(23);
    code.op("i32.shl");
    code.op("f32.reinterpret_i32");
    code.op("f32.mul");
  };
  a();
  timesPower(half);
  timesPower(() => {
    b();
    code.op("i32.trunc_sat_f32_s");
    half();
    code.op("i32.sub");
  });
}

/** The instructions trap at a zero divisor, and `div_s` at the smallest number by −1. */
function pushDivision(
  e: Emitter,
  operator: "div" | "remainder",
  dtype: "i32" | "u32",
  a: Push,
  b: Push,
): void {
  const { code } = e;
  const signedDivision = operator === "div" && dtype === "i32";
  const sign = dtype === "i32" ? "s" : "u";
  b();
  if (signedDivision) {
    code.i32(1);
    code.op("i32.add");
    code.i32(1);
    code.op("i32.gt_u");
  }
  code.ifElse(
    "i32",
    () => {
      a();
      b();
      code.op(operator === "div" ? `i32.div_${sign}` : `i32.rem_${sign}`);
    },
    () => {
      if (!signedDivision) return code.i32(0);
      // By 0: 0. By −1: all bits of b, so −a remains.
      code.i32(0);
      a();
      code.op("i32.sub");
      b();
      code.op("i32.and");
    },
  );
}

export const compareNames = {
  equal: "eq",
  notEqual: "ne",
  less: "lt",
  lessEqual: "le",
  greater: "gt",
  greaterEqual: "ge",
} as const satisfies Record<CompareOperator, string>;

export function pushCompare(
  e: Emitter,
  operator: CompareOperator,
  dtype: ScalarDType,
  a: Push,
  b: Push,
): void {
  a();
  b();
  const name = compareNames[operator];
  if (dtype === "f32" || dtype === "f64") e.code.op(`${dtype}.${name}`);
  else if (name === "eq" || name === "ne") e.code.op(`i32.${name}`);
  else e.code.op(dtype === "i32" ? `i32.${name}_s` : `i32.${name}_u`);
}

export function pushMulAdd(e: Emitter, dtype: ScalarDType, a: Push, b: Push, c: Push): void {
  if (e.options.fused && (dtype === "f32" || dtype === "f64")) {
    // There is no scalar fused instruction: one lane of the vector's.
    const shape = dtype === "f32" ? "f32x4" : "f64x2";
    for (const operand of [a, b, c]) {
      operand();
      e.code.op(`${shape}.splat`);
    }
    e.code.op(`${shape}.relaxed_madd`);
    return e.code.lane(`${shape}.extract_lane`, 0);
  }
  pushBinary(e, "add", dtype, () => pushBinary(e, "mul", dtype, a, b), c);
}

export function pushSelect(e: Emitter, condition: Push, a: Push, b: Push): void {
  a();
  b();
  condition();
  e.code.op("select");
}

export function pushConvert(e: Emitter, from: ScalarDType, to: ScalarDType, x: Push): void {
  const { code } = e;
  if (to === "bool" && from !== "bool") {
    x();
    pushConstant(e, from, 0);
    return code.op(from === "f32" || from === "f64" ? `${from}.ne` : "i32.ne");
  }
  x();
  if (from === to) return;
  if (from === "f32" || from === "f64") {
    if (to === "f64") code.op("f64.promote_f32");
    else if (to === "f32") code.op("f32.demote_f64");
    else code.op(to === "i32" ? `i32.trunc_sat_${from}_s` : `i32.trunc_sat_${from}_u`);
  } else if (to === "f32" || to === "f64") {
    code.op(from === "i32" ? `${to}.convert_i32_s` : `${to}.convert_i32_u`);
  }
}

export function pushBitcast(e: Emitter, from: ScalarDType, to: ScalarDType, x: Push): void {
  x();
  if (from === "f64" || to === "f64") {
    if (from !== to) throw missing(`bitcast to ${to}`, from);
  } else if (from === "f32" && to !== "f32") e.code.op("i32.reinterpret_f32");
  else if (to === "f32" && from !== "f32") e.code.op("f32.reinterpret_i32");
}
