import { describe, expect, it } from "vitest";
import { disassemble, hasObjdump, objdump, objdumpReason } from "../../../../test/objdump.ts";
import { Assembler } from "./assembler.ts";
import { elfObject } from "./elf.ts";
import { at, gpr64, rax, rcx, rdi, withBits, xmm, ymm, zmm } from "./operands.ts";

const textOf = (a: Assembler): string[] =>
  [...disassemble(a.finish().bytes).values()].map((line) => line.replace(/\s+/g, " "));

describe("labels and constants", () => {
  it("jumps backwards as short as it can, forwards near", (context) => {
    context.skip(!hasObjdump, objdumpReason);
    const a = new Assembler();
    const [start, end] = [a.here(), a.label()];
    a.emit("je", end);
    a.emit("jmp", start);
    for (let i = 0; i < 127; i++) a.emit("nop");
    a.emit("jl", start);
    a.bind(end);
    a.emit("ret");
    const lines = textOf(a);
    expect(lines[0]).toBe("je 0x8d");
    expect(lines[1]).toBe("jmp 0x0");
    expect(lines.slice(-2)).toEqual(["jl 0x0", "ret"]);
  });

  it("addresses constants relative to rip, the immediate counted, equal ones once", (context) => {
    context.skip(!hasObjdump, objdumpReason);
    const a = new Assembler();
    const one = a.constant(new Uint8Array(new Float32Array([1]).buffer));
    const wide = a.constant(new Uint8Array(32).fill(7));
    a.emit("vaddps", ymm(1), ymm(2), wide);
    a.emit("vinsertps", xmm(1), xmm(2), one, 3);
    a.emit("vaddps", zmm(1), zmm(20), { ...one, broadcast: true });
    a.emit("vmovss", xmm(1), a.constant(new Uint8Array(new Float32Array([1]).buffer)));
    a.emit("ret");
    const { bytes, codeBytes } = a.finish();
    expect(bytes.length).toBe(64 + 32 + 4);
    const lines = [...disassemble(bytes.slice(0, codeBytes)).values()];
    const targets = lines.flatMap((line) => /# (0x[0-9a-f]+)/.exec(line)?.[1] ?? []);
    expect(targets).toEqual(["0x40", "0x60", "0x60", "0x60"]);
    expect(bytes.slice(64, 96)).toEqual(new Uint8Array(32).fill(7));
    expect(new Float32Array(bytes.slice(96).buffer)).toEqual(Float32Array.of(1));
  });

  it("sign-extends an immediate of one byte only where that keeps its value", (context) => {
    context.skip(!hasObjdump, objdumpReason);
    const a = new Assembler();
    for (const value of [127, 128, -128, -129, 0xffffffff]) a.emit("sub", withBits(rax, 32), value);
    expect(textOf(a)).toEqual([
      "sub eax,0x7f",
      "sub eax,0x80",
      "sub eax,0xffffff80",
      "sub eax,0xffffff7f",
      "sub eax,0xffffffff",
    ]);
  });

  it("aligns", () => {
    const a = new Assembler();
    a.emit("ret");
    a.align(64);
    expect(a.offset).toBe(64);
  });

  it("names what it was given and what does not fit", () => {
    const a = new Assembler();
    expect(() => a.emit("vaddps", zmm(1), ymm(2), zmm(3))).toThrowErrorMatchingInlineSnapshot(
      `[InternalError: vaddps has no form for zmm1, ymm2, zmm3]`,
    );
    expect(() => a.emit("vpxor", zmm(1), zmm(2), zmm(3))).toThrowErrorMatchingInlineSnapshot(
      `[InternalError: vpxor has no form for zmm1, zmm2, zmm3]`,
    );
    expect(() => a.emit("mov", rax, at(rdi, 2 ** 31))).toThrowErrorMatchingInlineSnapshot(
      `[InternalError: a displacement of 2147483648 does not fit 32 bits]`,
    );
    const lost = a.label();
    a.emit("jmp", lost);
    expect(() => a.finish()).toThrowErrorMatchingInlineSnapshot(`[InternalError: label 0 was never bound]`);
  });
});

describe("object files", () => {
  it("name the functions for objdump", (context) => {
    context.skip(!hasObjdump, objdumpReason);
    const a = new Assembler();
    a.begin("dot 32×784×64");
    a.emit("mov", rax, rcx);
    a.emit("ret");
    a.align(16);
    a.begin("softmax");
    a.emit("mov", gpr64(12), rcx);
    a.emit("ret");
    const text = objdump(elfObject(a.finish()), ["-d", "-M", "intel", "--no-show-raw-insn"]);
    expect(text).toContain("file format elf64-x86-64");
    expect(text).toContain("0000000000000000 <dot 32×784×64>:");
    expect(text).toContain("0000000000000010 <softmax>:");
    expect(text).toMatch(/mov +r12,rcx/);
  });
});
