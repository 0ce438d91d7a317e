/**
 * A contraction in the form that tiling works on: (batch…, rows…, depth…) × (batch…, depth…, columns). The left side's
 * elements are broadcast, so rows may be several axes with any strides; the right side's fill vectors, along one axis. Which
 * of the operands is which is free, for the product of two numbers does not depend on it.
 */
import { hasMachineCode } from "#platform";
import { bytesOf } from "../../base/dtype.ts";
import { InternalError } from "../../base/errors.ts";
import { maxElementCount, type Shape } from "../../base/shape.ts";
import { maxOf, productOf, type Size, sameSize } from "../../base/size.ts";
import type { View } from "../../graph/view.ts";
import { addAffine, constantAffine, viewAddress, zeroAffine } from "../../ir/affine.ts";
import type { KernelBuilder } from "../../ir/builder.ts";
import type { Affine, KernelBuffer, Value } from "../../ir/kernel.ts";

/**
 * One input: a view of shape (batch…, rows…, depth…) or (batch…, depth…, columns…) with any strides, at `base` (in counters of
 * the program's loops).
 */
export interface ContractionOperand {
  readonly buffer: KernelBuffer;
  readonly view: View;
  readonly base?: Affine;
  readonly produced?: Produced<ContractionOperand>;
}

/**
 * An operand whose elements are computed as they are loaded (weights of few bits, pixels): the operand itself says where the
 * first of the numbers for it lies, `others` where the rest do, each seen through a view of the operand's shape.
 */
export interface Produced<Source> {
  readonly others: readonly Source[];
  value(b: KernelBuilder, loaded: readonly Value[]): Value;
}

/** What is contracted: how many axes of the operands are the batch's, and how many are summed over. */
export interface ContractionAxes {
  readonly batch: number;
  readonly depth: number;
  /** Products before or after go on with the same rows: threads best keep theirs. */
  readonly keepsRows?: boolean | undefined;
}

/** One operand in memory: strides along the batch axes, along its own axes (rows or columns) and along the depth. */
export interface Side {
  readonly buffer: KernelBuffer;
  readonly base: Affine;
  readonly batchStrides: readonly Size[];
  readonly ownStrides: readonly Size[];
  readonly depthStrides: readonly Size[];
  readonly produced?: Produced<Side>;
}

export interface Problem {
  readonly batch: Shape;
  readonly rows: Shape;
  readonly columns: Size;
  readonly depth: Shape;
  /** Whether the first operand is on the right. */
  readonly isExchanged: boolean;
  /** The first operand's rows are those of products before or after. */
  readonly keepsRows?: true;
  readonly left: Side;
  /** It has one axis of its own: what further ones it had are batch axes, along which the left side repeats. */
  readonly right: Side;
  /** Axes of the result that the batch axes, the rows and the columns are; −1 for an axis that it does not have. */
  readonly places: {
    readonly batch: readonly number[];
    readonly rows: readonly number[];
    readonly columns: number;
  };
}

