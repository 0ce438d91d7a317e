/** From instructions over virtual registers to bytes: allocation, spills, prologue and epilogue. */
import { InternalError } from "../../../base/errors.ts";
import type { Assembler } from "../assembler/assembler.ts";
import { findForm } from "../assembler/match.ts";
import {
  firstVirtual,
  isMemory,
  isRegister,
  type Memory,
  memory,
  type Operand,
  type Register,
  type RegisterClass,
  register,
  rsp,
  withBits,
} from "../assembler/operands.ts";
import type { Mnemonic } from "../assembler/tables/index.ts";
import type { Isa } from "../isa.ts";
import type { Item, MachineCode } from "./code.ts";
import { type Allocation, allocate, type RegisterFile } from "./linear-scan.ts";
import { type Interval, intervalsOf, isMove } from "./liveness.ts";
import { type ByClass, FreeRegisters, Scratch, withoutScratch } from "./scratch.ts";

type InstructionItem = Extract<Item, { kind: "instruction" }>;

export interface FinishedFunction {
  readonly spills: number;
  readonly frameBytes: number;
}

/** rdi first: it holds the call's record. rsp is nobody's. */
const generalOrder = [7, 0, 1, 2, 6, 8, 9, 10, 11, 3, 5, 12, 13, 14, 15];
const maskOrder = [1, 2, 3, 4, 5, 6, 7];

/** Writes the function at the assembler's place. All registers are the caller's loss. `record` arrives in rdi. */
export function finishFunction(code: MachineCode, isa: Isa, record: Register): FinishedFunction {
  const items = [...code.start, ...code.body];
  const intervals = intervalsOf(items, code.virtuals.length);
  // A constant that nothing needs is not loaded.
  for (const interval of intervals)
    if (interval.start === interval.end && code.virtuals[interval.virtual]!.home !== undefined)
      interval.start = -1;
  const classOf = (virtual: number) => code.virtuals[virtual]!.class;
  const fixed = new Map([[record.number - firstVirtual, 7]]);
  const vector = Array.from({ length: isa.vectorRegisters }, (_, i) => (i + 16) % isa.vectorRegisters);
  const file: RegisterFile = { general: generalOrder, vector, mask: maskOrder };
  let allocation = allocate(intervals, classOf, file, fixed);
  let scratch = scratchOf(items, intervals, code, allocation);
  // Where no register is free for what lies in memory, some are kept for it; the other classes keep all of theirs.
  const kept = { general: 0, vector: 0, mask: 0 };
  while (scratch.lacking.size > 0) {
    for (const [name, count] of scratch.lacking) {
      if (kept[name] >= count) throw new InternalError(`no ${name} registers for what was spilled`);
      kept[name] = count;
    }
    allocation = allocate(intervals, classOf, withoutScratch(file, kept), fixed);
    scratch = scratchOf(items, intervals, code, allocation);
  }
  return new Finisher(code, isa, allocation, scratch.places).write(items);
}

/** The operand that may be the spilled value in its slot: one in ModRM.rm, as wide as what lies there. */
function foldableOperand(
  { form, operands, mask }: InstructionItem,
  isSpilled: (r: Register) => boolean,
): number {
  if (operands.some((x) => isMemory(x))) return -1;
  return operands.findIndex((operand, i) => {
    if (!isRegister(operand) || !isSpilled(operand)) return false;
    const { place, access, size } = form.operands[i]!;
    // Writing 32 bits of a register clears the others; writing them to memory does not.
    if (place === "E")
      return (size === "v" || size === "y" || size === "q") && (access === "read" || operand.bits === 64);
    return place === "W" && access === "read" && mask?.number !== operand.number;
  });
}

/** Whether one of an item's registers is wanted. */
function mentions(item: Item, isWanted: (r: Register) => boolean): boolean {
  if (item.kind !== "instruction" && item.kind !== "fused") return false;
  if (item.kind === "instruction" && item.mask !== undefined && isWanted(item.mask)) return true;
  for (const operand of item.operands) {
    if (isRegister(operand)) {
      if (isWanted(operand)) return true;
    } else if (isMemory(operand)) {
      const { base, index } = operand;
      if (base !== undefined && isWanted(base)) return true;
      if (index !== undefined && isWanted(index)) return true;
    }
  }
  return false;
}

