/** Comparisons: bool of two nodes of one shape and dtype. With NaN all are false but `notEqual`. No gradient flows. */
import type { Node } from "../graph/node.ts";
import type { ElementwiseOp } from "../graph/op.ts";
import type { CompareOperator } from "../graph/scalar.ts";
import { binary, binaryOp, type NoAttributes } from "./elementwise.ts";

function compareOp(
  name: CompareOperator,
  evaluate: (a: number, b: number) => boolean,
): ElementwiseOp<NoAttributes> {
  const isEquality = name === "equal" || name === "notEqual";
  return binaryOp({
    name,
    takes: isEquality ? "any" : "number",
    gives: "bool",
    isCommutative: isEquality,
    evaluate: (a, b) => (evaluate(a, b) ? 1 : 0),
    gradient: () => [null, null],
    expand: (b, x, y) => {
      if (b.dtypeOf(x) !== "bool") return b.compare(name, x, y);
      const differs = b.binary("xor", x, y);
      return name === "equal" ? b.unary("not", differs) : differs;
    },
  });
}

type Compare = (a: Node, b: Node) => Node;

export const equalOp = compareOp("equal", (a, b) => a === b);
/** a = b */
export const equal: Compare = binary(equalOp);

export const notEqualOp = compareOp("notEqual", (a, b) => a !== b);
/** a ≠ b; true where either is NaN. */
export const notEqual: Compare = binary(notEqualOp);

export const lessOp = compareOp("less", (a, b) => a < b);
/** a < b */
export const less: Compare = binary(lessOp);

export const lessEqualOp = compareOp("lessEqual", (a, b) => a <= b);
/** a ≤ b */
export const lessEqual: Compare = binary(lessEqualOp);

export const greaterOp = compareOp("greater", (a, b) => a > b);
/** a > b */
export const greater: Compare = binary(greaterOp);

export const greaterEqualOp = compareOp("greaterEqual", (a, b) => a >= b);
/** a ≥ b */
export const greaterEqual: Compare = binary(greaterEqualOp);
