/**
 * Register tiles: how rows and columns are cut so that the accumulators of a tile stay in registers, chosen by a small
 * model of the processor. Only speed depends on it.
 */
import { bytesOf } from "../../base/dtype.ts";
import { type Shape, shapeKey } from "../../base/shape.ts";
import { maxOf, type Size, sizeKey } from "../../base/size.ts";
import type { ScalarDType } from "../../graph/scalar.ts";
import type { TargetDescription } from "../../ir/target.ts";
import { numberProduct, type Product } from "./product.ts";

/** `count` tiles of `size` beside each other. */
export interface Segment {
  readonly start: number;
  readonly count: number;
  readonly size: number;
}

/** One axis in tiles. `late`: of a dimension; tiles of `size`, then single ones. */
export type Tiling =
  | { readonly kind: "static"; readonly segments: readonly Segment[] }
  | { readonly kind: "late"; readonly extent: Size; readonly size: number };

/** What one multiply-add costs around the arithmetic: instructions to broadcast one element, to load one group of lanes. */
export interface LoadCosts {
  readonly left: number;
  readonly right: number;
}

/** Cuts of the rows' axes and of the columns, with the cycles of one step in depth of all tiles. */
export interface Tilings {
  readonly rows: readonly Tiling[];
  readonly columns: Tiling;
  readonly cycles: number;
}

/** What a tile may have at most: groups of lanes across, and rows. */
export interface TileLimits {
  readonly mostGroups: number;
  readonly mostRows: number;
}
const noLimits: TileLimits = { mostGroups: Infinity, mostRows: Infinity };

/** One way to cut a matrix: tiles of at most `height` rows × `groups` of lanes. */
interface Cut {
  readonly groups: number;
  readonly height: number;
  readonly down: readonly Tiling[];
  readonly across: Tiling;
}
/** More than any tile has. */
const mostTileGroups = 1024;

/** The processor, as far as tiles are concerned. */
export class TileModel {
  /** Elements of one group of lanes: what a vector of 32-bit elements holds. */
  readonly lanes: number;
  /** Vector registers that a group takes. */
  private readonly parts: number;
  private readonly registers: number;
  private readonly isFused: boolean;
  /** Vectors that a loaded group is taken apart into. */
  private readonly operandParts: number;
  /** What a load costs beside its instruction where the arithmetic is fast enough to wait for memory. */
  private readonly loadCycles: number;
  /** Whether the loads of a step are best written before its arithmetic. */
  readonly loadsComeFirst: boolean;
  /** A plan weighs the same loads several times. */
  private readonly known = new Map<string, Tilings>();
  private readonly knownCuts = new Map<string, Cut[]>();

  constructor(
    target: TargetDescription,
    dtype: ScalarDType,
    { parts }: Pick<Product, "parts"> = numberProduct,
  ) {
    this.operandParts = parts;
    this.lanes = target.lanes;
    this.parts = Math.ceil(bytesOf(dtype) / 4);
    this.registers = target.vectorRegisters;
    this.isFused = target.arithmetic === "x64" || target.arithmetic === "wasm-fma";
    this.loadCycles = target.arithmetic === "x64" ? 0.15 : 0;
    this.loadsComeFirst = target.arithmetic === "wasm" || target.arithmetic === "wasm-fma";
  }

  /** Groups of lanes across `width` columns. */
  groups(width: number): number {
    return Math.ceil(width / this.lanes);
  }

  /**
   * Whether a tile of `height` rows × `groups` of lanes stays in registers. WebAssembly engines keep one register to
   * themselves, and place all loads of an iteration before its arithmetic: the broadcast elements live together.
   */
  fits(height: number, groups: number): boolean {
    const accumulators = height * groups * this.parts;
    const vectors = groups * this.parts * this.operandParts;
    if (this.operandParts > 1)
      return (
        accumulators + vectors + this.operandParts * (this.loadsComeFirst ? height : 1) + 1 <= this.registers
      );
    if (this.loadsComeFirst) return accumulators + height + vectors + 1 <= this.registers - 1;
    return accumulators + vectors + (this.isFused ? 1 : 2) <= this.registers;
  }

  /** Cycles for one step in depth of one tile: arithmetic, what the front end must issue, or the chain's latency. */
  cycles(height: number, groups: number, loads: LoadCosts): number {
    const vectors = groups * this.parts;
    const multiplyAdds = height * vectors;
    const arithmetic = multiplyAdds / 2;
    const loaded = height * loads.left + vectors * loads.right;
    const instructions = multiplyAdds * (this.isFused ? 1 : 2) + loaded + loopInstructions;
    return Math.max(arithmetic, instructions / issueWidth, this.isFused ? 4 : 3) + this.loadCycles * loaded;
  }

  /**
   * The best tiles for a matrix within limits, and their cycles for one step in depth. All column tiles share one cut of the
   * rows: into boxes, where they are several axes.
   */
  tilings(rows: Shape, columns: Size, loads: LoadCosts, limits: TileLimits = noLimits): Tilings {
    const { mostGroups, mostRows } = limits;
    const key = `${shapeKey(rows)} ${sizeKey(columns)} ${loads.left} ${loads.right} ${mostGroups} ${mostRows}`;
    let found = this.known.get(key);
    if (found === undefined) this.known.set(key, (found = this.search(rows, columns, loads, limits)));
    return found;
  }

