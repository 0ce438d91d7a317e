/**
 * f16 and bf16 to and from f32, on 32-bit patterns: one text for a single element (i32) and for four (i32x4).
 */
import type { Emitter, Push } from "./emitter.ts";
import type { PlainOp } from "./opcodes.ts";

/** Instructions on 32-bit patterns; comparisons give what `choose` takes. */
interface Bits {
  keep(x: Push): Push;
  constant(bits: number): Push;
  and(a: Push, b: Push): Push;
  or(a: Push, b: Push): Push;
  add(a: Push, b: Push): Push;
  sub(a: Push, b: Push): Push;
  shiftLeft(x: Push, count: number): Push;
  shiftRight(x: Push, count: number): Push;
  /** As signed integers. */
  greater(a: Push, b: Push): Push;
  choose(condition: Push, whenTrue: Push, whenFalse: Push): Push;
  /** As f32. */
  floatAdd(a: Push, b: Push): Push;
  floatMul(a: Push, b: Push): Push;
}

export function vectorBits(e: Emitter): Bits {
  const two =
    (op: PlainOp) =>
    (a: Push, b: Push): Push =>
    () => {
      a();
      b();
      e.code.op(op);
    };
  const shift =
    (op: PlainOp) =>
    (x: Push, count: number): Push =>
    () => {
      x();
      e.code.i32(count);
      e.code.op(op);
    };
  return {
    keep: (x) => e.keep("v128", x),
    constant: (bits) => e.lanes32([bits, bits, bits, bits]),
    and: two("v128.and"),
    or: two("v128.or"),
    add: two("i32x4.add"),
    sub: two("i32x4.sub"),
    shiftLeft: shift("i32x4.shl"),
    shiftRight: shift("i32x4.shr_u"),
    greater: two("i32x4.gt_s"),
    choose: (condition, whenTrue, whenFalse) => () => {
      whenTrue();
      whenFalse();
      condition();
      e.code.op("v128.bitselect");
    },
    floatAdd: two("f32x4.add"),
    floatMul: two("f32x4.mul"),
  };
}

export function scalarBits(e: Emitter): Bits {
  const two =
    (op: PlainOp) =>
    (a: Push, b: Push): Push =>
    () => {
      a();
      b();
      e.code.op(op);
    };
  const shift =
    (op: PlainOp) =>
    (x: Push, count: number): Push =>
    () => {
      x();
      e.code.i32(count);
      e.code.op(op);
    };
  const float =
    (op: PlainOp) =>
    (a: Push, b: Push): Push =>
    () => {
      for (const x of [a, b]) {
        x();
        e.code.op("f32.reinterpret_i32");
      }
      e.code.op(op);
      e.code.op("i32.reinterpret_f32");
    };
  return {
    keep: (x) => e.keep("i32", x),
    constant: (bits) => e.i32(bits),
    and: two("i32.and"),
    or: two("i32.or"),
    add: two("i32.add"),
    sub: two("i32.sub"),
    shiftLeft: shift("i32.shl"),
    shiftRight: shift("i32.shr_u"),
    greater: two("i32.gt_s"),
    choose: (condition, whenTrue, whenFalse) => () => {
      whenTrue();
      whenFalse();
      condition();
      e.code.op("select");
    },
    floatAdd: float("f32.add"),
    floatMul: float("f32.mul"),
  };
}

const infinity = 0x7f800000;

export const decodeBf16 = (bits: Bits, h: Push): Push => bits.shiftLeft(h, 16);

/** Adding half a unit of the last place kept, less one if that place is even, then cutting off: nearest, ties to even. */
export function encodeBf16(bits: Bits, value: Push): Push {
  const x = bits.keep(value);
  const isOdd = bits.and(bits.shiftRight(x, 16), bits.constant(1));
  const rounded = bits.shiftRight(bits.add(bits.add(x, bits.constant(0x7fff)), isOdd), 16);
  const quietNaN = bits.or(bits.shiftRight(x, 16), bits.constant(0x40));
  const magnitude = bits.and(x, bits.constant(0x7fffffff));
  return bits.choose(bits.greater(magnitude, bits.constant(infinity)), quietNaN, rounded);
}

/** Exponent and fraction, put in place and scaled by 2¹¹² (exact, also for subnormals); Infinity and NaN by their exponent. */
export function decodeF16(bits: Bits, value: Push): Push {
  const h = bits.keep(value);
  const magnitude = bits.keep(bits.and(h, bits.constant(0x7fff)));
  const scaled = bits.floatMul(bits.shiftLeft(magnitude, 13), bits.constant((127 + 112) << 23));
  const zero = bits.constant(0);
  const special = bits.choose(bits.greater(magnitude, bits.constant(0x7bff)), bits.constant(infinity), zero);
  const sign = bits.shiftLeft(bits.and(h, bits.constant(0x8000)), 16);
  return bits.or(bits.or(scaled, special), sign);
}

/**
 * Normal results round as in `encodeBf16` and carry into the exponent, up to Infinity. Subnormal results are rounded by
 * the addition of 0.5, whose last place is the smallest f16.
 */
export function encodeF16(bits: Bits, value: Push): Push {
  const x = bits.keep(value);
  const magnitude = bits.keep(bits.and(x, bits.constant(0x7fffffff)));
  const isOdd = bits.and(bits.shiftRight(magnitude, 13), bits.constant(1));
  const rebias = bits.constant(((15 - 127) << 23) + 0xfff);
  const normal = bits.shiftRight(bits.add(bits.add(magnitude, rebias), isOdd), 13);
  const half = bits.constant(0x3f000000);
  const subnormal = bits.sub(bits.floatAdd(magnitude, half), half);
  const above = (limit: number): Push => bits.greater(magnitude, bits.constant(limit));
  const finite = bits.choose(above(0x387fffff), normal, subnormal);
  const orInfinity = bits.choose(above(0x477fffff), bits.constant(0x7c00), finite);
  const orNaN = bits.choose(above(infinity), bits.constant(0x7e00), orInfinity);
  const sign = bits.and(bits.shiftRight(x, 16), bits.constant(0x8000));
  return bits.or(orNaN, sign);
}
