/**
 * Instructions over virtual registers, as a list. Loops are marked, and every value that a loop carries is set before it:
 * so a value's life is one interval, found without data-flow equations.
 */
import type { Assembler } from "../assembler/assembler.ts";
import type { Form } from "../assembler/form.ts";
import { findForm } from "../assembler/match.ts";
import {
  firstVirtual,
  isLabel,
  isRegister,
  type Label,
  type Memory,
  memory,
  type Operand,
  type Register,
  type RegisterBits,
  type RegisterClass,
  rsp,
} from "../assembler/operands.ts";
import type { Mnemonic } from "../assembler/tables/index.ts";

export type Item =
  | {
      readonly kind: "instruction";
      readonly form: Form;
      readonly operands: readonly Operand[];
      readonly mask: Register | undefined;
      readonly zeroing: boolean;
    }
  /**
   * target = a × b + c in whichever order the registers allow; of `bytes` and `pairs` (sums of four products of bytes, of two
   * of 16-bit integers) c is where the sum comes to be.
   */
  | {
      readonly kind: "fused";
      readonly suffix: FusedKind;
      readonly operands: readonly [Register, Register, Register, Register];
    }
  | { readonly kind: "jump"; readonly mnemonic: Mnemonic; readonly label: Label }
  | { readonly kind: "bind"; readonly label: Label }
  | { readonly kind: "align" }
  /** Between them, code that repeats. */
  | { readonly kind: "loopStart" | "loopEnd" }
  /** Between them, code that hardly ever runs: it is placed after the function. */
  | { readonly kind: "coldStart" | "coldEnd" };

export type FusedKind = "ps" | "pd" | "bytes" | "pairs";

/** Where a value may be found without its register: a constant's place in memory. */
export interface VirtualFacts {
  readonly class: RegisterClass;
  readonly home: Memory | undefined;
}

/** Below the spill slots: what is passed to the report routine, then scratch of the kernel. */
export const outgoingBytes = 32;

export class MachineCode {
  readonly assembler: Assembler;
  readonly virtuals: VirtualFacts[] = [];
  /** What runs once, before the rest. */
  readonly start: Item[] = [];
  readonly body: Item[] = [];
  private current: Item[] = this.body;
  frameBytes = outgoingBytes;

  constructor(assembler: Assembler) {
    this.assembler = assembler;
  }

  virtual(kind: RegisterClass, bits: RegisterBits, home?: Memory): Register {
    const number = firstVirtual + this.virtuals.push({ class: kind, home }) - 1;
    return { kind: "register", class: kind, number, bits };
  }
  general = (): Register => this.virtual("general", 64);
  vector = (bits: RegisterBits): Register => this.virtual("vector", bits);
  maskValue = (): Register => this.virtual("mask", 64);

  /** Room in the frame: 64-byte aligned. */
  reserve(bytes: number): Memory {
    const displacement = Math.ceil(this.frameBytes / 64) * 64;
    this.frameBytes = displacement + bytes;
    return memory({ base: rsp, displacement });
  }

  emit(mnemonic: Mnemonic, ...operands: readonly Operand[]): void {
    const [first] = operands;
    if (first !== undefined && isLabel(first)) {
      this.current.push({ kind: "jump", mnemonic, label: first });
      return;
    }
    const form = findForm(mnemonic, operands, false);
    this.current.push({ kind: "instruction", form, operands, mask: undefined, zeroing: false });
  }
  emitMasked(mnemonic: Mnemonic, mask: Register, zeroing: boolean, ...operands: readonly Operand[]): void {
    const form = findForm(mnemonic, operands, true);
    this.current.push({ kind: "instruction", form, operands, mask, zeroing });
  }
  fused(suffix: FusedKind, operands: readonly [Register, Register, Register, Register]): void {
    this.current.push({ kind: "fused", suffix, operands });
  }
  /** A routine of ours that keeps all registers. */
  emitCall(label: Label): void {
    this.current.push({ kind: "jump", mnemonic: "call", label });
  }
  bind(label: Label): void {
    this.current.push({ kind: "bind", label });
  }
  label(): Label {
    return this.assembler.label();
  }
  mark(kind: "loopStart" | "loopEnd" | "coldStart" | "coldEnd" | "align"): void {
    this.current.push({ kind });
  }

  /** Makes the instructions that just computed `from` write to `to` instead; false: they cannot. */
  retarget(from: readonly Register[], to: readonly Register[]): boolean {
    const places = from.map((r) => this.definitionOf(r));
    if (places.some((place) => place < 0) || new Set(places).size < from.length) return false;
    places.forEach((place, i) => {
      const item = this.current[place] as Extract<Item, { kind: "instruction" | "fused" }>;
      const operands = [to[i]!, ...item.operands.slice(1)];
      this.current[place] = { ...item, operands } as Item;
    });
    return true;
  }
  /** Among the last few instructions, one that writes `r` and is the only one to. */
  private definitionOf(r: Register): number {
    for (let i = this.current.length - 1; i >= Math.max(0, this.current.length - 4); i--) {
      const item = this.current[i]!;
      if (item.kind === "fused") {
        if (item.operands[0].number === r.number) return i;
      } else if (item.kind === "instruction") {
        const first = item.operands[0];
        const isWritten = first !== undefined && isRegister(first) && first.number === r.number;
        if (
          isWritten &&
          first.bits === r.bits &&
          item.form.operands[0]!.access === "write" &&
          item.mask === undefined
        )
          return i;
        if (isWritten) return -1;
      } else return -1;
    }
    return -1;
  }

  /** Code that hardly ever runs; it jumps back to `back` by itself. */
  cold(entry: Label, back: Label, body: () => void): void {
    this.mark("coldStart");
    this.bind(entry);
    body();
    this.emit("jmp", back);
    this.mark("coldEnd");
  }
  /** Writes what `body` emits into another list. */
  into(list: Item[], body: () => void): void {
    const before = this.current;
    this.current = list;
    body();
    this.current = before;
  }
  atStart<T>(body: () => T): T {
    let result!: T;
    this.into(this.start, () => {
      result = body();
    });
    return result;
  }
  append(items: readonly Item[]): void {
    for (const item of items) this.current.push(item);
  }
}
