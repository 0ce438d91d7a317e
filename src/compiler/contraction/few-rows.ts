/**
 * Few rows by a matrix (a vector by a matrix, a linear layer that decodes a token): each element of the matrix is needed a few
 * times only, so what counts is that it is read once, in place, and in long runs. How depends on what lies side by side:
 *
 * - columns: some steps in depth at a time, over as many columns as accumulators fit into the first cache. Memory is read in
 *   as many streams as there are steps.
 * - depth (x·Wᵀ): blocks of as many columns as lanes and as many steps are turned in registers, where accumulators stay.
 * - columns of a panel (weights of few bits, each panel a matrix of the batch): the same, but nothing has to be turned.
 */
import { hasMachineCode } from "#platform";
import { bytesOf, computeDType } from "../../base/dtype.ts";
import { maxOf } from "../../base/size.ts";
import type { ScalarDType } from "../../graph/scalar.ts";
import type { TargetDescription } from "../../ir/target.ts";
import { batchCount, blockAxes, depthOf, flopOf, type Problem, type Side } from "./problem.ts";
import { isEven, isShareable, largestAxis } from "./sharing.ts";
import { cutOf } from "./slices.ts";

/** A problem with one axis of rows, of known sizes. */
export interface MatrixProblem {
  readonly whole: Problem;
  readonly rows: number;
  readonly columns: number;
}

/** A problem of few rows, and how its matrix is read. */
export interface FewRows {
  /** So oriented that the rows are the few. */
  readonly problem: MatrixProblem;
  readonly adjacent: "columns" | "depth" | "panel";
  /** Steps in depth that are taken together. */
  readonly together: number;
  /** Axes of the depth, the last ones, whose steps are all taken together: what they share is loaded and turned once. */
  readonly axesTogether: number;
  /** Rows that are done in one pass over a piece of the matrix. */
  readonly rowsTogether: number;
  /** Columns of one piece. */
  readonly width: number;
  readonly shared:
    | { readonly axis: "none" | "columns" }
    | { readonly axis: "batch"; readonly batchAxis: number };
}

/** Registers of columns whose sums are under way at once: a number of a block is computed faster than one sum can take it in. */
const chainsOfBlocks = 2;
/** The same where nothing has to be turned: x times a number waits four cycles for the sum before. */
const chainsOfPanels = [4, 3, 2, 1];
/** With more rows than these one register of columns has sums enough under way. */
const mostRowsOfChains = 6;
/** Rows up to which reading the matrix is what takes the time. */
const mostRows = 12;
/** Streams of memory that a processor follows well. */
const streams = 8;
/** Columns below which a row of the matrix is no long run anyway. */
const leastColumns = 512;
/** A smaller matrix stays in the caches, where strides do not matter. */
const leastBytes = 256 * 1024;
/** With more rows than these by columns, tiles are faster while the second cache holds the matrix. */
const rowsFromCache = 2;

