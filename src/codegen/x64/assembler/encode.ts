/** Prefixes, opcode, ModRM, SIB, displacement and immediate of one instruction. */
import { InternalError } from "../../../base/errors.ts";
import { type Form, memoryBytes } from "./form.ts";
import { vectorLength } from "./match.ts";
import type { Label, Memory, Operand, Register } from "./operands.ts";

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

/** Operands by the place they take in the encoding. */
interface Places {
  reg: number;
  vvvv: number;
  rm: Register | Memory | undefined;
  opcodeRegister: Register | undefined;
  is4: number;
  immediate: number | bigint;
  immediateBytes: number;
  target: Label | undefined;
  targetBytes: 1 | 4;
  /** Width of general registers or of memory where only that tells. */
  bits: number;
}

const undecorated: Decoration = {};

export function encode(
  sink: ByteSink,
  form: Form,
  operands: readonly Operand[],
  decoration: Decoration = undecorated,
): void {
  const places = arrange(form, operands);
  if (form.legacy) return encodeLegacy(sink, form, places);
  const { mask, zeroing = false } = decoration;
  const length = vectorLength(form, operands);
  const isBroadcast = places.rm?.kind === "memory" && places.rm.broadcast;
  const needsEvex =
    !form.vex || length === 512 || mask !== undefined || isBroadcast || hasUpperVector(operands);
  if (needsEvex && form.evex) encodeEvex(sink, form, places, { length, mask, zeroing, isBroadcast });
  else encodeVex(sink, form, places, length);
}

function hasUpperVector(operands: readonly Operand[]): boolean {
  for (const x of operands) {
    if (typeof x !== "object") continue;
    const vector = x.kind === "memory" ? x.index : x.kind === "register" ? x : undefined;
    if (vector !== undefined && vector.number >= 16 && vector.class === "vector") return true;
  }
  return false;
}

function arrange(form: Form, operands: readonly Operand[]): Places {
  const places: Places = {
    reg: form.digit < 0 ? 0 : form.digit,
    vvvv: 0,
    rm: undefined,
    opcodeRegister: undefined,
    is4: -1,
    immediate: 0,
    immediateBytes: 0,
    target: undefined,
    targetBytes: 4,
    bits: 0,
  };
  for (let i = 0; i < operands.length; i++) {
    const { place, size } = form.operands[i]!;
    const operand = operands[i]!;
    switch (place) {
      case "V":
      case "K":
      case "G":
        places.reg = (operand as Register).number;
        break;
      case "H":
      case "Q":
      case "B":
        places.vvvv = (operand as Register).number;
        break;
      case "L":
        places.is4 = (operand as Register).number;
        break;
      case "O":
        places.opcodeRegister = operand as Register;
        break;
      case "CL":
        continue;
      case "I":
        places.immediate = operand as number | bigint;
        places.immediateBytes = size === "b" || size === "s" ? 1 : size === "q" ? 8 : 4;
        continue;
      case "J":
        places.target = operand as Label;
        places.targetBytes = size === "b" ? 1 : 4;
        continue;
      default:
        places.rm = operand as Register | Memory;
    }
    if (typeof operand === "object" && operand.kind === "register" && operand.class === "general") {
      // The destination of an extension tells the width, not its source.
      if (places.bits === 0) places.bits = operand.bits;
    } else if (typeof operand === "object" && operand.kind === "memory" && places.bits === 0) {
      const other = operands.find(
        (x, j) => typeof x === "object" && x.kind === "register" && form.operands[j]!.place !== "CL",
      );
      places.bits = other === undefined ? operand.bits : 0;
    }
  }
  return places;
}

function encodeLegacy(sink: ByteSink, form: Form, places: Places): void {
  const { rm, opcodeRegister, bits } = places;
  if (form.lock) sink.byte(0xf0);
  if (bits === 16) sink.byte(0x66);
  if (form.pp > 0) sink.byte([0, 0x66, 0xf3, 0xf2][form.pp]!);
  const reg = form.digit < 0 ? places.reg : 0;
  const rmNumber = rm?.kind === "register" ? rm.number : 0;
  const base = rm?.kind === "memory" ? (rm.base?.number ?? 0) : (opcodeRegister?.number ?? rmNumber);
  const index = rm?.kind === "memory" ? (rm.index?.number ?? 0) : 0;
  const isWide = bits === 64 && !always64.has(form.mnemonic) && !isBare(form);
  const rex = (isWide ? 8 : 0) | (reg > 7 ? 4 : 0) | (index > 7 ? 2 : 0) | (base > 7 ? 1 : 0);
  // sil, dil … need the prefix even where it holds nothing.
  if (rex > 0 || needsByteRex(form, places)) sink.byte(0x40 | rex);
  if (form.map === 1) sink.byte(0x0f);
  sink.byte(form.opcode + (opcodeRegister ? opcodeRegister.number & 7 : 0));
  for (const byte of form.suffix) sink.byte(byte);
  if (places.target !== undefined) return sink.fixup(places.target, places.targetBytes, 0, 0);
  const immediateBytes = bits === 16 && places.immediateBytes === 4 ? 2 : places.immediateBytes;
  if (rm !== undefined) modrm(sink, places.reg, rm, 1, immediateBytes);
  immediate(sink, places.immediate, immediateBytes);
}

