/**
 * Decides how a contraction runs: which operand is broadcast and which fills vectors, what is packed, the tiles, and
 * what the threads share. The choice is by estimated cycles; it never changes the order of a sum.
 */
import { bytesOf, type DType } from "../../base/dtype.ts";
import { maxOf, type Size } from "../../base/size.ts";
import type { ScalarDType } from "../../graph/scalar.ts";
import type { TargetDescription } from "../../ir/target.ts";
import { cachePenalty } from "./cache.ts";
import { batchCount, flopOf, type Problem, type Side, serialFlop, swapped } from "./problem.ts";
import { type LoadCosts, sumOver, TileModel, type Tiling } from "./tiles.ts";

export interface Plan {
  readonly problem: Problem;
  readonly rows: Tiling;
  readonly columns: Tiling;
  readonly packsLeft: boolean;
  readonly packsRight: boolean;
  /** Estimate for all matrices on one thread. */
  readonly cycles: number;
}

export function planContraction(problem: Problem, dtype: ScalarDType, target: TargetDescription): Plan {
  const model = new TileModel(target, dtype);
  const options = [problem, swapped(problem)].flatMap((oriented) =>
    [false, true].flatMap((packsLeft) =>
      [false, true].map((packsRight) =>
        estimate(oriented, { packsLeft, packsRight }, { dtype, target, model }),
      ),
    ),
  );
  return options.reduce((best, plan) => (plan.cycles < best.cycles ? plan : best));
}

interface Machine {
  readonly dtype: ScalarDType;
  readonly target: TargetDescription;
  readonly model: TileModel;
}

function estimate(
  problem: Problem,
  packs: { readonly packsLeft: boolean; readonly packsRight: boolean },
  machine: Machine,
): Plan {
  const { left, right } = problem;
  const { packsLeft, packsRight } = packs;
  const { dtype, target, model } = machine;
  const loads: LoadCosts = {
    left: packsLeft ? 1 : broadcastCost(left.buffer.dtype, dtype),
    right: packsRight ? 1 : vectorCost(right, dtype, model.lanes),
  };
  const { rows, columns, cycles } = model.tilings(problem.rows, problem.columns, loads);
  const matrices = batchCount(problem);
  const depth = maxOf(problem.depth);
  const [rowTiles, columnTiles] = [sumOver(rows, () => 1), sumOver(columns, () => 1)];
  let total = matrices * depth * cycles;
  const passes = matrices * rowTiles * columnTiles;
  if (!packsRight)
    total += passes * cachePenalty(right, depth, target) * Math.min(1, (rowTiles - 1) / rowTiles);
  if (!packsLeft)
    total += passes * cachePenalty(left, depth, target) * Math.min(1, (columnTiles - 1) / columnTiles);
  if (packsLeft) total += packCycles(left, rows, problem, machine);
  if (packsRight) total += packCycles(right, columns, problem, machine);
  total += matrices * maxOf(problem.rows) * maxOf(problem.columns) * storeCost(problem);
  return { problem, rows, columns, packsLeft, packsRight, cycles: total };
}

/** Instructions to load and convert one element. */
function conversionCost(from: DType, to: ScalarDType): number {
  if (from === to) return 0;
  return from === "f16" ? 12 : 3;
}

const broadcastCost = (from: DType, to: ScalarDType): number =>
  from === to ? 1 : 2 + conversionCost(from, to);

/** Instructions to fill one group of lanes from memory: side by side, all the same, or lane by lane. */
function vectorCost(side: Side, dtype: ScalarDType, lanesInGroup: number): number {
  const { ownStride, buffer } = side;
  const parts = Math.ceil(bytesOf(dtype) / 4);
  const load = ownStride === 1 || ownStride === 0 ? parts : ownStride === -1 ? 2 * parts : 2 * lanesInGroup;
  return load + conversionCost(buffer.dtype, dtype);
}

