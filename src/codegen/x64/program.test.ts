import { describe, expect, it } from "vitest";
import { disassemble, hasObjdump, objdumpReason } from "../../../test/objdump.ts";
import { compileProgram } from "../../compiler/compile.ts";
import type { GraphFunction } from "../../graph/function.ts";
import { Trace, withTrace } from "../../graph/trace.ts";
import { x64Target } from "../../ir/target.ts";
import { expandAxes } from "../../ops/broadcast.ts";
import { add, dot, parameter, sub, sum, transpose } from "../../ops/index.ts";
import { avx2, avx512, type Isa } from "./isa.ts";
import { emitProgram, type ProgramCode } from "./program.ts";

function product(isa: Isa, n: number, threads = 1): ProgramCode {
  const fn = withTrace(new Trace("compiled"), () => {
    const [x, y] = [parameter({ shape: [n, n], dtype: "f32" }), parameter({ shape: [n, n], dtype: "f32" })];
    return { name: "product", parameters: [x, y], results: [dot(x, y)], assignments: [] };
  });
  return emitted(isa, fn, threads);
}

function emitted(isa: Isa, fn: GraphFunction, threads = 1): ProgramCode {
  const { vector, vectorRegisters, hasScale } = isa;
  const target = { ...x64Target, lanes: vector.lanes, vectorRegisters, hasScale, threads };
  return emitProgram(compileProgram(fn, { target }), { isa });
}

