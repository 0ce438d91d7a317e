/**
 * Running sums, products, extremes and logarithms of sums along an axis: by doubling the reach, log₂ n passes over the array (Hillis, Steele
 * 1986). Every pass is one parallel loop, and errors of rounding grow with log n instead of n.
 */
import { computeDType, type DType, isFloat } from "../../base/dtype.ts";
import { normalizeAxis } from "../../base/shape.ts";
import { maxOf } from "../../base/size.ts";
import type { Node } from "../../graph/node.ts";
import { add, mul } from "../arithmetic.ts";
import { customGradient } from "../custom-gradient.ts";
import { maximum, minimum } from "../magnitude.ts";
import { requireDType } from "../rules.ts";
import { flip, pad, sliceAxis } from "../slice.ts";
import { logAddExp } from "./numbers.ts";

/** x moved by `by` places towards the end of an axis, `value` coming in. */
function moved(x: Node, axis: number, by: number, value: number): Node {
  const none = x.shape.map(() => 0);
  const low = none.map((_, i) => (i === axis ? by : 0));
  return sliceAxis(pad(x, { low, high: none, value }), axis, 0, x.shape[axis]!);
}

/** Each element combined with all before it; `neutral` comes in where there are none. */
function running(x: Node, axis: number, combine: (a: Node, b: Node) => Node, neutral: number): Node {
  const size = maxOf(x.shape[axis]!);
  let result = x;
  for (let reach = 1; reach < size; reach *= 2) result = combine(result, moved(result, axis, reach, neutral));
  return result;
}

/** Σ of the elements up to and with each along an axis; integers wrap. Its gradient is the running sum from the end. */
export function cumulativeSum(x: Node, axis: number): Node {
  requireDType("cumulativeSum", x, "number");
  const at = normalizeAxis(axis, x.shape.length, "cumulativeSum");
  return customGradient(running(x, at, add, 0), [x], (g) => [flip(cumulativeSum(flip(g, at), at), at)]);
}

/** Π of the elements up to and with each along an axis; the gradient is right with zeros among the factors. */
export function cumulativeProduct(x: Node, axis: number): Node {
  requireDType("cumulativeProduct", x, "number");
  return running(x, normalizeAxis(axis, x.shape.length, "cumulativeProduct"), mul, 1);
}

const lowest = (dtype: DType): number => {
  if (isFloat(dtype)) return -Infinity;
  if (dtype === "i8") return -128;
  return computeDType(dtype) === "i32" && dtype !== "u8" ? -(2 ** 31) : 0;
};
const highest: Partial<Record<DType, number>> = { i8: 127, u8: 255, i32: 2 ** 31 - 1, u32: 2 ** 32 - 1 };

/** The largest element up to and with each along an axis; NaN from the first NaN on. Equal ones share the gradient. */
export function cumulativeMax(x: Node, axis: number): Node {
  requireDType("cumulativeMax", x, "number");
  return running(x, normalizeAxis(axis, x.shape.length, "cumulativeMax"), maximum, lowest(x.dtype));
}

/** The smallest element up to and with each along an axis; NaN from the first NaN on. Equal ones share the gradient. */
export function cumulativeMin(x: Node, axis: number): Node {
  requireDType("cumulativeMin", x, "number");
  return running(
    x,
    normalizeAxis(axis, x.shape.length, "cumulativeMin"),
    minimum,
    highest[x.dtype] ?? Infinity,
  );
}

/** log Σ eˣ of the elements up to and with each along an axis, right for x of any size. */
export function cumulativeLogSumExp(x: Node, axis: number): Node {
  requireDType("cumulativeLogSumExp", x, "float");
  return running(x, normalizeAxis(axis, x.shape.length, "cumulativeLogSumExp"), logAddExp, -Infinity);
}
