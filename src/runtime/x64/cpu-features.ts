/** What the processor and the system allow, asked with CPUID and XGETBV run as generated code. */
import { Assembler } from "../../codegen/x64/assembler/assembler.ts";
import { at, gpr32, rbx, rdi } from "../../codegen/x64/assembler/operands.ts";
import { loadCode, unloadCode } from "./code-memory.ts";
import type { NativeSystem } from "./system.ts";

export interface CpuFeatures {
  /** AVX2, FMA, F16C, BMI1 and BMI2, with the system saving the registers. */
  readonly avx2: boolean;
  /** AVX-512 F, VL, DQ, BW and CD, with the system saving the registers. */
  readonly avx512: boolean;
  readonly avx512Vnni: boolean;
  readonly avx512Bf16: boolean;
  readonly amx: boolean;
  /** Such as `AuthenticAMD` or `GenuineIntel`. */
  readonly vendor: string;
}

/** Words that `emitQuery` stores, by name. */
const words = {
  vendor: 0,
  leaf1Ecx: 3,
  leaf7Ebx: 4,
  leaf7Ecx: 5,
  leaf7Edx: 6,
  leaf71Eax: 7,
  xcr0: 8,
} as const;
const wordCount = 9;

/** f(out): CPUID leaves 0, 1, 7.0 and 7.1, and XCR0. */
function emitQuery(): Assembler {
  const a = new Assembler();
  const [eax, ecx, edx, ebx] = [gpr32(0), gpr32(1), gpr32(2), gpr32(3)];
  const store = (index: number, register: typeof eax): void =>
    a.emit("mov", at(rdi, 4 * index, 32), register);
  const query = (leaf: number, subleaf: number): void => {
    a.emit("mov", eax, leaf);
    a.emit("mov", ecx, subleaf);
    a.emit("cpuid");
  };
  a.begin("cpu features");
  a.emit("push", rbx);
  query(0, 0);
  [ebx, edx, ecx].forEach((register, i) => {
    store(words.vendor + i, register);
  });
  query(1, 0);
  store(words.leaf1Ecx, ecx);
  query(7, 0);
  store(words.leaf7Ebx, ebx);
  store(words.leaf7Ecx, ecx);
  store(words.leaf7Edx, edx);
  query(7, 1);
  store(words.leaf71Eax, eax);
  const end = a.label();
  // XGETBV is only there where the system turned it on.
  a.emit("mov", eax, at(rdi, 4 * words.leaf1Ecx, 32));
  a.emit("bt", eax, 27);
  a.emit("jae", end);
  a.emit("xor", ecx, ecx);
  a.emit("xgetbv");
  store(words.xcr0, eax);
  a.bind(end);
  a.emit("pop", rbx);
  a.emit("ret");
  return a;
}

const bit = (word: number, index: number): boolean => ((word >>> index) & 1) === 1;
const bits = (word: number, ...indices: number[]): boolean => indices.every((index) => bit(word, index));

/** Reads the words; exported for tests with made-up processors. */
export function featuresOf(answer: Uint32Array): CpuFeatures {
  const at = (name: keyof typeof words): number => answer[words[name]]!;
  const savesYmm = bits(at("xcr0"), 1, 2);
  const savesZmm = savesYmm && bits(at("xcr0"), 5, 6, 7);
  const savesTiles = bits(at("xcr0"), 17, 18);
  const avx2 = savesYmm && bits(at("leaf1Ecx"), 12, 28, 29) && bits(at("leaf7Ebx"), 3, 5, 8);
  const avx512 = avx2 && savesZmm && bits(at("leaf7Ebx"), 16, 17, 28, 30, 31);
  const letters = new Uint8Array(answer.buffer, answer.byteOffset, 12);
  return {
    avx2,
    avx512,
    avx512Vnni: avx512 && bit(at("leaf7Ecx"), 11),
    avx512Bf16: avx512 && bit(at("leaf71Eax"), 5),
    amx: savesTiles && bits(at("leaf7Edx"), 22, 24, 25),
    vendor: String.fromCharCode(...letters),
  };
}

let known: CpuFeatures | undefined;

/** Asked once in a process. Throws a PlatformError where no code may run. */
export function cpuFeatures(system: NativeSystem): CpuFeatures {
  if (known !== undefined) return known;
  const code = loadCode(system, emitQuery().finish());
  const out = system.mapMemory(4096)!;
  system.host.functionAt(code.address, 1)(out);
  known = featuresOf(new Uint32Array(system.bytesAt(out, 4 * wordCount).slice().buffer));
  unloadCode(system, code);
  system.unmap(out, 4096);
  return known;
}
