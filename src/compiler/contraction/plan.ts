/**
 * Decides how a contraction runs: which operand is broadcast and which fills vectors, what is packed, the tiles, and
 * what the threads share. The choice is by estimated cycles; it never changes the order of a sum.
 */
import { hasMachineCode } from "#platform";
import { bytesOf, type DType } from "../../base/dtype.ts";
import { maxElementCount } from "../../base/shape.ts";
import { maxOf } from "../../base/size.ts";
import type { ScalarDType } from "../../graph/scalar.ts";
import type { TargetDescription, TileChoice } from "../../ir/target.ts";
import { cachePenalty, holdsLines, rowsInPlace } from "./cache.ts";
import { productKey } from "./choices.ts";
import { stepsTogether } from "./packing.ts";
import { batchCount, depthOf, overlaps, type Problem, type Side } from "./problem.ts";
import { numberProduct, type Product } from "./product.ts";
import { cheapest, isShareable, sharedCycles, sharesBoth } from "./sharing.ts";
import { type LoadCosts, largestTile, sumOver, sumOverBoxes, TileModel, type Tiling } from "./tiles.ts";

export interface Plan {
  readonly problem: Problem;
  /** Of each axis of the rows. */
  readonly rows: readonly Tiling[];
  readonly columns: Tiling;
  readonly packsLeft: boolean;
  readonly packsRight: boolean;
  /** Estimates for all matrices on one thread: the tiles, and packing either side (0 where it is read in place). */
  readonly cycles: { readonly tiles: number; readonly packLeft: number; readonly packRight: number };
}

/** `orientations`: the same contraction with either operand on the left. */
export function planContraction(
  orientations: readonly Problem[],
  dtype: ScalarDType,
  target: TargetDescription,
  product: Product = numberProduct,
): Plan {
  const model = new TileModel(target, dtype, product);
  // Narrower tiles are a little slower, but there are more of them to share where only columns are.
  const isByColumns = target.threads > 1 && isShareable(orientations[0]!) && !sharesBoth(target);
  const widths = isByColumns ? [2, Infinity] : [Infinity];
  const machine = { dtype, target, model };
  const searched = hasMachineCode ? searchedPlan(orientations, machine, product) : undefined;
  if (searched !== undefined) return searched;
  const options = orientations.flatMap((oriented) =>
    packingOf(oriented, "left").flatMap((packsLeft) =>
      packingOf(oriented, "right").flatMap((packsRight) =>
        widths.map((mostGroups) => estimate(oriented, { packsLeft, packsRight, mostGroups }, machine)),
      ),
    ),
  );
  return cheapest(options, (plan) => sharedCycles(plan, target));
}

/** The plan of the choice that was searched for on this machine, if there is one that suits. */
function searchedPlan(
  orientations: readonly Problem[],
  machine: Machine,
  product: Product,
): Plan | undefined {
  const { dtype, target } = machine;
  const key = target.tiles && productKey(orientations[0]!, dtype, { target, product });
  const chosen = key === undefined ? undefined : target.tiles!.of(key);
  return chosen && planOf(orientations, chosen, machine);
}

/** The plan of a choice; undefined where it does not suit the problem. */
function planOf(
  orientations: readonly Problem[],
  { isExchanged, packsLeft, packsRight, height, groups }: TileChoice,
  machine: Machine,
): Plan | undefined {
  const problem = orientations.find((oriented) => oriented.isExchanged === isExchanged);
  if (problem === undefined || !packingOf(problem, "left").includes(packsLeft)) return undefined;
  if (!packingOf(problem, "right").includes(packsRight)) return undefined;
  const size = { height, groups };
  if (machine.model.tilingsOf(problem.rows, problem.columns, { left: 1, right: 1 }, size) === undefined)
    return undefined;
  return estimate(problem, { packsLeft, packsRight, mostGroups: Infinity, size }, machine);
}

/** Estimates may err so much: what they say takes longer is not worth trying. */
const worthTrying = 2;
/** Heights that are tried, from the largest down. */
const heightsTried = 8;

/** Choices that suit a problem, the one estimated to be fastest first. */
export function choicesFor(
  orientations: readonly Problem[],
  dtype: ScalarDType,
  target: TargetDescription,
): readonly TileChoice[] {
  const model = new TileModel(target, dtype);
  const machine = { dtype, target, model };
  const found: { choice: TileChoice; cycles: number }[] = [];
  for (const problem of orientations)
    for (const packsLeft of packingOf(problem, "left"))
      for (const packsRight of packingOf(problem, "right"))
        for (const size of tileSizes(model, problem)) {
          const choice = { isExchanged: problem.isExchanged, packsLeft, packsRight, ...size };
          const plan = planOf(orientations, choice, machine);
          if (plan !== undefined) found.push({ choice, cycles: sharedCycles(plan, target) });
        }
  found.sort((a, b) => a.cycles - b.cycles);
  return found.filter(({ cycles }) => cycles <= worthTrying * found[0]!.cycles).map(({ choice }) => choice);
}

/** Sizes of tiles that fill the registers, or nearly, and divide the rows evenly. */
function tileSizes(model: TileModel, { rows, columns }: Problem): { height: number; groups: number }[] {
  const [extent, width] = [maxElementCount(rows), maxOf(columns)];
  const sizes: { height: number; groups: number }[] = [];
  for (
    let groups = 1;
    model.fits(1, groups) && (groups === 1 || (groups - 1) * model.lanes < width);
    groups++
  ) {
    let most = 1;
    while (most < extent && model.fits(most + 1, groups)) most++;
    for (let height = most; height > Math.max(0, most - heightsTried); height--)
      sizes.push({ height, groups });
  }
  return sizes;
}

