/** What the threads share of a contraction, and how long that takes. Sharing never changes the order of a sum. */
import { hasMachineCode } from "#platform";
import { bytesOf } from "../../base/dtype.ts";
import { maxElementCount } from "../../base/shape.ts";
import { maxOf, productOf, type Size } from "../../base/size.ts";
import type { TargetDescription } from "../../ir/target.ts";
import type { Plan } from "./plan.ts";
import { batchCount, blockAxes, depthOf, flopOf, type Problem, type Side } from "./problem.ts";
import { cutOf } from "./slices.ts";
import { balanced, sumOver, sumOverBoxes, type Tiling } from "./tiles.ts";

/** What one kernel computes, and what its threads share out. */
export interface Part {
  /** Of each axis of the rows. */
  readonly rows: readonly Tiling[];
  readonly columns: Tiling;
  readonly shared:
    | { readonly axis: "none" }
    | { readonly axis: "batch"; readonly batchAxis: number }
    | { readonly axis: "columns" }
    /** Rows of a dimension: single tiles. */
    | { readonly axis: "late rows"; readonly rowAxis: number }
    /** Panels of columns × groups of rows as below: `columns` are equal panels. */
    | {
        readonly axis: "both";
        readonly rowAxis: number;
        readonly start: number;
        readonly count: number;
        readonly size: number;
      }
    /** `count` groups of `size` rows of one axis from `start` on; `rows` has the tiling of one group there. */
    | {
        readonly axis: "rows";
        readonly rowAxis: number;
        readonly start: number;
        readonly count: number;
        readonly size: number;
      };
}

/**
 * Work below this many operations stays on one thread: with two products of 3.2 million shared by four threads, a training step of
 * 0.11 ms took 0.18 to 0.29 ms on a machine that others use, too.
 */
const serialFlop = 3.5e6;

/** A number of a block, computed for one multiplication, takes as long as so many. */
const blockCost = 5;

/** Whether it is worth more than one thread. */
export const isShareable = (problem: Problem): boolean =>
  flopOf(problem) * (blockAxes(problem) > 0 ? blockCost : 1) >= serialFlop;

/** Packing less than this, in a kernel of its own, stays on one thread. */
export const sharedPackBytes = 256 * 1024;

/** Waking the threads for a kernel, and waiting for the last. */
const forkCycles = 6000;

/** A line that one thread wrote and another reads; from 10 to 100, by where the two run. */
const handOverCycles = 24;
const lineBytes = 64;

/** A line from the last cache, of many that are read one after the other. */
const lastCacheCycles = 12;

/** The parts of a plan: one, or what the threads share evenly and the rest. */
export function partsOf(plan: Plan, target: TargetDescription): readonly Part[] {
  const { problem, rows, columns } = plan;
  if (target.threads <= 1 || !isShareable(problem)) return [{ rows, columns, shared: { axis: "none" } }];
  const batchAxis = largestAxis(problem.batch);
  if (batchAxis !== undefined && isEven(maxOf(problem.batch[batchAxis]!), target.threads))
    return [{ rows, columns, shared: { axis: "batch", batchAxis } }];
  const both =
    hasMachineCode && sharesBoth(target)
      ? rows.flatMap((_, axis) => splitBoth(plan, axis, target.threads))
      : [];
  const options =
    hasMachineCode && both.length > 0
      ? [...both, ...splitKeeping(plan, target)]
      : [splitColumns(rows, columns), ...rows.flatMap((_, axis) => splitRows(plan, axis, target.threads))];
  return cheapest(options, (parts) => partCycles(plan, parts, target) + packCycles(plan, parts, target));
}

/** The first of those that cost least; where a matrix is empty and nothing can be said, the first. */
export function cheapest<Item>(items: readonly Item[], cost: (item: Item) => number): Item {
  const costs = items.map(cost);
  return items[Math.max(0, costs.indexOf(Math.min(...costs)))]!;
}

/** Whether so many equal pieces keep the threads busy at least four fifths of the time. */
export const isEven = (pieces: number, threads: number): boolean =>
  pieces / (Math.ceil(pieces / threads) * threads) >= 0.8;

export function largestAxis(batch: readonly Size[]): number | undefined {
  let best: number | undefined;
  batch.forEach((size, axis) => {
    if (best === undefined || maxOf(size) > maxOf(batch[best]!)) best = axis;
  });
  return best;
}