interface ScratchPlaces {
  /** By the item's index: the registers that are free there, where the item has something in memory. */
  readonly places: ReadonlyMap<number, ByClass<readonly number[]>>;
  /** Classes of which an item needs more than are free, and how many. */
  readonly lacking: ReadonlyMap<RegisterClass, number>;
}

function scratchOf(
  items: readonly Item[],
  intervals: readonly Interval[],
  code: MachineCode,
  allocation: Allocation,
): ScratchPlaces {
  const places = new Map<number, ByClass<readonly number[]>>();
  const lacking = new Map<RegisterClass, number>();
  if (allocation.spilled.length === 0) return { places, lacking };
  const { registers } = allocation;
  const isSpilled = (r: Register): boolean =>
    r.number >= firstVirtual && registers[r.number - firstVirtual] === undefined;
  const free = new FreeRegisters(intervals, allocation, (virtual) => code.virtuals[virtual]!.class);
  items.forEach((item, index) => {
    if (!mentions(item, isSpilled)) return;
    const place = free.at(index);
    places.set(index, place);
    const needed = { general: 0, vector: 0, mask: 0 };
    for (const r of spilledOperands(item, code, isSpilled).values()) needed[r.class]++;
    for (const name of ["general", "vector", "mask"] as const)
      if (needed[name] > place[name].length)
        lacking.set(name, Math.max(needed[name], lacking.get(name) ?? 0));
  });
  return { places, lacking };
}

/** What an item cannot take from memory, by number. */
function spilledOperands(
  item: Item,
  code: MachineCode,
  isSpilled: (r: Register) => boolean,
): Map<number, Register> {
  const found = new Map<number, Register>();
  const add = (r: Register | undefined): void => {
    if (r !== undefined && isSpilled(r)) found.set(r.number, r);
  };
  if (item.kind === "fused") {
    const [target, ...inputs] = item.operands;
    let inMemory = item.suffix === "ps" || item.suffix === "pd" ? 1 : 0;
    for (const input of inputs) if (isSpilled(input) && inMemory-- <= 0) add(input);
    add(target);
  } else if (item.kind === "instruction") {
    const [first] = item.operands;
    const isConstant = (r: Register): boolean => code.virtuals[r.number - firstVirtual]?.home !== undefined;
    if (first !== undefined && isRegister(first) && isSpilled(first) && isConstant(first)) return found;
    const folded = foldableOperand(item, isSpilled);
    item.operands.forEach((operand, i) => {
      if (isRegister(operand) && i !== folded) add(operand);
      if (isMemory(operand)) for (const r of [operand.base, operand.index]) add(r);
    });
    add(item.mask);
  }
  return found;
}

const noneFree = { general: [], vector: [], mask: [] };

class Finisher {
  private readonly code: MachineCode;
  private readonly assembler: Assembler;
  private readonly vectorBits: 256 | 512;
  private readonly allocation: Allocation;
  /** Registers of the values that have one. */
  private readonly numbers: Int32Array;
  private readonly slots = new Map<number, Memory>();
  private readonly cold: number[] = [];
  private readonly scratchPlaces: ScratchPlaces["places"];
  /** Of the item that is written. */
  private index = 0;

  constructor(code: MachineCode, isa: Isa, allocation: Allocation, scratchPlaces: ScratchPlaces["places"]) {
    this.code = code;
    this.scratchPlaces = scratchPlaces;
    this.assembler = code.assembler;
    this.vectorBits = isa.vector.bits as 256 | 512;
    this.allocation = allocation;
    this.numbers = Int32Array.from(allocation.registers, (number) => number ?? -1);
    for (const virtual of allocation.spilled) {
      const { home, class: kind } = code.virtuals[virtual]!;
      this.slots.set(virtual, home ?? this.slot(kind === "vector" ? this.vectorBits / 8 : 8));
    }
  }

