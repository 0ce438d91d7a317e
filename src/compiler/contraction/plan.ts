/**
 * Decides how a contraction runs: which operand is broadcast and which fills vectors, what is packed, the tiles, and
 * what the threads share. The choice is by estimated cycles; it never changes the order of a sum.
 */
import { bytesOf, type DType } from "../../base/dtype.ts";
import { maxOf } from "../../base/size.ts";
import type { ScalarDType } from "../../graph/scalar.ts";
import type { TargetDescription } from "../../ir/target.ts";
import { cachePenalty } from "./cache.ts";
import { stepsTogether } from "./panels.ts";
import { batchCount, type Problem, type Side, swapped } from "./problem.ts";
import { cheapest, isShareable, sharedCycles } from "./sharing.ts";
import { type LoadCosts, sumOver, TileModel, type Tiling } from "./tiles.ts";

export interface Plan {
  readonly problem: Problem;
  readonly rows: Tiling;
  readonly columns: Tiling;
  readonly packsLeft: boolean;
  readonly packsRight: boolean;
  /** Estimates for all matrices on one thread: the tiles, and packing either side (0 where it is read in place). */
  readonly cycles: { readonly tiles: number; readonly packLeft: number; readonly packRight: number };
}

export function planContraction(problem: Problem, dtype: ScalarDType, target: TargetDescription): Plan {
  const model = new TileModel(target, dtype);
  // Narrower tiles are a little slower, but there are more of them to share.
  const widths = target.threads > 1 && isShareable(problem) ? [2, Infinity] : [Infinity];
  const options = [problem, swapped(problem)].flatMap((oriented) =>
    [false, true].flatMap((packsLeft) =>
      [false, true].flatMap((packsRight) =>
        widths.map((mostGroups) =>
          estimate(oriented, { packsLeft, packsRight, mostGroups }, { dtype, target, model }),
        ),
      ),
    ),
  );
  return cheapest(options, (plan) => sharedCycles(plan, target));
}

interface Machine {
  readonly dtype: ScalarDType;
  readonly target: TargetDescription;
  readonly model: TileModel;
}

function estimate(
  problem: Problem,
  choice: { readonly packsLeft: boolean; readonly packsRight: boolean; readonly mostGroups: number },
  machine: Machine,
): Plan {
  const { left, right } = problem;
  const { packsLeft, packsRight, mostGroups } = choice;
  const { dtype, target, model } = machine;
  const loads: LoadCosts = {
    left: packsLeft ? 1 : broadcastCost(left.buffer.dtype, dtype),
    right: packsRight ? 1 : vectorCost(right, dtype, model.lanes),
  };
  const { rows, columns, cycles } = model.tilings(problem.rows, problem.columns, loads, mostGroups);
  const matrices = batchCount(problem);
  const depth = maxOf(problem.depth);
  const [rowTiles, columnTiles] = [sumOver(rows, () => 1), sumOver(columns, () => 1)];
  let total = matrices * depth * cycles;
  const passes = matrices * rowTiles * columnTiles;
  if (!packsRight)
    total += passes * cachePenalty(right, depth, target) * Math.min(1, (rowTiles - 1) / rowTiles);
  if (!packsLeft)
    total += passes * cachePenalty(left, depth, target) * Math.min(1, (columnTiles - 1) / columnTiles);
  total += matrices * maxOf(problem.rows) * maxOf(problem.columns) * storeCost(problem);
  const packLeft = packsLeft ? packCycles(left, rows, problem, machine) : 0;
  const packRight = packsRight ? packCycles(right, columns, problem, machine) : 0;
  return { problem, rows, columns, packsLeft, packsRight, cycles: { tiles: total, packLeft, packRight } };
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
  const own = sumOver(tiling, (size) => size);
  const isShared = side.batchStrides.every((stride) => stride === 0);
  const isTurned = stepsTogether(side, dtype, target) > 1;
  const perVector = isTurned ? turnedElement * model.lanes : vectorCost(side, dtype, model.lanes) + 1;
  const perPanel = sumOver(tiling, (size) => (model.groups(size) * perVector + 4) / 6);
  const depth = maxOf(problem.depth);
  const misses = sumOver(tiling, () => 1) * cachePenalty(side, depth, target);
  const lines = (own * depth * bytesOf(dtype)) / 64;
  return callCycles + (isShared ? 1 : batchCount(problem)) * (depth * perPanel + misses + lines * storedLine);
}

const callCycles = 100;
/** Instructions for each element of a square block that is turned in registers. */
const turnedElement = 0.45;
/** To write a line of a panel that the second cache holds. */
const storedLine = 2;

/** Cycles to store one result: row by row side by side, or lane by lane. */
function storeCost({ isSwapped, rows }: Problem): number {
  return isSwapped && rows !== 1 ? 0.5 : 0.15;
}
