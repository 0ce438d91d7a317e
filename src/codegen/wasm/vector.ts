/**
 * Instructions for four lanes: f32, i32 and u32 in one vector, f64 in two, bool as a mask of 32-bit lanes. Every
 * function takes and gives one `Push` for each vector.
 */
import type { BinaryOperator, CompareOperator, ScalarDType, UnaryOperator } from "../../graph/scalar.ts";
import type { Emitter, Push } from "./emitter.ts";
import type { PlainOp } from "./opcodes.ts";
import { boolBinary, compareNames, missing } from "./scalar.ts";

export type Vectors = readonly Push[];

const after =
  (e: Emitter, op: PlainOp, ...operands: Push[]): Push =>
  () => {
    for (const operand of operands) operand();
    e.code.op(op);
  };

const shuffled =
  (e: Emitter, a: Push, b: Push, lanes: readonly number[]): Push =>
  () => {
    a();
    b();
    e.code.shuffle(lanes);
  };

export const words = (...indices: number[]): number[] =>
  indices.flatMap((w) => [4 * w, 4 * w + 1, 4 * w + 2, 4 * w + 3]);
/** The even words of two vectors: 64-bit lanes cut to 32. */
const evenWords = words(0, 2, 4, 6);
/** The low halves of two vectors. */
const lowHalves = words(0, 1, 4, 5);
const highHalf = words(2, 3, 2, 3);
export const reversedWords = words(3, 2, 1, 0);

const shapeOf = (dtype: "f32" | "f64"): "f32x4" | "f64x2" => (dtype === "f32" ? "f32x4" : "f64x2");

/** The mask of bool lanes for each vector of `dtype`. */
export function masks(e: Emitter, condition: Push, dtype: ScalarDType): Vectors {
  if (dtype !== "f64") return [condition];
  return [after(e, "i64x2.extend_low_i32x4_s", condition), after(e, "i64x2.extend_high_i32x4_s", condition)];
}

export function vectorUnary(e: Emitter, operator: UnaryOperator, dtype: ScalarDType, x: Vectors): Vectors {
  if (dtype === "f32" || dtype === "f64") {
    if (operator === "not") throw missing(operator, dtype);
    const name = operator === "round" ? "nearest" : operator;
    return x.map((part) => after(e, `${shapeOf(dtype)}.${name}`, part));
  }
  if (operator === "sqrt") throw missing(operator, dtype);
  if (operator === "not") return [after(e, "v128.not", x[0]!)];
  if (operator === "neg" && dtype !== "bool") return [after(e, "i32x4.neg", x[0]!)];
  if (operator === "abs" && dtype === "i32") return [after(e, "i32x4.abs", x[0]!)];
  return x;
}

/** Values of operands that are constants: cheaper instructions may do. */
export interface KnownConstants {
  readonly a: number | undefined;
  readonly b: number | undefined;
}

export function vectorBinary(
  e: Emitter,
  operator: BinaryOperator,
  dtype: ScalarDType,
  a: Vectors,
  b: Vectors,
  known: KnownConstants = { a: undefined, b: undefined },
): Vectors {
  if (dtype === "f32" || dtype === "f64") return floatBinary(e, operator, dtype, a, b, known);
  const [x, y] = [a[0]!, b[0]!];
  if (dtype === "bool") {
    const op = boolBinary[operator];
    if (op === undefined) throw missing(operator, dtype);
    return [after(e, `v128.${op}`, x, y)];
  }
  const sign = dtype === "i32" ? "s" : "u";
  switch (operator) {
    case "add":
    case "sub":
    case "mul":
      return [after(e, `i32x4.${operator}`, x, y)];
    case "and":
    case "or":
    case "xor":
      return [after(e, `v128.${operator}`, x, y)];
    case "min":
    case "max":
      return [after(e, `i32x4.${operator}_${sign}`, x, y)];
    case "div":
      return [() => division(e, dtype, x, y, known.b)];
    case "remainder":
      return [() => remainder(e, dtype, x, y, known.b)];
    case "shiftLeft":
    case "shiftRight":
      return [() => shiftByLanes(e, operator === "shiftLeft" ? "i32.shl" : `i32.shr_${sign}`, x, y)];
    default:
      throw missing(operator, dtype);
  }
}

