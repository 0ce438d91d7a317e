/** Queries, keys, masks and biases cut into blocks, each with the levels of the loops at which it differs. */
import type { Node } from "../../../graph/node.ts";
import { add, div, mul } from "../../arithmetic.ts";
import { broadcastTo, reshape } from "../../broadcast.ts";
import { cast } from "../../cast.ts";
import { concat } from "../../concat.ts";
import { like } from "../../constants.ts";
import { maximum } from "../../magnitude.ts";
import { permute } from "../../permute.ts";
import { floor } from "../../rounding.ts";
import { flip, pad, sliceAxis } from "../../slice.ts";
import { iota, scalar } from "../../sources.ts";
import { windows } from "../../windows.ts";
import type { Blocks, Level, Operands } from "./blocks.ts";
import type { BlockedAttentionOptions, BlockSizes, ScoreTerms } from "./terms.ts";

export type Name = "q" | "k" | "v" | "mask" | "isKey" | "bias" | "query" | "key" | "row" | "words";

export interface Layout extends Wide {
  /** Outer loops, whose iterations are independent. */
  readonly heads: readonly { readonly level: Level; readonly length: number }[];
  readonly terms: ScoreTerms;
  /** Blocks of keys that some query of a block sees, (blocks of queries, 2), and the other way round; undefined: all. */
  readonly keyRanges: Node | undefined;
  readonly queryRanges: Node | undefined;
  readonly operands: Operands<Name>;
}

/** Blocks of this many queries (heads that share keys counted together) and keys stay in a second cache. */
const usualBlocks = { queries: 128, keys: 128 };

export function layoutOf(q: Node, k: Node, v: Node, options: BlockedAttentionOptions): Layout {
  const [batch, heads, length] = q.shape as [number, number, number, number];
  const [keyHeads, keyLength] = k.shape.slice(1) as [number, number];
  const group = heads / keyHeads;
  const most = options.blocks ?? usualBlocks;
  const [queries, keys] = [cut(length, Math.ceil(most.queries / group)), cut(keyLength, most.keys)];
  const sizes: BlockSizes = { group, queries: queries.size, keys: keys.size };
  const counts = { queries: queries.count, keys: keys.count };
  const wide = { batch, keyHeads, sizes, counts };
  const { mask, isKey, distanceBias: bias, dropout, left, right } = options;
  const operands: Operands<Name> = {
    q: queryBlocks(q, wide),
    k: keyBlocks(k, wide),
    v: keyBlocks(v, wide),
    mask: mask && maskBlocks(mask, wide),
    isKey: isKey && maskBlocks(isKey, wide),
    bias: bias && biasBlocks(bias, [length, keyLength], wide),
    query: {
      node: add(starts(queries), broadcastTo(offsetOf(options), [queries.count])),
      levels: ["queries"],
    },
    key: { node: starts(keys), levels: ["keys"] },
    row: dropout && rowNumbers(wide),
    words: dropout && { node: dropout.key, levels: [] },
  };
  const { isMerged, merged } = mergeHeads(operands, wide);
  return {
    heads: isMerged
      ? [{ level: "head", length: batch * keyHeads }]
      : [
          { level: "batch", length: batch },
          { level: "head", length: keyHeads },
        ],
    ...wide,
    terms: {
      ...{ softCap: options.softCap, left, right },
      keyCount: keys.size * keys.count === keyLength ? undefined : keyLength,
      rate: dropout?.rate ?? 0,
    },
    ...rangesOf(options, queries, keys),
    operands: merged,
  };
}

/** Equal blocks of one axis, the last perhaps not full. */
interface Cut {
  readonly size: number;
  readonly count: number;
}
const multiple = 16;
function cut(length: number, most: number): Cut {
  const count = Math.ceil(length / Math.max(1, most));
  const even = Math.ceil(length / count);
  const size = count === 1 ? length : Math.ceil(even / multiple) * multiple;
  return { size, count: Math.ceil(length / size) };
}

const starts = ({ size, count }: Cut): Node => {
  const numbers = iota([count], 0, "i32");
  return mul(numbers, like(numbers, size));
};
const offsetOf = ({ offset }: BlockedAttentionOptions): Node => offset ?? scalar(0, "i32");

// ---- ranges ---------------------------------------------------------------------------------------------------

