/** Attention: every query takes a mean of the values, weighted by how its key matches. Vaswani et al., "Attention is all you need", 2017. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { elementCount, shapeText } from "../base/shape.ts";
import type { Node } from "../graph/node.ts";
import { blockedAttention, flip, iota, maskedSoftmax, windows } from "../ops/index.ts";
import { raised } from "../tensor/autocast.ts";
import { arange, type Tensor, tensor, where } from "../tensor/index.ts";
import { withPlace } from "../tensor/located.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { Dropout } from "./dropout.ts";

const sizesOf = (x: Tensor): readonly number[] => x.shape as readonly number[];

export interface AttentionOptions {
  /** bool: true where a query may look at a key; or numbers that are added to the scores. Broadcast to (…, L, S). */
  readonly mask?: Tensor | undefined;
  /** bool (batch, S), the batch being the first axis: true for keys that are padding. */
  readonly keyPaddingMask?: Tensor | undefined;
  /** Default false: true lets query i look at keys 0 … i only. */
  readonly causal?: boolean | undefined;
  /** How many keys before its own position a query sees, and how many after: [255, 0] is a sliding window of 256. */
  readonly window?: readonly [left: number, right: number] | undefined;
  /** The position of query 0 among the keys, for `causal` and `window`: a number, or an i32 scalar such as a cache's length. Default 0. */
  readonly offset?: number | Tensor | undefined;
  /** (heads or 1, L + S − 1): entry j − i + L − 1 is added to the score of query i and key j. See `alibiBias`, `RelativePositionBias`. */
  readonly distanceBias?: Tensor | undefined;
  /** What scores are multiplied by; default 1/√E. */
  readonly scale?: number | undefined;
  /** Scores are limited to cap·tanh(score / cap), as in Gemma; none when left out. */
  readonly softCap?: number | undefined;
  /** Of the weights: a `Dropout`, or any function of them (which needs them all in memory). */
  readonly dropout?: Dropout | ((weights: Tensor) => Tensor) | undefined;
  /** Default "auto": long sequences are taken in blocks, and no matrix of all weights is ever made. */
  readonly method?: "auto" | "plain" | "blocked" | undefined;
}

/**
 * From so many scores a head on they are taken in blocks. Where blocks can be skipped that is faster; where none can, one matrix
 * is up to a quarter faster with gradients, as it keeps the weights, until it takes too much memory.
 */
const leastBlockedScores = { skipping: 384 * 384, whole: 1024 * 1024 };

/**
 * softmax(q·kᵀ / √E)·v, as PyTorch's `scaled_dot_product_attention`. A query that may look at no key gives 0.
 *
 * With fewer heads of keys and values than of queries (axis −3), each serves as many queries' heads as there are to one.
 * Long sequences need memory that grows with L + S only, forward and backward (Dao, "FlashAttention-2", 2023).
 *
 * Shapes: q (…, L, E), k (…, S, E), v (…, S, V) → (…, L, V).
 *
 * @throws ShapeError when sizes or heads do not fit
 * @example
 * const [q, k, v] = [zeros([2, 8, 5, 16]), zeros([2, 8, 7, 16]), ones([2, 8, 7, 4])];
 * scaledDotProductAttention(q, k, v).shape; // [2, 8, 5, 4]
 */
export function scaledDotProductAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: AttentionOptions = {},
): Tensor {
  checkSizes(q, k, v);
  if (isBlocked(q, k, options)) return inBlocks(q, k, v, options);
  const weights = attentionWeights(q, k, options);
  return mixed(droppedBy(options.dropout, weights), v);
}

/**
 * softmax(q·kᵀ·scale + …): (…, L, S).
 *
 * @example attentionWeights(zeros([1, 2, 4]), zeros([1, 2, 4])); // [[[0.5, 0.5], [0.5, 0.5]]]
 */
export function attentionWeights(q: Tensor, k: Tensor, options: AttentionOptions = {}): Tensor {
  const { mask, keyPaddingMask, softCap, distanceBias } = options;
  const [queries, size] = sizesOf(q).slice(-2) as [number, number];
  const keys = sizesOf(k).at(-2)!;
  const scale = options.scale ?? 1 / Math.sqrt(size);
  let scores = products(q, k).mul(scale) as Tensor; // (…, L, S)
  if (softCap !== undefined) scores = scores.div(softCap).tanh().mul(softCap) as Tensor;
  if (distanceBias !== undefined) scores = scores.add(spread(distanceBias, queries, keys)) as Tensor;
  if (mask !== undefined && mask.dtype !== "bool") scores = scores.add(mask) as Tensor;
  const conditions = [
    ...inWindow(queries, keys, options),
    ...(mask?.dtype === "bool" ? [mask] : []),
    ...(keyPaddingMask === undefined ? [] : [isKey(keyPaddingMask, sizesOf(scores).length)]),
  ];
  if (conditions.length === 0 && mask === undefined) return scores.softmax() as Tensor;
  for (const condition of conditions) scores = where(condition, scores, -Infinity) as Tensor;
  const mayBeEmpty = mask !== undefined || keyPaddingMask !== undefined || options.window !== undefined;
  return mayBeEmpty
    ? (fromNode(maskedSoftmax(raised(nodeOf(scores)), -1)) as Tensor)
    : (scores.softmax() as Tensor);
}

