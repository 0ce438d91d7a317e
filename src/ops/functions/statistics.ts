/** Means, variances, norms, and layer normalization. */
import { elementCount, normalizeAxes } from "../../base/shape.ts";
import type { Node } from "../../graph/node.ts";
import { add, div, mul, sub } from "../arithmetic.ts";
import { broadcastTo, expandAxes, sum } from "../broadcast.ts";
import { equal } from "../compare.ts";
import { full, like } from "../constants.ts";
import { customGradient } from "../custom-gradient.ts";
import { sqrt } from "../magnitude.ts";
import { requireDType } from "../rules.ts";
import { select } from "../select.ts";
import { scalar } from "../sources.ts";

type Axes = number | readonly number[] | undefined;

/** How many elements a reduction folds into one, as a node of the dtype of x: a number, or counted where it is known late. */
export function countOver(x: Node, axes: readonly number[]): Node {
  const count = elementCount(axes.map((axis) => x.shape[axis]!));
  if (typeof count === "number") return scalar(count, x.dtype);
  return sum(full([count], 1, x.dtype));
}

/** Σ x / (n − correction) over axes. */
function meanOf(x: Node, axes: readonly number[], correction = 0): Node {
  const total = sum(x, axes);
  const count = countOver(x, axes);
  return div(total, broadcastTo(correction === 0 ? count : sub(count, like(count, correction)), total.shape));
}

/** Σ x / n over `axes` (all when left out), which vanish; NaN over an empty axis. */
export function mean(x: Node, axes?: Axes): Node {
  requireDType("mean", x, "float");
  return meanOf(x, normalizeAxes(axes, x.shape.length, "mean"));
}

/** x − mean x. */
const centred = (x: Node, axes: readonly number[]): Node =>
  sub(x, expandAxes(meanOf(x, axes), axes, x.shape));

/**
 * Σ (x − mean x)² / (n − correction) over `axes` (all when left out), which vanish. Two passes; the square of the mean's own
 * rounding error is taken off again (Chan, Golub, LeVeque 1983), so a spread that is small against the mean comes out right.
 *
 * @param correction 0: of the population; 1: the unbiased estimate from a sample
 */
export function variance(x: Node, axes?: Axes, { correction = 0 }: { correction?: number } = {}): Node {
  requireDType("variance", x, "float");
  const over = normalizeAxes(axes, x.shape.length, "variance");
  const deviation = centred(x, over);
  const drift = sum(deviation, over);
  const count = countOver(x, over);
  const squares = sub(
    sum(mul(deviation, deviation), over),
    div(mul(drift, drift), broadcastTo(count, drift.shape)),
  );
  const divisor = correction === 0 ? count : sub(count, like(count, correction));
  const value = div(squares, broadcastTo(divisor, squares.shape));
  return customGradient(value, [x], (g) => {
    const rate = div(add(g, g), broadcastTo(divisor, g.shape));
    return [mul(expandAxes(rate, over, x.shape), centred(x, over))];
  });
}

/** √variance over `axes`; the gradient is 0 where the variance is 0. @param correction as for `variance` */
export function standardDeviation(
  x: Node,
  axes?: Axes,
  { correction = 0 }: { correction?: number } = {},
): Node {
  const over = normalizeAxes(axes, x.shape.length, "standardDeviation");
  const value = sqrt(variance(x, over, { correction }));
  return customGradient(value, [x], (g, y) => {
    const count = sub(countOver(x, over), scalar(correction, x.dtype));
    const rate = div(g, mul(nonZero(y), broadcastTo(count, y.shape)));
    return [mul(expandAxes(rate, over, x.shape), centred(x, over))];
  });
}

/** x, and 1 where it is 0: a divisor for what is 0 there anyway. */
const nonZero = (x: Node): Node => select(equal(x, like(x, 0)), like(x, 1), x);

/** √Σ x² over `axes` (all when left out), which vanish; the gradient at 0 is 0. */
export function norm(x: Node, axes?: Axes): Node {
  const over = normalizeAxes(axes, x.shape.length, "norm");
  const value = sqrt(sum(mul(x, x), over));
  return customGradient(value, [x], (g, y) => [mul(x, expandAxes(div(g, nonZero(y)), over, x.shape))]);
}

/**
 * (x − mean x) / √(variance x + ε) over `axes`: the heart of layer normalization (Ba, Kiros, Hinton 2016) without scale and
 * shift. The gradient is (g − mean g − y · mean(g · y)) / √(variance + ε).
 */
export function normalize(x: Node, axes: Axes, epsilon: number): Node {
  const over = normalizeAxes(axes, x.shape.length, "normalize");
  const spread = variance(x, over);
  const scale = expandAxes(div(like(spread, 1), sqrt(add(spread, like(spread, epsilon)))), over, x.shape);
  const average = (v: Node): Node => expandAxes(meanOf(v, over), over, x.shape);
  return customGradient(mul(centred(x, over), scale), [x], (g, y) => [
    mul(scale, sub(sub(g, average(g)), mul(y, average(mul(g, y))))),
  ]);
}