/** Whether threads of the target share a parallel loop inside a parallel loop. */
export const sharesBoth = ({ arithmetic }: TargetDescription): boolean => arithmetic === "x64";

/** Rows that parts share in the same groups, each once. */
export function rowGroupsOf(parts: readonly Part[]): readonly Part[] {
  const keyOf = ({ rows, shared }: Part): string => JSON.stringify([shared, rows]);
  return [...new Map(parts.map((part) => [keyOf(part), part])).values()];
}

// ---- ways to split ----------------------------------------------------------------------------------------------

function splitRows(
  { rows, columns, packsLeft }: Plan,
  axis: number,
  threads: number,
): readonly (readonly Part[])[] {
  return [
    ...[8, 4, 2, 1].map((tiles) => splitTiles(rows, columns, axis, tiles)),
    // Packed rows lie in the plan's tiles: only those that are read in place may be cut anew.
    ...(packsLeft ? [] : [1, 2, 4, 8].flatMap((times) => splitEvenly(rows, columns, axis, times * threads))),
  ];
}

/**
 * A group of rows for each thread, where products before or after have the same: threads go on with their own. Each reads all
 * columns, so they should stay in its cache.
 */
function splitKeeping(
  { problem, rows, columns, packsLeft }: Plan,
  { threads, caches: { l2 } }: TargetDescription,
): readonly (readonly Part[])[] {
  const { keepsRows, isExchanged, right } = problem;
  const columnBytes = maxOf(problem.columns) * depthOf(problem) * bytesOf(right.buffer.dtype);
  const isSuited = !isExchanged && !packsLeft && batchCount(problem) === 1 && 4 * columnBytes <= l2.bytes;
  return keepsRows && isSuited ? rows.flatMap((_, axis) => splitEvenly(rows, columns, axis, threads)) : [];
}

/** The tilings with another one of one axis. */
const replaced = (rows: readonly Tiling[], axis: number, tiling: Tiling): readonly Tiling[] =>
  rows.map((own, i) => (i === axis ? tiling : own));

function splitColumns(rows: readonly Tiling[], columns: Tiling): readonly Part[] {
  if (columns.kind === "late") return [{ rows, columns, shared: { axis: "columns" } }];
  const [first, ...others] = columns.segments;
  const part = (segments: typeof others, shared: Part["shared"]): Part => ({
    rows,
    columns: { kind: "static", segments },
    shared,
  });
  const rest = others.length > 0 ? [part(others, { axis: "none" })] : [];
  return first === undefined ? rest : [part([first], { axis: "columns" }), ...rest];
}

/** Pieces of work for each thread, at most: the last ones end at about the same time. */
const mostPieces = 64;

/** 1, 2, 3, 4, 6, 8, 12 … */
const roundNumbers = (most: number): number[] =>
  Array.from({ length: 2 * Math.ceil(Math.log2(most + 1)) }, (_, i) =>
    i % 2 === 0 ? 2 ** (i / 2) : 1.5 * 2 ** ((i - 1) / 2),
  ).filter((n) => Number.isInteger(n) && n <= most);

/**
 * Equal groups of rows by panels of columns, so that there are many small pieces of work; what does not fill a group is shared by
 * panels alone. Groups have tiles of their own.
 */
function splitBoth({ rows, columns }: Plan, rowAxis: number, threads: number): readonly (readonly Part[])[] {
  const own = rows[rowAxis]!;
  if (own.kind === "late" || columns.kind === "late" || own.segments.length === 0) return [];
  const [extent, height] = [extentOf(own), own.segments[0]!.size];
  const panels = sumOver(columns, () => 1);
  const most = Math.max(1, Math.ceil((mostPieces * threads) / Math.max(1, panels)));
  const sizes = new Set<number>();
  for (const count of roundNumbers(Math.min(most, Math.ceil(extent / height)))) {
    sizes.add(Math.ceil(extent / count));
    sizes.add(Math.min(extent, height * Math.ceil(extent / count / height)));
  }
  return [...sizes].map((size) =>
    [
      { start: 0, count: Math.floor(extent / size), size },
      { start: extent - (extent % size), count: 1, size: extent % size },
    ]
      .filter((group) => group.size > 0)
      .flatMap((group) =>
        columns.segments.map((segment): Part => {
          const tiles: Tiling = { kind: "static", segments: balanced(group.size, height) };
          return {
            rows: replaced(rows, rowAxis, tiles),
            columns: { kind: "static", segments: [segment] },
            shared: { axis: "both", rowAxis, ...group },
          };
        }),
      ),
  );
}

