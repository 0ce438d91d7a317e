/**
 * Mixed precision: products in 16 bits, everything whose errors add up in f32. Which is which stands in the two lists, as in
 * PyTorch's autocast; all other operations take what they are given, and the wider of two.
 */
import type { DType } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import type { Node } from "../graph/node.ts";
import { cast } from "../ops/index.ts";
import { isTensor } from "./handle.ts";
import type { Methods } from "./methods/index.ts";

/** What products are computed from and stored in; `f32` is as if nothing was said. */
export type Precision = "f32" | "bf16" | "f16";

let active: "bf16" | "f16" | undefined;

/** The 16-bit dtype of the innermost `autocast` that is running. */
export const activePrecision = (): "bf16" | "f16" | undefined => active;

/**
 * Runs `body` in mixed precision: matrix products, convolutions and attention scores take 16-bit copies of their operands
 * (weights included: the parameters stay f32), add up in f32 and are stored in 16 bits. Softmax, logarithms, exponentials, sums,
 * means, norms and normalizations take f32. Gradients have the precision of what they belong to, those of parameters are f32.
 *
 * For compiled functions it belongs into the function. Losses belong outside, or get f32: `autocast(…).cast("f32")`. With
 * `f16`, whose numbers end at 65,504 and 6·10⁻⁸, scale the loss: see `LossScaler` of `netwright/optim`. In loops (`scan`, recurrent
 * layers) products are as everywhere, what is carried is f32; weights that a `scan` of your own multiplies by are best cast before it, once.
 * Micikevicius et al., "Mixed precision training", ICLR 2018.
 *
 * @throws ArgumentError when `body` is asynchronous
 * @example
 * const layer = new Linear(4, 2);
 * const y = autocast("bf16", () => layer.forward(ones([3, 4])));
 * y.dtype; // "bf16"
 * layer.weight.dtype; // "f32"
 */
export function autocast<R>(precision: Precision, body: () => R): R {
  if (!["f32", "bf16", "f16"].includes(precision))
    throw new ArgumentError(
      `autocast: the precision must be "bf16", "f16" or "f32", got ${JSON.stringify(precision)}`,
    );
  const result = withPrecision(precision === "f32" ? undefined : precision, body);
  if (typeof (result as { then?: unknown } | null)?.then === "function" && !isTensor(result))
    throw new ArgumentError("autocast: the function is asynchronous; read values out after it");
  return result;
}

/** For a gradient of one's own, which is asked for later: runs `body` in the precision that its forward pass had. */
export function withPrecision<R>(precision: typeof active, body: () => R): R {
  const outer = active;
  active = precision;
  try {
    return body();
  } finally {
    active = outer;
  }
}

/** What a product takes. */
const inLow = new Set<keyof Methods>(["matmul"]);

/** What needs f32. */
const inFull = new Set<keyof Methods>([
  ...([
    "exp",
    "exp2",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "sinh",
    "cosh",
    "tan",
    "asin",
    "acos",
  ] as const),
  ...(["rsqrt", "reciprocal", "pow", "erfinv", "lgamma", "digamma", "softplus", "logSigmoid"] as const),
  ...([
    "softmax",
    "softmin",
    "logSoftmax",
    "logSumExp",
    "sum",
    "mean",
    "prod",
    "var",
    "std",
    "norm",
  ] as const),
  ...(["nanSum", "nanMean", "cumsum", "cumprod"] as const),
] as (keyof Methods)[]);

/** A node for a product: 16 bits while `autocast` runs. */
export const lowered = (x: Node): Node => (active !== undefined && x.dtype === "f32" ? cast(x, active) : x);

/** A node for what needs f32 while `autocast` runs. */
export const raised = (x: Node): Node => (active !== undefined && isLow(x.dtype) ? cast(x, "f32") : x);

const isLow = (dtype: DType): boolean => dtype === "bf16" || dtype === "f16";

/** What a method's operands are made into. */
export function operandRule(name: string): ((x: Node) => Node) | undefined {
  if (active === undefined) return undefined;
  return inLow.has(name as keyof Methods) ? lowered : inFull.has(name as keyof Methods) ? raised : undefined;
}