/** 64 bits wide without saying so. */
const always64 = new Set(["push", "pop", "jmp", "call"]);
/** Their memory operand has a size of its own. */
const isBare = (form: Form): boolean =>
  form.operands.length === 1 && form.operands[0]!.place === "M" && !form.lock;

function needsByteRex(form: Form, { reg, rm }: Places): boolean {
  const isLow = (number: number): boolean => number >= 4 && number < 8;
  return form.operands.some(({ place, size }) => {
    if (size !== "b" || place === "I" || place === "J") return false;
    return place === "G" ? isLow(reg) : rm?.kind === "register" && isLow(rm.number);
  });
}

function encodeVex(sink: ByteSink, form: Form, places: Places, length: number): void {
  const { reg, vvvv, rm } = places;
  const [x, b] = extensionBits(rm);
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
  if (rm === undefined) return;
  const immediateBytes = places.is4 >= 0 ? 1 : places.immediateBytes;
  modrm(sink, reg, rm, 1, immediateBytes);
  immediate(sink, places.is4 >= 0 ? places.is4 << 4 : places.immediate, immediateBytes);
}

interface EvexParts {
  readonly length: number;
  readonly mask: Register | undefined;
  readonly zeroing: boolean;
  readonly isBroadcast: boolean;
}

function encodeEvex(
  sink: ByteSink,
  form: Form,
  places: Places,
  { length, mask, zeroing, isBroadcast }: EvexParts,
): void {
  const { rm } = places;
  const reg = form.digit < 0 ? places.reg : 0;
  const [x, b] = extensionBits(rm);
  // A vector in ModRM.rm takes its fifth bit from X, a vector index from V'.
  const x4 = rm?.kind === "register" ? (rm.number >> 4) & 1 : x;
  const indexHigh = rm?.kind === "memory" && rm.index?.class === "vector" ? (rm.index.number >> 4) & 1 : 0;
  const vHigh = ((places.vvvv >> 4) & 1) | indexHigh;
  const w = form.wBySize ? (places.bits === 64 ? 1 : 0) : form.evexW;
  sink.byte(0x62);
  sink.byte(
    ((reg >> 3) & 1 ? 0 : 0x80) | (x4 ? 0 : 0x40) | (b ? 0 : 0x20) | ((reg >> 4) & 1 ? 0 : 0x10) | form.map,
  );
  sink.byte((w << 7) | ((~places.vvvv & 15) << 3) | 4 | form.pp);
  const l = length === 512 ? 2 : length === 256 ? 1 : 0;
  sink.byte(
    (zeroing ? 0x80 : 0) | (l << 5) | (isBroadcast ? 0x10 : 0) | (vHigh ? 0 : 8) | (mask?.number ?? 0),
  );
  sink.byte(form.opcode);
  const unit = rm?.kind === "memory" ? memoryBytes(form, length, isBroadcast) : 1;
  modrm(sink, places.reg, rm!, unit, places.immediateBytes);
  immediate(sink, places.immediate, places.immediateBytes);
}

/** X and B: the fourth bits of index and base, or of a register in ModRM.rm. */
function extensionBits(rm: Register | Memory | undefined): [number, number] {
  if (rm === undefined) return [0, 0];
  if (rm.kind === "register") return [0, (rm.number >> 3) & 1];
  return [((rm.index?.number ?? 0) >> 3) & 1, ((rm.base?.number ?? 0) >> 3) & 1];
}

/** `unit`: what EVEX scales 8-bit displacements by. */
function modrm(sink: ByteSink, reg: number, rm: Register | Memory, unit: number, tail: number): void {
  const middle = (reg & 7) << 3;
  if (rm.kind === "register") return sink.byte(0xc0 | middle | (rm.number & 7));
  if (rm.label !== undefined) {
    sink.byte(middle | 5);
    return sink.fixup(rm.label, 4, rm.displacement, tail);
  }
  const { base, index, scale, displacement } = rm;
  if (!Number.isInteger(displacement) || Math.abs(displacement) >= 2 ** 31)
    throw new InternalError(`a displacement of ${displacement} does not fit 32 bits`);
  if (index?.class === "general" && index.number === 4) throw new InternalError("rsp cannot be an index");
  const short = displacement / unit;
  const isShort = Number.isInteger(short) && short >= -128 && short <= 127;
  const mode =
    base === undefined ? 0 : displacement === 0 && (base.number & 7) !== 5 ? 0 : isShort ? 0x40 : 0x80;
  if (base === undefined || index !== undefined || (base.number & 7) === 4) {
    sink.byte(mode | middle | 4);
    const scaleBits = { 1: 0, 2: 0x40, 4: 0x80, 8: 0xc0 }[scale];
    sink.byte(scaleBits | (((index?.number ?? 4) & 7) << 3) | ((base?.number ?? 5) & 7));
  } else sink.byte(mode | middle | (base.number & 7));
  if (mode === 0x40) sink.byte(short);
  else if (mode === 0x80 || base === undefined) sink.int32(displacement);
}

function immediate(sink: ByteSink, value: number | bigint, bytes: number): void {
  if (bytes === 8) return sink.int64(BigInt(value));
  if (bytes === 4) return sink.int32(Number(value));
  if (bytes >= 1) sink.byte(Number(value));
  if (bytes === 2) sink.byte(Number(value) >> 8);
}