/** Groups of `tiles` equal row tiles along one axis, and what remains. */
function splitTiles(
  rows: readonly Tiling[],
  columns: Tiling,
  rowAxis: number,
  tiles: number,
): readonly Part[] {
  const own = rows[rowAxis]!;
  if (own.kind === "late") return [{ rows, columns, shared: { axis: "late rows", rowAxis } }];
  const [first, ...others] = own.segments;
  if (first === undefined) return [];
  const { start, count, size } = first;
  const groups = Math.floor(count / tiles);
  const [even, left] = [groups * tiles, count - groups * tiles];
  const rest = left > 0 ? [{ start: start + even * size, count: left, size }, ...others] : others;
  const group: Tiling = { kind: "static", segments: [{ start: 0, count: tiles, size }] };
  return [
    ...(groups > 0
      ? [
          {
            rows: replaced(rows, rowAxis, group),
            columns,
            shared: { axis: "rows", rowAxis, start, count: groups, size: tiles * size } as const,
          },
        ]
      : []),
    ...(rest.length > 0
      ? [
          {
            rows: replaced(rows, rowAxis, { kind: "static", segments: rest }),
            columns,
            shared: { axis: "none" } as const,
          },
        ]
      : []),
  ];
}

/** So many groups of equally many rows, each cut into tiles of its own: nothing remains. */
function splitEvenly(
  rows: readonly Tiling[],
  columns: Tiling,
  rowAxis: number,
  groups: number,
): readonly (readonly Part[])[] {
  const own = rows[rowAxis]!;
  const extent = extentOf(own);
  if (own.kind === "late" || extent % groups !== 0 || extent < groups) return [];
  const size = extent / groups;
  const group: Tiling = { kind: "static", segments: balanced(size, own.segments[0]!.size) };
  const shared = { axis: "rows", rowAxis, start: 0, count: groups, size } as const;
  return [[{ rows: replaced(rows, rowAxis, group), columns, shared }]];
}

// ---- what they cost ---------------------------------------------------------------------------------------------

/** Estimated cycles of a plan with the threads there are. */
export function sharedCycles(plan: Plan, target: TargetDescription): number {
  const { tiles, packLeft, packRight } = plan.cycles;
  if (target.threads <= 1 || !isShareable(plan.problem)) return tiles + packLeft + packRight;
  const parts = partsOf(plan, target);
  return partCycles(plan, parts, target) + packCycles(plan, parts, target);
}

function partCycles(plan: Plan, parts: readonly Part[], { threads }: TargetDescription): number {
  const total = tileWeight(plan.rows) * extentOf(plan.columns);
  return parts.reduce((sum, part) => {
    const span = spanOf(part, plan, threads);
    const fork = part.shared.axis === "none" || keepsRows(part, plan) ? 0 : forkCycles;
    return sum + plan.cycles.tiles * (total > 0 ? span / total : 0) + fork + pieceCycles * piecesOf(part);
  }, 0);
}

/** Whether threads take the rows that they have in products before or after: none waits for another (`joined-loops.ts`). */
const keepsRows = (part: Part | undefined, { problem }: Pick<Plan, "problem">): boolean =>
  hasMachineCode && part?.shared.axis === "rows" && problem.keepsRows === true;

/** Of one part, by the threads one by one. */
const piecesOf = ({ columns, shared }: Part): number =>
  shared.axis === "both" ? shared.count * sumOver(columns, () => 1) : 0;

/** To claim a piece of work, and to find where it lies. */
const pieceCycles = 100;

const extentOf = (tiling: Tiling): number => sumOver(tiling, (size) => size);

/** Short tiles load the columns more often for each row. */
const tileWeight = (rows: readonly Tiling[]): number => sumOverBoxes(rows, (size) => size + 0.6);