/** Windows that overlap are read in place: packed, they would fill several times the memory that they show. */
const packingOf = (problem: Problem, name: "left" | "right"): readonly boolean[] =>
  // What is computed as it is loaded is computed once.
  problem[name].produced !== undefined
    ? [true]
    : overlaps(problem, problem[name], name === "left" ? problem.rows : [problem.columns])
      ? [false]
      : [false, true];

interface Machine {
  readonly dtype: ScalarDType;
  readonly target: TargetDescription;
  readonly model: TileModel;
}

function estimate(
  problem: Problem,
  choice: {
    readonly packsLeft: boolean;
    readonly packsRight: boolean;
    readonly mostGroups: number;
    /** Tiles of this size and no other. */
    readonly size?: { readonly height: number; readonly groups: number };
  },
  machine: Machine,
): Plan {
  const { left, right } = problem;
  const { packsLeft, packsRight, mostGroups } = choice;
  const { dtype, target, model } = machine;
  const loads: LoadCosts = {
    left: packsLeft ? 1 : broadcastCost(left.buffer.dtype, dtype),
    right: packsRight ? 1 : vectorCost(right, dtype, model.lanes),
  };
  const limits = { mostGroups, mostRows: packsLeft ? Infinity : rowsInPlace(left, target) };
  const given = choice.size && model.tilingsOf(problem.rows, problem.columns, loads, choice.size);
  const { rows, columns, cycles } = given ?? model.tilings(problem.rows, problem.columns, loads, limits);
  const matrices = batchCount(problem);
  const depth = depthOf(problem);
  const [rowTiles, columnTiles] = [sumOverBoxes(rows, () => 1), sumOver(columns, () => 1)];
  let total = matrices * depth * cycles;
  const passes = matrices * rowTiles * columnTiles;
  if (!packsRight)
    total +=
      passes *
      cachePenalty(right, { depth, extent: maxOf(problem.columns) }, target) *
      Math.min(1, (rowTiles - 1) / rowTiles);
  if (!packsLeft)
    total +=
      passes *
      cachePenalty(left, { depth, extent: maxElementCount(problem.rows) }, target) *
      Math.min(1, (columnTiles - 1) / columnTiles);
  total +=
    matrices *
    maxElementCount(problem.rows) *
    maxOf(problem.columns) *
    storeCost(problem, largestTile(columns), target);
  const packLeft = packsLeft ? packCycles(left, rows, problem, machine) : 0;
  const packRight = packsRight ? packCycles(right, [columns], problem, machine) : 0;
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
  const { ownStrides, buffer } = side;
  const ownStride = ownStrides.at(-1)!;
  const parts = Math.ceil(bytesOf(dtype) / 4);
  const load = ownStride === 1 || ownStride === 0 ? parts : ownStride === -1 ? 2 * parts : 2 * lanesInGroup;
  return load + conversionCost(buffer.dtype, dtype);
}

/** Cycles to copy one side into panels of the tiling's sizes. */
function packCycles(
  side: Side,
  tilings: readonly Tiling[],
  problem: Problem,
  { dtype, target, model }: Machine,
): number {
  const own = sumOverBoxes(tilings, (size) => size);
  const isShared = batchCount(problem) === 1 || side.batchStrides.every((stride) => stride === 0);
  const isTurned = stepsTogether(side, problem.depth, dtype, target) > 1;
  const perVector = isTurned ? turnedElement * model.lanes : vectorCost(side, dtype, model.lanes) + 1;
  const perPanel = sumOverBoxes(tilings, (size) => (model.groups(size) * perVector + 4) / 6);
  const depth = depthOf(problem);
  // There is no arithmetic that waiting could hide behind.
  const misses = sumOverBoxes(tilings, () => 1) * cachePenalty(side, { depth, extent: Infinity }, target);
  const lines = (own * depth * bytesOf(dtype)) / 64;
  // Columns are packed a panel at a time, where there is one matrix of them.
  const atOnce = side === problem.right && isShared ? largestTile(tilings[0]!) / own : 1;
  return (
    callCycles +
    (isShared ? 1 : batchCount(problem)) *
      (depth * perPanel + misses + lines * storedLine(64 * lines * atOnce, target))
  );
}

const callCycles = 100;
/** Instructions for each element of a square block that is turned in registers. */
const turnedElement = 0.45;
/** To write a line of panels, and to read it again: which cache holds them. */
const storedLine = (bytes: number, { caches: { l2 } }: TargetDescription): number =>
  bytes <= l2.bytes ? 2 : bytes <= 16 * l2.bytes ? 8 : 22;

/**
 * Cycles to store one result: side by side where the vectors lie along the result's last axis, or lane by lane, a line for each of a
 * tile's columns: lines that the first cache cannot hold together are fetched again for each store.
 */
function storeCost({ rows, places }: Problem, width: number, { caches: { l1 } }: TargetDescription): number {
  const isLast = places.rows.every((axis, i) => axis < places.columns || rows[i] === 1);
  if (isLast) return 0.15;
  return holdsLines(l1, { count: width, apart: 4 * maxElementCount(rows) }) ? 0.5 : 6;
}