function rangesOf(
  options: BlockedAttentionOptions,
  queries: Cut,
  keys: Cut,
): Pick<Layout, "keyRanges" | "queryRanges"> {
  const { left, right } = options;
  if (left === undefined && right === undefined) return { keyRanges: undefined, queryRanges: undefined };
  const offset = offsetOf(options);
  const query = add(starts(queries), broadcastTo(offset, [queries.count]));
  const key = add(starts(keys), broadcastTo(mul(offset, like(offset, -1)), [keys.count]));
  return {
    keyRanges: blocksBetween(query, queries, keys, [left, right]),
    queryRanges: blocksBetween(key, keys, queries, [right, left]),
  };
}

/** For blocks that begin at `first`: which blocks of `other` reach from `before` ahead of them to `after` behind. (n, 2) */
function blocksBetween(
  first: Node,
  own: Cut,
  other: Cut,
  [before, after]: readonly [number | undefined, number | undefined],
): Node {
  const shifted = (by: number): Node => add(first, like(first, by));
  const from = before === undefined ? like(first, 0) : blockAt(shifted(-before), other);
  const last =
    after === undefined
      ? like(first, other.count)
      : blockAt(shifted(own.size - 1 + after + other.size), other);
  return concat(
    [from, last].map((x) => reshape(x, [own.count, 1])),
    1,
  );
}

/** The block that a position lies in; 0 for those before all. */
export function blockAt(position: Node, { size }: Pick<Cut, "size">): Node {
  const middle = add(
    cast(maximum(position, like(position, 0)), "f32"),
    like({ ...position, dtype: "f32" }, 0.5),
  );
  return cast(floor(div(middle, like(middle, size))), "i32");
}

// ---- blocks ---------------------------------------------------------------------------------------------------

export interface Wide {
  readonly batch: number;
  readonly keyHeads: number;
  readonly sizes: BlockSizes;
  readonly counts: { readonly queries: number; readonly keys: number };
}

/** Zeros behind along an axis, up to `size`. */
function padded(x: Node, axis: number, size: number): Node {
  const missing = size - (x.shape[axis] as number);
  if (missing === 0) return x;
  const zeros = x.shape.map(() => 0);
  return pad(x, { low: zeros, high: zeros.map((_, i) => (i === axis ? missing : 0)) });
}

/** (B, H, L, E) → (B, heads of keys, blocks, group · queries, E). */
function queryBlocks(q: Node, { batch, keyHeads, sizes, counts }: Wide): Blocks {
  const [, , , width] = q.shape as [number, number, number, number];
  const { group, queries } = sizes;
  const whole = padded(q, 2, queries * counts.queries);
  const cut = reshape(whole, [batch, keyHeads, group, counts.queries, queries, width]);
  const node = reshape(permute(cut, [0, 1, 3, 2, 4, 5]), [
    ...[batch, keyHeads, counts.queries, group * queries, width],
  ]);
  return { node, levels: ["batch", "head", "queries"] };
}

/** (B, heads of keys, blocks, group · queries, E) → (B, H, L, E). */
export function fromQueryBlocks(x: Node, { batch, keyHeads, sizes, counts }: Wide, length: number): Node {
  const width = x.shape[x.shape.length - 1] as number;
  const { group, queries } = sizes;
  const cut = reshape(x, [batch, keyHeads, counts.queries, group, queries, width]);
  const whole = reshape(permute(cut, [0, 1, 3, 2, 4, 5]), [
    ...[batch, keyHeads * group, counts.queries * queries, width],
  ]);
  return sliceFirst(whole, length);
}

const sliceFirst = (x: Node, length: number): Node => sliceAxis(x, 2, 0, length);

/** (B, heads, S, E) → (B, heads, blocks, keys, E). */
function keyBlocks(k: Node, { batch, keyHeads, sizes, counts }: Wide): Blocks {
  const width = k.shape[3] as number;
  const whole = padded(k, 2, sizes.keys * counts.keys);
  const node = reshape(whole, [batch, keyHeads, counts.keys, sizes.keys, width]);
  return { node, levels: ["batch", "head", "keys"] };
}
export function fromKeyBlocks(x: Node, { batch, keyHeads, sizes, counts }: Wide, length: number): Node {
  const width = x.shape[x.shape.length - 1] as number;
  return sliceFirst(reshape(x, [batch, keyHeads, counts.keys * sizes.keys, width]), length);
}