/** The mean of the values by weights (…, L, S). */
export function mixed(weights: Tensor, v: Tensor): Tensor {
  const [heads, shared] = [sizesOf(weights).at(-3), sizesOf(v).at(-3)];
  if (!isGrouped(heads, shared)) return weights.matmul(v) as Tensor;
  const [queries, keys] = sizesOf(weights).slice(-2) as [number, number];
  const lead = sizesOf(weights).slice(0, -3);
  const rows = weights.reshape([...lead, shared!, (heads! / shared!) * queries, keys]) as Tensor;
  const made = rows.matmul(v) as Tensor;
  return made.reshape([...sizesOf(made).slice(0, -3), heads!, queries, sizesOf(v).at(-1)!]) as Tensor;
}

/** q·kᵀ; heads of queries that share keys are rows of one product. */
function products(q: Tensor, k: Tensor): Tensor {
  const [heads, shared] = [sizesOf(q).at(-3), sizesOf(k).at(-3)];
  if (!isGrouped(heads, shared)) return q.matmul(k.transpose()) as Tensor;
  const [queries, size] = sizesOf(q).slice(-2) as [number, number];
  const lead = sizesOf(q).slice(0, -3);
  const rows = q.reshape([...lead, shared!, (heads! / shared!) * queries, size]) as Tensor;
  const made = rows.matmul(k.transpose()) as Tensor;
  return made.reshape([...sizesOf(made).slice(0, -3), heads!, queries, sizesOf(k).at(-2)!]) as Tensor;
}

const isGrouped = (heads: number | undefined, shared: number | undefined): boolean =>
  heads !== undefined && shared !== undefined && shared > 1 && heads !== shared;

/** True for keys: (batch, 1, …, S). */
function isKey(padding: Tensor, rank: number): Tensor {
  const [batch, keys] = sizesOf(padding) as [number, number];
  return padding.not().reshape([batch, ...new Array<number>(rank - 2).fill(1), keys]) as Tensor;
}

/** (heads, L + S − 1) → (heads, L, S): a view. */
function spread(bias: Tensor, queries: number, keys: number): Tensor {
  const wanted = queries + keys - 1;
  const [, distances] = sizesOf(bias);
  if (sizesOf(bias).length !== 2 || distances !== wanted)
    throw withPlace(
      new ShapeError(
        `attention: distanceBias must be (heads, ${wanted}) for ${queries} queries and ${keys} keys, got ${shapeText(sizesOf(bias))}`,
      ),
    );
  return fromNode(flip(windows(nodeOf(bias), { axes: [1], sizes: [keys] }), [1])) as Tensor;
}

/** What `causal` and `window` say, as numbers of keys before and after. */
function reachOf({ causal = false, window }: AttentionOptions): { left?: number; right?: number } {
  const [left, right] = window ?? [Infinity, Infinity];
  for (const reach of [left, right])
    if (!(reach === Infinity || (Number.isInteger(reach) && reach >= 0)))
      throw new ArgumentError(
        `attention: a window is two whole numbers of 0 or more, or Infinity; got [${left}, ${right}]`,
      );
  const after = causal ? 0 : right;
  return { ...(left !== Infinity && { left }), ...(after !== Infinity && { right: after }) };
}

function inWindow(queries: number, keys: number, options: AttentionOptions): Tensor[] {
  const { left, right } = reachOf(options);
  if (left === undefined && right === undefined) return [];
  const { offset = 0 } = options;
  const at = (arange(queries) as Tensor).add(offset as Tensor).reshape([queries, 1]) as Tensor;
  // How many keys there are may be a dimension.
  const key = fromNode(iota([keys], 0, "i32")) as Tensor;
  return [
    ...(right === undefined ? [] : [at.add(right).greaterEqual(key) as Tensor]),
    ...(left === undefined ? [] : [at.sub(left).lessEqual(key) as Tensor]),
  ];
}

const droppedBy = (dropout: AttentionOptions["dropout"], weights: Tensor): Tensor => {
  if (dropout === undefined) return weights;
  return dropout instanceof Dropout ? (dropout.forward(weights) as Tensor) : dropout(weights);
};

// ---- blocks ---------------------------------------------------------------------------------------------------

