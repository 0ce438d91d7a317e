import { castFloat, computeDType, type DType, isFloat, roundTo } from "../base/dtype.ts";
import type { Node } from "../graph/node.ts";
import type { ElementwiseOp } from "../graph/op.ts";
import type { ScalarBuilder } from "../graph/scalar.ts";
import { makeNode } from "../graph/trace.ts";
import { narrow } from "./elementwise.ts";

export const castOp: ElementwiseOp<{ dtype: DType }> = {
  name: "cast",
  kind: "elementwise",
  cost: 1,
  type: ([x], { dtype }) => ({ shape: x!.shape, dtype }),
  reference([x], { dtype }, { outputs: [out] }) {
    const convert = isFloat(x!.dtype) ? castFloat : roundTo;
    return [{ ...out!, data: x!.data.map((value) => convert(dtype, value)) }];
  },
  gradient: ({ inputs: [x] }, [g]) => [isFloat(g!.dtype) && isFloat(x!.dtype) ? cast(g!, x!.dtype) : null],
  expand: (b, [x], { dtype }) => roundInRegister(b, dtype, b.convert(computeDType(dtype), x!)),
};

/**
 * x as another dtype. Float to integer cuts the fraction off, saturates at 32 bits (8-bit types keep the low bits of
 * that) and makes NaN 0; to bool is ≠ 0; to a narrower float rounds to nearest even. No gradient through integers.
 *
 * @example cast(labels, "f32")
 */
export const cast = (x: Node, dtype: DType): Node =>
  x.dtype === dtype ? x : makeNode(castOp, [x], { dtype });

/**
 * What storing and loading `dtype` would make of a register: a fused kernel may never store it. Other ops on 16-bit floats
 * leave f32 precision in the register; a cast is where the user asks for the rounding.
 */
function roundInRegister<V>(b: ScalarBuilder<V>, dtype: DType, x: V): V {
  if (dtype === "bf16") return roundToBf16(b, x);
  if (dtype === "f16") return roundToF16(b, x);
  return narrow(b, dtype, x);
}

/** To nearest even on the upper 16 bits: add just under half, and one more if the bit that stays is odd. */
function roundToBf16<V>(b: ScalarBuilder<V>, x: V): V {
  const u32 = (value: number): V => b.constant("u32", value);
  const bits = b.bitcast("u32", x);
  const odd = b.binary("and", b.binary("shiftRight", bits, u32(16)), u32(1));
  const sum = b.binary("add", b.binary("add", bits, u32(0x7fff)), odd);
  const rounded = b.bitcast("f32", b.binary("and", sum, u32(0xffff0000)));
  return b.select(b.compare("equal", x, x), rounded, x);
}

/**
 * f16 has 10 fraction bits from 2⁻¹⁴ up and multiples of 2⁻²⁴ below; from 65,520 up it is Infinity. Adding and subtracting
 * 2¹³ times the element's own power of two (at least 1.5 · 2⁻¹) leaves exactly those bits, rounded to nearest even.
 */
function roundToF16<V>(b: ScalarBuilder<V>, x: V): V {
  const f32 = (value: number): V => b.constant("f32", value);
  const magnitude = b.unary("abs", x);
  const exponent = b.binary("and", b.bitcast("u32", magnitude), b.constant("u32", 0x7f800000));
  const power = b.binary("max", b.bitcast("f32", exponent), f32(2 ** -14));
  const big = b.binary("mul", power, f32(2 ** 13));
  const rounded = b.binary("sub", b.binary("add", magnitude, big), big);
  const finite = b.select(b.compare("less", magnitude, f32(65520)), rounded, f32(Infinity));
  const signed = b.binary("or", b.bitcast("u32", finite), signOf(b, x));
  return b.select(b.compare("equal", x, x), b.bitcast("f32", signed), x);
}

const signOf = <V>(b: ScalarBuilder<V>, x: V): V =>
  b.binary("and", b.bitcast("u32", x), b.constant("u32", 0x80000000));
