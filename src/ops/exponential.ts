/** exp, expm1, log, log1p and pow. */
import type { Node } from "../graph/node.ts";
import { add, div, mul, sub } from "./arithmetic.ts";
import { equal, greaterEqual } from "./compare.ts";
import { like, zerosLike } from "./constants.ts";
import { binary, binaryOp, unary, unaryOp } from "./elementwise.ts";
import { expandExp, expandExpm1 } from "./expand/exp.ts";
import { expandLog, expandLog1p } from "./expand/log.ts";
import { expandPow } from "./expand/pow.ts";
import { and } from "./logical.ts";
import { select } from "./select.ts";

type Unary = (x: Node) => Node;

export const expOp = unaryOp({
  name: "exp",
  takes: "float",
  cost: 18,
  evaluate: Math.exp,
  gradient: (g, node) => [mul(g, node)],
  expand: expandExp,
});
/** eˣ: at most 1 ulp in f32; compiled, results below the smallest normal number are 0. */
export const exp: Unary = unary(expOp);

export const expm1Op = unaryOp({
  name: "expm1",
  takes: "float",
  cost: 19,
  evaluate: Math.expm1,
  gradient: (g, node) => [mul(g, add(node, like(node, 1)))],
  expand: expandExpm1,
});
/** eˣ − 1 without cancellation near 0: at most 2 ulp in f32. */
export const expm1: Unary = unary(expm1Op);

export const logOp = unaryOp({
  name: "log",
  takes: "float",
  cost: 30,
  evaluate: Math.log,
  gradient: (g, { inputs: [x] }) => [div(g, x!)],
  expand: expandLog,
});
/** ln x: at most 1 ulp in f32; −Infinity at 0, NaN below. */
export const log: Unary = unary(logOp);

export const log1pOp = unaryOp({
  name: "log1p",
  takes: "float",
  cost: 29,
  evaluate: Math.log1p,
  gradient: (g, { inputs: [x] }) => [div(g, add(x!, like(x!, 1)))],
  expand: expandLog1p,
});
/** ln(1 + x) without cancellation near 0: at most 2 ulp in f32; −Infinity at −1, NaN below. */
export const log1p: Unary = unary(log1pOp);

export const powOp = binaryOp({
  name: "pow",
  takes: "float",
  cost: 90,
  neutral: { right: 1 },
  // JavaScript makes 1 ** NaN and (±1) ** ±Infinity NaN; C and PyTorch make them 1.
  evaluate: (a, b) => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b),
  gradient: (g, node) => {
    const [a, b] = node.inputs as readonly [Node, Node];
    const zero = zerosLike(a);
    const slope = mul(b, pow(a, sub(b, like(b, 1))));
    const rate = mul(node, log(a));
    const vanishes = and(equal(a, zero), greaterEqual(b, zero));
    return [mul(g, select(equal(b, zero), zero, slope)), mul(g, select(vanishes, zero, rate))];
  },
  expand: expandPow,
});
/**
 * aᵇ, with C's special cases: pow(x, 0) = pow(1, y) = 1; NaN for a negative base with a fraction as exponent. At most 0.51 ulp
 * in f32. The gradient by the base is 0 at b = 0, the one by the exponent is 0 at a = 0 ≤ b, as in PyTorch.
 */
export const pow: (a: Node, b: Node) => Node = binary(powOp);
