/** Softmax's kin that give exact zeros: projections onto the simplex, which look at the largest few elements alone. */
import { normalizeAxis } from "../../base/shape.ts";
import type { Node } from "../../graph/node.ts";
import { add, div, mul, sub } from "../arithmetic.ts";
import { expandAxes, sum } from "../broadcast.ts";
import { cast } from "../cast.ts";
import { equal, greater, lessEqual } from "../compare.ts";
import { like, zerosLike } from "../constants.ts";
import { customGradient, stopGradient } from "../custom-gradient.ts";
import { maximum, sqrt } from "../magnitude.ts";
import { max } from "../reduce.ts";
import { select } from "../select.ts";
import { iota } from "../sources.ts";
import { takeAlong } from "./arrangement.ts";
import { cumulativeSum } from "./cumulative.ts";
import { orderAlong } from "./sorting.ts";

/** What all rows of `axis` need: x less its largest, sorted from the largest down, and how many elements each prefix has. */
function sortedRows(x: Node, axis: number) {
  const constant = stopGradient(x);
  const spread = (row: Node): Node => expandAxes(row, [axis], x.shape);
  const shifted = sub(constant, spread(max(constant, axis)));
  const order = orderAlong(shifted, axis, true);
  const falling = takeAlong(shifted, order, axis);
  const count = add(cast(iota(x.shape, axis), x.dtype), like(x, 1));
  return { spread, shifted, falling, count };
}

/** Of each row the value at the last place where `condition` holds, which it does for a prefix of the row. */
function atLast(condition: Node, values: Node, axis: number): Node {
  const count = expandAxes(sum(cast(condition, "i32"), axis), [axis], values.shape);
  const isLast = equal(add(iota(values.shape, axis), like(count, 1)), count);
  return sum(select(isLast, values, zerosLike(values)), axis);
}

/**
 * The point of the simplex that is nearest to x along an axis: max(x − τ, 0) with τ such that the sum is 1. Martins and Astudillo,
 * "From softmax to sparsemax", ICML 2016. Its Jacobian is that of a mean over the elements that are not 0.
 */
export function sparsemax(x: Node, axis: number): Node {
  const at = normalizeAxis(axis, x.shape.length, "sparsemax");
  const { spread, shifted, falling, count } = sortedRows(x, at);
  const excess = sub(cumulativeSum(falling, at), like(falling, 1));
  const threshold = atLast(greater(mul(count, falling), excess), div(excess, count), at);
  const value = maximum(sub(shifted, spread(threshold)), zerosLike(x));
  return customGradient(value, [x], (g, y) => {
    const isIn = cast(greater(stopGradient(y), zerosLike(y)), y.dtype);
    const mean = div(sum(mul(g, isIn), at), sum(isIn, at));
    return [mul(sub(g, spread(mean)), isIn)];
  });
}

/**
 * max(x/2 − τ, 0)² along an axis with τ such that the sum is 1: between softmax and sparsemax, 1.5-entmax. Peters, Niculae and
 * Martins, "Sparse sequence-to-sequence models", ACL 2019, Algorithm 2.
 */
export function entmax15(x: Node, axis: number): Node {
  const at = normalizeAxis(axis, x.shape.length, "entmax15");
  const rows = sortedRows(x, at);
  const { spread, count } = rows;
  const [shifted, falling] = [rows.shifted, rows.falling].map((part) => mul(part, like(part, 0.5)));
  const mean = div(cumulativeSum(falling!, at), count);
  const meanSquare = div(cumulativeSum(mul(falling!, falling!), at), count);
  const spare = sub(like(x, 1), mul(count, sub(meanSquare, mul(mean, mean))));
  const thresholds = sub(mean, sqrt(maximum(div(spare, count), zerosLike(x))));
  const threshold = atLast(lessEqual(thresholds, falling!), thresholds, at);
  const root = maximum(sub(shifted!, spread(threshold)), zerosLike(x));
  return customGradient(mul(root, root), [x], (g, y) => {
    // Where y is 0 so are its root and that root's slope.
    const isIn = greater(y, zerosLike(y));
    const weight = select(isIn, sqrt(select(isIn, y, like(y, 1))), zerosLike(y));
    const weighted = mul(g, weight);
    return [sub(weighted, mul(weight, spread(div(sum(weighted, at), sum(weight, at)))))];
  });
}
