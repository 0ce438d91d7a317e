/**
 * Iterations of parallel and vector loops touch disjoint memory wherever they store: part of the kernel verifier.
 *
 * An address is S·i + l + Q·h + outer: i the loop's index, l what smaller strides add, Q·h what larger strides add (all
 * multiples of Q), outer the same for every iteration. Two iterations cannot meet when any two accesses have
 * |l − l′| < S, and, if there are larger strides, S·(i − i′) + l − l′ stays below Q: then h = h′, and so i = i′.
 */
import {
  addSizes,
  boundsOf,
  divideSizes,
  multiplySizes,
  type Size,
  sameSize,
  subtractSizes,
} from "../base/size.ts";
import { addAffine, affineKey, extremesOf, scaleAffine, strideOf } from "./affine.ts";
import { isAtMost, type Minimums } from "./bounds.ts";
import type { Affine, DynamicTerm, Index, KernelBuffer, Loop, Statement } from "./kernel.ts";

/** One load or store inside the loop. */
export interface Access {
  readonly buffer: KernelBuffer;
  readonly address: Affine;
  readonly dynamic: readonly DynamicTerm[];
  readonly isStore: boolean;
  /** Of the address's indices, where it stands (a loop's body and remainder reach differently): largest value + 1. */
  readonly extents: ReadonlyMap<Index, Size>;
}

interface LoopAccess extends Access {
  /** Runs for single indices after the last full step. */
  readonly inRemainder: boolean;
}

/** The loop, its index's stride made positive by `sign`, and what is known where it stands. */
interface Stepping {
  readonly loop: Loop;
  readonly span: Size;
  readonly sign: number;
  readonly inner: ReadonlySet<Index>;
  readonly minimums: Minimums;
}

/** An access relative to the loop's index: l's extremes and the larger strides. */
interface Footprint {
  readonly access: LoopAccess;
  readonly low: Size;
  readonly high: Size;
  readonly largeStrides: readonly Size[];
}

/** Why two iterations may meet, or undefined when it is proven that they cannot. */
export function overlapAcrossIterations(
  loop: Loop,
  accesses: readonly LoopAccess[],
  minimums: Minimums,
): string | undefined {
  if (boundsOf(loop.extent).max <= 1) return undefined;
  const inner = new Set(indicesIn([...loop.body, ...loop.remainder]));
  for (const buffer of new Set(accesses.filter((a) => a.isStore).map((a) => a.buffer))) {
    if (buffer.scope === "thread" && loop.mode === "parallel") continue;
    const touching = accesses.filter((a) => a.buffer === buffer);
    const fault = overlapIn(loop, touching, inner, minimums);
    if (fault !== undefined)
      return `two iterations of ${loop.index.name} may meet in ${buffer.name}: ${fault}`;
  }
  return undefined;
}

function overlapIn(
  loop: Loop,
  accesses: readonly LoopAccess[],
  inner: ReadonlySet<Index>,
  minimums: Minimums,
): string | undefined {
  const stride = strideOf(accesses[0]!.address, loop.index);
  const sign = isAtMost(1, stride, minimums) ? 1 : isAtMost(stride, -1, minimums) ? -1 : 0;
  if (sign === 0) return `its index has stride ${stride}`;
  const outerKeys = new Set<string>();
  const names = new Map<Index, string>();
  const nameOf = (index: Index) => names.get(index) ?? (names.set(index, `${names.size}`), names.get(index)!);
  const span = multiplySizes(stride, sign);
  const about: Stepping = { loop, span, sign, inner, minimums };
  const footprints: Footprint[] = [];
  for (const access of accesses) {
    if (!sameSize(strideOf(access.address, loop.index), stride)) return "its index has different strides";
    const outer = access.address.terms.filter(({ index }) => index !== loop.index && !inner.has(index));
    outerKeys.add(affineKey({ constant: 0, terms: outer }, nameOf));
    footprints.push(footprintOf(access, about));
  }
  if (outerKeys.size > 1) return "accesses move differently with the loops around";
  const period = commonPeriod(footprints.flatMap((f) => f.largeStrides));
  if (period === undefined) return "its larger strides have no common divisor among them";
  const fault = meeting(about, footprints, period);
  if (fault === undefined || period !== 0) return fault;
  // Without larger strides any Q will do: accesses that are whole rows apart are told from each other by rows.
  const row = commonDistance(footprints.map(({ low }) => low));
  return row > 0 && meeting(about, footprints, row) === undefined ? undefined : fault;
}

