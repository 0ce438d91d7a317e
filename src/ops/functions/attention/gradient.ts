/**
 * The gradient of attention from its log-sum-exps: scores are computed again, block by block.
 *
 *     p = exp(s − logSum)    dv = pᵀ·g    ds = p ∘ (g·vᵀ − Σ g ∘ out)    dq = ds·k    dk = dsᵀ·q
 *
 * Each block of keys meets the blocks of queries in turn and carries its own dk and dv; what it gives to dq is added for all
 * queries once it is done. So every sum has one order, whatever the threads.
 */
import type { Node } from "../../../graph/node.ts";
import { add, mul, sub } from "../../arithmetic.ts";
import { broadcastTo, reshape, sum } from "../../broadcast.ts";
import { zerosLike } from "../../constants.ts";
import { dot } from "../../dot.ts";
import { exp } from "../../exponential.ts";
import { permute, transpose } from "../../permute.ts";
import { type Blocks, eachBlock, type Level, mapBlocks, type Operands } from "./blocks.ts";
import type { Layout, Name } from "./layout.ts";
import { biasCotangent, dropped, maskCotangent, placeOf, scoresOf } from "./scores.ts";

/** What the forward walk left, and what came back. */
interface Given {
  readonly cotangent: Node;
  readonly output: Node;
  readonly logSums: Node;
}
type Own = Name | "cotangent" | "delta" | "logSum" | "ranges";

/** Cotangents of the arrays that `wanted` names, in the layout's blocks. */
export function attentionGradient(layout: Layout, given: Given, wanted: readonly Name[]): readonly Node[] {
  const { heads, queryRanges, operands } = layout;
  const { levels } = operands.q!;
  const { cotangent, output, logSums } = given;
  const delta = sum(mul(cotangent, output), [levels.length + 1]);
  const all: Operands<Own> = {
    ...operands,
    mask: operands.mask && keysFirst(operands.mask),
    bias: operands.bias && keysFirst(operands.bias),
    cotangent: { node: cotangent, levels },
    delta: { node: reshape(delta, logSums.shape), levels },
    logSum: { node: logSums, levels },
    ranges: queryRanges && { node: queryRanges, levels: ["keys"] },
  };
  const [dq, dk, dv, ...others] = mapBlocks(heads, all, (head) => ofHead(head, layout, wanted)) as [
    Node,
    Node,
    Node,
    ...Node[],
  ];
  const order = [...heads.map(({ level }) => level), "keys", "queries"] as const;
  const found: { [name in Name]?: Node } = { q: dq, k: dk, v: dv };
  for (const name of ["mask", "bias"] as const)
    if (wanted.includes(name)) found[name] = gathered(others.shift()!, order, operands[name]!);
  return wanted.map((name) => found[name]!);
}

/** dq (blocks, rows, E), dk and dv (blocks, keys, …), then what masks and biases get (blocks of keys, of queries, …). */
function ofHead(head: Operands<Own>, layout: Layout, wanted: readonly Name[]): readonly Node[] {
  const { counts } = layout;
  const loop = { level: "keys", length: counts.keys } as const;
  const { carry, stacked } = eachBlock(
    loop,
    head,
    [zerosLike(head.q!.node)],
    ([dq], { ranges, ...column }) => {
      const [k, v] = [column.k!.node, column.v!.node];
      const inner = eachBlock(
        { level: "queries", length: counts.queries, range: ranges?.node },
        column,
        [zerosLike(k), zerosLike(v)],
        ([dk, dv], block) => ofBlock([dk!, dv!], block, layout, wanted),
      );
      const [toQueries, ...others] = inner.stacked;
      return { carry: [add(dq!, toQueries!)], stacked: [...inner.carry, ...others] };
    },
  );
  return [carry[0]!, ...stacked];
}

function ofBlock(
  [dk, dv]: readonly [Node, Node],
  block: Operands<Exclude<Own, "ranges">>,
  { terms, sizes }: Layout,
  wanted: readonly Name[],
): { readonly carry: readonly Node[]; readonly stacked: readonly Node[] } {
  const [q, k, v, g] = (["q", "k", "v", "cotangent"] as const).map((name) => block[name]!.node) as [
    Node,
    Node,
    Node,
    Node,
  ];
  const place = placeOf(block);
  const { scores, slope } = scoresOf(dot(q, transpose(k)), place, terms, sizes);
  const over = (x: Node): Node => broadcastTo(x, scores.shape);
  const weights = exp(sub(scores, over(block.logSum!.node)));
  const toWeights = dropped(dot(g, transpose(v)), place, terms);
  const toScores = mul(weights, sub(toWeights, over(block.delta!.node)));
  const toProducts = slope === undefined ? toScores : mul(toScores, slope);
  const others = [
    ...(wanted.includes("mask") ? [maskCotangent(place.mask!, toScores, sizes)] : []),
    ...(wanted.includes("bias") ? [biasCotangent(place.bias!, toScores, sizes)] : []),
  ];
  return {
    carry: [
      add(dk, dot(transpose(toProducts), q)),
      add(dv, dot(transpose(dropped(weights, place, terms)), g)),
    ],
    stacked: [dot(toProducts, k), ...others],
  };
}

/** The same blocks with the level of keys before that of queries. */
function keysFirst({ node, levels }: Blocks): Blocks {
  const at = levels.indexOf("queries");
  if (at < 0 || levels[at + 1] !== "keys") return { node, levels };
  const order = node.shape.map((_, axis) => (axis === at ? at + 1 : axis === at + 1 ? at : axis));
  const turned = [...levels];
  turned.splice(at, 2, "keys", "queries");
  return { node: permute(node, order), levels: turned };
}

/** Blocks stacked along all levels in `order`, summed to the levels that an array has, in its order. */
function gathered(stack: Node, order: readonly Level[], { node, levels }: Blocks): Node {
  const missing = order.map((_, axis) => axis).filter((axis) => !levels.includes(order[axis]!));
  const kept = order.filter((level) => levels.includes(level));
  const summed = missing.length === 0 ? stack : sum(stack, missing);
  const axes = [
    ...levels.map((level) => kept.indexOf(level)),
    ...node.shape.slice(levels.length).map((_, i) => levels.length + i),
  ];
  return permute(summed, axes);
}
