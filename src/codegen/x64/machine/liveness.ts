/** The interval of the code in which each virtual register holds a value. */
import { firstVirtual, isMemory, isRegister, type Operand } from "../assembler/operands.ts";
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
  const intervals: Interval[] = [];
  for (let virtual = 0; virtual < count; virtual++)
    intervals.push({ virtual, start: -1, end: -1, weight: 0, isLow: false, hint: undefined });
  const loops: { start: number; end: number }[] = [];
  const open: number[] = [];
  let factor = 1;
  let position = 0;
  const note = (number: number, access: Access, isLow: boolean): void => {
    const interval = intervals[number - firstVirtual]!;
    if (interval.start < 0) interval.start = access === "write" ? position + 1 : position;
    const end = access === "read" ? position : position + 1;
    if (end > interval.end) interval.end = end;
    interval.weight += factor;
    if (isLow) interval.isLow = true;
  };
  for (const item of items) {
    if (item.kind === "loopStart") {
      open.push(position);
      factor *= loopFactor;
    } else if (item.kind === "loopEnd") {
      loops.push({ start: open.pop()!, end: position + 1 });
      factor /= loopFactor;
    } else {
      forEachUse(item, note);
      noteHint(item, intervals);
    }
    position += 2;
  }
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
  if (item.kind !== "instruction" || !isMove(item)) return;
  const [to, from] = item.operands as [Operand, Operand];
  if (!isRegister(to) || !isRegister(from) || to.number < firstVirtual) return;
  intervals[to.number - firstVirtual]!.hint ??= from.number;
}

export const isMove = ({ form, mask }: Extract<Item, { kind: "instruction" }>): boolean =>
  form.isMove && mask === undefined;

export type Access = "read" | "write" | "both";

/** Every virtual register of an item: its number, what is done to it, and whether it must be below 16. */
function forEachUse(item: Item, visit: (virtual: number, access: Access, isLow: boolean) => void): void {
  if (item.kind === "fused") {
    const [target, a, b, c] = item.operands;
    for (const r of [a, b, c]) if (r.number >= firstVirtual) visit(r.number, "read", false);
    // Sums of parts come to be where c was moved, before the factors are read.
    const access = item.suffix === "bytes" || item.suffix === "pairs" ? "both" : "write";
    if (target.number >= firstVirtual) visit(target.number, access, false);
    return;
  }
  if (item.kind !== "instruction") return;
  const { form, operands, mask, zeroing } = item;
  const { isLow } = form;
  let writesMask = false;
  for (const operand of operands) {
    if (!isMemory(operand)) continue;
    const { base, index } = operand;
    if (base !== undefined && base.number >= firstVirtual) visit(base.number, "read", false);
    if (index === undefined) continue;
    if (index.number >= firstVirtual) visit(index.number, "read", isLow);
    writesMask ||= index.class === "vector";
  }
  if (mask !== undefined && mask.number >= firstVirtual)
    visit(mask.number, writesMask ? "both" : "read", false);
  for (let i = 0; i < operands.length; i++) {
    const operand = operands[i]!;
    if (!isRegister(operand) || operand.number < firstVirtual) continue;
    const { access } = form.operands[i]!;
    const merges = mask !== undefined && !zeroing && access === "write" && operand.class === "vector";
    visit(operand.number, merges ? "both" : access, isLow);
  }
}
