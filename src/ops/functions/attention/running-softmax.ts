/**
 * The weighted mean of values by a softmax, over blocks of keys in turn. For each row of scores s:
 *
 *     m′ = max(m, max s)    p = exp(s − m′)    l′ = l·exp(m − m′) + Σ p    a′ = a·exp(m − m′) + p·v
 *
 * and at the end a / l is the result, m + log l the log-sum-exp.
 */
import type { DType } from "../../../base/dtype.ts";
import type { Size } from "../../../base/size.ts";
import type { Node } from "../../../graph/node.ts";
import { add, div, mul, sub } from "../../arithmetic.ts";
import { broadcastTo, reshape, sum } from "../../broadcast.ts";
import { equal } from "../../compare.ts";
import { full, like, zerosLike } from "../../constants.ts";
import { exp, log } from "../../exponential.ts";
import { maximum } from "../../magnitude.ts";
import { max } from "../../reduce.ts";
import { select } from "../../select.ts";

/** m (rows, 1), l (rows, 1), a (rows, width). */
export type RunningMean = readonly [largest: Node, total: Node, weighted: Node];

export const nothingSeen = (rows: Size, width: Size, dtype: DType): RunningMean => [
  full([rows, 1], Number.NEGATIVE_INFINITY, dtype),
  full([rows, 1], 0, dtype),
  full([rows, width], 0, dtype),
];

/** With one more block: scores (rows, keys), and what its values (keys, width) are by weights. */
export function withBlock(
  [largest, total, weighted]: RunningMean,
  scores: Node,
  mixed: (powers: Node) => Node,
): RunningMean {
  const rows = scores.shape[0]!;
  const next = maximum(largest, reshape(max(scores, 1), [rows, 1]));
  const base = finite(next);
  const powers = exp(sub(scores, broadcastTo(base, scores.shape)));
  const shrink = exp(sub(largest, base));
  const sums = reshape(sum(powers, [1]), [rows, 1]);
  const values = mixed(powers);
  return [
    next,
    add(mul(total, shrink), sums),
    add(mul(weighted, broadcastTo(shrink, weighted.shape)), values),
  ];
}

/** The means, 0 for rows that saw nothing, and log-sum-exps (rows, 1). */
export function ended([largest, total, weighted]: RunningMean): {
  readonly mean: Node;
  readonly logSum: Node;
} {
  const isEmpty = equal(total, zerosLike(total));
  const whole = select(isEmpty, like(total, 1), total);
  return {
    mean: mul(weighted, broadcastTo(div(like(whole, 1), whole), weighted.shape)),
    logSum: select(isEmpty, like(total, Number.POSITIVE_INFINITY), add(largest, log(whole))),
  };
}

/** What may be subtracted: 0 instead of −Infinity, the largest score of a row that has none. */
const finite = (largest: Node): Node =>
  select(equal(largest, like(largest, Number.NEGATIVE_INFINITY)), zerosLike(largest), largest);
