/**
 * One row of the encoding tables: an instruction form, read from a line in the notation of Intel's manual.
 *
 *     operands  prefix.pp.map.W  opcode [/digit]  tuple  [lengths]
 *     "+V,H,W   ve.66.0F38.W0    B8               full4"
 *
 * Operands by the letters of the manual's opcode maps, destination first:
 *
 * - V, H, L: vector register in ModRM.reg, in vvvv, in the immediate's high half; W: register or memory in ModRM.rm;
 *   U: register there; M: memory there; S: memory with a vector index. Without a suffix as wide as the instruction; with
 *   h, q, e half, a quarter, an eighth of it (but a whole xmm); x, y that register.
 * - K, Q, KW, KU: mask register in ModRM.reg, in vvvv, mask register or memory, mask register in ModRM.rm.
 * - G, B, E, R: general register in ModRM.reg, in vvvv, register or memory in ModRM.rm, register there; O: in the opcode. With
 *   b, w, d, q: 8 … 64 bits; v: any but 8; y: 32 or 64. `CL` is that register.
 * - Ib, Is, Iz, Iq: immediates of 1 byte, 1 that is sign-extended, up to 4 and 8 bytes; Jb, Jz: jump targets.
 *
 * The first operand is written; `+` before it: read and written; `?`: only read. `^` before another one: also written.
 */
import { InternalError } from "../../../base/errors.ts";

export type Access = "read" | "write" | "both";

export interface OperandPattern {
  /** The letter or letters without the size. */
  readonly place: string;
  readonly size: string;
  readonly access: Access;
}

export interface Tuple {
  /** Memory access in bytes, as a fraction of the vector or fixed. */
  readonly divisor: number;
  readonly bytes: number;
  /** Bytes of the element that a broadcast repeats; 0: none. */
  readonly broadcast: number;
}

export interface Form {
  readonly mnemonic: string;
  readonly text: string;
  readonly operands: readonly OperandPattern[];
  readonly legacy: boolean;
  readonly vex: boolean;
  readonly evex: boolean;
  /** Mandatory prefix: none, 66, F3, F2. */
  readonly pp: 0 | 1 | 2 | 3;
  /** One-byte opcodes, 0F, 0F38, 0F3A. */
  readonly map: 0 | 1 | 2 | 3;
  /** W in VEX and in EVEX; `y`: set when operands have 64 bits. */
  readonly vexW: 0 | 1;
  readonly evexW: 0 | 1;
  readonly wBySize: boolean;
  readonly opcode: number;
  /** Opcode extension in ModRM.reg; −1: none. */
  readonly digit: number;
  /** Bytes after the opcode that are part of it (ModRM of `xgetbv`). */
  readonly suffix: readonly number[];
  readonly tuple: Tuple;
  /** Vector lengths it exists for, in bits. */
  readonly lengths: readonly number[];
  /** CPUID features of the VEX or legacy form, and of the EVEX form. */
  readonly features: { readonly vex: string; readonly evex: string };
  readonly lock: boolean;
  /** Places of the operands that are as wide as the instruction where they are registers. */
  readonly wholeOperands: readonly number[];
  /** Cannot name vector registers 16 … 31. */
  readonly isLow: boolean;
  /** Does nothing where both operands are one register. */
  readonly isMove: boolean;
}

const moves: ReadonlySet<string> = new Set(["mov", "vmovaps", "vmovapd", "kmovw"]);

export interface FormGroup {
  readonly vex?: string;
  readonly evex?: string;
}

const prefixes: Record<string, Form["pp"]> = { np: 0, "66": 1, F3: 2, F2: 3 };
const maps: Record<string, Form["map"]> = { one: 0, "0F": 1, "0F38": 2, "0F3A": 3 };
const fractions: Record<string, number> = { full: 1, half: 2, quarter: 4, eighth: 8 };
const lengthOf: Record<string, number> = { x: 128, y: 256, z: 512 };

