/**
 * Linear scan: intervals in order of their start take free registers. When there is none, the cheapest interval (fewest uses
 * for its length, loops counted) lives in memory: in a spill slot, or where its constant lies anyway.
 */
import { firstVirtual, type RegisterClass } from "../assembler/operands.ts";
import type { Interval } from "./liveness.ts";

/** Registers to give out, best first. */
export interface RegisterFile {
  readonly general: readonly number[];
  readonly vector: readonly number[];
  readonly mask: readonly number[];
}

export interface Allocation {
  /** Of each virtual register; undefined: in memory. */
  readonly registers: readonly (number | undefined)[];
  readonly spilled: readonly number[];
}

export function allocate(
  intervals: readonly Interval[],
  classOf: (virtual: number) => RegisterClass,
  file: RegisterFile,
  fixed: ReadonlyMap<number, number>,
): Allocation {
  const registers: (number | undefined)[] = Array(intervals.length).fill(undefined);
  const spilled: number[] = [];
  const scans = {
    general: new Scan(file.general, registers),
    vector: new Scan(file.vector, registers),
    mask: new Scan(file.mask, registers),
  };
  const ordered = intervals.filter(({ start }) => start >= 0).sort((a, b) => a.start - b.start);
  for (const interval of ordered) {
    const loser = scans[classOf(interval.virtual)].place(interval, fixed.get(interval.virtual));
    if (loser !== undefined) spilled.push(loser.virtual);
  }
  return { registers, spilled };
}

class Scan {
  private readonly order: readonly number[];
  /** By register. */
  private readonly isFree: boolean[] = Array<boolean>(32).fill(false);
  /** By register: a bit for its place in the order, none where it has no place. */
  private readonly bits: number[] = Array<number>(32).fill(0);
  /** The bits of those that are free: the lowest is the best. */
  private freeBits = 0;
  /** The bits of registers that every encoding reaches. */
  private lowBits = 0;
  private readonly registers: (number | undefined)[];
  private readonly active: Interval[] = [];
  /** Before this, none of the active ends. */
  private nextEnd = Infinity;

  constructor(order: readonly number[], registers: (number | undefined)[]) {
    this.order = order;
    order.forEach((register, place) => {
      this.bits[register] = 1 << place;
      if (register < 16) this.lowBits |= 1 << place;
      this.release(register);
    });
    this.registers = registers;
  }

  /** Gives it a register; returns what now lives in memory, if anything. */
  place(interval: Interval, fixed: number | undefined): Interval | undefined {
    if (this.nextEnd < interval.start) this.expire(interval.start);
    const register = fixed ?? this.pick(interval);
    if (register !== undefined) {
      this.take(interval, register);
      return undefined;
    }
    let cheapest = interval;
    for (const other of this.active)
      if ((!interval.isLow || this.registers[other.virtual]! < 16) && costOf(other) < costOf(cheapest))
        cheapest = other;
    if (cheapest === interval) return interval;
    const freed = this.registers[cheapest.virtual]!;
    this.registers[cheapest.virtual] = undefined;
    this.active.splice(this.active.indexOf(cheapest), 1);
    this.take(interval, freed);
    return cheapest;
  }

  private take(interval: Interval, register: number): void {
    this.isFree[register] = false;
    this.freeBits &= ~this.bits[register]!;
    this.registers[interval.virtual] = register;
    this.active.push(interval);
    if (interval.end < this.nextEnd) this.nextEnd = interval.end;
  }

  private release(register: number): void {
    this.isFree[register] = true;
    this.freeBits |= this.bits[register]!;
  }

  private expire(position: number): void {
    const { active } = this;
    this.nextEnd = Infinity;
    let kept = 0;
    for (const interval of active) {
      const { end, virtual } = interval;
      if (end < position) this.release(this.registers[virtual]!);
      else {
        active[kept++] = interval;
        if (end < this.nextEnd) this.nextEnd = end;
      }
    }
    active.length = kept;
  }

  private pick({ hint, isLow }: Interval): number | undefined {
    const { isFree } = this;
    const wished = hint === undefined ? undefined : this.registers[hint - firstVirtual];
    if (wished !== undefined && isFree[wished] && (!isLow || wished < 16)) return wished;
    const free = isLow ? this.freeBits & this.lowBits : this.freeBits;
    return free === 0 ? undefined : this.order[31 - Math.clz32(free & -free)];
  }
}

/** A spilled value's interval can also be longer than the uses that made it dear: length counts against it. */
const costOf = ({ weight, start, end }: Interval): number => weight / (end - start + 1);