/** Cycles to copy one side into panels of the tiling's sizes. */
function packCycles(side: Side, tiling: Tiling, problem: Problem, { dtype, target, model }: Machine): number {
  const isShared = side.batchStrides.every((stride) => stride === 0);
  const perVector = vectorCost(side, dtype, model.lanes) + 1;
  const perPanel = sumOver(tiling, (size) => (model.groups(size) * perVector + 4) / 6);
  const depth = maxOf(problem.depth);
  const misses = sumOver(tiling, () => 1) * cachePenalty(side, depth, target);
  return callCycles + (isShared ? 1 : batchCount(problem)) * (depth * perPanel + misses);
}

const callCycles = 100;

/** Cycles to store one result: row by row side by side, or lane by lane. */
function storeCost({ isSwapped, rows }: Problem): number {
  return isSwapped && rows !== 1 ? 0.5 : 0.15;
}

/** What one kernel computes, and what its threads share out. */
export interface Part {
  readonly rows: Tiling;
  readonly columns: Tiling;
  readonly shared:
    | { readonly axis: "none" }
    | { readonly axis: "batch"; readonly batchAxis: number }
    | { readonly axis: "columns" }
    /** Groups of `tiles` row tiles. */
    | { readonly axis: "rows"; readonly tiles: number };
}

/** The parts of a plan: one, or what the threads share evenly and the rest. */
export function partsOf(plan: Plan, target: TargetDescription): readonly Part[] {
  const { problem, rows, columns } = plan;
  const whole: Part = { rows, columns, shared: { axis: "none" } };
  if (target.threads <= 1 || flopOf(problem) < serialFlop) return [whole];
  const batchAxis = largestAxis(problem.batch);
  if (batchAxis !== undefined && isEven(maxOf(problem.batch[batchAxis]!), target.threads))
    return [{ rows, columns, shared: { axis: "batch", batchAxis } }];
  return splitTiles(rows, columns, target.threads);
}

/** Whether so many equal pieces keep the threads busy at least four fifths of the time. */
const isEven = (pieces: number, threads: number): boolean =>
  pieces / (Math.ceil(pieces / threads) * threads) >= 0.8;

function largestAxis(batch: readonly Size[]): number | undefined {
  let best: number | undefined;
  batch.forEach((size, axis) => {
    if (best === undefined || maxOf(size) > maxOf(batch[best]!)) best = axis;
  });
  return best;
}

function splitTiles(rows: Tiling, columns: Tiling, threads: number): readonly Part[] {
  const options = [
    splitColumns(rows, columns),
    ...[8, 4, 2, 1].map((tiles) => splitRows(rows, columns, tiles)),
  ];
  const spans = options.map((parts) => parts.reduce((sum, part) => sum + span(part, threads), 0));
  return options[spans.indexOf(Math.min(...spans))]!;
}

function splitColumns(rows: Tiling, columns: Tiling): readonly Part[] {
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

function splitRows(rows: Tiling, columns: Tiling, tiles: number): readonly Part[] {
  if (rows.kind === "late") return [{ rows, columns, shared: { axis: "rows", tiles: 1 } }];
  const [first, ...others] = rows.segments;
  if (first === undefined) return [];
  const { start, count, size } = first;
  const even = count - (count % tiles);
  const part = (segments: typeof others, shared: Part["shared"]): Part => ({
    rows: { kind: "static", segments },
    columns,
    shared,
  });
  const rest = even < count ? [{ start: start + even * size, count: count - even, size }, ...others] : others;
  return [
    ...(even > 0 ? [part([{ start, count: even, size }], { axis: "rows", tiles })] : []),
    ...(rest.length > 0 ? [part(rest, { axis: "none" })] : []),
  ];
}

/** Time of a part in elements of the result, were all as fast; small groups of rows reload the columns more often. */
function span({ rows, columns, shared }: Part, threads: number): number {
  const extent = (tiling: Tiling) => sumOver(tiling, (size) => size);
  const area = extent(rows) * extent(columns);
  if (shared.axis === "none") return area;
  const [tiling, tiles] = shared.axis === "rows" ? [rows, shared.tiles] : [columns, 1];
  const pieces = Math.max(1, Math.floor(sumOver(tiling, () => 1) / tiles));
  const waste = shared.axis === "rows" ? 1 + 0.1 / tiles : 1;
  return (area / pieces) * Math.ceil(pieces / threads) * waste;
}
