/** Rows of what stands on an order: quantiles, the largest, places in a sorted vector, in f32 and f64. */
import type { Node } from "../../graph/node.ts";
import type { DenseArray } from "../../graph/op.ts";
import * as ops from "../../ops/index.ts";
import type { Case } from "../cases.ts";

const columns = 9;

/** Each row of an argument of as many columns, sorted. */
const sortedRows = ({ data }: DenseArray): Float64Array[] =>
  Array.from({ length: data.length / columns }, (_, row) =>
    data.slice(row * columns, (row + 1) * columns).sort(),
  );

/** Between its neighbours in rising order, in proportion: what PyTorch and NumPy call linear. */
function quantileOf(sorted: Float64Array, q: number): number {
  const position = q * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(position)]!, sorted[Math.ceil(position)]!];
  return low + (high - low) * (position - Math.floor(position));
}

const ofRows = (
  name: string,
  build: (x: Node) => Node,
  expected: (sorted: Float64Array) => readonly number[],
  more: Partial<Case> = {},
): Case => ({
  name,
  build: ([x]) => build(x!),
  arguments: [{ shape: [4, columns] }],
  expected: (x) => sortedRows(x).flatMap((row) => [...expected(row)]),
  dtypes: ["f32", "f64"],
  ...more,
});

const searched = (side: "left" | "right"): Case => ({
  name: `searchSorted, ${side}`,
  build: ([x, values]) => ops.searchSorted(ops.sort(x!, 0), ops.concat([values!, x!], 0), side),
  arguments: [{ shape: [23] }, { shape: [40], low: -3, high: 3 }],
  expected: ({ data: x }, { data: values }) =>
    [...values, ...x].map((v) => x.filter((a) => (side === "left" ? a < v : a <= v)).length),
  dtypes: ["f32", "f64", "i32"],
  gradient: false,
});

// The difference of neighbours loses what they have in common.
const interpolated = { formulaTolerance: { steps: 2, scale: 2 }, tolerance: { steps: 2, scale: 2 } } as const;

export const sortingCases: readonly Case[] = [
  ...[0, 0.3, 0.5, 0.875, 1].map((q) =>
    ofRows(
      `quantile ${q}`,
      (x) => ops.quantile(x, q, 1),
      (row) => [quantileOf(row, q)],
      interpolated,
    ),
  ),
  {
    name: "quantiles, a list of shares",
    build: ([x]) => ops.quantiles(x!, [0.25, 0.5], 1),
    arguments: [{ shape: [4, columns] }],
    expected: (x) => [0.25, 0.5].flatMap((q) => sortedRows(x).map((row) => quantileOf(row, q))),
    dtypes: ["f32", "f64"],
    ...interpolated,
  },
  ofRows(
    "topk, largest",
    (x) => ops.topk(x, 3, { axis: 1, largest: true }).values,
    (row) => [row.at(-1)!, row.at(-2)!, row.at(-3)!],
  ),
  ofRows(
    "topk, smallest",
    (x) => ops.topk(x, 2, { axis: -1, largest: false }).values,
    (row) => [row[0]!, row[1]!],
  ),
  ofRows(
    "sort along rows",
    (x) => ops.sort(x, 1),
    (row) => [...row],
  ),
  ofRows(
    "sort along rows, falling",
    (x) => ops.sort(x, 1, true),
    (row) => [...row].reverse(),
  ),
  searched("left"),
  searched("right"),
];
