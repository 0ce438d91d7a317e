import { describe, expect, it } from "vitest";
import { disassemble, hasObjdump, objdumpReason } from "../../../test/objdump.ts";
import { compileProgram } from "../../compiler/compile.ts";
import { Trace, withTrace } from "../../graph/trace.ts";
import { x64Target } from "../../ir/target.ts";
import { dot, parameter } from "../../ops/index.ts";
import { avx2, avx512, type Isa } from "./isa.ts";
import { emitProgram, type ProgramCode } from "./program.ts";

function product(isa: Isa, n: number): ProgramCode {
  const fn = withTrace(new Trace("compiled"), () => {
    const [x, y] = [parameter({ shape: [n, n], dtype: "f32" }), parameter({ shape: [n, n], dtype: "f32" })];
    return { name: "product", parameters: [x, y], results: [dot(x, y)], assignments: [] };
  });
  const target = { ...x64Target, lanes: isa.vector.lanes, vectorRegisters: isa.vectorRegisters };
  return emitProgram(compileProgram(fn, { target }), { isa });
}

describe.each([avx2, avx512])("a product's tiles with $name", (isa) => {
  it("stay in registers: nothing is spilled but constants, which lie in memory anyway", (context) => {
    context.skip(!hasObjdump, objdumpReason);
    const { code } = product(isa, 512);
    const { start, bytes } = code.symbols.find(({ name }) => name === "dot 512×512×512")!;
    const lines = [...disassemble(code.bytes.slice(start, start + bytes)).values()];
    expect(lines.filter((line) => /^vmov.*\[rsp/.test(line))).toEqual([]);
    const inner = lines.filter((line) => line.startsWith("vfmadd231ps"));
    expect(inner.length).toBeGreaterThanOrEqual(isa === avx512 ? 20 : 10);
    expect(inner.every((line) => !line.includes("["))).toBe(true);
    expect(lines.filter((line) => /^vbroadcastss .*\[(?!rip)/.test(line)).length).toBeLessThan(inner.length);
  });
});

it("code is the same each time", () => {
  expect(product(avx512, 64).code.bytes).toEqual(product(avx512, 64).code.bytes);
});
