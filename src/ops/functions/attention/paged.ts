/**
 * Attention of texts whose keys and values lie in pages of one pool, wherever there was room. Kwon and others, "Efficient memory
 * management for large language model serving with PagedAttention", 2023.
 *
 * Each query walks over the pages of its own text, as far as its position. So what it gives is a function of its own text alone: the
 * same bits, whatever else the batch holds.
 */
import type { Node } from "../../../graph/node.ts";
import { add, div, mul, sub } from "../../arithmetic.ts";
import { broadcastTo, reshape } from "../../broadcast.ts";
import { greaterEqual, lessEqual } from "../../compare.ts";
import { concat } from "../../concat.ts";
import { like } from "../../constants.ts";
import { dot } from "../../dot.ts";
import { gather } from "../../indexed.ts";
import { and } from "../../logical.ts";
import { permute } from "../../permute.ts";
import { scan } from "../../scan.ts";
import { select } from "../../select.ts";
import { iota } from "../../sources.ts";
import { tanh } from "../../trigonometric.ts";
import { blockAt } from "./layout.ts";
import { ended, nothingSeen, type RunningMean, withBlock } from "./running-softmax.ts";

export interface PagedAttentionOptions {
  /** What scores are multiplied by. */
  readonly scale: number;
  /** Scores become cap · tanh(score / cap). */
  readonly softCap?: number | undefined;
  /** How many keys before its own position a query sees; left out: all. */
  readonly left?: number | undefined;
}

/** Where the texts of queries lie. */
export interface PagedTexts {
  /** i32 (R, P): for each query the pages of its text, in order. */
  readonly tables: Node;
  /** i32 (R): where each query stands in its text; it sees keys up to there. */
  readonly positions: Node;
}

/**
 * softmax(q·kᵀ·scale)·v, each query over the pages of its text.
 *
 * Shapes: q (R, H, E), keys (K, pages, S, E), values (K, pages, S, V), K a divisor of H → (R, H, V).
 */
export function pagedAttention(
  q: Node,
  keys: Node,
  values: Node,
  { tables, positions }: PagedTexts,
  options: PagedAttentionOptions,
): Node {
  const [rows, heads, size] = q.shape as [number, number, number];
  const shared = keys.shape[0] as number;
  const grouped = reshape(mul(q, like(q, options.scale)), [rows, shared, heads / shared, size]);
  const { stacked } = scan([], [grouped, tables, positions], (_, [query, table, position]) => ({
    carry: [],
    stacked: [ofQuery(query!, { table: table!, position: position!, keys, values }, options)],
  }));
  return stacked[0]!;
}

interface Text {
  /** i32 (P). */
  readonly table: Node;
  /** i32 scalar. */
  readonly position: Node;
  readonly keys: Node;
  readonly values: Node;
}

/** One query (K, H / K, E) → (H, V). */
function ofQuery(query: Node, text: Text, options: PagedAttentionOptions): Node {
  const { table, position, keys, values } = text;
  const [shared, group] = query.shape as [number, number];
  const [pageSize, width] = values.shape.slice(2) as [number, number];
  const pages = table.shape[0] as number;
  const heads = shared * group;
  const numbers = iota([pages], 0, "i32");
  const starts = mul(numbers, like(numbers, pageSize));
  const { carry } = scan(
    nothingSeen(heads, width, query.dtype),
    [table, starts],
    (carried, [page, start]) => {
      const raw = dot(query, permute(gather(keys, page!, 1), [0, 2, 1])); // (K, H / K, S)
      const scores = seen(capped(reshape(raw, [heads, pageSize]), options), start!, position, options);
      const mixed = (powers: Node): Node =>
        reshape(dot(reshape(powers, [shared, group, pageSize]), gather(values, page!, 1)), [heads, width]);
      return { carry: withBlock(carried as unknown as RunningMean, scores, mixed) };
    },
    { length: pages, range: pagesSeen(position, pageSize, options) },
  );
  return ended(carry as unknown as RunningMean).mean;
}

/** The first page that a query sees, and the one behind its own. */
function pagesSeen(position: Node, pageSize: number, { left }: PagedAttentionOptions): Node {
  const pages = { size: pageSize };
  const from = left === undefined ? like(position, 0) : blockAt(sub(position, like(position, left)), pages);
  const end = blockAt(add(position, like(position, pageSize)), pages);
  return concat(
    [from, end].map((x) => reshape(x, [1])),
    0,
  );
}

function capped(scores: Node, { softCap }: PagedAttentionOptions): Node {
  if (softCap === undefined) return scores;
  return mul(tanh(div(scores, like(scores, softCap))), like(scores, softCap));
}

/** −Infinity for keys behind the query, and for those that are out of its window. */
function seen(scores: Node, start: Node, position: Node, { left }: PagedAttentionOptions): Node {
  const [own, key] = [position, start].map((x) => broadcastTo(x, scores.shape)) as [Node, Node];
  const at = add(key, iota(scores.shape, 1, "i32"));
  const isBefore = lessEqual(at, own);
  const isSeen = left === undefined ? isBefore : and(isBefore, greaterEqual(at, sub(own, like(own, left))));
  return select(isSeen, scores, like(scores, Number.NEGATIVE_INFINITY));
}
