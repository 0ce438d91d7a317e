/** Sum, difference, product, quotient, negation: each is part of another's gradient. */
import { isFloat } from "../base/dtype.ts";
import type { Node } from "../graph/node.ts";
import { binary, binaryOp, unary, unaryOp } from "./elementwise.ts";

export const negOp = unaryOp({
  name: "neg",
  takes: "number",
  evaluate: (x) => -x,
  gradient: (g) => [neg(g)],
  expand: (b, x) => b.unary("neg", x),
});

/** −x; unsigned integers wrap. */
export const neg: (x: Node) => Node = unary(negOp);

export const addOp = binaryOp({
  name: "add",
  takes: "number",
  isCommutative: true,
  neutral: { left: -0, right: -0 },
  evaluate: (a, b) => a + b,
  gradient: (g) => [g, g],
  expand: (b, x, y) => b.binary("add", x, y),
});

/** a + b of one shape and dtype; integers wrap. */
export const add: (a: Node, b: Node) => Node = binary(addOp);

export const subOp = binaryOp({
  name: "sub",
  takes: "number",
  neutral: { right: 0 },
  evaluate: (a, b) => a - b,
  gradient: (g) => [g, neg(g)],
  expand: (b, x, y) => b.binary("sub", x, y),
});

/** a − b of one shape and dtype; integers wrap. */
export const sub: (a: Node, b: Node) => Node = binary(subOp);

export const mulOp = binaryOp({
  name: "mul",
  takes: "number",
  isCommutative: true,
  neutral: { left: 1, right: 1 },
  evaluate: (a, b, dtype) => (isFloat(dtype) ? a * b : Math.imul(a, b)),
  gradient: (g, { inputs: [a, b] }) => [mul(g, b!), mul(g, a!)],
  expand: (b, x, y) => b.binary("mul", x, y),
});

/** a · b of one shape and dtype; integers keep the low bits. */
export const mul: (a: Node, b: Node) => Node = binary(mulOp);

export const divOp = binaryOp({
  name: "div",
  takes: "number",
  cost: 4,
  neutral: { right: 1 },
  evaluate: (a, b, dtype) => (isFloat(dtype) ? a / b : b === 0 ? 0 : Math.trunc(a / b)),
  // d(a/b)/db = −(a/b)/b: the quotient is at hand, and b² could overflow.
  gradient: (g, node) => {
    const share = div(g, node.inputs[1]!);
    return [share, neg(mul(share, node))];
  },
  expand: (b, x, y) => b.binary("div", x, y),
});

/** a / b of one shape and dtype. Of integers: the fraction is cut off, and x / 0 is 0. */
export const div: (a: Node, b: Node) => Node = binary(divOp);