  private slot(bytes: number): Memory {
    const { code } = this;
    const displacement = Math.ceil(code.frameBytes / bytes) * bytes;
    code.frameBytes = displacement + bytes;
    return memory({ base: rsp, displacement });
  }

  /** The caller's call left rsp 8 below a multiple of 64; the frame makes it a multiple again. */
  write(items: readonly Item[]): FinishedFunction {
    const { assembler, code } = this;
    const frame = Math.ceil((code.frameBytes - 56) / 64) * 64 + 56;
    assembler.emit("sub", rsp, frame);
    this.items(items);
    assembler.emit("add", rsp, frame);
    assembler.emit("ret");
    for (const index of this.cold) this.item(items, index);
    return { spills: this.allocation.spilled.length, frameBytes: frame };
  }

  private items(items: readonly Item[]): void {
    let depth = 0;
    items.forEach(({ kind }, index) => {
      if (kind === "coldStart") depth++;
      else if (kind === "coldEnd") depth--;
      else if (depth > 0) this.cold.push(index);
      else this.item(items, index);
    });
  }

  private item(items: readonly Item[], index: number): void {
    const item = items[index]!;
    this.index = index;
    switch (item.kind) {
      case "instruction":
        return this.instruction(item);
      case "fused":
        return this.fused(item);
      case "jump":
        return this.assembler.emit(item.mnemonic, item.label);
      case "bind":
        return this.assembler.bind(item.label);
      case "align":
        return this.assembler.align(32);
      default:
        return;
    }
  }

  // ---- operands -----------------------------------------------------------------------------------------------

  private scratch(): Scratch {
    return new Scratch(this.scratchPlaces.get(this.index) ?? noneFree);
  }
  private registerOf(r: Register): Register | undefined {
    if (r.number < firstVirtual) return r;
    const number = this.allocation.registers[r.number - firstVirtual];
    return number === undefined ? undefined : register(r.class, number, r.bits);
  }
  /** −1: in memory. */
  private numberOf({ number }: Register): number {
    return number < firstVirtual ? number : this.numbers[number - firstVirtual]!;
  }
  private slotOf(r: Register): Memory {
    const slot = this.slots.get(r.number - firstVirtual);
    if (slot === undefined) throw new InternalError(`virtual register ${r.number} has no place`);
    return { ...slot, bits: r.bits };
  }
  private isConstant(r: Register): boolean {
    return this.code.virtuals[r.number - firstVirtual]?.home !== undefined;
  }

  private instruction(item: InstructionItem): void {
    const { allocation, assembler, numbers } = this;
    const { form, operands, mask, zeroing } = item;
    const first = operands[0];
    // A constant that is used from memory, or by nobody, is not loaded.
    if (first !== undefined && isRegister(first) && this.isSpilled(first) && this.isConstant(first)) return;
    if (isMove(item) && this.isSameRegister(operands)) return;
    if (allocation.spilled.length > 0 && mentions(item, this.isSpilled)) return this.withSpilled(item);
    assembler.emitForm(form, operands, mask === undefined ? undefined : { mask, zeroing }, numbers);
  }

  private readonly isSpilled = (r: Register): boolean =>
    r.number >= firstVirtual && this.numbers[r.number - firstVirtual]! < 0;

  private withSpilled(item: InstructionItem): void {
    const { assembler } = this;
    const { form, operands } = item;
    const scratch = this.scratch();
    const after: (() => void)[] = [];
    const folded = foldableOperand(item, this.isSpilled);
    const placed = operands.map((operand, i): Operand => {
      if (isMemory(operand)) return this.placeMemory(operand, scratch);
      if (!isRegister(operand)) return operand;
      const found = this.registerOf(operand);
      if (found !== undefined) return found;
      if (i === folded) return this.slotOf(operand);
      const temporary = scratch.take(operand);
      const { access } = form.operands[i]!;
      const merges = item.mask !== undefined && !item.zeroing;
      if (access !== "write" || merges) this.fill(temporary, operand);
      if (access !== "read") after.push(() => this.spill(temporary, operand));
      return temporary;
    });
    const mask = item.mask && this.placeMask(item.mask, scratch);
    const fitting = folded >= 0 ? findForm(form.mnemonic as Mnemonic, placed, mask !== undefined) : form;
    assembler.emitForm(fitting, placed, { mask, zeroing: item.zeroing });
    for (const store of after) store();
  }

