/** Which form of an instruction fits its operands, and the vector length that they make. */
import { InternalError } from "../../../base/errors.ts";
import type { Form, OperandPattern } from "./form.ts";
import { type Memory, type Operand, operandText, type Register } from "./operands.ts";
import { formsOf, type Mnemonic } from "./tables/index.ts";

/** Forms found before, by mnemonic and by `signatureOf` the operands. */
const found = new Map<Mnemonic, Map<number, Form>>();

/** The first form of a mnemonic that takes these operands. */
export function findForm(mnemonic: Mnemonic, operands: readonly Operand[], masked: boolean): Form {
  let bySignature = found.get(mnemonic);
  if (bySignature === undefined) found.set(mnemonic, (bySignature = new Map()));
  const signature = signatureOf(operands, masked);
  let form = bySignature.get(signature);
  if (form === undefined) bySignature.set(signature, (form = searchForm(mnemonic, operands, masked)));
  return form;
}

function searchForm(mnemonic: Mnemonic, operands: readonly Operand[], masked: boolean): Form {
  const forms = formsOf(mnemonic);
  if (forms.length === 0) throw new InternalError(`${mnemonic} is in no table`);
  for (const form of forms) if (fits(form, operands, masked)) return form;
  throw new InternalError(`${mnemonic} has no form for ${operands.map(operandText).join(", ")}`);
}

/** Equal for operands that no form tells apart: five bits for each, of which there are at most five. */
function signatureOf(operands: readonly Operand[], masked: boolean): number {
  let signature = masked ? 1 : 0;
  for (const operand of operands) signature = signature * 32 + kindOf(operand);
  return signature;
}

/** 1 … 31: whatever `fits` looks at. */
function kindOf(operand: Operand): number {
  if (typeof operand === "number") {
    if (operand >= -128 && operand < 128) return 1;
    if (operand >= 0 && operand < 256) return 2;
    return operand >= -(2 ** 31) && operand < 2 ** 32 ? 3 : 4;
  }
  if (typeof operand === "bigint") return 5;
  if (operand.kind === "label") return 6;
  if (operand.kind === "memory") {
    if (operand.index?.class === "vector") return 7;
    return 8 + Math.min(4, sizeOf(operand.bits)) + (operand.broadcast ? 5 : 0);
  }
  if (operand.class === "mask") return 18;
  if (operand.class === "general")
    return operand.bits === 8 && operand.number === 1 ? 19 : 20 + sizeOf(operand.bits);
  const isUpper = operand.number >= 16 && operand.number < 32;
  return 24 + (sizeOf(operand.bits) - 4) + (isUpper ? 3 : 0);
}

/** 8, 16, 32 … 512 bits as 0, 1, 2 … 6. */
const sizeOf = (bits: number): number => 28 - Math.clz32(bits);

function fits(form: Form, operands: readonly Operand[], masked: boolean): boolean {
  const patterns = form.operands;
  if (patterns.length !== operands.length || (masked && !form.evex)) return false;
  const length = vectorLength(form, operands);
  if (!form.legacy && !form.lengths.includes(length)) return false;
  let needsEvex = length === 512 || masked;
  for (let i = 0; i < patterns.length; i++) {
    const operand = operands[i]!;
    if (!fitsPattern(patterns[i]!, operand, length)) return false;
    if (typeof operand !== "object") continue;
    if (operand.kind === "memory") needsEvex ||= operand.broadcast;
    else if (operand.kind === "register" && operand.class === "vector")
      needsEvex ||= operand.number >= 16 && operand.number < 32;
  }
  return form.legacy || (needsEvex ? form.evex || isMaskOnly(patterns) : form.vex || form.evex);
}

const isMaskOnly = (patterns: readonly OperandPattern[]): boolean =>
  patterns.every(({ place }) => !"VHUWLS".includes(place));

/** In bits: the width of the first operand that is as wide as the instruction. */
export function vectorLength(form: Form, operands: readonly Operand[]): number {
  for (const i of form.wholeOperands) {
    const operand = operands[i]!;
    if (typeof operand === "object" && operand.kind === "register") return operand.bits;
  }
  return form.lengths[0]!;
}

function fitsPattern({ place, size }: OperandPattern, operand: Operand, length: number): boolean {
  switch (place) {
    case "V":
    case "H":
    case "U":
    case "L":
      return isVector(operand, size, length);
    case "W":
      return isVector(operand, size, length) || isPlainMemory(operand);
    case "M":
      return isPlainMemory(operand);
    case "S":
      return isKind(operand, "memory") && (operand as Memory).index?.class === "vector";
    case "K":
    case "Q":
    case "KU":
      return isKind(operand, "register") && (operand as Register).class === "mask";
    case "KW":
      return (
        isPlainMemory(operand) || (isKind(operand, "register") && (operand as Register).class === "mask")
      );
    case "G":
    case "B":
    case "R":
    case "O":
      return isGeneral(operand, size);
    case "E":
      return isGeneral(operand, size) || (isPlainMemory(operand) && fitsBits((operand as Memory).bits, size));
    case "CL":
      return isGeneral(operand, "b") && (operand as Register).number === 1;
    case "I":
      return fitsImmediate(operand, size);
    default:
      return isKind(operand, "label");
  }
}

const isKind = (operand: Operand, kind: "register" | "memory" | "label"): boolean =>
  typeof operand === "object" && operand.kind === kind;

const isPlainMemory = (operand: Operand): boolean =>
  typeof operand === "object" && operand.kind === "memory" && operand.index?.class !== "vector";

function isVector(operand: Operand, size: string, length: number): boolean {
  if (typeof operand !== "object" || operand.kind !== "register" || operand.class !== "vector") return false;
  return operand.bits === vectorBits(size, length);
}

/** Bits of a vector operand in an instruction of `length`. */
export function vectorBits(size: string, length: number): number {
  if (size === "") return length;
  if (size === "x") return 128;
  if (size === "y") return 256;
  return Math.max(128, length / { h: 2, q: 4, e: 8 }[size as "h"]);
}

function isGeneral(operand: Operand, size: string): boolean {
  if (typeof operand !== "object" || operand.kind !== "register" || operand.class !== "general") return false;
  return fitsBits(operand.bits, size);
}

function fitsBits(bits: number, size: string): boolean {
  if (size === "v") return bits !== 8 && bits <= 64;
  if (size === "y") return bits === 32 || bits === 64;
  return bits === { b: 8, w: 16, d: 32, q: 64 }[size as "b"];
}

function fitsImmediate(operand: Operand, size: string): boolean {
  if (typeof operand === "bigint") return size === "q";
  if (typeof operand !== "number") return false;
  if (size === "s") return operand >= -128 && operand < 128;
  if (size === "b") return operand >= -128 && operand < 256;
  return size === "q" || (operand >= -(2 ** 31) && operand < 2 ** 32);
}
