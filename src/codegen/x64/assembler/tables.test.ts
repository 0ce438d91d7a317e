/**
 * Every row of the tables, in every vector length, with low and high registers, every kind of address, masks and broadcasts,
 * disassembled by objdump and compared with what was meant.
 */
import { describe, expect, it } from "vitest";
import { disassemble, hasObjdump, objdumpReason } from "../../../../test/objdump.ts";
import { Assembler } from "./assembler.ts";
import { type Form, memoryBytes, type OperandPattern } from "./form.ts";
import { vectorBits } from "./match.ts";
import {
  gpr64,
  isLabel,
  isMemory,
  isRegister,
  type Memory,
  memory,
  type Operand,
  type Register,
  type RegisterBits,
  register,
  registerName,
} from "./operands.ts";
import { allMnemonics, formsOf } from "./tables/index.ts";

interface Sample {
  readonly form: Form;
  readonly operands: readonly Operand[];
  readonly mask: Register | undefined;
  readonly zeroing: boolean;
}

/** Addresses whose encodings differ: no displacement, 8 and 32 bits, every odd base, index and scale. */
function addresses(unit: number): Memory[] {
  const displacements = [0, unit, -unit, 127 * unit, -128 * unit, 128 * unit, 1, 0x12345, -0x12345];
  const simple = displacements.map((displacement, i) =>
    memory({ base: gpr64([0, 5, 4, 13, 12, 9, 3][i % 7]!), displacement }),
  );
  const indexed = ([1, 2, 4, 8] as const).map((scale, i) =>
    memory({
      base: gpr64([13, 4, 5, 12][i]!),
      index: gpr64([5, 13, 12, 0][i]!),
      scale,
      displacement: [0, unit, 0x54321, -unit][i]!,
    }),
  );
  return [...simple, ...indexed];
}

const numbersFor = (upper: boolean): readonly number[][] =>
  upper
    ? [
        [1, 2, 3, 4],
        [9, 10, 11, 12],
        [17, 18, 19, 20],
        [31, 8, 24, 15],
      ]
    : [
        [1, 2, 3, 4],
        [9, 10, 11, 12],
        [15, 0, 8, 7],
      ];

/** Sizes that a general operand of a pattern can have. */
function generalBits({ size }: OperandPattern): RegisterBits[] {
  if (size === "v") return [32, 64, 16];
  if (size === "y") return [32, 64];
  return [{ b: 8, w: 16, d: 32, q: 64 }[size as "b"] as RegisterBits];
}

function samplesOf(form: Form): Sample[] {
  const samples: Sample[] = [];
  const lengths = form.legacy ? [128] : form.lengths;
  const sizes = form.operands.filter(({ place }) => "GBRE".includes(place)).map(generalBits);
  const widths = sizes.length === 0 ? [32 as const] : sizes.reduce((a, b) => (a.length >= b.length ? a : b));
  for (const length of lengths)
    for (const bits of widths) {
      const encodings = form.vex && form.evex ? [false, true] : [form.evex];
      for (const upper of encodings) {
        if (length === 512 && !form.evex) continue;
        samples.push(...combinations(form, length, bits as RegisterBits, upper));
      }
    }
  return samples;
}

function combinations(form: Form, length: number, bits: RegisterBits, upper: boolean): Sample[] {
  const samples: Sample[] = [];
  const hasMemory = form.operands.findIndex(({ place }) => /^(W|M|E|KW)$/.test(place));
  const masks = upper && form.evex ? [undefined, register("mask", 5, 64)] : [undefined];
  const isSparse = form.operands.some(({ place }) => place === "S");
  for (const numbers of numbersFor(upper)) {
    const operands = form.operands.map((pattern, i) =>
      sample(pattern, { length, bits, number: numbers[i]!, mnemonic: form.mnemonic }),
    );
    if (operands.some((x) => x === undefined)) continue;
    const known = operands as Operand[];
    for (const mask of masks) {
      if (isSparse && upper && mask === undefined) continue;
      samples.push({ form, operands: known, mask: maskable(form) ? mask : undefined, zeroing: false });
      if (mask && maskable(form) && isRegister(known[0]!) && known[0].class === "vector" && !isSparse)
        samples.push({ form, operands: known, mask, zeroing: true });
    }
  }
  if (hasMemory < 0) return samples;
  const first = numbersFor(upper)[upper ? 2 : 0]!;
  const unit = upper || length === 512 ? (form.evex ? memoryBytes(form, length, false) : 1) : 1;
  const memoryBits = memorySize(form.operands[hasMemory]!, bits);
  const register0 = form.operands.map((pattern, i) =>
    sample(pattern, { length, bits, number: first[i]!, mnemonic: form.mnemonic }),
  );
  const withMemory = (m: Memory): Operand[] => register0.map((x, i) => (i === hasMemory ? m : x!));
  for (const address of addresses(unit)) {
    const operands = withMemory({ ...address, bits: memoryBits });
    if (isResolvable(form, operands)) samples.push({ form, operands, mask: undefined, zeroing: false });
  }
  if (form.tuple.broadcast > 0 && form.evex) {
    for (const address of addresses(form.tuple.broadcast))
      samples.push({
        form,
        operands: withMemory({ ...address, broadcast: true }),
        mask: undefined,
        zeroing: false,
      });
  }
  return samples;
}

/** Where a memory operand alone tells the vector length, that is another form's. */
const isResolvable = (form: Form, operands: readonly Operand[]): boolean =>
  form.legacy || operands.some((x) => isRegister(x));

