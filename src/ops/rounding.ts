/** floor, ceil, trunc and round: constant almost everywhere, so their gradient is zero. Integers pass unchanged. */
import type { Node } from "../graph/node.ts";
import type { ElementwiseOp } from "../graph/op.ts";
import type { UnaryOperator } from "../graph/scalar.ts";
import { type NoAttributes, unary, unaryOp } from "./elementwise.ts";

function roundingOp(
  name: UnaryOperator & ("floor" | "ceil" | "trunc" | "round"),
  evaluate: (x: number) => number,
): ElementwiseOp<NoAttributes> {
  return unaryOp({
    name,
    takes: "number",
    evaluate,
    gradient: () => [null],
    expand: (b, x) => (b.dtypeOf(x) === "f32" || b.dtypeOf(x) === "f64" ? b.unary(name, x) : x),
  });
}

type Unary = (x: Node) => Node;

export const floorOp = roundingOp("floor", Math.floor);
/** ⌊x⌋ */
export const floor: Unary = unary(floorOp);

export const ceilOp = roundingOp("ceil", Math.ceil);
/** ⌈x⌉ */
export const ceil: Unary = unary(ceilOp);

export const truncOp = roundingOp("trunc", Math.trunc);
/** x without its fraction. */
export const trunc: Unary = unary(truncOp);

export const roundOp = roundingOp("round", (x) => {
  const near = Math.round(x);
  return Math.abs(near - x) === 0.5 && near % 2 !== 0 ? near - 1 : near;
});
/** x to the nearest integer, halves to the even one. */
export const round: Unary = unary(roundOp);