  /** Tiles of one size; undefined where their accumulators do not fit, or rows are several axes. */
  tilingsOf(
    rows: Shape,
    columns: Size,
    loads: LoadCosts,
    { height, groups }: { readonly height: number; readonly groups: number },
  ): Tilings | undefined {
    const [only] = rows;
    const isSize = (n: number): boolean => Number.isInteger(n) && n > 0;
    if (rows.length !== 1 || !isSize(height) || !isSize(groups) || !this.fits(height, groups))
      return undefined;
    const [down, across] = [[rowTiling(only!, height)], this.columnTiling(columns, groups * this.lanes)];
    const cycles = sumOver(across, (width) =>
      sumOverBoxes(down, (size) => this.cycles(size, this.groups(width), loads)),
    );
    return { rows: down, columns: across, cycles };
  }

  private search(
    rows: Shape,
    columns: Size,
    loads: LoadCosts,
    { mostGroups, mostRows }: TileLimits,
  ): Tilings {
    let best: Tilings | undefined;
    const costs = new Map<number, number>();
    const cost = (height: number, width: number): number => {
      const groups = this.groups(width);
      const key = height * mostTileGroups + groups;
      let found = costs.get(key);
      if (found === undefined) costs.set(key, (found = this.cycles(height, groups, loads)));
      return found;
    };
    for (const { groups, height, down, across } of this.cutsOf(rows, columns)) {
      if ((groups > mostGroups && groups > 1) || (height > mostRows && height > 1)) continue;
      const cycles = sumOver(across, (width) => sumOverBoxes(down, (size) => cost(size, width)));
      if (best === undefined || cycles < best.cycles) best = { rows: down, columns: across, cycles };
    }
    return best!;
  }

  /** All cuts of a matrix whose tiles fit: the same for any cost of loads. */
  private cutsOf(rows: Shape, columns: Size): readonly Cut[] {
    const key = `${shapeKey(rows)} ${sizeKey(columns)}`;
    let found = this.knownCuts.get(key);
    if (found !== undefined) return found;
    found = [];
    for (let groups = 1; groups === 1 || this.fits(1, groups); groups++) {
      const across = this.columnTiling(columns, groups * this.lanes);
      for (const { height, down } of this.rowTilings(rows, groups))
        found.push({ groups, height, down, across });
    }
    this.knownCuts.set(key, found);
    return found;
  }

  /** All cuts into boxes whose accumulators fit beside so many groups; inner axes are filled first. */
  private rowTilings(rows: Shape, groups: number): Pick<Cut, "height" | "down">[] {
    const found: Pick<Cut, "height" | "down">[] = [];
    const extend = (axis: number, height: number, inner: readonly Tiling[]): void => {
      if (axis < 0) return void found.push({ height, down: inner });
      for (
        let size = 1;
        size === 1 || (size <= maxOf(rows[axis]!) && this.fits(size * height, groups));
        size++
      )
        extend(axis - 1, size * height, [rowTiling(rows[axis]!, size), ...inner]);
    };
    extend(rows.length - 1, 1, []);
    return found;
  }

  private columnTiling(columns: Size, width: number): Tiling {
    if (typeof columns !== "number") return { kind: "late", extent: columns, size: width };
    const count = Math.floor(columns / width);
    const rest = columns - count * width;
    const segments: Segment[] = [];
    if (count > 0) segments.push({ start: 0, count, size: width });
    if (rest > 0) segments.push({ start: count * width, count: 1, size: rest });
    return { kind: "static", segments };
  }
}

const rowTiling = (extent: Size, size: number): Tiling =>
  typeof extent === "number"
    ? { kind: "static", segments: balanced(extent, size) }
    : { kind: "late", extent, size };

/** Counting, moving pointers, comparing. */
const loopInstructions = 4;
const issueWidth = 6;

/** `size` in as few tiles as `height` allows, their heights differing by one at most: 10 by 4 is 4, 3, 3. */
export function balanced(size: number, height: number): Segment[] {
  if (size === 0) return [];
  const tiles = Math.ceil(size / height);
  const low = Math.floor(size / tiles);
  const high = size - tiles * low;
  const segments: Segment[] = [];
  if (high > 0) segments.push({ start: 0, count: high, size: low + 1 });
  if (high < tiles) segments.push({ start: high * (low + 1), count: tiles - high, size: low });
  return segments;
}

/** The size of the largest tile of an axis. */
export const largestTile = (tiling: Tiling): number =>
  tiling.kind === "late" ? tiling.size : Math.max(...tiling.segments.map(({ size }) => size));

/** The cost of all tiles of an axis, at the bounds of its dimensions. */
export function sumOver(tiling: Tiling, cost: (size: number) => number): number {
  if (tiling.kind === "static") return tiling.segments.reduce((sum, s) => sum + s.count * cost(s.size), 0);
  const extent = maxOf(tiling.extent);
  const rest = (tiling.size - 1) / 2;
  return Math.max(0, (extent - rest) / tiling.size) * cost(tiling.size) + rest * cost(1);
}

/** The cost of all boxes of several axes, by their elements. */
export function sumOverBoxes(tilings: readonly Tiling[], cost: (size: number) => number): number {
  const [first, ...rest] = tilings;
  if (first === undefined) return cost(1);
  return sumOver(first, (size) => sumOverBoxes(rest, (inner) => cost(size * inner)));
}
