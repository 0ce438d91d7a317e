/** What attention can be asked for beside queries, keys and values. */
import type { Node } from "../../../graph/node.ts";

export interface BlockedAttentionOptions {
  /** What scores are multiplied by. */
  readonly scale: number;
  /** Scores become cap · tanh(score / cap). */
  readonly softCap?: number | undefined;
  /** (1 | B, 1 | H, 1 | L, 1 | S): bool, true where a query may look, or numbers added to the scores. */
  readonly mask?: Node | undefined;
  /** (1 | B, 1, 1, S) bool: false for keys that no query sees. */
  readonly isKey?: Node | undefined;
  /** (1 | H, L + S − 1): number j − i + L − 1 is added to the scores of query i and key j. */
  readonly distanceBias?: Node | undefined;
  /** How many keys before its own position a query sees, and how many after; left out: all. */
  readonly left?: number | undefined;
  readonly right?: number | undefined;
  /** The position of the first query among the keys (i32 scalar); 0 when left out. Of `left` and `right` alone. */
  readonly offset?: Node | undefined;
  /** Weights are dropped with this probability, from this key (two u32). */
  readonly dropout?: { readonly rate: number; readonly key: Node } | undefined;
  /** The largest blocks; by default what runs fast. */
  readonly blocks?: { readonly queries: number; readonly keys: number };
}

/** What the loops need to know of the scores. */
export interface ScoreTerms {
  readonly softCap: number | undefined;
  readonly left: number | undefined;
  readonly right: number | undefined;
  /** Keys there are, where the last block has more room; undefined: it has not. */
  readonly keyCount: number | undefined;
  readonly rate: number;
}

/** Of one block: heads of queries that share a head of keys, positions of queries, positions of keys. */
export interface BlockSizes {
  readonly group: number;
  readonly queries: number;
  readonly keys: number;
}