/** Reads one row. */
export function parseForm(mnemonic: string, text: string, group: FormGroup): Form {
  const fail = (why: string): never => {
    throw new InternalError(`${mnemonic} "${text}": ${why}`);
  };
  const [operandText, prefix, opcode, ...rest] = text.trim().split(/\s+/);
  const parts = prefix!.split(".");
  const [kind, ppText, mapText, wText = "WIG"] = parts as [string, string, string, string?];
  if (prefixes[ppText] === undefined || maps[mapText] === undefined) fail("unknown prefix or map");
  const legacy = kind === "legacy" || kind === "lock";
  const vex = kind === "v" || kind === "ve";
  const evex = kind === "e" || kind === "ve";
  let digit = -1;
  let tuple: Tuple = { divisor: 1, bytes: 0, broadcast: 0 };
  let lengths = vex && !evex ? [128, 256] : [128, 256, 512];
  for (const word of rest) {
    if (word.startsWith("/")) digit = Number(word.slice(1));
    else if (word.startsWith("L=")) lengths = [...word.slice(2)].map((l) => lengthOf[l]!);
    else tuple = parseTuple(word) ?? fail(`unknown ${word}`);
  }
  const operands = operandText === "-" ? [] : operandText!.split(",").map(parseOperand);
  const isWhole = ({ place, size }: OperandPattern): boolean => size === "" && "VHWUL".includes(place);
  return {
    mnemonic,
    text,
    operands,
    legacy,
    vex,
    evex,
    pp: prefixes[ppText]!,
    map: maps[mapText]!,
    vexW: wText === "W1" ? 1 : 0,
    evexW: wText === "W1" || wText === "WIG1" ? 1 : 0,
    wBySize: wText === "Wy",
    opcode: Number.parseInt(opcode!.slice(0, 2), 16),
    digit,
    suffix: opcode!.length > 2 ? [Number.parseInt(opcode!.slice(2), 16)] : [],
    tuple,
    lengths,
    features: { vex: group.vex ?? "", evex: group.evex ?? "" },
    lock: kind === "lock",
    wholeOperands: operands.flatMap((pattern, i) => (isWhole(pattern) ? [i] : [])),
    isLow: vex && !evex,
    isMove: moves.has(mnemonic),
  };
}

function parseOperand(text: string, position: number): OperandPattern {
  const marks: Record<string, Access> = { "+": "both", "?": "read", "^": "both" };
  const marked = marks[text[0]!];
  const letters = marked === undefined ? text : text.slice(1);
  const access = marked ?? (position === 0 ? "write" : "read");
  const [, place, size] = /^(CL|KW|KU|[A-Z])([a-z]?)$/.exec(letters)!;
  return { place: place!, size: size!, access };
}

/** `full4`: the whole vector, broadcast of 4 bytes; `mem`: no broadcast; `b8`: 8 bytes. */
function parseTuple(word: string): Tuple | undefined {
  if (word === "mem") return { divisor: 1, bytes: 0, broadcast: 0 };
  if (word === "double") return { divisor: 0, bytes: 0, broadcast: 0 };
  const fixed = /^b(\d+)$/.exec(word);
  if (fixed) return { divisor: 0, bytes: Number(fixed[1]), broadcast: 0 };
  const match = /^(full|half|quarter|eighth)(4|8)?$/.exec(word);
  if (!match) return undefined;
  return { divisor: fractions[match[1]!]!, bytes: 0, broadcast: Number(match[2] ?? 0) };
}

/** Bytes that a form's memory operand spans for a vector length: what EVEX scales 8-bit displacements by. */
export function memoryBytes({ tuple, map, opcode }: Form, length: number, isBroadcast: boolean): number {
  if (isBroadcast) return tuple.broadcast;
  if (tuple.bytes > 0) return tuple.bytes;
  if (tuple.divisor > 0) return length / 8 / tuple.divisor;
  if (map === 1 && opcode === 0x12) return length === 128 ? 8 : length / 8;
  throw new InternalError("a tuple without a size");
}
