/**
 * Attention without a matrix of all scores: blocks of queries meet blocks of keys one after another, with the largest score,
 * the sum of powers and the weighted sum of values carried along (`running-softmax.ts`), from which the backward walk has every weight
 * again. Dao: "FlashAttention-2", 2023.
 */
import type { Node } from "../../../graph/node.ts";
import { mul } from "../../arithmetic.ts";
import { cast } from "../../cast.ts";
import { like } from "../../constants.ts";
import { customGradient } from "../../custom-gradient.ts";
import { dot } from "../../dot.ts";
import { transpose } from "../../permute.ts";
import { type Blocks, eachBlock, mapBlocks, type Operands } from "./blocks.ts";
import { attentionGradient } from "./gradient.ts";
import { fromQueryBlocks, type Layout, layoutOf, type Name } from "./layout.ts";
import { ended, nothingSeen, type RunningMean, withBlock } from "./running-softmax.ts";
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
  const loop = { level: "keys", length: layout.counts.keys, range } as const;
  const { carry } = eachBlock(loop, operands, nothingSeen(rows, width, q.dtype), (carried, block) => {
    const place = placeOf(block);
    const raw = dot(block.q!.node, transpose(block.k!.node));
    const { scores } = scoresOf(raw, place, layout.terms, layout.sizes);
    const mixed = (powers: Node): Node => dot(dropped(powers, place, layout.terms), block.v!.node);
    return { carry: withBlock(carried as unknown as RunningMean, scores, mixed) };
  });
  const { mean, logSum } = ended(carry as unknown as RunningMean);
  return [mean, logSum];
}
