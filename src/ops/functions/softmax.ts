/** softmax, its logarithm, and the logarithm of a sum of exponentials: from x − max x, so that x of any size is right. */

import { normalizeAxes } from "../../base/shape.ts";
import { composed } from "../../graph/composition.ts";
import type { Node } from "../../graph/node.ts";
import { add, div, mul, sub } from "../arithmetic.ts";
import { expandAxes, sum } from "../broadcast.ts";
import { equal } from "../compare.ts";
import { like, zerosLike } from "../constants.ts";
import { customGradient, stopGradient } from "../custom-gradient.ts";
import { exp, log } from "../exponential.ts";
import { or } from "../logical.ts";
import { max } from "../reduce.ts";
import { select } from "../select.ts";

/** The reduced value at each element that it was reduced from. */
const along = (x: Node, axes: readonly number[], reduced: Node): Node => expandAxes(reduced, axes, x.shape);

/**
 * eˣ/Σ eˣ along `axes`. A row of −Infinity alone (all masked) is NaN, as in PyTorch.
 *
 * @example softmax(logits, -1)
 */
export function softmax(x: Node, axes: number | readonly number[]): Node {
  const over = normalizeAxes(axes, x.shape.length, "softmax");
  const powers = exp(sub(x, along(x, over, max(x, over))));
  const total = sum(powers, over);
  // One division a row: the sum is at least 1.
  const value = mul(powers, along(x, over, div(like(total, 1), total)));
  const y = customGradient(value, [x], (g, y) => {
    const weighted = mul(g, y);
    return [sub(weighted, mul(y, along(x, over, sum(weighted, over))))];
  });
  return composed(y, "softmax", [x], { axes: over });
}

/** As `softmax`, but 0 in a row of −Infinity alone: nothing is weighted where nothing may be looked at. */
export function maskedSoftmax(x: Node, axes: number | readonly number[]): Node {
  const over = normalizeAxes(axes, x.shape.length, "maskedSoftmax");
  const largest = max(x, over);
  const isEmpty = equal(largest, like(largest, -Infinity));
  const powers = exp(sub(x, along(x, over, select(isEmpty, zerosLike(largest), largest))));
  const total = sum(powers, over);
  const share = select(isEmpty, zerosLike(total), div(like(total, 1), total));
  const value = mul(powers, along(x, over, share));
  return customGradient(value, [x], (g, y) => {
    const weighted = mul(g, y);
    return [sub(weighted, mul(y, along(x, over, sum(weighted, over))))];
  });
}

/** x − log Σ eˣ along `axes`. */
export function logSoftmax(x: Node, axes: number | readonly number[]): Node {
  const over = normalizeAxes(axes, x.shape.length, "logSoftmax");
  const shifted = sub(x, along(x, over, max(x, over)));
  const value = sub(shifted, along(x, over, log(sum(exp(shifted), over))));
  const y = customGradient(value, [x], (g, y) => [sub(g, mul(exp(y), along(x, over, sum(g, over))))]);
  return composed(y, "logSoftmax", [x], { axes: over });
}

/** log Σ eˣ over `axes`, which vanish; −Infinity where all are −Infinity (with gradient 0), Infinity where one is Infinity. */
export function logSumExp(x: Node, axes?: number | readonly number[]): Node {
  const over = normalizeAxes(axes, x.shape.length, "logSumExp");
  const largest = stopGradient(max(x, over));
  const isInfinite = or(equal(largest, like(largest, Infinity)), equal(largest, like(largest, -Infinity)));
  const shift = select(isInfinite, zerosLike(largest), largest);
  const value = add(log(sum(exp(sub(x, along(x, over, shift))), over)), shift);
  return customGradient(value, [x], (g, y) => {
    const base = select(equal(y, like(y, -Infinity)), zerosLike(y), y);
    return [mul(along(x, over, g), exp(sub(x, along(x, over, base))))];
  });
}