/** The two ways to see it: a's axes as rows and b's as columns, and the other way round. */
export function problemsOf(
  a: ContractionOperand,
  b: ContractionOperand,
  shape: Shape,
  axes: ContractionAxes,
): readonly [Problem, Problem] {
  const rowCount = a.view.shape.length - axes.batch - axes.depth;
  requireFit(a.view, b.view, shape, axes);
  const batch = range(0, axes.batch);
  const rows = range(axes.batch, rowCount);
  const columns = range(axes.batch + rowCount, shape.length - axes.batch - rowCount);
  const first = partsOf(a, { own: axes.batch, depth: axes.batch + rowCount }, axes, rowCount);
  const second = partsOf(b, { own: axes.batch + axes.depth, depth: axes.batch }, axes, columns.length);
  const depth = a.view.shape.slice(axes.batch + rowCount);
  const problems = [
    orient({ shape, depth, batch, isExchanged: false, left: [first, rows], right: [second, columns] }),
    orient({ shape, depth, batch, isExchanged: true, left: [second, columns], right: [first, rows] }),
  ] as const;
  if (!hasMachineCode || !axes.keepsRows) return problems;
  const [plain, exchanged] = problems;
  return [
    { ...plain, keepsRows: true },
    { ...exchanged, keepsRows: true },
  ];
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

function requireFit(a: View, b: View, shape: Shape, { batch, depth }: ContractionAxes): void {
  const rows = a.shape.length - batch - depth;
  const [shared, contracted] = [shape.slice(0, batch), a.shape.slice(batch + rows)];
  const fits =
    rows >= 0 &&
    hasShape(a, [...shared, ...shape.slice(batch, batch + rows), ...contracted]) &&
    hasShape(b, [...shared, ...contracted, ...shape.slice(batch + rows)]);
  if (!fits)
    throw new InternalError(
      `contraction: (${a.shape.join(", ")}) × (${b.shape.join(", ")}) is not (${shape.join(", ")})`,
    );
}

const hasShape = (view: View, shape: Shape): boolean =>
  view.shape.length === shape.length && view.shape.every((size, axis) => sameSize(size, shape[axis]!));

/** An operand's strides where its own axes and the depth begin at `starts`. */
function partsOf(
  operand: ContractionOperand,
  starts: { readonly own: number; readonly depth: number },
  { batch, depth }: ContractionAxes,
  ownCount: number,
): Side {
  const { strides, offset } = operand.view;
  return {
    buffer: operand.buffer,
    base: addAffine(operand.base ?? constantAffine(0), constantAffine(offset)),
    batchStrides: strides.slice(0, batch),
    ownStrides: strides.slice(starts.own, starts.own + ownCount),
    depthStrides: strides.slice(starts.depth, starts.depth + depth),
    ...producedOf(operand, (other) => partsOf(other, starts, { batch, depth }, ownCount)),
  };
}

/** What else is read for an element, each source made into another form of one. */
const producedOf = <From extends { readonly produced?: Produced<From> }, To>(
  { produced }: From,
  make: (other: From) => To,
): { produced?: Produced<To> } =>
  produced === undefined ? {} : { produced: { ...produced, others: produced.others.map(make) } };

/** A side with strides of its own, for all that it reads. */
const restrided = (side: Side, strides: (side: Side) => Partial<Side>): Side => ({
  ...side,
  ...strides(side),
  ...producedOf(side, (other) => restrided(other, strides)),
});

function orient({
  shape,
  depth,
  batch,
  isExchanged,
  left: [left, rows],
  right: [right, columns],
}: {
  readonly shape: Shape;
  readonly depth: Shape;
  readonly batch: readonly number[];
  readonly isExchanged: boolean;
  readonly left: readonly [Side, readonly number[]];
  readonly right: readonly [Side, readonly number[]];
}): Problem {
  const outer = columns.slice(0, -1);
  const across = columns.at(-1) ?? -1;
  const sizeOf = (axis: number): Size => (axis < 0 ? 1 : shape[axis]!);
  const down = rows.length > 0 ? rows : [-1];
  return {
    batch: [...batch, ...outer].map(sizeOf),
    rows: down.map(sizeOf),
    columns: sizeOf(across),
    depth,
    isExchanged,
    left: restrided(left, ({ batchStrides, ownStrides }) => ({
      batchStrides: [...batchStrides, ...outer.map(() => 0)],
      ownStrides: rows.length > 0 ? ownStrides : [0],
    })),
    right: restrided(right, ({ batchStrides, ownStrides }) => ({
      batchStrides: [...batchStrides, ...ownStrides.slice(0, -1)],
      ownStrides: [ownStrides.at(-1) ?? 0],
    })),
    places: { batch: [...batch, ...outer], rows: down, columns: across },
  };
}

/** One index for each axis of the result. */
export function placeOf(
  { places }: Problem,
  batch: readonly Affine[],
  rows: readonly Affine[],
  column: Affine,
): Affine[] {
  const at: Affine[] = [];
  const put = (axis: number, index: Affine): void => {
    if (axis >= 0) at[axis] = index;
  };
  places.batch.forEach((axis, i) => {
    put(axis, batch[i]!);
  });
  places.rows.forEach((axis, i) => {
    put(axis, rows[i]!);
  });
  put(places.columns, column);
  return at;
}

/** The address of the element at `own` along the side's axes in the first step of the depth, in one matrix of the batch. */
export function sideAddress(side: Side, batch: readonly Affine[], own: readonly Affine[]): Affine {
  const inMatrix = viewAddress({ strides: side.ownStrides, offset: 0 }, own);
  const matrix = viewAddress({ strides: side.batchStrides, offset: 0 }, batch);
  return addAffine(addAffine(side.base, matrix), inMatrix);
}

/** The element whose numbers lie where `addressOf` says for each of a side's sources. */
export function loadElement(
  b: KernelBuilder,
  side: Side,
  addressOf: (source: Side, i: number) => Affine,
): Value {
  const loaded = sourcesOf(side).map((source, i) => b.load(source.buffer, addressOf(source, i)));
  return side.produced === undefined ? loaded[0]! : side.produced.value(b, loaded);
}

/** All that is read for a side's elements. */
export const sourcesOf = (side: Side): readonly Side[] => [side, ...(side.produced?.others ?? [])];

/**
 * Whether a side shows more elements than the memory under it holds (windows that overlap): packing would copy each of them
 * several times.
 */
export function overlaps({ batch, depth }: Problem, side: Side, own: Shape): boolean {
  const axes: (readonly [Size, Size])[] = [
    ...batch.map((size, i) => [size, side.batchStrides[i]!] as const),
    ...own.map((size, i) => [size, side.ownStrides[i]!] as const),
    ...depth.map((size, i) => [size, side.depthStrides[i]!] as const),
  ];
  let [shown, reach] = [1, 1];
  for (const [size, stride] of axes) {
    if (stride === 0) continue;
    shown *= maxOf(size);
    reach += Math.abs(maxOf(stride)) * (maxOf(size) - 1);
  }
  return shown > reach;
}

/** Steps that may be written out. */
const mostSteps = 32;

/** How many of the last axes are those of a block, whose numbers share bytes or scales: memory stands still along one of them. */
export function blockAxes({ depth, right: { produced, depthStrides } }: Problem): number {
  if (produced === undefined) return 0;
  let [count, steps] = [0, 1];
  for (let axis = depth.length - 1; axis > 0; axis--) {
    steps *= maxOf(depth[axis]!);
    if (typeof depth[axis] !== "number" || steps > mostSteps) break;
    if (
      [depthStrides, ...produced.others.map((other) => other.depthStrides)].some(
        (strides) => strides[axis] === 0,
      )
    )
      count = depth.length - axis;
  }
  return count;
}

/** Index 0 along each of the axes. */
export const zeros = (axes: readonly unknown[]): Affine[] => axes.map(() => zeroAffine);

/** Matrices of the batch, at the bounds of the dimensions. */
export const batchCount = ({ batch }: Problem): number => maxElementCount(batch);

/** Steps in depth, at the bounds of the dimensions. */
export const depthOf = ({ depth }: Problem): number => maxElementCount(depth);

/** Floating-point operations, at the bounds of the dimensions. */
export const flopOf = (problem: Problem): number =>
  2 * batchCount(problem) * maxOf(productOf(problem.rows)) * maxOf(problem.columns) * depthOf(problem);

/** Bytes of the elements that an operand's view shows, at the bounds of the dimensions. */
export const operandBytes = ({ buffer, view }: ContractionOperand): number =>
  maxElementCount(view.shape) * bytesOf(buffer.dtype);