/** How to run a problem of few rows, if it is one: its extents are numbers, and nothing would be gained by packing. */
export function fewRowsOf(
  orientations: readonly Problem[],
  dtype: ScalarDType,
  target: TargetDescription,
): FewRows | undefined {
  for (const oriented of orientations) {
    const problem = matricesOf(oriented);
    if (problem === undefined) continue;
    const { rows, columns } = problem;
    // Blocks are taken apart once for as many rows as have accumulators: twice is as fast as packing them first.
    const most = hasMachineCode && blockAxes(oriented) > 0 ? target.vectorRegisters : mostRows;
    const isFew = rows * repeats(oriented) <= most && rows < columns;
    const found = isFew ? formOf(problem, dtype, target) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

function matricesOf(whole: Problem): MatrixProblem | undefined {
  const { rows, columns, depth, left } = whole;
  const [only] = rows;
  if (rows.length !== 1 || typeof only !== "number" || typeof columns !== "number") return undefined;
  // Nothing is summed.
  if (depth.length === 0) return undefined;
  const cut = cutOf(depth);
  const isWhole = cut === undefined || (cut.axis === 0 && typeof depth[0] === "number");
  // Each of the few rows' elements is loaded again for each group of columns: computing it there is too much.
  if (!isWhole || left.produced !== undefined) return undefined;
  return { whole, rows: only, columns };
}

/** How many matrices of the batch use the same right matrix. */
const repeats = ({ batch, right }: Problem): number =>
  batch.reduce<number>((n, size, axis) => (right.batchStrides[axis] === 0 ? n * maxOf(size) : n), 1);

function formOf(problem: MatrixProblem, dtype: ScalarDType, target: TargetDescription): FewRows | undefined {
  const { rows, columns, whole } = problem;
  const { depth, right } = whole;
  const inner = maxOf(depth.at(-1)!);
  const shared = sharedOf(problem, target);
  const parts = shared.axis === "columns" ? target.threads : 1;
  if (
    hasMachineCode &&
    isTurned(right, dtype, target) &&
    columns >= target.lanes * parts &&
    inner >= target.lanes
  ) {
    const axesTogether = blockAxes(whole);
    const isBlocks = axesTogether > 0;
    const chains = isBlocks && rows <= mostRowsOfChains ? chainsOfBlocks : 1;
    const rowsTogether =
      isBlocks && chains === 1
        ? Math.ceil(target.vectorRegisters / 2)
        : Math.ceil((target.vectorRegisters - target.lanes - 4) / chains);
    const form = { adjacent: "depth", together: target.lanes, axesTogether } as const;
    return { problem, ...form, rowsTogether, width: chains * target.lanes, shared };
  }
  if (hasMachineCode && isPanel(problem, target)) return panelForm(problem, shared, target);
  const bytes = depthOf(whole) * columns * bytesOf(right.buffer.dtype);
  const isFar = bytes > (rows > rowsFromCache ? target.caches.l2.bytes : leastBytes);
  if (right.ownStrides[0] !== 1 || rows > 8 || columns < leastColumns || !isFar) return undefined;
  const width = evenWidth(columns, { most: widthOf(rows, dtype, target), parts, lanes: target.lanes });
  const form = { adjacent: "columns", together: streams, axesTogether: 0 } as const;
  return { problem, ...form, rowsTogether: rows, width, shared };
}

/** Whether columns of numbers that are taken apart in blocks fill registers, side by side. */
const isPanel = ({ whole, columns }: MatrixProblem, { arithmetic, lanes }: TargetDescription): boolean =>
  arithmetic === "x64" && blockAxes(whole) > 0 && whole.right.ownStrides[0] === 1 && columns % lanes === 0;

function panelForm(
  problem: MatrixProblem,
  shared: FewRows["shared"],
  { lanes, vectorRegisters }: TargetDescription,
): FewRows {
  const { rows, columns, whole } = problem;
  const registers = columns / lanes;
  const isFew = rows <= mostRowsOfChains;
  const chains = isFew ? chainsOfPanels.find((count) => registers % count === 0)! : 1;
  // Scales and minima of each register's columns stay for a block.
  const fitting = Math.floor((vectorRegisters - 2 * chains - 4) / chains);
  const rowsTogether = isFew ? Math.max(1, fitting) : Math.ceil(vectorRegisters / 2);
  const form = { adjacent: "panel", together: 1, axesTogether: blockAxes(whole) } as const;
  return { problem, ...form, rowsTogether, width: chains * lanes, shared };
}

/** With less to do for one matrix the loop is no parallel one; whether threads are woken for it the generator decides. */
const serialFlop = 2e5;

/** Whether square blocks of the side can be turned in registers. */
function isTurned(
  { buffer, depthStrides, ownStrides: [ownStride] }: Side,
  dtype: ScalarDType,
  target: TargetDescription,
): boolean {
  const isApart = depthStrides.at(-1) === 1 && typeof ownStride === "number" && Math.abs(ownStride) > 1;
  return (
    target.arithmetic === "x64" &&
    isApart &&
    bytesOf(computeDType(buffer.dtype)) === 4 &&
    bytesOf(dtype) === 4
  );
}

/** As many columns as accumulators fit into the first cache; but runs of 8 KiB even where those only fit into the second. */
function widthOf(rows: number, dtype: ScalarDType, { caches }: TargetDescription): number {
  const fitting = Math.floor(caches.l1.bytes / (rows * bytesOf(dtype)));
  return Math.max(2048, fitting);
}

/** Columns of equal pieces, of at most `most` and their number a multiple of `parts`; what is left over is few. */
function evenWidth(
  columns: number,
  { most, parts, lanes }: { readonly most: number; readonly parts: number; readonly lanes: number },
): number {
  const pieces = parts * Math.ceil(columns / (most * parts));
  return Math.max(lanes, Math.floor(columns / pieces / lanes) * lanes);
}

function sharedOf({ whole: problem }: MatrixProblem, { threads }: TargetDescription): FewRows["shared"] {
  // Panels are a batch of parts of one matrix.
  const arePanels = hasMachineCode && blockAxes(problem) > 0 && problem.right.ownStrides[0] === 1;
  const isWorthIt =
    batchCount(problem) > 1 && !arePanels ? isShareable(problem) : flopOf(problem) >= serialFlop;
  if (threads <= 1 || !isWorthIt) return { axis: "none" };
  const batchAxis = largestAxis(problem.batch);
  const isWhole = batchAxis !== undefined && (arePanels || isEven(maxOf(problem.batch[batchAxis]!), threads));
  return isWhole && batchCount(problem) > 1 ? { axis: "batch", batchAxis } : { axis: "columns" };
}

/** The pieces of the columns: `count` of `width`, then a rest. */
export function piecesOf({ problem, width }: FewRows): { readonly count: number; readonly rest: number } {
  const count = Math.floor(problem.columns / width);
  return { count, rest: problem.columns - count * width };
}
