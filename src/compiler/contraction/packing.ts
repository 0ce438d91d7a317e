/**
 * Copies a tile of an operand into its panel. Where the depth lies side by side in memory, square blocks are read by rows and
 * turned in registers: each line of memory is read once, whatever the order of the depth's axes.
 */
import { hasMachineCode } from "#platform";
import { bytesOf, computeDType } from "../../base/dtype.ts";
import type { Shape } from "../../base/shape.ts";
import { maxOf, type Size } from "../../base/size.ts";
import type { ScalarDType } from "../../graph/scalar.ts";
import { addAffine, constantAffine, scaleAffine, zeroAffine } from "../../ir/affine.ts";
import type { KernelBuilder } from "../../ir/builder.ts";
import type { Affine } from "../../ir/kernel.ts";
import type { TargetDescription } from "../../ir/target.ts";
import {
  advanced,
  alongBox,
  type DepthLoop,
  forSteps,
  inPlace,
  mergedLoops,
  type Panels,
  type Span,
} from "./panels.ts";
import { loadElement, type Side, sourcesOf } from "./problem.ts";

export interface Packing {
  readonly from: Side;
  readonly to: Panels;
  readonly depth: Shape;
  readonly dtype: ScalarDType;
  /** Steps in depth that are copied together: a target turns square blocks in registers. */
  readonly together: number;
}

/** Elements of a line of memory and its neighbours: what tiles that lie side by side in the source are copied together from. */
const linesTogether = 48;

/** How many tiles of a size to copy together: where they lie side by side in the source, they share its lines. */
export const tilesTogether = ({ from, together }: Packing, size: number): number =>
  from.ownStrides.length === 1 && from.ownStrides[0] === 1 && together === 1
    ? Math.max(1, Math.round(linesTogether / size))
    : 1;

/** Copies one tile of one matrix into its panel. */
export function packTile(b: KernelBuilder, packing: Packing, tile: Span, batch: readonly Affine[]): void {
  packTiles(b, packing, [tile], batch);
}

/** Copies tiles of one size into their panels, all of them step by step in depth. */
export function packTiles(
  b: KernelBuilder,
  { from, to, depth, dtype, together }: Packing,
  tiles: readonly Span[],
  batch: readonly Affine[],
): void {
  const [tile] = tiles as [Span, ...Span[]];
  const sources = sourcesOf(from).map(inPlace);
  const strides = [to.depthStrides(tile), ...sources.map((panels) => panels.depthStrides(tile))];
  const loops = nearestLast(depth, from.depthStrides, strides);
  const copy = (lane: readonly Affine[], [place, ...at]: readonly Affine[], which = tile): void => {
    const x = loadElement(b, from, (_, i) => addAffine(sources[i]!.address(batch, which, lane), at[i]!));
    b.store(to.buffer, addAffine(to.address(batch, which, lane), place!), b.convert(dtype, x));
  };
  if (tiles.length > 1)
    return forSteps(b, loops, 1, (at) => {
      for (const which of tiles)
        alongBox(b, which.sizes.slice(0, -1), (outer) =>
          b.vector("lane", which.sizes.at(-1)!, (index) => copy([...outer, index], at, which)),
        );
    });
  const blocks =
    hasMachineCode && together > 1 && sources.length === 1 ? blocksOf(loops, together) : undefined;
  const lanesFrom = (first: Affine, size: number): void => {
    const lanes = (places: readonly (readonly Affine[])[]): void =>
      alongBox(b, tile.sizes.slice(0, -1), (outer) =>
        b.vector("lane", size, (index) => {
          for (const at of places) copy([...outer, addAffine(first, index)], at);
        }),
      );
    if (blocks === undefined)
      forSteps(b, loops, together, (at, { count, strides }) =>
        lanes(Array.from({ length: count }, (_, i) => advanced(at, strides, constantAffine(i)))),
      );
    else inBlocks(b, loops, blocks, (at, block) => lanes(block.map((place) => shifted(at, place))));
  };
  const across = tile.sizes.at(-1)!;
  if (!hasMachineCode || together === 1) return lanesFrom(zeroAffine, across);
  // What is turned lies along the depth: few streams of memory at a time, each in a long run.
  const [groups, rest] = [Math.floor(across / together), across % together];
  b.serial("group", groups, (group) => lanesFrom(scaleAffine(group, together), together));
  if (rest > 0) lanesFrom(constantAffine(groups * together), rest);
}

/**
 * Loops over the depth, the source's nearest elements last: a line that was fetched is used up. An axis along which it repeats
 * stays where it is.
 */
