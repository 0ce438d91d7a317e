/** The interval of the code in which each virtual register holds a value. */
import { firstVirtual, isMemory, isRegister, type Operand, type Register } from "../assembler/operands.ts";
import type { Item } from "./code.ts";

/** Positions: an instruction at i reads at 2i and writes at 2i + 1. */
export interface Interval {
  readonly virtual: number;
  start: number;
  end: number;
  /** Uses, each counted for the loops around it. */
  weight: number;
  /** An instruction that cannot name registers 16 … 31 uses it. */
  isLow: boolean;
  /** Copied from there: worth the same register. */
  hint: number | undefined;
}

const loopFactor = 8;

export function intervalsOf(items: readonly Item[], count: number): Interval[] {
  const intervals: Interval[] = Array.from({ length: count }, (_, virtual) => ({
    virtual,
    start: -1,
    end: -1,
    weight: 0,
    isLow: false,
    hint: undefined,
  }));
  const loops: { start: number; end: number }[] = [];
  const open: number[] = [];
  let factor = 1;
  items.forEach((item, i) => {
    if (item.kind === "loopStart") {
      open.push(2 * i);
      factor *= loopFactor;
    } else if (item.kind === "loopEnd") {
      loops.push({ start: open.pop()!, end: 2 * i + 1 });
      factor /= loopFactor;
    } else {
      forEachUse(item, (number, access, isLow) => {
        const interval = intervals[number - firstVirtual]!;
        if (interval.start < 0) interval.start = access === "write" ? 2 * i + 1 : 2 * i;
        interval.end = Math.max(interval.end, access === "read" ? 2 * i : 2 * i + 1);
        interval.weight += factor;
        if (isLow) interval.isLow = true;
      });
      noteHint(item, intervals);
    }
  });
  extendOverLoops(intervals, loops);
  return intervals;
}

/** What was set before a loop and is used in it lives to its end. Inner loops come first in the list. */
function extendOverLoops(
  intervals: readonly Interval[],
  loops: readonly { start: number; end: number }[],
): void {
  for (const interval of intervals) {
    if (interval.start < 0) continue;
    for (const { start, end } of loops)
      if (interval.start < start && interval.end > start && interval.end < end) interval.end = end;
  }
}

function noteHint(item: Item, intervals: readonly Interval[]): void {
  if (item.kind === "fused") {
    const [target, , , c] = item.operands;
    const interval = intervals[target.number - firstVirtual];
    if (interval !== undefined) interval.hint ??= c.number;
    return;
  }
  if (item.kind !== "instruction" || item.operands.length !== 2) return;
  const [to, from] = item.operands as [Operand, Operand];
  if (!isRegister(to) || !isRegister(from) || !isMove(item) || to.number < firstVirtual) return;
  intervals[to.number - firstVirtual]!.hint ??= from.number;
}

const moves: ReadonlySet<string> = new Set(["mov", "vmovaps", "vmovapd", "kmovw"]);

export const isMove = (item: Extract<Item, { kind: "instruction" }>): boolean =>
  item.mask === undefined && moves.has(item.form.mnemonic);

export type Access = "read" | "write" | "both";

/** Every virtual register of an item: its number, what is done to it, and whether it must be below 16. */
export function forEachUse(
  item: Item,
  visit: (virtual: number, access: Access, isLow: boolean) => void,
): void {
  const seen = (r: Register | undefined, access: Access, isLow: boolean): void => {
    if (r !== undefined && r.number >= firstVirtual) visit(r.number, access, isLow);
  };
  if (item.kind === "fused") {
    const [target, a, b, c] = item.operands;
    for (const r of [a, b, c]) seen(r, "read", false);
    seen(target, "write", false);
    return;
  }
  if (item.kind !== "instruction") return;
  const { form, operands, mask, zeroing } = item;
  const isLow = form.vex && !form.evex;
  let writesMask = false;
  operands.forEach((operand) => {
    if (isMemory(operand)) {
      seen(operand.base, "read", false);
      seen(operand.index, "read", isLow);
      writesMask ||= operand.index?.class === "vector";
    }
  });
  seen(mask, writesMask ? "both" : "read", false);
  operands.forEach((operand, i) => {
    if (!isRegister(operand)) return;
    const { access } = form.operands[i]!;
    const merges = mask !== undefined && !zeroing && access === "write" && operand.class === "vector";
    seen(operand, merges ? "both" : access, isLow);
  });
}