/** What divides the distances between numbers; 0 where they are equal, or not numbers. */
function commonDistance(places: readonly Size[]): number {
  const [first] = places;
  const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));
  return places.reduce<number>(
    (found, place) =>
      typeof place === "number" && typeof first === "number" ? divisor(found, Math.abs(place - first)) : 0,
    0,
  );
}

/** Two accesses that may meet in different iterations, where Q is `period` (0: there are no larger strides). */
function meeting(about: Stepping, footprints: readonly Footprint[], period: Size): string | undefined {
  const reduced = footprints.map((footprint) => withinPeriod(footprint, period));
  for (const a of reduced) {
    for (const b of reduced) {
      if (!a.access.isStore && !b.access.isStore) continue;
      if (!apart(about, a, b)) return "what iterations touch is wider than the stride between them";
      if (period !== 0 && !insidePeriod(about, period, a, b)) return "iterations reach into the next row";
    }
  }
  return undefined;
}

function footprintOf(access: LoopAccess, about: Stepping): Footprint {
  const { loop, span, sign, inner, minimums } = about;
  const largeStrides: Size[] = [];
  let small: Affine = { constant: multiplySizes(access.address.constant, sign), terms: [] };
  const sort = (index: Index, stride: Size) => {
    const magnitude = boundsOf(stride).max <= 0 ? multiplySizes(stride, -1) : stride;
    const isLarge =
      isAtMost(addSizes(multiplySizes(span, loop.step), 1), magnitude, minimums) ||
      isAtMost(multiplySizes(span, loop.extent), magnitude, minimums);
    if (isLarge) largeStrides.push(magnitude);
    else small = addAffine(small, scaleAffine({ constant: 0, terms: [{ index, stride }] }, sign));
  };
  for (const { index, stride } of access.address.terms) if (inner.has(index)) sort(index, stride);
  const dynamicExtents = new Map<Index, Size>();
  for (const { index: value, stride } of access.dynamic) {
    const index: Index = { name: "dynamic" };
    dynamicExtents.set(index, value.kind === "checkIndex" ? value.size : 1);
    sort(index, stride);
  }
  const { low, high } = extremesOf(small, (index) => dynamicExtents.get(index) ?? access.extents.get(index)!);
  return { access, low, high, largeStrides };
}

/** Whole periods of l belong to Q·h: an access that begins some rows later is compared as if it began in the first. */
function withinPeriod(footprint: Footprint, period: Size): Footprint {
  const { low, high } = footprint;
  if (typeof period !== "number" || period === 0 || typeof low !== "number") return footprint;
  const whole = Math.floor(low / period) * period;
  return { ...footprint, low: low - whole, high: subtractSizes(high, whole) };
}

/** a's address cannot equal b's when b's iteration comes later (h equal). */
function apart({ loop: { step }, span, minimums }: Stepping, a: Footprint, b: Footprint): boolean {
  if (a.access.inRemainder && !b.access.inRemainder) return true;
  const between = multiplySizes(span, a.access.inRemainder ? 1 : step);
  return isAtMost(addSizes(subtractSizes(a.high, b.low), 1), between, minimums);
}

/** a in the last iteration, b in the first, are less than a period apart. */
function insidePeriod({ loop, span, minimums }: Stepping, period: Size, a: Footprint, b: Footprint): boolean {
  const { extent, step } = loop;
  const last = subtractSizes(extent, a.access.inRemainder ? 1 : step);
  const apart = addSizes(multiplySizes(span, last), subtractSizes(a.high, b.low));
  return isAtMost(addSizes(apart, 1), period, minimums);
}

/** The stride among these that divides all of them; 0 when there are none. */
function commonPeriod(strides: readonly Size[]): Size | undefined {
  if (strides.length === 0) return 0;
  return strides.find((candidate) => strides.every((stride) => divideSizes(stride, candidate) !== undefined));
}

function indicesIn(statements: readonly Statement[]): Index[] {
  return statements.flatMap((s) =>
    s.kind === "loop" ? [s.index, ...indicesIn([...s.body, ...s.remainder])] : [],
  );
}