function floatBinary(
  e: Emitter,
  operator: BinaryOperator,
  dtype: "f32" | "f64",
  a: Vectors,
  b: Vectors,
  known: KnownConstants,
): Vectors {
  const shape = shapeOf(dtype);
  if (operator === "min" || operator === "max") {
    if (known.a !== undefined && known.b === undefined)
      return floatBinary(e, operator, dtype, b, a, { a: undefined, b: known.a });
    return a.map((part, i) => extreme(e, operator, shape, part, b[i]!, known.b));
  }
  if (operator === "scale" && dtype === "f32") return [() => scaled(e, a[0]!, b[0]!)];
  if (operator !== "add" && operator !== "sub" && operator !== "mul" && operator !== "div")
    throw missing(operator, dtype);
  return a.map((part, i) => after(e, `${shape}.${operator}`, part, b[i]!));
}

/** a · 2ᵇ as two products by powers made of halves of b, neither of which rounds on the way. */
function scaled({ code }: Emitter, a: Push, b: Push): void {
  const half = (): void => {
    b();
    code.op("i32x4.trunc_sat_f32x4_s");
    code.i32(1);
    code.op("i32x4.shr_s");
  };
  const timesPower = (exponent: Push): void => {
    exponent();
    code.i32(127);
    code.op("i32x4.splat");
    code.op("i32x4.add");
    code.i32(23);
    code.op("i32x4.shl");
    code.op("f32x4.mul");
  };
  a();
  timesPower(half);
  timesPower(() => {
    b();
    code.op("i32x4.trunc_sat_f32x4_s");
    half();
    code.op("i32x4.sub");
  });
}

/**
 * V8 makes eight of the processor's instructions of `max`, seven of `min`. `pmax(x, c)` is x < c ? c : x, one instruction, and
 * the same for a constant c that is neither NaN nor the zero whose sign matters; for max(x, +0) adding +0 mends the sign. Else
 * both orders are taken, and where they differ (zeros of two signs, NaN) the difference is put right.
 */
function extreme(
  e: Emitter,
  operator: "min" | "max",
  shape: "f32x4" | "f64x2",
  x: Push,
  c: Push,
  constant: number | undefined,
): Push {
  const name: PlainOp = operator === "max" ? `${shape}.pmax` : `${shape}.pmin`;
  const [one, other] = [after(e, name, x, c), after(e, name, c, x)];
  if (constant !== undefined && !Number.isNaN(constant)) {
    if (operator === "max" && Object.is(constant, 0)) return after(e, `${shape}.add`, one, c);
    if (!(operator === "min" && Object.is(constant, -0))) return one;
  }
  if (operator === "min") return after(e, "v128.or", one, other);
  return () => {
    const kept = e.keep("v128", one);
    const difference = e.keep("v128", after(e, "v128.xor", kept, other));
    after(e, `${shape}.sub`, after(e, "v128.or", kept, difference), difference)();
  };
}

/** In f64 the quotient of two 32-bit integers is never rounded across an integer, so cutting it off is exact. */
function division(e: Emitter, dtype: "i32" | "u32", a: Push, b: Push, divisor: number | undefined): void {
  const sign = dtype === "i32" ? "s" : "u";
  const half = (x: Push, high: boolean): Push =>
    after(e, `f64x2.convert_low_i32x4_${sign}`, high ? shuffled(e, x, x, highHalf) : x);
  const quotient = (high: boolean): Push =>
    after(e, `i32x4.trunc_sat_f64x2_${sign}_zero`, after(e, "f64x2.div", half(a, high), half(b, high)));
  const both = shuffled(e, quotient(false), quotient(true), lowHalves);
  if (divisor !== undefined && divisor !== 0 && divisor !== -1) return both();
  const zero = e.splat("i32", 0);
  both();
  after(e, "i32x4.ne", b, zero)();
  e.code.op("v128.and");
  if (dtype === "u32") return;
  // The smallest number ÷ −1 saturated to the largest; wrapping gives the smallest, one more.
  const isSmallest = after(e, "i32x4.eq", a, e.splat("i32", -(2 ** 31)));
  const overflow = after(e, "v128.and", isSmallest, after(e, "i32x4.eq", b, e.splat("i32", -1)));
  overflow();
  e.code.op("i32x4.sub");
}

