import { describe, expect, it } from "vitest";
import { dimension } from "../base/size.ts";
import { indexAffine } from "./affine.ts";
import { KernelBuilder } from "./builder.ts";
import type { Index, Kernel, KernelBuffer } from "./kernel.ts";
import { printProgram } from "./print.ts";
import type { Placement, Program, ProgramBuffer } from "./program.ts";
import { verifyProgram } from "./verify-program.ts";

const step: Index = { name: "step" };

/** y[i, step] = x[i] for i < 8, inside a loop of the program over `step`. */
function exampleKernel(): Kernel {
  const x: KernelBuffer = { name: "x", dtype: "f32", elements: 8, access: "read", scope: "program" };
  const y: KernelBuffer = { name: "y", dtype: "f32", elements: 16, access: "write", scope: "program" };
  const b = new KernelBuilder();
  b.vector("i", 8, (i) => {
    const to = { constant: 0, terms: [{ index: i.terms[0]!.index, stride: 2 }, ...indexAffine(step).terms] };
    b.store(y, to, b.load(x, i));
  });
  return {
    name: "spread",
    buffers: [x, y],
    parameters: [{ index: step, extent: 2 }],
    body: b.statements,
    cost: { flop: 0, bytes: 96 },
  };
}

const memory = (name: string, elements: number, placement: Placement): ProgramBuffer => ({
  name,
  dtype: "f32",
  elements,
  bytes: elements * 4,
  scope: "program",
  placement,
});

function example(
  changes: { x?: Partial<ProgramBuffer>; y?: Partial<ProgramBuffer>; extent?: number } = {},
): Program {
  const x = { ...memory("images", 8, { kind: "input", position: 0 }), ...changes.x };
  const y = { ...memory("spread", 16, { kind: "arena", offset: 64 }), ...changes.y };
  return {
    name: "example",
    dimensions: [],
    inputs: [x],
    states: [],
    arrays: [],
    results: [{ shape: [16], dtype: "f32", buffer: y }],
    compute: [
      {
        kind: "loop",
        index: step,
        extent: changes.extent ?? 2,
        body: [{ kind: "call", kernel: exampleKernel(), buffers: [x, y] }],
      },
    ],
    commit: [],
    undo: [],
    checks: [],
    arenaBytes: 128,
    threads: 1,
  };
}

function reasonOf(program: Program): string {
  try {
    verifyProgram(program);
  } catch (error) {
    expect((error as Error).name).toBe("InternalError");
    return (error as Error).message;
  }
  return "verifies";
}

describe("verifyProgram", () => {
  it("accepts buffers that fit and loops that cover the parameters", () => {
    expect(reasonOf(example())).toBe("verifies");
    expect(reasonOf(example({ extent: 1 }))).toBe("verifies");
  });

  it("rejects what does not fit, naming the call and the buffer", () => {
    expect(reasonOf(example({ extent: 3 }))).toMatchInlineSnapshot(
      `"program "example": "spread": step counts to 3, the kernel allows 2"`,
    );
    expect(reasonOf(example({ x: { elements: 7 } }))).toMatchInlineSnapshot(
      `"program "example": "spread": x (images) has 7 elements, not 8"`,
    );
    expect(reasonOf(example({ x: { dtype: "i32" } }))).toMatchInlineSnapshot(
      `"program "example": "spread": x (images) is i32, not f32"`,
    );
    expect(reasonOf(example({ x: { bytes: 31 } }))).toMatchInlineSnapshot(
      `"program "example": images: 31 bytes do not hold 8 f32"`,
    );
    expect(reasonOf(example({ y: { placement: { kind: "arena", offset: 68 } } }))).toMatchInlineSnapshot(
      `"program "example": spread: bytes 68 … 132 of an arena of 128"`,
    );
    expect(reasonOf(example({ y: { placement: { kind: "input", position: 1 } } }))).toMatchInlineSnapshot(
      `"program "example": "spread": y (spread) is an input: it is only read"`,
    );
    const call = { kind: "call", kernel: exampleKernel(), buffers: [] } as const;
    expect(reasonOf({ ...example(), compute: [call] })).toMatchInlineSnapshot(
      `"program "example": "spread" takes 2 buffers, 0 are given"`,
    );
  });

  it("rejects states written before the commit", () => {
    const state = { name: "weights" } as never;
    const program = example({ y: { placement: { kind: "state", state } } });
    expect(reasonOf(program)).toMatchInlineSnapshot(
      `"program "example": "spread": y (spread) is a state: only the commit writes it"`,
    );
    expect(reasonOf({ ...program, compute: [], commit: program.compute })).toBe("verifies");
  });

  it("rejects dimensions that are not the program's", () => {
    const rows = dimension("rows", { max: 2 });
    const kernel: Kernel = { ...exampleKernel(), parameters: [{ index: step, extent: rows }] };
    const { name: _, ...base } = example();
    expect(
      reasonOf({ name: "late", ...base, compute: [{ kind: "call", kernel, buffers: [] }] }),
    ).toMatchInlineSnapshot(`"program "late": "spread": dimension rows is not the program's"`);
  });
});

