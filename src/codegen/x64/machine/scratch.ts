/**
 * Registers for what lives in memory while one instruction works on it: such as hold nothing at that place. Only where all are taken
 * are some kept out of the allocation.
 */
import { InternalError } from "../../../base/errors.ts";
import { type Register, type RegisterClass, register } from "../assembler/operands.ts";
import type { Allocation, RegisterFile } from "./linear-scan.ts";
import type { Interval } from "./liveness.ts";

export type ByClass<T> = Readonly<Record<RegisterClass, T>>;

/** What may serve for one instruction, in the order in which it is taken. */
const candidates: ByClass<readonly number[]> = {
  general: [13, 14, 15, 12, 5, 3, 11, 10, 9, 8, 6, 2, 1, 0, 7],
  // Every instruction can name these.
  vector: [13, 14, 15, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0],
  mask: [5, 6, 7, 4, 3, 2, 1],
};

/** A register file without the first `counts` candidates of each class. */
export function withoutScratch(file: RegisterFile, counts: ByClass<number>): RegisterFile {
  const without = (name: RegisterClass): number[] =>
    file[name].filter((n) => !candidates[name].slice(0, counts[name]).includes(n));
  return { general: without("general"), vector: without("vector"), mask: without("mask") };
}

/** Asked for places in rising order. */
export class FreeRegisters {
  private readonly ordered: readonly Interval[];
  private readonly allocation: Allocation;
  private readonly classOf: (virtual: number) => RegisterClass;
  private next = 0;
  /** The end of the last interval that has begun in each register. */
  private readonly busyUntil: ByClass<Int32Array> = {
    general: new Int32Array(32).fill(-1),
    vector: new Int32Array(32).fill(-1),
    mask: new Int32Array(32).fill(-1),
  };

  constructor(
    intervals: readonly Interval[],
    allocation: Allocation,
    classOf: (virtual: number) => RegisterClass,
  ) {
    this.ordered = intervals
      .filter(({ start, virtual }) => start >= 0 && allocation.registers[virtual] !== undefined)
      .sort((a, b) => a.start - b.start);
    this.allocation = allocation;
    this.classOf = classOf;
  }

  /** Those that nothing lives in while the instruction at `index` reads and writes. */
  at(index: number): ByClass<readonly number[]> {
    const [reads, writes] = [2 * index, 2 * index + 1];
    const { ordered, busyUntil, allocation } = this;
    for (; this.next < ordered.length && ordered[this.next]!.start <= writes; this.next++) {
      const { virtual, end } = ordered[this.next]!;
      const busy = busyUntil[this.classOf(virtual)];
      const number = allocation.registers[virtual]!;
      busy[number] = Math.max(busy[number]!, end);
    }
    const free = (name: RegisterClass): readonly number[] =>
      candidates[name].filter((number) => busyUntil[name][number]! < reads);
    return { general: free("general"), vector: free("vector"), mask: free("mask") };
  }
}

/** Gives registers to the values in memory of one instruction, to each the same one again. */
export class Scratch {
  private readonly free: ByClass<readonly number[]>;
  private readonly used = { general: 0, vector: 0, mask: 0 };
  private readonly known = new Map<number, Register>();

  constructor(free: ByClass<readonly number[]>) {
    this.free = free;
  }

  take(r: Register): Register {
    const taken = this.known.get(r.number);
    if (taken !== undefined) return register(r.class, taken.number, r.bits);
    const number = this.free[r.class][this.used[r.class]++];
    if (number === undefined)
      throw new InternalError(`too many spilled ${r.class} operands in one instruction`);
    const temporary = register(r.class, number, r.bits);
    this.known.set(r.number, temporary);
    return temporary;
  }
}