/** A block is (1 | group, 1 | queries, 1 | keys); levels along which the mask is the same are none of its axes. */
function maskBlocks(mask: Node, { keyHeads, sizes, counts }: Wide): Blocks {
  const [batch, heads, length, keyLength] = mask.shape as [number, number, number, number];
  const whole = [
    [2, sizes.queries * counts.queries],
    [3, sizes.keys * counts.keys],
  ].reduce((x, [axis, size]) => (x.shape[axis!] === 1 ? x : padded(x, axis!, size!)), mask);
  const [K, G] = heads === 1 ? [1, 1] : [keyHeads, heads / keyHeads];
  const [I, i] = length === 1 ? [1, 1] : [counts.queries, sizes.queries];
  const [J, j] = keyLength === 1 ? [1, 1] : [counts.keys, sizes.keys];
  const cut = permute(reshape(whole, [batch, K, G, I, i, J, j]), [0, 1, 3, 5, 2, 4, 6]);
  return levelled(cut, ["batch", "head", "queries", "keys"]);
}

/** A block is (1 | group, queries + keys − 1): the distances that occur in it. */
function biasBlocks(
  bias: Node,
  [L, S]: readonly [number, number],
  { keyHeads, sizes, counts }: Wide,
): Blocks {
  const { queries, keys } = sizes;
  const [wholeL, wholeS] = [queries * counts.queries, keys * counts.keys];
  const whole = pad(bias, { low: [0, wholeL - L], high: [0, wholeS - S] });
  // A block of queries sees S + queries − 1 distances, and the later it is, the further back they begin.
  const rows = flip(windows(whole, { axes: [1], sizes: [wholeS + queries - 1], strides: [queries] }), [1]);
  const cells = windows(rows, { axes: [2], sizes: [queries + keys - 1], strides: [keys] }); // (H, I, J, distances)
  const heads = bias.shape[0] as number;
  const [K, G] = heads === 1 ? [1, 1] : [keyHeads, heads / keyHeads];
  const cut = reshape(cells, [K, G, ...cells.shape.slice(1)]);
  return levelled(permute(cut, [0, 2, 3, 1, 4]), ["head", "queries", "keys"]);
}

/** Without the levels of which there is one. */
function levelled(node: Node, levels: readonly Level[]): Blocks {
  const kept = levels.filter((_, axis) => node.shape[axis] !== 1);
  const inner = node.shape.slice(levels.length);
  const outer = node.shape.slice(0, levels.length).filter((size) => size !== 1);
  return { node: reshape(node, [...outer, ...inner]), levels: kept };
}

/** The number of the first row of each block, all heads counted through. */
function rowNumbers({ batch, keyHeads, sizes, counts }: Wide): Blocks {
  const numbers = iota([batch * keyHeads * counts.queries], 0, "u32");
  const rows = mul(numbers, like(numbers, sizes.group * sizes.queries));
  return { node: reshape(rows, [batch, keyHeads, counts.queries]), levels: ["batch", "head", "queries"] };
}

/** Batch and heads as one level, where every array has both or neither. */
function mergeHeads(
  operands: Operands<Name>,
  { batch, keyHeads }: Wide,
): { isMerged: boolean; merged: Operands<Name> } {
  const lacks = ({ levels }: Blocks): number =>
    (batch === 1 || levels.includes("batch") ? 0 : 1) + (keyHeads === 1 || levels.includes("head") ? 0 : 1);
  const isFree = ({ levels }: Blocks): boolean => !levels.includes("batch") && !levels.includes("head");
  const present = Object.values<Blocks | undefined>(operands).filter((x) => x !== undefined);
  if (!present.every((x) => isFree(x) || lacks(x) === 0)) return { isMerged: false, merged: operands };
  const entries = Object.entries<Blocks | undefined>(operands).map(([name, blocks]) => {
    if (blocks === undefined || isFree(blocks)) return [name, blocks];
    const rest = blocks.levels.filter((level) => level !== "batch" && level !== "head");
    const shape = blocks.node.shape.slice(blocks.levels.length - rest.length);
    const node = reshape(blocks.node, [batch * keyHeads, ...shape]);
    return [name, { node, levels: ["head", ...rest] }];
  });
  return { isMerged: true, merged: Object.fromEntries(entries) as Operands<Name> };
}
