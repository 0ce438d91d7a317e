/**
 * Linear scan: intervals in order of their start take free registers. When there is none, the cheapest interval (fewest uses
 * for its length, loops counted) lives in memory: in a spill slot, or where its constant lies anyway.
 */
import type { RegisterClass } from "../assembler/operands.ts";
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
  private readonly free: Set<number>;
  private readonly registers: (number | undefined)[];
  private active: Interval[] = [];
  /** Before this, none of the active ends. */
  private nextEnd = Infinity;

  constructor(order: readonly number[], registers: (number | undefined)[]) {
    this.order = order;
    this.free = new Set(order);
    this.registers = registers;
  }

  /** Gives it a register; returns what now lives in memory, if anything. */
  place(interval: Interval, fixed: number | undefined): Interval | undefined {
    this.expire(interval.start);
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
    this.active = this.active.filter((other) => other !== cheapest);
    this.take(interval, freed);
    return cheapest;
  }

  private take(interval: Interval, register: number): void {
    this.free.delete(register);
    this.registers[interval.virtual] = register;
    this.active.push(interval);
    this.nextEnd = Math.min(this.nextEnd, interval.end);
  }

  private expire(position: number): void {
    if (this.nextEnd >= position) return;
    this.nextEnd = Infinity;
    this.active = this.active.filter(({ end, virtual }) => {
      if (end < position) {
        this.free.add(this.registers[virtual]!);
        return false;
      }
      this.nextEnd = Math.min(this.nextEnd, end);
      return true;
    });
  }

  private pick({ hint, isLow }: Interval): number | undefined {
    const fits = (register: number): boolean => this.free.has(register) && (!isLow || register < 16);
    const wished = hint === undefined ? undefined : this.registers[hint - 64];
    if (wished !== undefined && fits(wished)) return wished;
    return this.order.find(fits);
  }
}

/** A spilled value's interval can also be longer than the uses that made it dear: length counts against it. */
const costOf = ({ weight, start, end }: Interval): number => weight / (end - start + 1);
