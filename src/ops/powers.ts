/** exp2, log2, log10, the cube root, erfc and the inverse of erf, all computed in f64. */
import type { Node } from "../graph/node.ts";
import { div, mul, neg } from "./arithmetic.ts";
import { like } from "./constants.ts";
import { unary } from "./elementwise.ts";
import { erfc as erfcOfNumber, erfInverse } from "./erf-reference.ts";
import { erfc64 } from "./expand/erf64.ts";
import { exp264 } from "./expand/exp64.ts";
import { cbrt64 } from "./expand/hyperbolic64.ts";
import { log64, log264 } from "./expand/log64.ts";
import { erfInverse64 } from "./expand/quantile.ts";
import { exp } from "./exponential.ts";
import { computedWide } from "./inverse.ts";

type Unary = (x: Node) => Node;

export const exp2Op = computedWide({
  name: "exp2",
  cost: 30,
  evaluate: (x) => 2 ** x,
  slope: (x, y) => mul(y, like(x, Math.LN2)),
  compute: exp264,
});
/** 2ˣ, exact at whole numbers: at most 1 ulp in f32. */
export const exp2: Unary = unary(exp2Op);

export const log2Op = computedWide({
  name: "log2",
  cost: 50,
  evaluate: Math.log2,
  slope: (x) => div(like(x, Math.LOG2E), x),
  compute: log264,
});
/** The logarithm to the base 2, exact at powers of two: at most 1 ulp in f32; −Infinity at 0, NaN below. */
export const log2: Unary = unary(log2Op);

export const log10Op = computedWide({
  name: "log10",
  cost: 50,
  evaluate: Math.log10,
  slope: (x) => div(like(x, Math.LOG10E), x),
  compute: (f, x) => f.mul(log64(f, x), Math.LOG10E),
});
/** The logarithm to the base 10: at most 1 ulp in f32; −Infinity at 0, NaN below. */
export const log10: Unary = unary(log10Op);

export const cbrtOp = computedWide({
  name: "cbrt",
  cost: 90,
  evaluate: Math.cbrt,
  slope: (x, y) => div(like(x, 1 / 3), mul(y, y)),
  compute: cbrt64,
});
/** The cube root, negative for x < 0: at most 1 ulp in f32. The gradient at 0 is infinite. */
export const cbrt: Unary = unary(cbrtOp);

export const erfcOp = computedWide({
  name: "erfc",
  cost: 120,
  evaluate: erfcOfNumber,
  slope: (x) => mul(exp(neg(mul(x, x))), like(x, -2 / Math.sqrt(Math.PI))),
  compute: erfc64,
});
/** erfc x = 1 − erf x without cancellation for large x: at most 1 ulp in f32. */
export const erfc: Unary = unary(erfcOp);

export const erfinvOp = computedWide({
  name: "erfinv",
  cost: 160,
  evaluate: erfInverse,
  slope: (x, y) => mul(exp(mul(y, y)), like(x, Math.sqrt(Math.PI) / 2)),
  compute: erfInverse64,
});
/** The x whose erf is the argument: at most 1 ulp in f32; ±Infinity at ±1, NaN beyond. Wichura, AS 241, 1988. */
export const erfinv: Unary = unary(erfinvOp);