function nearestLast(
  depth: Shape,
  source: readonly Size[],
  strides: readonly (readonly Size[])[],
): DepthLoop[] {
  const reach = source.map((stride, axis) =>
    stride === 0 ? (source.slice(axis + 1).find((s) => s !== 0) ?? 0) : stride,
  );
  const order = depth.map((_, axis) => axis).sort((i, j) => byStride(reach[j]!, reach[i]!) || i - j);
  const pick = <Item>(list: readonly Item[]): Item[] => order.map((axis) => list[axis]!);
  return mergedLoops(pick(depth), strides.map(pick));
}

const byStride = (a: Size, b: Size): number =>
  typeof a === "number" && typeof b === "number" ? Math.abs(a) - Math.abs(b) : 0;

const shifted = (at: readonly Affine[], by: readonly number[]): readonly Affine[] =>
  at.map((address, i) => addAffine(address, constantAffine(by[i]!)));

// ---- runs of several axes ----------------------------------------------------------------------------------------

/** Distances of an element from a place, in the target and the source. */
type Distance = readonly [target: number, source: number];

/** The innermost loops that walk the source as one run: blocks of it that end where a step of the outermost of them does. */
interface Blocks {
  /** How many of the loops, and steps of the outermost of them that a period of blocks takes. */
  readonly loopCount: number;
  readonly steps: number;
  /** The elements of each block of a period. */
  readonly blocks: readonly (readonly Distance[])[];
}

/** A longer period is not written out. */
const longestPeriod = 256;

function blocksOf(loops: readonly DepthLoop[], together: number): Blocks | undefined {
  const run: { size: number; strides: Distance }[] = [];
  for (const { size, strides } of [...loops].reverse()) {
    const [target, source] = strides as [Size, Size];
    const next = run.length === 0 ? 1 : run[0]!.size * run[0]!.strides[1];
    if (typeof size !== "number" || typeof target !== "number" || source !== next) break;
    run.unshift({ size, strides: [target, source] });
  }
  if (run.length < 2) return undefined;
  const inner = run.slice(1).reduce((n, { size }) => n * size, 1);
  const period = leastCommonMultiple(inner, together);
  const steps = period / inner;
  if (period > longestPeriod || steps > run[0]!.size) return undefined;
  const blocks = Array.from({ length: period / together }, (_, block) =>
    Array.from({ length: together }, (_, i) => distanceOf(block * together + i, run)),
  );
  return { loopCount: run.length, steps, blocks };
}

/** Of the element `index` of a run: digits of the index are steps of its loops. */
function distanceOf(index: number, run: readonly { size: number; strides: Distance }[]): Distance {
  let [rest, target] = [index, 0];
  for (const { size, strides } of run.slice(1).reverse()) {
    target += (rest % size) * strides[0];
    rest = Math.floor(rest / size);
  }
  return [target + rest * run[0]!.strides[0], index];
}

function leastCommonMultiple(a: number, b: number): number {
  let multiple = a;
  while (multiple % b !== 0) multiple += a;
  return multiple;
}

function inBlocks(
  b: KernelBuilder,
  loops: readonly DepthLoop[],
  { loopCount, steps, blocks }: Blocks,
  body: (at: readonly Affine[], block: readonly Distance[]) => void,
): void {
  const first = loops.length - loopCount;
  const single: readonly Distance[] = [[0, 0]];
  const { size, strides } = loops[first]!;
  const start = [zeroAffine, zeroAffine];
  const element = (at: readonly Affine[], k: Affine): void =>
    forSteps(b, loops.slice(first + 1), 1, (inner) => {
      const here = advanced(at, strides, k);
      body(
        here.map((address, i) => addAffine(address, inner[i]!)),
        single,
      );
    });
  const run = (at: readonly Affine[]): void =>
    b.loop("serial", "k", size, {
      step: steps,
      body: (k) => {
        for (const block of blocks) body(advanced(at, strides, k), block);
      },
      ...(steps > 1 && { remainder: (k: Affine) => element(at, k) }),
    });
  if (first === 0) run(start);
  else forSteps(b, loops.slice(0, first), 1, run);
}

/** How many steps in depth to copy together: as many as lanes where they lie side by side and the tile's lanes apart. */
export function stepsTogether(
  { buffer, depthStrides, ownStrides }: Side,
  depth: Shape,
  dtype: ScalarDType,
  target: TargetDescription,
): number {
  const across = ownStrides.at(-1)!;
  const innermost = nearestLast(depth, depthStrides, [depthStrides]).at(-1)!;
  const isAlong = innermost.strides[0] === 1 && maxOf(innermost.size) >= target.lanes;
  const isTurned = isAlong && typeof across === "number" && Math.abs(across) > 1;
  const isPlain = bytesOf(computeDType(buffer.dtype)) === 4 && bytesOf(dtype) === 4;
  return target.arithmetic === "x64" && isTurned && isPlain ? target.lanes : 1;
}
