/** tan, inverse trigonometric functions, hyperbolic functions and their inverses, all computed in f64. */
import type { Node } from "../graph/node.ts";
import type { ScalarBuilder } from "../graph/scalar.ts";
import { add, div, mul, neg, sub } from "./arithmetic.ts";
import { like } from "./constants.ts";
import { binary, binaryOp, unary, unaryOp } from "./elementwise.ts";
import type { Float } from "./expand/float.ts";
import { acosh64, asinh64, atanh64, cosh64, sinh64 } from "./expand/hyperbolic64.ts";
import { acos64, asin64, atan64, atan264 } from "./expand/inverse64.ts";
import { trig64 } from "./expand/trig64.ts";
import { wide } from "./expand/wide.ts";
import { sqrt } from "./magnitude.ts";

type Unary = (x: Node) => Node;

interface Block {
  readonly name: string;
  readonly cost: number;
  evaluate(x: number): number;
  /** The derivative at x, where the function is y. */
  slope(x: Node, y: Node): Node;
  compute<V>(f: Float<V>, x: V): V;
}

/** An op of a real function that is computed in f64. */
export const computedWide = ({ name, cost, evaluate, slope, compute }: Block) =>
  unaryOp({
    name,
    takes: "float",
    cost,
    evaluate,
    gradient: (g, node) => [mul(g, slope(node.inputs[0]!, node))],
    expand: <V>(b: ScalarBuilder<V>, x: V): V => wide(b, [x], (f, y) => compute(f, y!)),
  });

const one = (x: Node): Node => like(x, 1);
const inverse = (x: Node): Node => div(one(x), x);
/** (1 − x)(1 + x), exact near 1 where 1 − x² is not. */
const complement = (x: Node): Node => mul(sub(one(x), x), add(one(x), x));

export const tanOp = computedWide({
  name: "tan",
  cost: 70,
  evaluate: Math.tan,
  slope: (_, y) => add(mul(y, y), one(y)),
  compute: (f, x) => f.div(trig64(f, x, 0), trig64(f, x, 1)),
});
/** tan x: at most 1 ulp in f32. Compiled, |x| above a million gives NaN. */
export const tan: Unary = unary(tanOp);

export const asinOp = computedWide({
  name: "asin",
  cost: 70,
  evaluate: Math.asin,
  slope: (x) => inverse(sqrt(complement(x))),
  compute: asin64,
});
/** The angle in −π/2 … π/2 whose sine is x: at most 1 ulp in f32; NaN outside −1 … 1. */
export const asin: Unary = unary(asinOp);

export const acosOp = computedWide({
  name: "acos",
  cost: 70,
  evaluate: Math.acos,
  slope: (x) => neg(inverse(sqrt(complement(x)))),
  compute: acos64,
});
/** The angle in 0 … π whose cosine is x: at most 1 ulp in f32; NaN outside −1 … 1. */
export const acos: Unary = unary(acosOp);

export const atanOp = computedWide({
  name: "atan",
  cost: 50,
  evaluate: Math.atan,
  slope: (x) => inverse(add(mul(x, x), one(x))),
  compute: atan64,
});
/** The angle in −π/2 … π/2 whose tangent is x: at most 1 ulp in f32. */
export const atan: Unary = unary(atanOp);

export const atan2Op = binaryOp({
  name: "atan2",
  takes: "float",
  cost: 60,
  evaluate: Math.atan2,
  gradient: (g, { inputs }) => {
    const [y, x] = inputs as readonly [Node, Node];
    const share = div(g, add(mul(x, x), mul(y, y)));
    return [mul(share, x), neg(mul(share, y))];
  },
  expand: (b, y, x) => wide(b, [y, x], (f, above, right) => atan264(f, above!, right!)),
});
/** The angle in −π … π of the point (x, y), with C's values at zeros and infinities: at most 1 ulp in f32. */
export const atan2: (y: Node, x: Node) => Node = binary(atan2Op);

export const sinhOp = computedWide({
  name: "sinh",
  cost: 60,
  evaluate: Math.sinh,
  slope: (x) => cosh(x),
  compute: sinh64,
});
/** (eˣ − e⁻ˣ)/2: at most 1 ulp in f32. */
export const sinh: Unary = unary(sinhOp);

export const coshOp = computedWide({
  name: "cosh",
  cost: 50,
  evaluate: Math.cosh,
  slope: (x) => sinh(x),
  compute: cosh64,
});
/** (eˣ + e⁻ˣ)/2: at most 1 ulp in f32. */
export const cosh: Unary = unary(coshOp);

export const asinhOp = computedWide({
  name: "asinh",
  cost: 100,
  evaluate: Math.asinh,
  slope: (x) => inverse(sqrt(add(mul(x, x), one(x)))),
  compute: asinh64,
});
/** The inverse of sinh: at most 1 ulp in f32. */
export const asinh: Unary = unary(asinhOp);

export const acoshOp = computedWide({
  name: "acosh",
  cost: 100,
  evaluate: Math.acosh,
  slope: (x) => inverse(sqrt(mul(sub(x, one(x)), add(x, one(x))))),
  compute: acosh64,
});
/** The inverse of cosh, 0 or more: at most 1 ulp in f32; NaN below 1. */
export const acosh: Unary = unary(acoshOp);

export const atanhOp = computedWide({
  name: "atanh",
  cost: 60,
  evaluate: Math.atanh,
  slope: (x) => inverse(complement(x)),
  compute: atanh64,
});
/** The inverse of tanh: at most 1 ulp in f32; ±Infinity at ±1, NaN beyond. */
export const atanh: Unary = unary(atanhOp);
