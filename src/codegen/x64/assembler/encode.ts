/** Prefixes, opcode, ModRM, SIB, displacement and immediate of one instruction. */
import { InternalError } from "../../../base/errors.ts";
import { type Form, memoryBytes, type OperandPattern } from "./form.ts";
import { vectorLength } from "./match.ts";
import { firstVirtual, type Label, type Memory, type Operand, type Register } from "./operands.ts";

/** Where bytes go; a fix-up is a 32-bit (or 8-bit) distance to a label that is filled in later. */
export interface ByteSink {
  byte(value: number): void;
  int32(value: number): void;
  int64(value: bigint): void;
  /** `tail`: bytes of the instruction after the distance. */
  fixup(label: Label, size: 1 | 4, displacement: number, tail: number): void;
}

export interface Decoration {
  readonly mask?: Register | undefined;
  readonly zeroing?: boolean;
}

/** The machine registers of virtual ones, by number from `firstVirtual` on; operands may name either. */
export type RegisterNumbers = ArrayLike<number>;

/** Operands by the place they take in the encoding; registers as the numbers of machine registers. */
interface Places {
  reg: number;
  vvvv: number;
  rm: Register | Memory | undefined;
  /** Of `rm`: the register itself, or the memory's base and index; −1: none. */
  rmNumber: number;
  base: number;
  index: number;
  /** −1: none. */
  opcodeRegister: number;
  is4: number;
  immediate: number | bigint;
  immediateBytes: number;
  target: Label | undefined;
  targetBytes: 1 | 4;
  /** Width of general registers or of memory where only that tells. */
  bits: number;
  /** Whether a vector register from 16 on is among them. */
  hasUpper: boolean;
}

const undecorated: Decoration = {};
const noNumbers: RegisterNumbers = [];

export function encode(
  sink: ByteSink,
  form: Form,
  operands: readonly Operand[],
  { mask, zeroing = false }: Decoration = undecorated,
  numbers: RegisterNumbers = noNumbers,
): void {
  const places = arrange(form, operands, numbers);
  if (form.legacy) return encodeLegacy(sink, form, places);
  const length = vectorLength(form, operands);
  const isBroadcast = places.rm?.kind === "memory" && places.rm.broadcast;
  const needsEvex = !form.vex || length === 512 || mask !== undefined || isBroadcast || places.hasUpper;
  const maskNumber = mask === undefined ? 0 : numberOf(mask, numbers);
  if (needsEvex && form.evex) encodeEvex(sink, form, places, { length, maskNumber, zeroing, isBroadcast });
  else encodeVex(sink, form, places, length);
}

function numberOf({ number }: Register, numbers: RegisterNumbers): number {
  return number < firstVirtual ? number : numbers[number - firstVirtual]!;
}

function arrange(form: Form, operands: readonly Operand[], numbers: RegisterNumbers): Places {
  const places: Places = {
    reg: form.digit < 0 ? 0 : form.digit,
    vvvv: 0,
    rm: undefined,
    rmNumber: -1,
    base: -1,
    index: -1,
    opcodeRegister: -1,
    is4: -1,
    immediate: 0,
    immediateBytes: 0,
    target: undefined,
    targetBytes: 4,
    bits: 0,
    hasUpper: false,
  };
  for (let i = 0; i < operands.length; i++) {
    const pattern = form.operands[i]!;
    const operand = operands[i]!;
    if (typeof operand !== "object") {
      const { size } = pattern;
      places.immediate = operand;
      places.immediateBytes = size === "b" || size === "s" ? 1 : size === "q" ? 8 : 4;
    } else if (operand.kind === "register") arrangeRegister(places, pattern, operand, numbers);
    else if (operand.kind === "memory") {
      const { base, index } = operand;
      places.rm = operand;
      if (base !== undefined) places.base = numberOf(base, numbers);
      if (index !== undefined) {
        places.index = numberOf(index, numbers);
        if (index.class === "vector" && places.index >= 16) places.hasUpper = true;
      }
      if (places.bits === 0 && !hasRegister(form, operands)) places.bits = operand.bits;
    } else {
      places.target = operand;
      places.targetBytes = pattern.size === "b" ? 1 : 4;
    }
  }
  return places;
}