/** How long the slowest thread has to do. */
function spanOf({ rows, columns, shared }: Part, { problem }: Plan, threads: number): number {
  const area = tileWeight(rows) * extentOf(columns);
  const slowest = (pieces: number): number => Math.ceil(pieces / threads) / Math.max(1, pieces);
  switch (shared.axis) {
    case "none":
      return area;
    case "batch":
      return area * slowest(maxOf(problem.batch[shared.batchAxis]!));
    case "columns":
      return area * slowest(sumOver(columns, () => 1));
    case "late rows":
      return area * slowest(sumOver(rows[shared.rowAxis]!, () => 1));
    case "rows":
      return area * Math.ceil(shared.count / threads);
    case "both": {
      const pieces = shared.count * sumOver(columns, () => 1);
      // One thread may still be at a piece when the others are done.
      return (area * shared.count * (pieces / threads + lastPiece)) / pieces;
    }
  }
}

/** How much of a piece threads wait for the last one on average. */
const lastPiece = 0.5;

/** Whether each thread packs the columns it works on, just before it needs them: a panel at a time, always in the same place. */
export function packsOwnColumns(
  { problem, packsRight }: Pick<Plan, "problem" | "packsRight">,
  parts: readonly Part[],
): boolean {
  const [first] = parts;
  // Alone, slices of a depth that is cut go over all columns: a panel of the whole depth would fall out of the caches.
  const isAlone = parts.length === 1 && first!.shared.axis === "none" && cutOf(problem.depth) === undefined;
  const isByPanels = first?.shared.axis === "columns" || first?.shared.axis === "both";
  const isOwn = isByPanels || isAlone || keepsRows(first, { problem });
  return packsRight && isOwn && isOneMatrix(problem, problem.right);
}

/** Which part of packing all columns each thread does by itself in one part: threads may meet in a panel. */
function ownPacking(part: Part, { columns }: Plan, threads: number): number {
  const [own, all] = [extentOf(part.columns), Math.max(1, extentOf(columns))];
  const panels = sumOver(part.columns, () => 1);
  if (part.shared.axis === "none") return own / all;
  if (part.shared.axis === "rows") return (own / all) * Math.ceil(part.shared.count / threads);
  const mine = part.shared.axis === "both" ? 1 / threads + 1 / panels : Math.ceil(panels / threads) / panels;
  return (own / all) * Math.min(1, mine);
}

/** Whether all matrices of the batch use the same one of a side. */
const isOneMatrix = (problem: Problem, side: Side): boolean =>
  batchCount(problem) === 1 || side.batchStrides.every((stride) => stride === 0);

function packCycles(plan: Plan, parts: readonly Part[], { threads }: TargetDescription): number {
  const { problem, rows, columns, cycles } = plan;
  if (parts[0]?.shared.axis === "batch") return (cycles.packLeft + cycles.packRight) / threads;
  // Panels along the first axis are shared.
  const share = (tiling: Tiling): number => {
    const panels = sumOver(tiling, () => 1);
    return Math.ceil(panels / threads) / Math.max(1, panels);
  };
  const before = (packed: number, tiling: Tiling, bytes: number): number => {
    if (packed === 0) return 0;
    const handedOver = (bytes / lineBytes) * handOverCycles;
    return handedOver + (bytes >= sharedPackBytes ? packed * share(tiling) + forkCycles : packed);
  };
  const bytesAlong = (own: Size): number =>
    maxOf(own) * depthOf(problem) * batchCount(problem) * bytesOf(problem.left.buffer.dtype);
  const isKept = keepsRows(parts[0], plan);
  const handedOver = hasMachineCode && !isKept ? writtenLines(problem) * handOverCycles : 0;
  const readAgain =
    hasMachineCode && isKept ? (bytesAlong(problem.columns) / lineBytes) * lastCacheCycles : 0;
  const left = before(cycles.packLeft, rows[0]!, bytesAlong(productOf(problem.rows)));
  const right = packsOwnColumns(plan, parts)
    ? cycles.packRight * parts.reduce((sum, part) => sum + ownPacking(part, plan, threads), 0)
    : before(cycles.packRight, columns, bytesAlong(problem.columns));
  return left + right + (handedOver + readAgain) * (1 - 1 / threads);
}

/** Lines that one product of several in a row hands to the next. */
function writtenLines(problem: Problem): number {
  const { keepsRows, isExchanged, left, right, rows, columns } = problem;
  if (!keepsRows) return 0;
  const [count, { buffer }] = isExchanged ? [maxOf(columns), right] : [maxElementCount(rows), left];
  return (count * depthOf(problem) * bytesOf(buffer.dtype)) / lineBytes;
}
