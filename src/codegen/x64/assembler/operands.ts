/** What instructions work on: registers, memory, labels. Immediates are plain numbers (bigint for 64 bits). */
import { InternalError } from "../../../base/errors.ts";

export type RegisterClass = "general" | "vector" | "mask";
export type RegisterBits = 8 | 16 | 32 | 64 | 128 | 256 | 512;

/** A register, or (number ≥ `firstVirtual`) a value that the allocator will put into one. */
export interface Register {
  readonly kind: "register";
  readonly class: RegisterClass;
  readonly number: number;
  readonly bits: RegisterBits;
}

/** Numbers from here on are no machine registers. */
export const firstVirtual = 64;

/** A place in the code, known once it is bound. */
export interface Label {
  readonly kind: "label";
  readonly id: number;
}

/** [base + index × scale + displacement], or [rip + label + displacement]. */
export interface Memory {
  readonly kind: "memory";
  readonly base: Register | undefined;
  readonly index: Register | undefined;
  readonly scale: 1 | 2 | 4 | 8;
  readonly displacement: number;
  readonly label: Label | undefined;
  /** One element, repeated over the vector (EVEX). */
  readonly broadcast: boolean;
  /** Size of the access where no register tells it. */
  readonly bits: RegisterBits;
}

export type Operand = Register | Memory | Label | number | bigint;

const table = (kind: RegisterClass, count: number, bits: RegisterBits): readonly Register[] =>
  Array.from({ length: count }, (_, number) => ({ kind: "register", class: kind, number, bits }));

const registers: Record<RegisterClass, Partial<Record<RegisterBits, readonly Register[]>>> = {
  general: {
    8: table("general", 16, 8),
    16: table("general", 16, 16),
    32: table("general", 16, 32),
    64: table("general", 16, 64),
  },
  vector: { 128: table("vector", 32, 128), 256: table("vector", 32, 256), 512: table("vector", 32, 512) },
  mask: { 64: table("mask", 8, 64) },
};

/** The register of a class, number and width. */
export function register(kind: RegisterClass, number: number, bits: RegisterBits): Register {
  const found = registers[kind][bits]?.[number];
  if (found === undefined) throw new InternalError(`there is no ${bits}-bit ${kind} register ${number}`);
  return found;
}

export const gpr64 = (number: number): Register => register("general", number, 64);
export const gpr32 = (number: number): Register => register("general", number, 32);
export const xmm = (number: number): Register => register("vector", number, 128);
export const ymm = (number: number): Register => register("vector", number, 256);
export const zmm = (number: number): Register => register("vector", number, 512);
export const maskRegister = (number: number): Register => register("mask", number, 64);

export const rax = gpr64(0);
export const rcx = gpr64(1);
export const rdx = gpr64(2);
export const rbx = gpr64(3);
export const rsp = gpr64(4);
export const rbp = gpr64(5);
export const rsi = gpr64(6);
export const rdi = gpr64(7);

/** The same register, seen at another width. */
export const withBits = (r: Register, bits: RegisterBits): Register =>
  r.bits === bits ? r : { kind: "register", class: r.class, number: r.number, bits };

export interface MemoryParts {
  readonly base?: Register | undefined;
  readonly index?: Register | undefined;
  readonly scale?: 1 | 2 | 4 | 8;
  readonly displacement?: number;
  readonly label?: Label | undefined;
  readonly broadcast?: boolean;
  readonly bits?: RegisterBits;
}

export function memory(parts: MemoryParts): Memory {
  const { base, index, scale = 1, displacement = 0, label, broadcast = false, bits = 64 } = parts;
  return { kind: "memory", base, index, scale, displacement, label, broadcast, bits };
}

/** [base + displacement] */
export const at = (base: Register, displacement = 0, bits: RegisterBits = 64): Memory =>
  memory({ base, displacement, bits });

export const isRegister = (x: Operand): x is Register => typeof x === "object" && x.kind === "register";
export const isMemory = (x: Operand): x is Memory => typeof x === "object" && x.kind === "memory";
export const isLabel = (x: Operand): x is Label => typeof x === "object" && x.kind === "label";

const lowNames = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"];

/** As Intel's manual and `objdump -M intel` write it. */
export function registerName({ class: kind, number, bits }: Register): string {
  if (number >= firstVirtual) return `${kind}#${number - firstVirtual}:${bits}`;
  if (kind === "mask") return `k${number}`;
  if (kind === "vector") return `${{ 128: "x", 256: "y", 512: "z" }[bits as 128]}mm${number}`;
  if (number >= 8) return `r${number}${{ 8: "b", 16: "w", 32: "d", 64: "" }[bits as 8]}`;
  const name = lowNames[number]!;
  if (bits === 8) return number < 4 ? `${name[0]}l` : `${name}l`;
  return bits === 16 ? name : `${bits === 32 ? "e" : "r"}${name}`;
}

export function operandText(x: Operand): string {
  if (typeof x !== "object") return `${x}`;
  if (x.kind === "register") return registerName(x);
  if (x.kind === "label") return `label ${x.id}`;
  const parts: string[] = [];
  if (x.label !== undefined) parts.push(`rip+label ${x.label.id}`);
  if (x.base !== undefined) parts.push(registerName(x.base));
  if (x.index !== undefined) parts.push(`${registerName(x.index)}*${x.scale}`);
  if (x.displacement !== 0 || parts.length === 0) parts.push(`${x.displacement}`);
  return `[${parts.join("+")}]${x.broadcast ? "{broadcast}" : ""}`;
}