function arrangeRegister(
  places: Places,
  { place }: OperandPattern,
  operand: Register,
  numbers: RegisterNumbers,
): void {
  if (place === "CL") return;
  const number = numberOf(operand, numbers);
  switch (place) {
    case "V":
    case "K":
    case "G":
      places.reg = number;
      break;
    case "H":
    case "Q":
    case "B":
      places.vvvv = number;
      break;
    case "L":
      places.is4 = number;
      break;
    case "O":
      places.opcodeRegister = number;
      break;
    default:
      places.rm = operand;
      places.rmNumber = number;
  }
  if (operand.class === "vector") places.hasUpper ||= number >= 16;
  // The destination of an extension tells the width, not its source.
  else if (operand.class === "general" && places.bits === 0) places.bits = operand.bits;
}

/** Whether a register tells the width of the memory operand. */
function hasRegister(form: Form, operands: readonly Operand[]): boolean {
  for (let i = 0; i < operands.length; i++) {
    const operand = operands[i]!;
    if (typeof operand === "object" && operand.kind === "register" && form.operands[i]!.place !== "CL")
      return true;
  }
  return false;
}

const legacyPrefixes = [0, 0x66, 0xf3, 0xf2];

function encodeLegacy(sink: ByteSink, form: Form, places: Places): void {
  const { rm, opcodeRegister, bits } = places;
  if (form.lock) sink.byte(0xf0);
  if (bits === 16) sink.byte(0x66);
  if (form.pp > 0) sink.byte(legacyPrefixes[form.pp]!);
  const reg = form.digit < 0 ? places.reg : 0;
  const base = Math.max(places.base, places.rmNumber, opcodeRegister);
  const isWide = bits === 64 && !always64.has(form.mnemonic) && !isBare(form);
  const rex = (isWide ? 8 : 0) | (reg > 7 ? 4 : 0) | (places.index > 7 ? 2 : 0) | (base > 7 ? 1 : 0);
  // sil, dil … need the prefix even where it holds nothing.
  if (rex > 0 || needsByteRex(form, places)) sink.byte(0x40 | rex);
  if (form.map === 1) sink.byte(0x0f);
  sink.byte(form.opcode + (opcodeRegister < 0 ? 0 : opcodeRegister & 7));
  for (const byte of form.suffix) sink.byte(byte);
  if (places.target !== undefined) return sink.fixup(places.target, places.targetBytes, 0, 0);
  const immediateBytes = bits === 16 && places.immediateBytes === 4 ? 2 : places.immediateBytes;
  if (rm !== undefined) modrm(sink, places.reg, places, 1, immediateBytes);
  immediate(sink, places.immediate, immediateBytes);
}

/** 64 bits wide without saying so. */
const always64 = new Set(["push", "pop", "jmp", "call"]);
/** Their memory operand has a size of its own. */
const isBare = (form: Form): boolean =>
  form.operands.length === 1 && form.operands[0]!.place === "M" && !form.lock;

function needsByteRex(form: Form, { reg, rmNumber }: Places): boolean {
  const isLow = (number: number): boolean => number >= 4 && number < 8;
  for (const { place, size } of form.operands)
    if (size === "b" && place !== "I" && place !== "J" && isLow(place === "G" ? reg : rmNumber)) return true;
  return false;
}

function encodeVex(sink: ByteSink, form: Form, places: Places, length: number): void {
  const { reg, vvvv } = places;
  const [x, b] = [indexBit(places), baseBit(places)];
  const w = form.wBySize ? (places.bits === 64 ? 1 : 0) : form.vexW;
  const l = length === 256 ? 4 : 0;
  const r = form.digit < 0 && reg > 7 ? 0 : 0x80;
  const tail = ((~vvvv & 15) << 3) | l | form.pp;
  if (x === 0 && b === 0 && w === 0 && form.map === 1) {
    sink.byte(0xc5);
    sink.byte(r | tail);
  } else {
    sink.byte(0xc4);
    sink.byte(r | (x ? 0 : 0x40) | (b ? 0 : 0x20) | form.map);
    sink.byte((w << 7) | tail);
  }
  sink.byte(form.opcode);
  if (places.rm === undefined) return;
  const immediateBytes = places.is4 >= 0 ? 1 : places.immediateBytes;
  modrm(sink, reg, places, 1, immediateBytes);
  immediate(sink, places.is4 >= 0 ? places.is4 << 4 : places.immediate, immediateBytes);
}

