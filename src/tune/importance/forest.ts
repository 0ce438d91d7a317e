/** Random forests for regression, over parameters with and without an order. */
import type { Stream } from "../stream.ts";

/** A column: places from 0 to 1, or numbers of categories. */
export interface Column {
  /** 0 for places. */
  readonly categories: number;
  readonly values: Float64Array;
}

export interface Leaf {
  readonly value: number;
}
/** Places up to the threshold, or categories in the set, go left. */
export interface Split {
  readonly column: number;
  readonly threshold: number;
  readonly categories: ReadonlySet<number> | undefined;
  readonly left: Tree;
  readonly right: Tree;
}
export type Tree = Leaf | Split;

export const isLeaf = (tree: Tree): tree is Leaf => "value" in tree;

/**
 * A tree grown to its ends on a sample drawn with replacement (Breiman, "Random forests", 2001): each split is the one that lowers the sum of
 * squared errors most, over all columns. Categories are ordered by their mean, which finds the best two sets of them (Breiman et al., "CART", 1984).
 */
export function growTree(columns: readonly Column[], target: Float64Array, stream: Stream): Tree {
  const rows = Array.from(target, () => stream.below(target.length));
  return grow(columns, target, rows, 64);
}

function grow(
  columns: readonly Column[],
  target: Float64Array,
  rows: readonly number[],
  depth: number,
): Tree {
  const mean = meanOf(target, rows);
  const isSettled = rows.every((row) => target[row] === target[rows[0]!]);
  const split = isSettled || depth === 0 ? undefined : bestSplit(columns, target, rows);
  if (split === undefined) return { value: mean };
  const { column, threshold, categories, goesLeft } = split;
  const left = rows.filter(goesLeft);
  const right = rows.filter((row) => !goesLeft(row));
  return {
    ...{ column, threshold, categories },
    left: grow(columns, target, left, depth - 1),
    right: grow(columns, target, right, depth - 1),
  };
}

const meanOf = (target: Float64Array, rows: readonly number[]): number =>
  rows.reduce((sum, row) => sum + target[row]!, 0) / rows.length;

interface Found {
  readonly column: number;
  readonly threshold: number;
  readonly categories: ReadonlySet<number> | undefined;
  readonly goesLeft: (row: number) => boolean;
}

function bestSplit(
  columns: readonly Column[],
  target: Float64Array,
  rows: readonly number[],
): Found | undefined {
  const total = rows.reduce((sum, row) => sum + target[row]!, 0);
  let best = total ** 2 / rows.length + 1e-12 * Math.abs(total);
  let found: Found | undefined;
  columns.forEach(({ categories, values }, column) => {
    const place =
      categories === 0
        ? (row: number): number => values[row]!
        : meansByCategory(values, target, rows, categories);
    const order = rows.slice().sort((a, b) => place(a) - place(b));
    let sum = 0;
    for (let i = 0; i < order.length - 1; i++) {
      sum += target[order[i]!]!;
      const [here, next] = [place(order[i]!), place(order[i + 1]!)];
      if (here === next) continue;
      // The squared errors are smallest where Σ sum² / count is largest.
      const gain = sum ** 2 / (i + 1) + (total - sum) ** 2 / (order.length - i - 1);
      if (gain <= best) continue;
      best = gain;
      const threshold = (here + next) / 2;
      const set = categories === 0 ? undefined : new Set(order.slice(0, i + 1).map((row) => values[row]!));
      found = {
        ...{ column, threshold, categories: set },
        goesLeft: set === undefined ? (row) => values[row]! <= threshold : (row) => set.has(values[row]!),
      };
    }
  });
  return found;
}

function meansByCategory(
  values: Float64Array,
  target: Float64Array,
  rows: readonly number[],
  categories: number,
): (row: number) => number {
  const sums = new Float64Array(categories);
  const counts = new Float64Array(categories);
  for (const row of rows) {
    sums[values[row]!]! += target[row]!;
    counts[values[row]!]! += 1;
  }
  // Equal means of two categories must not make them one: the number tells them apart.
  return (row) => sums[values[row]!]! / counts[values[row]!]! + values[row]! * 1e-13;
}