describe("printProgram", () => {
  it("shows steps, placements and each kernel once", () => {
    expect(printProgram(example())).toMatchInlineSnapshot(`
      "program "example": arena 128 bytes, 1 thread(s)
        compute:
          loop step < 2:
            #0 spread(images: f32[8] @ input 0, spread: f32[16] @ arena+64)
        result spread: f32[16] @ arena+64

      #0 kernel "spread": read x: f32[8], write y: f32[16]
        parameter step < 2
        vector i < 8:
          v0 = x[i]
          y[2·i + step] = v0"
    `);
  });
});

describe("parallel loops of a program", () => {
  /** y[8·step + i] = x[i], or without the counter: every iteration in the same place. */
  function shared(stride: number, scope: ProgramBuffer["scope"] = "program"): Program {
    const x: KernelBuffer = { name: "x", dtype: "f32", elements: 8, access: "read", scope: "program" };
    const y: KernelBuffer = { name: "y", dtype: "f32", elements: 16, access: "write", scope: "program" };
    const b = new KernelBuilder();
    b.vector("i", 8, (i) => {
      const to = { constant: 0, terms: [...i.terms, ...(stride > 0 ? [{ index: step, stride }] : [])] };
      b.store(y, to, b.load(x, i));
    });
    const body = b.statements;
    const kernel: Kernel = { ...exampleKernel(), buffers: [x, y], body };
    const program = example({ y: { scope } });
    const [loop] = program.compute as [Extract<Program["compute"][number], { kind: "loop" }>];
    const buffers = [program.inputs[0]!, program.results[0]!.buffer];
    const own = { ...memory("own", 16, { kind: "arena", offset: 64 }), scope };
    return {
      ...program,
      results: [],
      arenaBytes: 4096,
      compute: [
        {
          ...loop,
          isParallel: true,
          body: [{ kind: "call", kernel, buffers: [buffers[0]!, own], counters: [loop.index] }],
        },
      ],
    };
  }

  it("write apart from each other, or into memory of their own", () => {
    verifyProgram(shared(8));
    verifyProgram(shared(0, "iteration"));
    expect(() => verifyProgram(shared(4))).toThrow(
      /parallel loop step: two iterations of step may meet in y/,
    );
    expect(() => verifyProgram(shared(0))).toThrow(/its index has stride 0/);
  });
  it("hold a parallel loop that is all there is, and then write apart in both", () => {
    const program = shared(8);
    const [inner] = program.compute as [Extract<Program["compute"][number], { kind: "loop" }>];
    const around = { ...inner, index: { name: "outer" } };
    const pairOf = (body: Program["compute"]): Program => ({ ...program, compute: [{ ...around, body }] });
    expect(() => verifyProgram(pairOf([inner]))).toThrow(
      /in parallel loop outer: it does not know the loop's counter/,
    );
    verifyProgram({ ...shared(0, "iteration"), compute: pairOf(shared(0, "iteration").compute).compute });
    expect(() => verifyProgram(pairOf([inner, inner]))).toThrow(/loop step: parallel inside a parallel loop/);
  });
  it("hold memory of an iteration, which nothing else does", () => {
    const program = shared(8, "iteration");
    const [loop] = program.compute as [Extract<Program["compute"][number], { kind: "loop" }>];
    expect(() => verifyProgram({ ...program, compute: [{ ...loop, isParallel: false }] })).toThrow(
      /memory of an iteration, outside of a parallel loop/,
    );
    expect(() =>
      verifyProgram({
        ...program,
        compute: [{ ...loop, range: loop.body[0] && memory("r", 2, { kind: "arena", offset: 0 }) }],
      }),
    ).toThrow(/its range is f32\[2\], not two i32/);
  });
});
