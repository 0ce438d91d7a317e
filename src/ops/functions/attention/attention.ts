/**
 * Attention without a matrix of all scores: blocks of queries meet blocks of keys one after another, with the largest score,
 * the sum of powers and the weighted sum of values carried along. Dao: "FlashAttention-2", 2023.
 *
 * For each row of scores s, over blocks of keys in turn:
 *
 *     m′ = max(m, max s)    p = exp(s − m′)    l′ = l·exp(m − m′) + Σ p    a′ = a·exp(m − m′) + p·v
 *
 * and at the end a / l is the result, m + log l the log-sum-exp, from which the backward walk has every weight again.
 */
import type { Node } from "../../../graph/node.ts";
import { add, div, mul, sub } from "../../arithmetic.ts";
import { broadcastTo, reshape, sum } from "../../broadcast.ts";
import { cast } from "../../cast.ts";
import { equal } from "../../compare.ts";
import { full, like, zerosLike } from "../../constants.ts";
import { customGradient } from "../../custom-gradient.ts";
import { dot } from "../../dot.ts";
import { exp, log } from "../../exponential.ts";
import { maximum } from "../../magnitude.ts";
import { transpose } from "../../permute.ts";
import { max } from "../../reduce.ts";
import { select } from "../../select.ts";
import { type Blocks, eachBlock, mapBlocks, type Operands } from "./blocks.ts";
import { attentionGradient } from "./gradient.ts";
import { fromQueryBlocks, type Layout, layoutOf, type Name } from "./layout.ts";
import { dropped, placeOf, scoresOf } from "./scores.ts";
import type { BlockedAttentionOptions } from "./terms.ts";

/**
 * softmax(q·kᵀ·scale + …)·v, in memory that grows with L + S and not with L·S. A query that may look at no key gives 0.
 *
 * Shapes: q (B, H, L, E), k (B, K, S, E), v (B, K, S, V), K a divisor of H → (B, H, L, V).
 *
 * @example
 * const [q, k, v] = [f32("q", 2, 8, 4096, 64), f32("k", 2, 8, 4096, 64), f32("v", 2, 8, 4096, 64)];
 * blockedAttention(q, k, v, { scale: 1 / Math.sqrt(64), right: 0 }) // causal
 */
export function blockedAttention(q: Node, k: Node, v: Node, options: BlockedAttentionOptions): Node {
  const { dtype } = q;
  if (dtype === "f16" || dtype === "bf16") {
    const [a, b, c] = [q, k, v].map((x) => cast(x, "f32")) as [Node, Node, Node];
    return cast(blockedAttention(a, b, c, options), dtype);
  }
  const layout = layoutOf(mul(q, like(q, options.scale)), k, v, options);
  const [out, logSums] = forward(layout) as [Node, Node];
  const names = ["q", "k", "v", "mask", "bias"] as const;
  const differentiable = names.filter((name) => {
    const node = layout.operands[name]?.node;
    return node !== undefined && node.dtype !== "bool";
  });
  const inputs = differentiable.map((name) => layout.operands[name]!.node);
  const result = customGradient(out, inputs, (cotangent, output) =>
    attentionGradient(layout, { cotangent, output, logSums }, differentiable),
  );
  return fromQueryBlocks(result, layout, q.shape[2] as number);
}

/** Results and log-sum-exps: (heads…, blocks, group · queries, V | 1). */
function forward(layout: Layout): readonly Node[] {
  const { heads, counts, keyRanges, operands } = layout;
  const levels = [...heads, { level: "queries", length: counts.queries } as const];
  const ranges: Blocks | undefined = keyRanges && { node: keyRanges, levels: ["queries"] };
  return mapBlocks(levels, { ...operands, ranges }, ({ ranges: range, ...block }) =>
    ofQueries(block, range?.node, layout),
  );
}

/** One block of queries with all blocks of keys that it sees. */
function ofQueries(operands: Operands<Name>, range: Node | undefined, layout: Layout): readonly Node[] {
  const [q, v] = [operands.q!.node, operands.v!.node];
  const [rows, width] = [q.shape[0]!, v.shape[v.shape.length - 1]!];
  const initial = [
    full([rows, 1], Number.NEGATIVE_INFINITY, q.dtype),
    full([rows, 1], 0, q.dtype),
    full([rows, width], 0, q.dtype),
  ];
  const loop = { level: "keys", length: layout.counts.keys, range } as const;
  const { carry } = eachBlock(loop, operands, initial, ([largest, total, weighted], block) => {
    const place = placeOf(block);
    const raw = dot(block.q!.node, transpose(block.k!.node));
    const { scores } = scoresOf(raw, place, layout.terms, layout.sizes);
    const next = maximum(largest!, reshape(max(scores, 1), [rows, 1]));
    const base = finite(next);
    const powers = exp(sub(scores, broadcastTo(base, scores.shape)));
    const shrink = exp(sub(largest!, base));
    const sums = reshape(sum(powers, [1]), [rows, 1]);
    const values = dot(dropped(powers, place, layout.terms), block.v!.node);
    return {
      carry: [
        next,
        add(mul(total!, shrink), sums),
        add(mul(weighted!, broadcastTo(shrink, weighted!.shape)), values),
      ],
    };
  });
  const [largest, total, weighted] = carry as [Node, Node, Node];
  const isEmpty = equal(total, zerosLike(total));
  const whole = select(isEmpty, like(total, 1), total);
  return [
    mul(weighted, broadcastTo(div(like(whole, 1), whole), weighted.shape)),
    select(isEmpty, like(total, Number.POSITIVE_INFINITY), add(largest, log(whole))),
  ];
}

/** What may be subtracted: 0 instead of −Infinity, the largest score of a row that has none. */
const finite = (largest: Node): Node =>
  select(equal(largest, like(largest, Number.NEGATIVE_INFINITY)), zerosLike(largest), largest);