const memorySize = ({ place, size }: OperandPattern, bits: RegisterBits): RegisterBits =>
  place !== "E"
    ? bits
    : size === "v" || size === "y"
      ? bits
      : ({ b: 8, w: 16, d: 32, q: 64 }[size as "b"] as RegisterBits);

const maskable = (form: Form): boolean =>
  form.evex &&
  form.operands.some(({ place }) => "VHWUSK".includes(place)) &&
  !/^(vmov(ss|sd|d|q|hlps|lhps|ntps|ntpd|ntdq|ntdqa)|vpinsr.|vpextr.|vinsertps|vucomis.|vcvtt?s[sdi].*|vpmovm2d|vpmovd2m|vpbroadcastm.*)$/.test(
    form.mnemonic,
  );

interface Choice {
  readonly length: number;
  readonly bits: RegisterBits;
  readonly number: number;
  readonly mnemonic: string;
}

function sample(
  { place, size }: OperandPattern,
  { length, bits, number, mnemonic }: Choice,
): Operand | undefined {
  const generalWidth =
    size === "v" || size === "y" ? bits : ({ b: 8, w: 16, d: 32, q: 64 }[size as "b"] as RegisterBits);
  switch (place) {
    case "V":
    case "H":
    case "U":
    case "W":
    case "L":
      return register("vector", number, vectorBits(size, length) as RegisterBits);
    case "S": {
      const index = register("vector", number === 15 ? 30 : number, vectorBits(size, length) as RegisterBits);
      return memory({ base: gpr64(13), index, scale: 4, displacement: 64 });
    }
    case "K":
    case "Q":
    case "KU":
    case "KW":
      return register("mask", (number % 7) + 1, 64);
    case "G":
    case "B":
    case "R":
    case "E":
    case "O":
      return register("general", number % 16, place === "O" && size === "v" ? 64 : generalWidth);
    case "CL":
      return register("general", 1, 8);
    case "M":
      return memory({ base: gpr64(11), displacement: 64, bits });
    case "I":
      if (/^v(p?cmp)/.test(mnemonic)) return 2;
      return size === "b" || size === "s" ? 0x15 : size === "q" ? 0x123456789abcn : 0x1234;
    default:
      return undefined;
  }
}

// ---- what objdump should say ----------------------------------------------------------------------------------------

function expected({ form, operands, mask, zeroing }: Sample): string {
  const parts = operands.map((operand) => operandText(operand));
  if (mask !== undefined) parts[0] += `{${registerName(mask)}}${zeroing ? "{z}" : ""}`;
  return `${form.mnemonic} ${parts.join(",")}`.trim();
}

function operandText(operand: Operand): string {
  if (isRegister(operand)) return registerName(operand);
  if (isLabel(operand)) return "label";
  if (!isMemory(operand)) return `0x${operand.toString(16)}`;
  const { base, index, scale, displacement } = operand;
  const parts = [registerName(base!)];
  if (index !== undefined) parts.push(`+${registerName(index)}*${scale}`);
  const needed = displacement !== 0 || (base!.number & 7) === 5;
  if (needed) parts.push(`${displacement < 0 ? "-" : "+"}0x${Math.abs(displacement).toString(16)}`);
  return `[${parts.join("")}]${operand.broadcast ? "{bcst}" : ""}`;
}

const predicates = ["eq", "lt", "le", "unord", "neq", "nlt", "nle", "ord"];

/** objdump's text without the sizes of memory, and with predicates of compares as immediates. */
function normalized(text: string): string {
  let t = text
    .replace(/\s+#.*$/, "")
    .replace(/\s+/g, " ")
    .replace("{evex} ", "");
  const isBroadcast = / BCST /.test(t) || /\{1to\d+\}/.test(t);
  t = t.replace(/\{1to\d+\}/g, "").replace(/\b[A-Z]+ (PTR|BCST) /g, "");
  if (isBroadcast) t = t.replace("]", "]{bcst}");
  t = t.replace(/^movabs (\w+,\[)/, "mov $1");
  const compare = new RegExp(`^(vp?cmp)(${predicates.join("|")})(p[sd]|s[sd]|u?[bwdq]) (.*)$`).exec(t);
  if (compare && !/^vpcmpeq[bwdq] |^vpcmpgt/.test(t))
    t = `${compare[1]}${compare[3]} ${compare[4]},0x${predicates.indexOf(compare[2]!).toString(16)}`;
  return t.replace(/ ,/g, ",").trim();
}

const isJump = ({ operands }: Form): boolean => operands.some(({ place }) => place === "J");

describe("encodings against objdump", () => {
  it("says what was meant", (context) => {
    context.skip(!hasObjdump, objdumpReason);
    const assembler = new Assembler();
    const meant: { offset: number; text: string }[] = [];
    const untested: string[] = [];
    for (const forms of allMnemonics().map(formsOf))
      for (const form of forms.filter((f) => !isJump(f))) {
        const samples = samplesOf(form);
        if (samples.length === 0) untested.push(`${form.mnemonic} ${form.text}`);
        for (const s of samples) {
          meant.push({ offset: assembler.offset, text: expected(s) });
          assembler.emitForm(s.form, s.operands, { mask: s.mask, zeroing: s.zeroing });
        }
      }
    const lines = disassemble(assembler.finish().bytes);
    const wrong = meant
      .map(({ offset, text }) => ({ text, got: normalized(lines.get(offset) ?? "(no instruction)") }))
      .filter(({ text, got }) => text !== got);
    expect(wrong.slice(0, 40).map(({ text, got }) => `${text} | ${got}`)).toEqual([]);
    expect(untested).toEqual([]);
    expect(meant.length).toBeGreaterThan(10_000);
  });
});
