/** Gradients of tables of which a step reads few rows: those rows and where they belong, in place of a table of zeros. */
import { productOf, subtractSizes } from "../../base/size.ts";
import type { Node } from "../../graph/node.ts";
import { addOp, div, divOp, mul, mulOp } from "../arithmetic.ts";
import { broadcastOp, broadcastTo, reshape } from "../broadcast.ts";
import { cast } from "../cast.ts";
import { notEqual } from "../compare.ts";
import { concat } from "../concat.ts";
import { full, zerosLike } from "../constants.ts";
import { gather, scatterAdd, scatterAddOp } from "../indexed.ts";
import { sliceAxis } from "../slice.ts";
import { argsort } from "../sort.ts";
import { cumulativeSum } from "./cumulative.ts";

export interface SparseRows {
  /** (n), i32. */
  readonly indices: Node;
  /** (n, …). */
  readonly rows: Node;
}

/**
 * The rows of a gradient that consists of those alone: what flows back through `gather(…, { sparse: true })`, sums of such, and their
 * products with scalars. Undefined for every other tensor.
 */
export function sparseRows(gradient: Node): SparseRows | undefined {
  const { op, inputs } = gradient;
  if (op === scatterAddOp && gradient.attributes["isSparse"] === true) return ofScatter(gradient);
  if (op === addOp) return both(sparseRows(inputs[0]!), sparseRows(inputs[1]!));
  if (op === mulOp) return scaled(inputs[0]!, inputs[1]!, mul) ?? scaled(inputs[1]!, inputs[0]!, mul);
  if (op === divOp) return scaled(inputs[0]!, inputs[1]!, div);
  return undefined;
}

function ofScatter({ inputs: [, indices, updates] }: Node): SparseRows | undefined {
  const n = productOf(indices!.shape);
  const others = updates!.shape.slice(indices!.shape.length);
  return { indices: reshape(indices!, [n]), rows: reshape(updates!, [n, ...others]) };
}

function both(a: SparseRows | undefined, b: SparseRows | undefined): SparseRows | undefined {
  if (a === undefined || b === undefined) return undefined;
  return { indices: concat([a.indices, b.indices], 0), rows: concat([a.rows, b.rows], 0) };
}

function scaled(table: Node, factor: Node, by: (a: Node, b: Node) => Node): SparseRows | undefined {
  const scalar = scalarBehind(factor);
  const found = scalar && sparseRows(table);
  return found && { ...found, rows: by(found.rows, broadcastTo(reshape(scalar!, []), found.rows.shape)) };
}

/** The one element that a broadcast tensor repeats. */
function scalarBehind(x: Node): Node | undefined {
  let root = x;
  while (root.op === broadcastOp) root = root.inputs[0]!;
  return root.shape.every((size) => size === 1) ? root : undefined;
}

export interface DistinctRows extends SparseRows {
  /** (n), bool: false where the place was named before. */
  readonly isFirst: Node;
}

/**
 * Sorted by place, each row the sum of all that have its place, in f32 for 16-bit floats: equal places have equal rows, so that
 * writing them in any order comes out the same. Sums run in the order of the rows.
 */
export function coalesceRows({ indices, rows }: SparseRows): DistinctRows {
  const n = indices.shape[0]!;
  const order = argsort(indices, false);
  const sorted = gather(indices, order, 0);
  const wide = rows.dtype === "f64" ? rows : cast(rows, "f32");
  if (n === 0) return { indices: sorted, rows: wide, isFirst: full([0], 1, "bool") };
  const others = subtractSizes(n, 1);
  const differs = notEqual(sliceAxis(sorted, 0, 1, others), sliceAxis(sorted, 0, 0, others));
  const isFirst = concat([full([1], 1, "bool"), differs], 0);
  const group = cumulativeSum(cast(concat([full([1], 0, "bool"), differs], 0), "i32"), 0);
  const sums = scatterAdd(zerosLike(wide), group, gather(wide, order, 0), 0);
  return { indices: sorted, rows: gather(sums, group, 0), isFirst };
}