function remainder(e: Emitter, dtype: "i32" | "u32", a: Push, b: Push, divisor: number | undefined): void {
  const product = after(e, "i32x4.mul", () => division(e, dtype, a, b, divisor), b);
  const rest = after(e, "i32x4.sub", a, product);
  if (divisor !== undefined && divisor !== 0) return rest();
  after(e, "v128.and", rest, after(e, "i32x4.ne", b, e.splat("i32", 0)))();
}

/** The vector shifts take one count for all lanes. */
function shiftByLanes(e: Emitter, op: PlainOp, x: Push, counts: Push): void {
  x();
  for (let lane = 0; lane < 4; lane++) {
    x();
    e.code.lane("i32x4.extract_lane", lane);
    counts();
    e.code.lane("i32x4.extract_lane", lane);
    e.code.op(op);
    e.code.lane("i32x4.replace_lane", lane);
  }
}

/** By the same count in all lanes, given as an i32. */
export function vectorShift(
  e: Emitter,
  operator: "shiftLeft" | "shiftRight",
  dtype: ScalarDType,
  x: Push,
  count: Push,
): Vectors {
  const op = operator === "shiftLeft" ? "i32x4.shl" : dtype === "i32" ? "i32x4.shr_s" : "i32x4.shr_u";
  return [after(e, op, x, count)];
}

export function vectorCompare(
  e: Emitter,
  operator: CompareOperator,
  dtype: ScalarDType,
  a: Vectors,
  b: Vectors,
): Vectors {
  const name = compareNames[operator];
  if (dtype === "f64") {
    const [low, high] = a.map((part, i) => after(e, `f64x2.${name}`, part, b[i]!));
    return [shuffled(e, low!, high!, evenWords)];
  }
  if (dtype === "f32") return [after(e, `f32x4.${name}`, a[0]!, b[0]!)];
  if (name === "eq" || name === "ne") return [after(e, `i32x4.${name}`, a[0]!, b[0]!)];
  return [after(e, dtype === "i32" ? `i32x4.${name}_s` : `i32x4.${name}_u`, a[0]!, b[0]!)];
}

export function vectorMulAdd(e: Emitter, dtype: ScalarDType, a: Vectors, b: Vectors, c: Vectors): Vectors {
  if (e.options.fused && (dtype === "f32" || dtype === "f64"))
    return a.map((part, i) => after(e, `${shapeOf(dtype)}.relaxed_madd`, part, b[i]!, c[i]!));
  return vectorBinary(e, "add", dtype, vectorBinary(e, "mul", dtype, a, b), c);
}

/** See `ir/kernel.ts`; of four bytes, even and odd ones are taken apart. */
export function vectorDotAdd(e: Emitter, parts: 2 | 4, a: Push, b: Push, c: Push): Vectors {
  const add = (x: Push, y: Push, sum: Push): Push =>
    after(e, "i32x4.add", after(e, "i32x4.dot_i16x8_s", x, y), sum);
  if (parts === 2) return [add(a, b, c)];
  const pairs = (which: "even" | "odd", sum: Push): Push =>
    add(vectorBytePairs(e, which, false, a)[0]!, vectorBytePairs(e, which, true, b)[0]!, sum);
  return [pairs("odd", pairs("even", c))];
}