describe.each([avx2, avx512])("a product's tiles with $name", (isa) => {
  const title =
    "stay in registers on %i threads: nothing is spilled but constants, which lie in memory anyway";
  it.skipIf(!hasObjdump).each([1, 2, 4])(title, (threads) => {
    const { code, isParallel } = product(isa, 512, threads);
    expect(isParallel).toBe(threads > 1);
    const { start, bytes } = code.symbols.find(({ name }) => name === "dot 512×512×512")!;
    const lines = [...disassemble(code.bytes.slice(start, start + bytes)).values()];
    expect(lines.filter((line) => /^vmov.*\[rsp/.test(line))).toEqual([]);
    const inner = lines.filter((line) => line.startsWith("vfmadd231ps"));
    expect(inner.length).toBeGreaterThanOrEqual(isa === avx512 ? 20 : 10);
    expect(inner.every((line) => !line.includes("["))).toBe(true);
    expect(lines.filter((line) => /^vbroadcastss .*\[(?!rip)/.test(line)).length).toBeLessThan(inner.length);
  });
});

/** Instructions of a kernel that reads rows twice: for their sum, and to subtract it. */
function rowKernel(
  isa: Isa,
  {
    rows,
    columns,
    threads = 1,
    lastCacheBytes,
  }: { rows: number; columns: number; threads?: number; lastCacheBytes?: () => number },
): string[] {
  const fn = withTrace(new Trace("compiled"), () => {
    const x = parameter({ shape: [rows, columns], dtype: "f32" });
    const sums = expandAxes(sum(x, 1), [1], x.shape);
    return { name: "rows", parameters: [x], results: [sub(x, sums)], assignments: [] };
  });
  const program = compileProgram(fn, { target: { ...x64Target, threads } });
  const { code } = emitProgram(program, { isa, lastCacheBytes });
  const { start, bytes } = code.symbols.find(({ name }) => name.startsWith("row "))!;
  return [...disassemble(code.bytes.slice(start, start + bytes)).values()];
}

describe.each([avx2, avx512])("the next row with $name", (isa) => {
  const requests = (rows: number, columns: number, fetchesRows = true): string[] =>
    rowKernel({ ...isa, fetchesRows }, { rows, columns })
      .filter((line) => line.startsWith("prefetcht0"))
      .map((line) => line.replace(/^.*?\+/, ""));

  it("is asked for line by line in the second pass over a row", (context) => {
    context.skip(!hasObjdump, objdumpReason);
    // A chunk of the loop, or the whole row: lines one after the other, a row of 1,024 bytes further on.
    const found = requests(4096, 256);
    expect(found.length).toBeGreaterThan(0);
    expect(found).toEqual(found.map((_, i) => `0x${(1024 + 64 * i).toString(16)}]`));
  });
  it("is not where the rows are in the cache, are long, or it does not pay", (context) => {
    context.skip(!hasObjdump, objdumpReason);
    expect(requests(64, 256)).toEqual([]);
    expect(requests(256, 8192)).toEqual([]);
    expect(requests(4096, 256, false)).toEqual([]);
  });
});

describe.each([avx2, avx512])("what a map reads with $name", (isa) => {
  const requests = (rows: number, columns: number, fetchesRows = true): string[] => {
    const fn = withTrace(new Trace("compiled"), () => {
      const x = parameter({ shape: [rows, columns], dtype: "f32" });
      const y = parameter({ shape: [columns], dtype: "f32" });
      return {
        name: "map",
        parameters: [x, y],
        results: [add(x, expandAxes(y, [0], x.shape))],
        assignments: [],
      };
    });
    const { code } = emitted({ ...isa, fetchesRows }, fn);
    return [...disassemble(code.bytes).values()].filter((line) => line.startsWith("prefetcht0"));
  };

  it("is asked for 4,096 bytes ahead, line by line", (context) => {
    context.skip(!hasObjdump, objdumpReason);
    const found = requests(4096, 512).map((line) => line.replace(/^.*?\+/, ""));
    expect(found.length).toBeGreaterThan(0);
    expect(found).toEqual(found.map((_, i) => `0x${(4096 + 64 * i).toString(16)}]`));
  });
  it("is not where it is in the cache, comes in short pieces, or it does not pay", (context) => {
    context.skip(!hasObjdump, objdumpReason);
    expect(requests(64, 512)).toEqual([]);
    expect(requests(16_384, 128)).toEqual([]);
    expect(requests(4096, 512, false)).toEqual([]);
  });
});

/** AVX2's narrower tiles would read it more often: there it is packed first. */
describe("a product's operand that lies a line or more further each step", () => {
  /** Of xᵀ·y. */
  const requests = (depth: number, rows: number): string[] => {
    const fn = withTrace(new Trace("compiled"), () => {
      const x = parameter({ shape: [depth, rows], dtype: "f32" });
      const y = parameter({ shape: [depth, 128], dtype: "f32" });
      return { name: "product", parameters: [x, y], results: [dot(transpose(x), y)], assignments: [] };
    });
    const { code } = emitted(avx512, fn);
    return [...disassemble(code.bytes).values()].filter((line) => line.startsWith("prefetcht0"));
  };

  it("is asked for twelve steps ahead, once a step", (context) => {
    context.skip(!hasObjdump, objdumpReason);
    const found = requests(768, 512);
    expect(found.length).toBeGreaterThan(0);
    // Twelve rows of 2,048 bytes further on, in each of the loops over steps; some begin at later rows.
    for (const line of found) expect(Math.floor(Number(/0x\w+/.exec(line)![0]) / 2048)).toBe(12);
  });
  it("is not where caches near the processor hold it", (context) => {
    context.skip(!hasObjdump, objdumpReason);
    expect(requests(64, 512)).toEqual([]);
  });
});

describe.each([avx2, avx512])("stores with $name", (isa) => {
  const rows = 1024;
  const storesOf = (columns: number, lastCacheBytes?: () => number, threads = 1): string[] => {
    const lines = rowKernel(isa, { rows, columns, threads, lastCacheBytes });
    return lines
      .filter((line) => /^vmov\w+ .*PTR \[(?!rsp).*, *[yz]mm|^sfence/.test(line))
      .map((line) => line.split(" ")[0]!);
  };
  const bytes = 4 * rows * 512;

  it("go past the caches where the result is larger, and are seen at the end", (context) => {
    context.skip(!hasObjdump, objdumpReason);
    expect(new Set(storesOf(512, () => bytes - 1, 2))).toEqual(new Set(["vmovntps", "sfence"]));
    expect(new Set(storesOf(512, () => bytes, 2))).toEqual(new Set(["vmovups"]));
    expect(new Set(storesOf(512))).toEqual(new Set(["vmovups"]));
  });
  it("do so on one thread where operands and result together are larger", (context) => {
    context.skip(!hasObjdump, objdumpReason);
    expect(new Set(storesOf(512, () => 2 * bytes - 1))).toEqual(new Set(["vmovntps", "sfence"]));
    expect(new Set(storesOf(512, () => 2 * bytes))).toEqual(new Set(["vmovups"]));
  });
  it("do not where rows do not begin at multiples of a register", (context) => {
    context.skip(!hasObjdump, objdumpReason);
    expect(storesOf(516, () => 0)).not.toContain("vmovntps");
  });
});

it("code is the same each time", () => {
  expect(product(avx512, 64).code.bytes).toEqual(product(avx512, 64).code.bytes);
});