interface EvexParts {
  readonly length: number;
  readonly maskNumber: number;
  readonly zeroing: boolean;
  readonly isBroadcast: boolean;
}

function encodeEvex(
  sink: ByteSink,
  form: Form,
  places: Places,
  { length, maskNumber, zeroing, isBroadcast }: EvexParts,
): void {
  const { rm } = places;
  const reg = form.digit < 0 ? places.reg : 0;
  const b = baseBit(places);
  // A vector in ModRM.rm takes its fifth bit from X, a vector index from V'.
  const x4 = places.rmNumber >= 0 ? (places.rmNumber >> 4) & 1 : indexBit(places);
  const indexHigh = places.index >= 0 ? (places.index >> 4) & 1 : 0;
  const vHigh = ((places.vvvv >> 4) & 1) | indexHigh;
  const w = form.wBySize ? (places.bits === 64 ? 1 : 0) : form.evexW;
  sink.byte(0x62);
  sink.byte(
    ((reg >> 3) & 1 ? 0 : 0x80) | (x4 ? 0 : 0x40) | (b ? 0 : 0x20) | ((reg >> 4) & 1 ? 0 : 0x10) | form.map,
  );
  sink.byte((w << 7) | ((~places.vvvv & 15) << 3) | 4 | form.pp);
  const l = length === 512 ? 2 : length === 256 ? 1 : 0;
  sink.byte((zeroing ? 0x80 : 0) | (l << 5) | (isBroadcast ? 0x10 : 0) | (vHigh ? 0 : 8) | maskNumber);
  sink.byte(form.opcode);
  const unit = rm?.kind === "memory" ? memoryBytes(form, length, isBroadcast) : 1;
  modrm(sink, places.reg, places, unit, places.immediateBytes);
  immediate(sink, places.immediate, places.immediateBytes);
}

/** X: the fourth bit of an index. */
const indexBit = ({ index }: Places): number => (index < 0 ? 0 : (index >> 3) & 1);
/** B: the fourth bit of a base, or of a register in ModRM.rm. */
function baseBit({ base, rmNumber }: Places): number {
  const number = base >= 0 ? base : rmNumber;
  return number < 0 ? 0 : (number >> 3) & 1;
}

/** `unit`: what EVEX scales 8-bit displacements by. */
function modrm(sink: ByteSink, reg: number, places: Places, unit: number, tail: number): void {
  const { base, index, rmNumber } = places;
  const middle = (reg & 7) << 3;
  if (rmNumber >= 0) return sink.byte(0xc0 | middle | (rmNumber & 7));
  const { label, scale, displacement, index: indexRegister } = places.rm as Memory;
  if (label !== undefined) {
    sink.byte(middle | 5);
    return sink.fixup(label, 4, displacement, tail);
  }
  if (!Number.isInteger(displacement) || Math.abs(displacement) >= 2 ** 31)
    throw new InternalError(`a displacement of ${displacement} does not fit 32 bits`);
  if (index === 4 && indexRegister!.class === "general") throw new InternalError("rsp cannot be an index");
  const short = displacement / unit;
  const isShort = Number.isInteger(short) && short >= -128 && short <= 127;
  const mode = base < 0 ? 0 : displacement === 0 && (base & 7) !== 5 ? 0 : isShort ? 0x40 : 0x80;
  if (base < 0 || index >= 0 || (base & 7) === 4) {
    sink.byte(mode | middle | 4);
    sink.byte(scaleBits[scale] | ((index < 0 ? 4 : index & 7) << 3) | (base < 0 ? 5 : base & 7));
  } else sink.byte(mode | middle | (base & 7));
  if (mode === 0x40) sink.byte(short);
  else if (mode === 0x80 || base < 0) sink.int32(displacement);
}

const scaleBits = { 1: 0, 2: 0x40, 4: 0x80, 8: 0xc0 } as const;

function immediate(sink: ByteSink, value: number | bigint, bytes: number): void {
  if (bytes === 8) return sink.int64(BigInt(value));
  if (bytes === 4) return sink.int32(Number(value));
  if (bytes >= 1) sink.byte(Number(value));
  if (bytes === 2) sink.byte(Number(value) >> 8);
}
