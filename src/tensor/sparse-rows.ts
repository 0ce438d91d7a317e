/** Gradients of tables as the few rows that they consist of. */
import * as ops from "../ops/index.ts";
import { located } from "./located.ts";
import { nodeOf } from "./nodes.ts";
import { fromNode, type Tensor } from "./tensor.ts";

/** Rows of a table, and where they belong. */
export interface SparseRows {
  /** (n), i32, sorted. */
  readonly indices: Tensor;
  /** (n, …): each the sum of all rows of its index, in f32 for 16-bit floats. Equal indices have equal rows. */
  readonly rows: Tensor;
  /** (n), bool: false for all but the first of equal indices. */
  readonly isFirst: Tensor;
}

/**
 * The rows that a gradient consists of, where it is what flows back through `gather(…, { sparse: true })`, a sum of such or a
 * product with a scalar; undefined for any other. What is made of them costs nothing for the rest of the table.
 *
 * @example
 * const table = state([[1, 1], [2, 2], [3, 3]]);
 * const loss = table.gather([2, 0, 2], 0, { sparse: true }).sum();
 * const { indices, rows } = sparseRows(grad(loss, table))!;
 * await indices.toArray(); // [0, 2, 2]
 * await rows.toArray(); // [[1, 1], [2, 2], [2, 2]]
 */
export function sparseRows(gradient: Tensor): SparseRows | undefined {
  return located(() => {
    const found = ops.sparseRows(nodeOf(gradient));
    if (found === undefined) return undefined;
    const { indices, rows, isFirst } = ops.coalesceRows(found);
    return { indices: fromNode(indices), rows: fromNode(rows), isFirst: fromNode(isFirst) };
  });
}
