/** abs, sqrt, the larger and the smaller of two, the remainder. */
import { isFloat } from "../base/dtype.ts";
import type { Node } from "../graph/node.ts";
import type { ScalarBuilder } from "../graph/scalar.ts";
import { div, mul, neg, sub } from "./arithmetic.ts";
import { cast } from "./cast.ts";
import { equal, greater, less } from "./compare.ts";
import { like, zerosLike } from "./constants.ts";
import { binary, binaryOp, unary, unaryOp } from "./elementwise.ts";
import { Float } from "./expand/float.ts";
import { floor } from "./rounding.ts";
import { select } from "./select.ts";

/** 1, 0 or −1; 0 for NaN. */
export function sign(x: Node): Node {
  const zero = zerosLike(x);
  return sub(cast(greater(x, zero), x.dtype), cast(less(x, zero), x.dtype));
}

export const absOp = unaryOp({
  name: "abs",
  takes: "number",
  evaluate: Math.abs,
  gradient: (g, { inputs: [x] }) => [mul(g, sign(x!))],
  expand: (b, x) => (b.dtypeOf(x) === "u32" ? x : b.unary("abs", x)),
});
/** |x|, with gradient 0 at 0. */
export const abs: (x: Node) => Node = unary(absOp);

export const sqrtOp = unaryOp({
  name: "sqrt",
  takes: "float",
  cost: 6,
  evaluate: Math.sqrt,
  gradient: (g, node) => [div(mul(g, like(g, 0.5)), node)],
  expand: (b, x) => b.unary("sqrt", x),
});
/** √x; NaN below 0. The gradient at 0 is infinite: see `functions/norm.ts` for a norm without that. */
export const sqrt: (x: Node) => Node = unary(sqrtOp);

/** 1/√x, as two rounded operations. */
export const rsqrt = (x: Node): Node => div(like(x, 1), sqrt(x));

/** g where a is the chosen one, half of it where both are, 0 elsewhere. */
function shareOf(g: Node, a: Node, b: Node, isChosen: (a: Node, b: Node) => Node): Node {
  const half = mul(g, like(g, 0.5));
  return select(isChosen(a, b), g, select(equal(a, b), half, zerosLike(g)));
}

export const maximumOp = binaryOp({
  name: "maximum",
  takes: "number",
  isCommutative: true,
  neutral: { left: -Infinity, right: -Infinity },
  evaluate: (a, b) => Math.max(a, b),
  gradient: (g, { inputs: [a, b] }) => [shareOf(g, a!, b!, greater), shareOf(g, b!, a!, greater)],
  expand: (b, x, y) => b.binary("max", x, y),
});
/** The larger of a and b; NaN if either is. Equal ones share the gradient. */
export const maximum: (a: Node, b: Node) => Node = binary(maximumOp);

export const minimumOp = binaryOp({
  name: "minimum",
  takes: "number",
  isCommutative: true,
  neutral: { left: Infinity, right: Infinity },
  evaluate: (a, b) => Math.min(a, b),
  gradient: (g, { inputs: [a, b] }) => [shareOf(g, a!, b!, less), shareOf(g, b!, a!, less)],
  expand: (b, x, y) => b.binary("min", x, y),
});
/** The smaller of a and b; NaN if either is. Equal ones share the gradient. */
export const minimum: (a: Node, b: Node) => Node = binary(minimumOp);

export const remainderOp = binaryOp({
  name: "remainder",
  takes: "number",
  cost: 8,
  evaluate(a, b, dtype) {
    if (b === 0) return isFloat(dtype) ? NaN : 0;
    const rest = a % b;
    return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
  },
  gradient: (g, { inputs: [a, b] }) => [g, neg(mul(g, floor(div(a!, b!))))],
  expand: (b, x, y) => {
    const dtype = b.dtypeOf(x);
    if (dtype === "u32") return b.binary("remainder", x, y);
    return dtype === "i32" ? integerRemainder(b, x, y) : floatRemainder(b, x, y);
  },
});
/**
 * a − ⌊a/b⌋·b, of the sign of b (as Python's %); NaN for floats and 0 for integers where b is 0. Compiled, a float result is
 * as exact as a/b: its error is at most a rounding of a.
 */
export const remainder: (a: Node, b: Node) => Node = binary(remainderOp);

function integerRemainder<V>(b: ScalarBuilder<V>, x: V, y: V): V {
  const zero = b.constant("i32", 0);
  const isNegative = (v: V): V => b.compare("less", v, zero);
  const rest = b.binary("remainder", x, y);
  const opposed = b.binary("xor", isNegative(rest), isNegative(y));
  const moved = b.select(opposed, b.binary("add", rest, y), rest);
  return b.select(b.compare("equal", rest, zero), zero, moved);
}

/** The quotient is rounded, so its floor may be one off: a remainder outside [0, b) is moved by one b. */
function floatRemainder<V>(b: ScalarBuilder<V>, x: V, y: V): V {
  const f = new Float(b, x);
  const quotient = b.unary("floor", f.div(x, y));
  const rest = f.mulAdd(b.unary("neg", quotient), y, x);
  const opposed = b.binary("xor", f.less(rest, 0), f.less(y, 0));
  const tooLarge = b.compare("greaterEqual", f.abs(rest), f.abs(y));
  const below = f.select(tooLarge, b.binary("sub", rest, y), rest);
  const moved = f.select(opposed, f.add(rest, y), below);
  const finite = f.select(f.equal(rest, 0), rest, moved);
  const sameSide = b.unary("not", b.binary("xor", f.less(x, 0), f.less(y, 0)));
  const byInfinity = f.select(b.binary("or", sameSide, f.equal(x, 0)), x, y);
  const takesInfinity = b.binary("and", f.equal(f.abs(y), Infinity), f.less(f.abs(x), Infinity));
  return f.select(takesInfinity, byInfinity, finite);
}
