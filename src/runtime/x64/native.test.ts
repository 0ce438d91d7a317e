import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { processors } from "#platform";
import { Assembler } from "../../codegen/x64/assembler/assembler.ts";
import { at, rax, rdi, rsi } from "../../codegen/x64/assembler/operands.ts";
import { loadCode, unloadCode } from "./code-memory.ts";
import { featuresOf } from "./cpu-features.ts";
import { doctor } from "./doctor.ts";
import { NativeMemory } from "./memory.ts";
import { requireNativeSystem } from "./system.ts";

const report = doctor();
const reason = `machine code cannot run here: ${report.reasons.join("; ")}`;

describe.skipIf(report.isa === undefined)(`machine code${report.isa ? "" : ` (${reason})`}`, () => {
  it("runs, from pages that are not writable", () => {
    const system = requireNativeSystem();
    const a = new Assembler();
    a.begin("answer");
    a.emit("mov", rax, rdi);
    a.emit("add", rax, rsi);
    a.emit("ret");
    const code = loadCode(system, a.finish());
    expect(system.host.functionAt(code.address, 2)(40, 2)).toBe(42);
    expect(code.method).toBe("two mappings");
    const line = readFileSync("/proc/self/maps", "utf8")
      .split("\n")
      .find((entry) => entry.startsWith(code.address.toString(16)));
    expect(line).toMatch(/ r-xs /);
    unloadCode(system, code);
  });

  it("reads and writes the device's memory", () => {
    const system = requireNativeSystem();
    const memory = new NativeMemory(system);
    const address = memory.allocate(64);
    expect(address % 64).toBe(0);
    const values = memory.view("f64", address, 2);
    values[0] = 1.5;
    const a = new Assembler();
    a.emit("mov", rax, at(rdi));
    a.emit("mov", at(rdi, 8), rax);
    a.emit("ret");
    const code = loadCode(system, a.finish());
    system.host.functionAt(code.address, 1)(address);
    expect(values[1]).toBe(1.5);
    unloadCode(system, code);
  });

  it("knows the processor as the system does", () => {
    const flags = /^flags\s*: (.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))![1]!.split(" ");
    const has = (...names: string[]): boolean => names.every((name) => flags.includes(name));
    const features = report.features!;
    expect(features.avx2).toBe(has("avx2", "fma", "f16c", "bmi1", "bmi2"));
    expect(features.avx512).toBe(has("avx512f", "avx512vl", "avx512dq", "avx512bw", "avx512cd"));
    expect(features.avx512Vnni).toBe(has("avx512_vnni"));
    expect(features.avx512Bf16).toBe(has("avx512_bf16"));
  });
});

describe("the device's memory", () => {
  it.skipIf(report.isa === undefined)("gives freed blocks out again, joined", () => {
    const memory = new NativeMemory(requireNativeSystem());
    const [a, b, c] = [memory.allocate(100), memory.allocate(100), memory.allocate(100)];
    memory.free(a);
    memory.free(b);
    expect(memory.usedBytes).toBe(128);
    expect(memory.allocate(256)).toBe(a);
    memory.free(c);
    expect(() => memory.free(c)).toThrowError("freed before");
    expect(() => memory.view("f32", 64, 1)).toThrowError("outside the memory");
  });
});

describe("large blocks", () => {
  it.skipIf(report.isa === undefined)(
    "begin at multiples of 64 bytes, in memory that asks for huge pages",
    (context) => {
      context.skip(processors().hugePages === undefined, "the system has no huge pages");
      const memory = new NativeMemory(requireNativeSystem());
      const address = memory.allocate(64 * 2 ** 20 + 5);
      expect(address % 64).toBe(0);
      const flags = readFileSync("/proc/self/smaps", "utf8")
        .split(/\n(?=[0-9a-f]+-[0-9a-f]+ )/)
        .find((entry) => {
          const [from, to] = entry
            .split(" ")[0]!
            .split("-")
            .map((part) => Number.parseInt(part, 16));
          return address >= from! && address < to!;
        })
        ?.match(/VmFlags: (.*)/)?.[1];
      expect(flags?.split(" ")).toContain("hg");
    },
  );
});

describe("features", () => {
  it("need the system to save the registers", () => {
    const words = new Uint32Array(9).fill(0xffffffff);
    expect(featuresOf(words)).toMatchObject({ avx2: true, avx512: true, amx: true });
    words[8] = 7;
    expect(featuresOf(words)).toMatchObject({ avx2: true, avx512: false, amx: false });
    words[8] = 3;
    expect(featuresOf(words)).toMatchObject({ avx2: false, avx512: false });
  });
});