function isBlocked(q: Tensor, k: Tensor, options: AttentionOptions): boolean {
  const { method = "auto", dropout, causal, window } = options;
  const [queries, keys] = [sizesOf(q).at(-2)!, sizesOf(k).at(-2)!];
  const isKnown = [...q.shape, ...k.shape].every((size) => typeof size === "number");
  const isOwn = typeof dropout === "function" || (dropout instanceof Dropout && dropout.p === 1);
  const mayBe = isKnown && !isOwn && elementCount(sizesOf(q)) !== 0 && elementCount(sizesOf(k)) !== 0;
  if (method === "blocked" && !mayBe)
    throw new ArgumentError(
      'attention: method "blocked" needs sizes that are known and dropout by a Dropout; use "auto"',
    );
  const least = leastBlockedScores[causal || window !== undefined ? "skipping" : "whole"];
  return mayBe && method !== "plain" && (method === "blocked" || queries * keys >= least);
}

function inBlocks(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor {
  const { mask, keyPaddingMask, softCap, distanceBias, dropout, offset } = options;
  const shape = [...sizesOf(q).slice(0, -1), sizesOf(v).at(-1)!];
  // Of three axes the first is the batch where its padding differs.
  if (keyPaddingMask !== undefined && shape.length === 3) {
    const [a, b, c] = [q, k, v].map((x) => x.expandDims(1)) as [Tensor, Tensor, Tensor];
    const wide = mask === undefined || sizesOf(mask).length < 3 ? mask : (mask.expandDims(1) as Tensor);
    return inBlocks(a, b, c, { ...options, mask: wide }).squeeze(1) as Tensor;
  }
  if (distanceBias !== undefined) spread(distanceBias, sizesOf(q).at(-2)!, sizesOf(k).at(-2)!);
  const lead = shape.slice(0, -3);
  const [a, b, c] = [q, k, v].map((x) => raised(nodeOf(four(x, lead)))) as [Node, Node, Node];
  const drops = dropout instanceof Dropout && dropout.training && dropout.p > 0;
  const start = typeof offset === "number" ? (tensor(offset, { dtype: "i32" }) as Tensor) : offset;
  const made = blockedAttention(a, b, c, {
    ...{ scale: options.scale ?? 1 / Math.sqrt(sizesOf(q).at(-1)!), softCap, ...reachOf(options) },
    mask: mask && nodeOf(masked4(mask, lead)),
    isKey: keyPaddingMask && nodeOf(masked4(isKey(keyPaddingMask, lead.length + 3), lead)),
    distanceBias: distanceBias && nodeOf(distanceBias),
    offset: start && nodeOf(start),
    dropout: drops ? { rate: dropout.p, key: nodeOf(dropout.random.next()) } : undefined,
  });
  return (fromNode(made) as Tensor).reshape(shape) as Tensor;
}

/** (…, heads, n, size) → (batch, heads, n, size), all axes of `lead` in one. */
function four(x: Tensor, lead: readonly number[]): Tensor {
  const shape = [1, 1, 1, ...lead.map(() => 1), ...sizesOf(x)].slice(-lead.length - 3);
  const inner = shape.slice(-3);
  const wide = (x.reshape(shape) as Tensor).broadcastTo([...lead, ...inner]) as Tensor;
  return wide.reshape([lead.reduce((a, b) => a * b, 1), ...inner]) as Tensor;
}

/** The same for what is added or selects: one for all of the batch stays one. */
function masked4(mask: Tensor, lead: readonly number[]): Tensor {
  const outer = sizesOf(mask).slice(0, -3);
  if (outer.some((size) => size !== 1)) return four(mask, lead);
  return mask.reshape([1, 1, 1, 1, ...sizesOf(mask)].slice(-4)) as Tensor;
}

function checkSizes(q: Tensor, k: Tensor, v: Tensor): void {
  const shapes = [q, k, v].map(sizesOf);
  const fail = (why: string): never => {
    const [a, b, c] = shapes.map((shape) => shapeText(shape));
    throw withPlace(new ShapeError(`attention: ${why}: queries ${a}, keys ${b}, values ${c}`));
  };
  if (shapes.some((shape) => shape.length < 2)) fail("needs (…, positions, size)");
  const [a, b, c] = shapes as [readonly number[], readonly number[], readonly number[]];
  if (a.at(-1) !== b.at(-1)) fail(`queries of ${a.at(-1)} numbers meet keys of ${b.at(-1)}`);
  if (b.at(-2) !== c.at(-2)) fail(`${b.at(-2)} keys have ${c.at(-2)} values`);
  const [heads, shared] = [a.at(-3), b.at(-3)];
  if (isGrouped(heads, shared) && heads! > 1 && heads! % shared! !== 0)
    throw withPlace(
      new ShapeError(
        `attention: ${heads} heads of queries ${shapeText(a)} are no multiple of ${shared} of keys and values ${shapeText(b)}`,
      ),
    );
}
