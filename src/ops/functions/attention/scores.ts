/** What happens to the scores of one block between the two products: soft cap, bias, masks, dropout. */
import type { Node } from "../../../graph/node.ts";
import { add, div, mul, sub } from "../../arithmetic.ts";
import { broadcastTo, reshape, sum } from "../../broadcast.ts";
import { cast } from "../../cast.ts";
import { greaterEqual, less, lessEqual } from "../../compare.ts";
import { like, zerosLike } from "../../constants.ts";
import { and } from "../../logical.ts";
import { randomBits } from "../../random.ts";
import { select } from "../../select.ts";
import { flip, sliceAxis } from "../../slice.ts";
import { iota } from "../../sources.ts";
import { tanh } from "../../trigonometric.ts";
import { foldWindows, windows } from "../../windows.ts";
import type { Operands } from "./blocks.ts";
import type { Name } from "./layout.ts";
import type { BlockSizes, ScoreTerms } from "./terms.ts";

/** Where a block stands, and its part of what is given for all scores. */
export interface BlockPlace {
  /** Positions of its first query and first key: i32 scalars. */
  readonly query: Node;
  readonly key: Node;
  /** (1 | group, 1 | queries, 1 | keys): bool, or numbers to add. */
  readonly mask: Node | undefined;
  /** (1, 1, keys): bool. */
  readonly isKey: Node | undefined;
  /** (1 | group, queries + keys − 1): by distance, see `distanceBias`. */
  readonly bias: Node | undefined;
  /** For dropout: the key's two words, and the number of the block's first row (u32). */
  readonly words: Node | undefined;
  readonly row: Node | undefined;
}

/** A block as the loops show it. */
export function placeOf({ query, key, mask, isKey, bias, words, row }: Operands<Name>): BlockPlace {
  return {
    ...{ query: query!.node, key: key!.node, mask: mask?.node, isKey: isKey?.node, bias: bias?.node },
    ...{ words: words?.node, row: row?.node },
  };
}

/** Scores as the softmax sees them, and their derivative by the products (undefined: 1). */
export interface Scores {
  readonly scores: Node;
  readonly slope: Node | undefined;
}

/** raw: (group · queries, keys). */
export function scoresOf(raw: Node, place: BlockPlace, terms: ScoreTerms, sizes: BlockSizes): Scores {
  const { softCap } = terms;
  let scores = raw;
  let slope: Node | undefined;
  if (softCap !== undefined) {
    const bent = tanh(div(raw, like(raw, softCap)));
    scores = mul(bent, like(raw, softCap));
    slope = sub(like(bent, 1), mul(bent, bent));
  }
  const shape = [sizes.group, sizes.queries, sizes.keys];
  const { mask, bias } = place;
  const added = [bias && distanceBias(bias, sizes), mask?.dtype === "bool" ? undefined : mask];
  for (const term of added)
    if (term !== undefined)
      scores = reshape(add(reshape(scores, shape), broadcastTo(term, shape)), raw.shape);
  const allowed = allowedAt(place, terms, sizes);
  if (allowed !== undefined) {
    const grouped = reshape(scores, shape);
    scores = reshape(
      select(broadcastTo(allowed, shape), grouped, like(grouped, Number.NEGATIVE_INFINITY)),
      raw.shape,
    );
  }
  return { scores, slope };
}

/** Which keys each query may look at, (1 | group, queries, keys); undefined: all. */
function allowedAt(place: BlockPlace, terms: ScoreTerms, sizes: BlockSizes): Node | undefined {
  const { left, right, keyCount } = terms;
  const shape = [1, sizes.queries, sizes.keys];
  const key = add(broadcastTo(place.key, shape), iota(shape, 2, "i32"));
  const query = add(broadcastTo(place.query, shape), iota(shape, 1, "i32"));
  const conditions: Node[] = [];
  if (right !== undefined)
    conditions.push(lessEqual(key, right === 0 ? query : add(query, like(query, right))));
  if (left !== undefined) conditions.push(greaterEqual(key, sub(query, like(query, left))));
  if (keyCount !== undefined) conditions.push(less(key, like(key, keyCount)));
  const { mask, isKey } = place;
  if (isKey !== undefined) conditions.push(broadcastTo(isKey, shape));
  if (mask?.dtype === "bool") {
    const wide = [mask.shape[0]!, sizes.queries, sizes.keys];
    conditions.push(broadcastTo(mask, wide));
    return conditions.map((x) => broadcastTo(x, wide)).reduce(and);
  }
  return conditions.length === 0 ? undefined : conditions.reduce(and);
}

/** Entry [a, b] is number b − a + queries − 1 of the list: a view of it, (1 | group, queries, keys). */
function distanceBias(bias: Node, { keys }: BlockSizes): Node {
  return flip(windows(bias, { axes: [1], sizes: [keys] }), [1]);
}

/** The cotangent of a block's mask or bias, from that of its scores. */
export function maskCotangent(mask: Node, cotangent: Node, { group, queries, keys }: BlockSizes): Node {
  const grouped = reshape(cotangent, [group, queries, keys]);
  const axes = [0, 1, 2].filter((axis) => mask.shape[axis] === 1 && grouped.shape[axis] !== 1);
  return axes.length === 0 ? grouped : reshape(sum(grouped, axes), mask.shape);
}
export function biasCotangent(bias: Node, cotangent: Node, { group, queries, keys }: BlockSizes): Node {
  const grouped = reshape(cotangent, [group, queries, keys]);
  const shared = bias.shape[0] === 1 && group > 1 ? reshape(sum(grouped, [0]), [1, queries, keys]) : grouped;
  return foldWindows(flip(shared, [1]), bias.shape, { axes: [1], sizes: [keys] });
}

/**
 * x where the weight is kept, over 1 − rate, else 0. The bits are a function of row and key alone, so the backward walk draws
 * them again, and neither blocks nor threads change them.
 */
export function dropped(x: Node, place: BlockPlace, terms: ScoreTerms): Node {
  const { words, row } = place;
  const { rate } = terms;
  if (words === undefined || row === undefined || rate === 0) return x;
  const key = [0, 1].map((i) => reshape(sliceAxis(words, 0, i, 1), [])) as [Node, Node];
  const rows = add(broadcastTo(row, x.shape), iota(x.shape, 0, "u32"));
  const first = broadcastTo(cast(place.key, "u32"), x.shape);
  const bits = randomBits(key, [rows, add(first, iota(x.shape, 1, "u32"))], 0);
  const isKept = greaterEqual(bits, like(bits, Math.floor(rate * 2 ** 32)));
  return select(isKept, mul(x, like(x, 1 / (1 - rate))), zerosLike(x));
}
