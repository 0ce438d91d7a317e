/**
 * A contraction in the form that tiling works on: (batch…, rows, depth) × (batch…, depth, columns). The left side's
 * elements are broadcast, the right side's fill vectors; which of the operands is which is free, for the product of two
 * numbers does not depend on it.
 */
import { bytesOf } from "../../base/dtype.ts";
import { InternalError } from "../../base/errors.ts";
import { maxElementCount, type Shape } from "../../base/shape.ts";
import { maxOf, type Size, sameSize } from "../../base/size.ts";
import type { View } from "../../graph/view.ts";
import { addAffine, constantAffine, scaleAffine } from "../../ir/affine.ts";
import type { Affine, KernelBuffer } from "../../ir/kernel.ts";

/** One input: a view of shape (batch…, rows, columns) with any strides, at `base` (in counters of the program's loops). */
export interface ContractionOperand {
  readonly buffer: KernelBuffer;
  readonly view: View;
  readonly base?: Affine;
}

/** One operand in memory: strides along the batch axes, along its own axis (rows or columns) and along the depth. */
export interface Side {
  readonly buffer: KernelBuffer;
  readonly base: Affine;
  readonly batchStrides: readonly Size[];
  readonly ownStride: Size;
  readonly depthStride: Size;
}

export interface Problem {
  readonly batch: Shape;
  readonly rows: Size;
  readonly columns: Size;
  readonly depth: Size;
  readonly left: Side;
  readonly right: Side;
  /** The rows are the result's columns. */
  readonly isSwapped: boolean;
}

/** The problem as it is written: left is a, right is b. */
export function problemOf(a: ContractionOperand, b: ContractionOperand, shape: Shape): Problem {
  const rank = shape.length;
  const [M, N] = [shape[rank - 2]!, shape[rank - 1]!];
  const K = a.view.shape[rank - 1]!;
  const fits =
    rank >= 2 &&
    hasShape(a.view, [...shape.slice(0, -1), K]) &&
    hasShape(b.view, [...shape.slice(0, -2), K, N]);
  if (!fits)
    throw new InternalError(
      `contraction: (${a.view.shape.join(", ")}) × (${b.view.shape.join(", ")}) is not (${shape.join(", ")})`,
    );
  const batch = shape.slice(0, -2);
  const left = sideOf(a, batch.length, "depth last");
  const right = sideOf(b, batch.length, "depth first");
  return { batch, rows: M, columns: N, depth: K, left, right, isSwapped: false };
}

const hasShape = (view: View, shape: Shape): boolean =>
  view.shape.length === shape.length && view.shape.every((size, axis) => sameSize(size, shape[axis]!));

function sideOf(operand: ContractionOperand, batchRank: number, order: "depth last" | "depth first"): Side {
  const { strides, offset } = operand.view;
  const [first, last] = [strides[batchRank]!, strides[batchRank + 1]!];
  const [ownStride, depthStride] = order === "depth last" ? [first, last] : [last, first];
  const base = addAffine(operand.base ?? constantAffine(0), constantAffine(offset));
  return { buffer: operand.buffer, base, batchStrides: strides.slice(0, batchRank), ownStride, depthStride };
}

/** The same problem with the result's columns as rows. */
export function swapped(problem: Problem): Problem {
  const { rows, columns, left, right, isSwapped } = problem;
  return { ...problem, rows: columns, columns: rows, left: right, right: left, isSwapped: !isSwapped };
}

/** The address of the element at `own` along the side's axis and `depth`, in one matrix of the batch. */
export function sideAddress(side: Side, batch: readonly Affine[], own: Affine, depth: Affine): Affine {
  let address = side.base;
  batch.forEach((index, axis) => {
    address = addAffine(address, scaleAffine(index, side.batchStrides[axis]!));
  });
  address = addAffine(address, scaleAffine(own, side.ownStride));
  return addAffine(address, scaleAffine(depth, side.depthStride));
}

/** Matrices of the batch, at the bounds of the dimensions. */
export const batchCount = ({ batch }: Problem): number =>
  batch.reduce<number>((n, size) => n * maxOf(size), 1);

/** Floating-point operations, at the bounds of the dimensions. */
export const flopOf = (problem: Problem): number =>
  2 * batchCount(problem) * maxOf(problem.rows) * maxOf(problem.columns) * maxOf(problem.depth);

/** Bytes of the elements that an operand's view shows, at the bounds of the dimensions. */
export const operandBytes = ({ buffer, view }: ContractionOperand): number =>
  maxElementCount(view.shape) * bytesOf(buffer.dtype);
