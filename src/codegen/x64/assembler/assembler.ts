/**
 * Machine code in a growing buffer: instructions, labels, alignment, and a pool of constants behind the code.
 *
 *     const a = new Assembler();
 *     a.emit("vaddps", zmm(1), zmm(2), at(rdi, 64));
 *     const { bytes } = a.finish();
 */
import { InternalError } from "../../../base/errors.ts";
import { type ByteSink, type Decoration, encode, type RegisterNumbers } from "./encode.ts";
import type { Form } from "./form.ts";
import { findForm } from "./match.ts";
import { isLabel, type Label, type Memory, memory, type Operand } from "./operands.ts";
import { formsOf, type Mnemonic } from "./tables/index.ts";

/** A function or table of the code, for disassemblers and profilers. */
export interface CodeSymbol {
  readonly name: string;
  readonly start: number;
  readonly bytes: number;
}

export interface MachineBytes {
  readonly bytes: Uint8Array;
  readonly symbols: readonly CodeSymbol[];
  /** Where the code ends and constants begin. */
  readonly codeBytes: number;
  /** Offsets of labels. */
  offsetOf(label: Label): number;
}

interface Fixup {
  readonly at: number;
  readonly label: number;
  readonly size: 1 | 4;
  readonly displacement: number;
  readonly tail: number;
}

interface PoolEntry {
  readonly label: Label;
  readonly bytes: Uint8Array;
}

/** Intel's recommended instructions that do nothing, by length. */
const nops = [
  [0x90],
  [0x66, 0x90],
  [0x0f, 0x1f, 0x00],
  [0x0f, 0x1f, 0x40, 0x00],
  [0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
  [0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];

export class Assembler implements ByteSink {
  private buffer = new Uint8Array(4096);
  private length = 0;
  private readonly labels: number[] = [];
  private readonly fixups: Fixup[] = [];
  private readonly pool = new Map<string, PoolEntry>();
  private readonly symbols: CodeSymbol[] = [];
  private symbol: { name: string; start: number } | undefined;

  get offset(): number {
    return this.length;
  }

  emit(mnemonic: Mnemonic, ...operands: readonly Operand[]): void {
    const [first] = operands;
    if (first !== undefined && isLabel(first)) return this.jump(mnemonic, first);
    encode(this, findForm(mnemonic, operands, false), operands);
  }
  /** With an EVEX mask: lanes whose bit is 0 keep their value, or with `zeroing` become 0. */
  emitMasked(mnemonic: Mnemonic, decoration: Decoration, ...operands: readonly Operand[]): void {
    encode(this, findForm(mnemonic, operands, decoration.mask !== undefined), operands, decoration);
  }
  /** `numbers`: the machine registers of virtual ones among the operands. */
  emitForm(
    form: Form,
    operands: readonly Operand[],
    decoration?: Decoration,
    numbers?: RegisterNumbers,
  ): void {
    encode(this, form, operands, decoration, numbers);
  }

  label(): Label {
    return { kind: "label", id: this.labels.push(-1) - 1 };
  }
  bind(label: Label): void {
    if (this.labels[label.id] !== -1) throw new InternalError(`label ${label.id} is bound twice`);
    this.labels[label.id] = this.length;
  }
  here(): Label {
    const label = this.label();
    this.bind(label);
    return label;
  }
  /** Jumps as short as the distance allows where the label is behind. */
  private jump(mnemonic: Mnemonic, label: Label): void {
    const target = this.labels[label.id]!;
    const isShort = target >= 0 && target - (this.length + 2) >= -128;
    const forms = findForms(mnemonic);
    encode(this, isShort ? forms.short : forms.near, [label]);
  }

  align(bytes: number): void {
    let missing = (bytes - (this.length % bytes)) % bytes;
    while (missing > 0) {
      const size = Math.min(8, missing);
      for (const byte of nops[size - 1]!) this.byte(byte);
      missing -= size;
    }
  }

  /** A constant in memory, aligned to its size; equal bytes share a place. */
  constant(bytes: Uint8Array): Memory {
    const key = String.fromCharCode(...bytes);
    let entry = this.pool.get(key);
    if (entry === undefined) this.pool.set(key, (entry = { label: this.label(), bytes }));
    return memory({ label: entry.label });
  }

  /** Names what follows, to the next name. */
  begin(name: string): void {
    this.end();
    this.symbol = { name, start: this.length };
  }
  private end(): void {
    if (this.symbol === undefined) return;
    this.symbols.push({ ...this.symbol, bytes: this.length - this.symbol.start });
    this.symbol = undefined;
  }

  finish(): MachineBytes {
    this.end();
    const codeBytes = this.length;
    this.placePool();
    for (const fixup of this.fixups) this.apply(fixup);
    const { labels } = this;
    return {
      bytes: this.buffer.slice(0, this.length),
      symbols: this.symbols,
      codeBytes,
      offsetOf: (label) => labels[label.id]!,
    };
  }

  /** Largest first, so that only the first needs padding. */
  private placePool(): void {
    const entries = [...this.pool.values()].sort((a, b) => b.bytes.length - a.bytes.length);
    for (const { label, bytes } of entries) {
      while (this.length % Math.min(64, bytes.length) !== 0) this.byte(0);
      this.bind(label);
      for (const byte of bytes) this.byte(byte);
    }
  }

  private apply({ at, label, size, displacement, tail }: Fixup): void {
    const target = this.labels[label]!;
    if (target < 0) throw new InternalError(`label ${label} was never bound`);
    const distance = target + displacement - (at + size + tail);
    if (size === 1 && (distance < -128 || distance > 127))
      throw new InternalError(`a short jump over ${distance} bytes`);
    for (let i = 0; i < size; i++) this.buffer[at + i] = distance >> (8 * i);
  }

  // ---- bytes --------------------------------------------------------------------------------------------------

  byte(value: number): void {
    if (this.length === this.buffer.length) {
      const larger = new Uint8Array(this.buffer.length * 2);
      larger.set(this.buffer);
      this.buffer = larger;
    }
    this.buffer[this.length++] = value;
  }
  int32(value: number): void {
    for (let shift = 0; shift < 32; shift += 8) this.byte(value >> shift);
  }
  int64(value: bigint): void {
    const bits = BigInt.asUintN(64, value);
    for (let shift = 0n; shift < 64n; shift += 8n) this.byte(Number((bits >> shift) & 255n));
  }
  fixup(label: Label, size: 1 | 4, displacement: number, tail: number): void {
    this.fixups.push({ at: this.length, label: label.id, size, displacement, tail });
    for (let i = 0; i < size; i++) this.byte(0);
  }
}

const anyLabel: Label = { kind: "label", id: -1 };
const jumpForms = new Map<Mnemonic, { short: Form; near: Form }>();

function findForms(mnemonic: Mnemonic): { short: Form; near: Form } {
  let found = jumpForms.get(mnemonic);
  if (found === undefined) {
    const short = findForm(mnemonic, [anyLabel], false);
    found = { short, near: nearForm(mnemonic) ?? short };
    jumpForms.set(mnemonic, found);
  }
  return found;
}

function nearForm(mnemonic: Mnemonic): Form | undefined {
  return formsOf(mnemonic).find(({ operands }) => operands[0]?.place === "J" && operands[0].size === "z");
}