  private isSameRegister([to, from]: readonly Operand[]): boolean {
    if (to === undefined || from === undefined || !isRegister(to) || !isRegister(from)) return false;
    const [a, b] = [this.numberOf(to), this.numberOf(from)];
    return a === b && a >= 0 && to.class === from.class && to.bits === from.bits;
  }

  private placeMemory(m: Memory, scratch: Scratch): Memory {
    const { base, index } = m;
    const place = (r: Register | undefined): Register | undefined => {
      if (r === undefined) return undefined;
      const found = this.registerOf(r);
      if (found !== undefined) return found;
      const temporary = scratch.take(r);
      this.fill(temporary, r);
      return temporary;
    };
    return { ...m, base: place(base), index: place(index) };
  }

  private placeMask(mask: Register, scratch: Scratch): Register {
    const found = this.registerOf(mask);
    if (found !== undefined) return found;
    const temporary = scratch.take(mask);
    this.fill(temporary, mask);
    return temporary;
  }

  private moveName(r: Register): Mnemonic {
    return r.class === "general" ? "mov" : r.class === "mask" ? "kmovw" : "vmovups";
  }
  private fill(temporary: Register, spilled: Register): void {
    this.assembler.emit(this.moveName(spilled), temporary, this.slotOf(spilled));
  }
  private spill(temporary: Register, spilled: Register): void {
    const whole = (r: Register): Register => (r.class === "general" ? withBits(r, 64) : r);
    this.assembler.emit(this.moveName(spilled), this.slotOf(whole(spilled)), whole(temporary));
  }

  // ---- a × b + c ----------------------------------------------------------------------------------------------

  private fused({ suffix, operands }: Extract<Item, { kind: "fused" }>): void {
    const { assembler, numbers } = this;
    const [target, ...inputs] = operands;
    const scratch = this.scratch();
    let inMemory = -1;
    // Virtual registers that have one stay as they are: the encoder knows their numbers.
    const placed = inputs.map((input, i): Operand => {
      if (!this.isSpilled(input)) return input;
      if (inMemory < 0) {
        inMemory = i;
        return this.slotOf(input);
      }
      const temporary = scratch.take(input);
      this.fill(temporary, input);
      return temporary;
    }) as [Operand, Operand, Operand];
    const isInMemory = this.isSpilled(target);
    const d = isInMemory ? scratch.take(target) : target;
    const isTarget = (x: Operand): boolean => isRegister(x) && this.numberOf(x) === this.numberOf(d);
    const emit = (mnemonic: Mnemonic, ...all: readonly Operand[]): void =>
      assembler.emitForm(findForm(mnemonic, all, false), all, undefined, numbers);
    let [a, b, c] = placed;
    if (suffix === "bytes" || suffix === "pairs") {
      // Only the second factor may lie in memory.
      if (isMemory(a)) {
        const temporary = scratch.take(inputs[0]);
        this.fill(temporary, inputs[0]);
        a = temporary;
      }
      if (!isTarget(c)) emit(isMemory(c) ? "vmovups" : "vmovaps", d, c);
      emit(suffix === "bytes" ? "vpdpbusd" : "vpdpwssd", d, a, b);
      if (isInMemory) this.spill(d, target);
      return;
    }
    const name = (order: "132" | "213" | "231"): Mnemonic => `vfmadd${order}${suffix}`;
    if (isMemory(a)) [a, b] = [b, a];
    if (isTarget(c)) emit(name("231"), d, a, b);
    else if (isTarget(a))
      emit(isMemory(b) ? name("132") : name("213"), d, isMemory(b) ? c : b, isMemory(b) ? b : c);
    else if (isTarget(b)) emit(name("213"), d, a, c);
    else {
      emit(isMemory(c) ? "vmovups" : "vmovaps", d, c);
      emit(name("231"), d, a, b);
    }
    if (isInMemory) this.spill(d, target);
  }
}