export function vectorBytePairs(e: Emitter, which: "even" | "odd", isSigned: boolean, x: Push): Vectors {
  const shifted = (name: "i16x8.shl" | "i16x8.shr_s" | "i16x8.shr_u", from: Push): Push =>
    after(e, name, from, () => e.code.i32(8));
  const high = which === "odd" ? x : shifted("i16x8.shl", x);
  return [shifted(isSigned ? "i16x8.shr_s" : "i16x8.shr_u", high)];
}

/** V8 makes three instructions of a select, one where zero is chosen from. */
export function vectorSelect(
  e: Emitter,
  dtype: ScalarDType,
  condition: Push,
  a: Vectors,
  b: Vectors,
  isZero: { readonly a: boolean; readonly b: boolean } = { a: false, b: false },
): Vectors {
  const mask = masks(e, condition, dtype);
  if (isZero.a) return b.map((part, i) => after(e, "v128.andnot", part, mask[i]!));
  if (isZero.b) return a.map((part, i) => after(e, "v128.and", part, mask[i]!));
  return a.map((part, i) => after(e, "v128.bitselect", part, b[i]!, mask[i]!));
}

export function vectorConvert(e: Emitter, from: ScalarDType, to: ScalarDType, x: Vectors): Vectors {
  if (from === to) return x;
  const one = x[0]!;
  if (to === "bool")
    return vectorCompare(
      e,
      "notEqual",
      from,
      x,
      x.map(() => e.splat(from, 0)),
    );
  if (from === "bool") return masks(e, one, to).map((mask) => after(e, "v128.and", mask, e.splat(to, 1)));
  const high = shuffled(e, one, one, highHalf);
  if (from === "f32" && to === "f64")
    return [after(e, "f64x2.promote_low_f32x4", one), after(e, "f64x2.promote_low_f32x4", high)];
  if (from === "f64") {
    const op =
      to === "f32"
        ? "f32x4.demote_f64x2_zero"
        : to === "i32"
          ? "i32x4.trunc_sat_f64x2_s_zero"
          : "i32x4.trunc_sat_f64x2_u_zero";
    return [shuffled(e, after(e, op, one), after(e, op, x[1]!), lowHalves)];
  }
  if (from === "f32")
    return [after(e, to === "i32" ? "i32x4.trunc_sat_f32x4_s" : "i32x4.trunc_sat_f32x4_u", one)];
  if (to === "f32")
    return [after(e, from === "i32" ? "f32x4.convert_i32x4_s" : "f32x4.convert_i32x4_u", one)];
  if (to !== "f64") return x;
  const op = from === "i32" ? "f64x2.convert_low_i32x4_s" : "f64x2.convert_low_i32x4_u";
  return [after(e, op, one), after(e, op, high)];
}

/** A number in all lanes of every vector. */
export function splatScalar(e: Emitter, dtype: ScalarDType, x: Push): Push {
  if (dtype === "f32") return after(e, "f32x4.splat", x);
  if (dtype === "f64") return after(e, "f64x2.splat", x);
  if (dtype !== "bool") return after(e, "i32x4.splat", x);
  return after(e, "i32x4.splat", () => {
    e.code.i32(0);
    x();
    e.code.op("i32.sub");
  });
}

/** One lane as a scalar. */
export function extractLane(e: Emitter, dtype: ScalarDType, x: Vectors, lane: number): Push {
  return () => {
    x[dtype === "f64" ? lane >> 1 : 0]!();
    if (dtype === "f32") return e.code.lane("f32x4.extract_lane", lane);
    if (dtype === "f64") return e.code.lane("f64x2.extract_lane", lane & 1);
    e.code.lane("i32x4.extract_lane", lane);
    if (dtype !== "bool") return;
    e.code.i32(1);
    e.code.op("i32.and");
  };
}

export function vectorBitcast(from: ScalarDType, to: ScalarDType, x: Vectors): Vectors {
  if ((from === "f64") !== (to === "f64") || from === "bool" || to === "bool") {
    if (from !== to) throw missing(`bitcast to ${to}`, from);
  }
  return x;
}
