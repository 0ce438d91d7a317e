/** Operations on bool and on the bits of integers; no gradient flows. */
import type { DType } from "../base/dtype.ts";
import type { Node } from "../graph/node.ts";
import type { ElementwiseOp } from "../graph/op.ts";
import { binary, binaryOp, type NoAttributes, unary, unaryOp } from "./elementwise.ts";

export const notOp = unaryOp({
  name: "not",
  takes: "bits",
  evaluate: (x, dtype) => (dtype === "bool" ? 1 - x : ~x),
  expand: (b, x) => b.unary("not", x),
});
/** Not x for bool; all bits inverted for integers. */
export const not: (x: Node) => Node = unary(notOp);

function bitsOp(name: "and" | "or" | "xor", evaluate: (a: number, b: number) => number) {
  return binaryOp({
    name,
    takes: "bits",
    isCommutative: true,
    evaluate,
    expand: (b, x, y) => b.binary(name, x, y),
  });
}

type Binary = (a: Node, b: Node) => Node;

export const andOp: ElementwiseOp<NoAttributes> = bitsOp("and", (a, b) => a & b);
/** a and b, of bool or bit by bit. */
export const and: Binary = binary(andOp);

export const orOp: ElementwiseOp<NoAttributes> = bitsOp("or", (a, b) => a | b);
/** a or b, of bool or bit by bit. */
export const or: Binary = binary(orOp);

export const xorOp: ElementwiseOp<NoAttributes> = bitsOp("xor", (a, b) => a ^ b);
/** a or b but not both, of bool or bit by bit. */
export const xor: Binary = binary(xorOp);

function shiftOp(name: "shiftLeft" | "shiftRight", evaluate: (a: number, b: number, dtype: DType) => number) {
  return binaryOp({ name, takes: "integer", evaluate, expand: (b, x, y) => b.binary(name, x, y) });
}

export const shiftLeftOp: ElementwiseOp<NoAttributes> = shiftOp("shiftLeft", (a, b) => a << b);
/** a · 2ᵇ, the high bits lost; b is taken modulo 32. */
export const shiftLeft: Binary = binary(shiftLeftOp);

export const shiftRightOp: ElementwiseOp<NoAttributes> = shiftOp("shiftRight", (a, b, dtype) =>
  dtype === "u32" ? a >>> b : a >> b,
);
/** a / 2ᵇ rounded down (u32: filled with zeros); b is taken modulo 32. */
export const shiftRight: Binary = binary(shiftRightOp);
