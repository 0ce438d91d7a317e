/** Which calls of a commit threads run side by side. */
import { expect, test } from "vitest";
import { compileProgram } from "../../compiler/compile.ts";
import type { Node } from "../../graph/node.ts";
import { State } from "../../graph/state.ts";
import { Trace, withTrace } from "../../graph/trace.ts";
import type { Program, ProgramBuffer } from "../../ir/program.ts";
import { x64Target } from "../../ir/target.ts";
import { add, parameter, readState } from "../../ops/index.ts";
import { batchOf, type Call } from "./batch.ts";
import { avx2 } from "./isa.ts";
import { emitProgram } from "./program.ts";

/** Adds a parameter to each of the states. */
function programOf(sizes: readonly number[]): Program {
  return withTrace(new Trace("compiled"), () => {
    const type = (size: number) => ({ shape: [size], dtype: "f32" as const });
    const states = sizes.map((size) => new State(`s${size}`, type(size), new Float32Array(size)));
    const parameters = sizes.map((size) => parameter(type(size)));
    const assignments = states.map((state, i): [State, Node] => [
      state,
      add(readState(state), parameters[i]!),
    ]);
    const fn = {
      name: "f",
      parameters,
      results: [],
      assignments,
    };
    return compileProgram(fn, { target: x64Target });
  });
}

/** Sizes of the states that are updated side by side, and of the others. */
function split(program: Program, threads: number): { batch: number[]; others: number[] } {
  const { batch, others } = batchOf(program.commit, threads, (kernel) => kernel.cost.bytes / 1000);
  const sizeOf = (step: (typeof others)[number]): number =>
    step.kind === "call" ? step.buffers.find(({ placement }) => placement.kind === "state")!.elements : 0;
  return { batch: batch.map(sizeOf), others: others.map(sizeOf) };
}

test("states that nobody else touches, the largest first", () => {
  const program = programOf([5000, 4000, 6000, 4500]);
  expect(split(program, 2)).toEqual({ batch: [6000, 5000, 4500, 4000], others: [] });
});

test("none on one thread, where there are fewer than threads, or where there is little to do", () => {
  const sizes = [5000, 4000, 6000, 4500];
  expect(split(programOf(sizes), 1).batch).toEqual([]);
  expect(split(programOf(sizes), 8).batch).toEqual([]);
  expect(split(programOf(sizes.map((size) => size / 100)), 2).batch).toEqual([]);
});

test("one that threads would wait for keeps its own loop", () => {
  const program = programOf([90_000, 5000, 4000, 6000, 4500]);
  expect(split(program, 2)).toEqual({ batch: [6000, 5000, 4500, 4000], others: [90_000] });
});

/** A call that reads and writes states by name; what begins with "arena" is memory of the program. */
function callOf(reads: readonly ProgramBuffer[], writes: readonly ProgramBuffer[]): Call {
  const buffers = [...reads, ...writes];
  const handles = buffers.map(({ name, dtype, elements }, i) => ({
    ...{ name, dtype, elements, scope: "program" as const },
    access: i < reads.length ? ("read" as const) : ("write" as const),
  }));
  const kernel = { name: "copy", buffers: handles, parameters: [], body: [], cost: { flop: 0, bytes: 1e6 } };
  return { kind: "call", kernel, buffers };
}

test("a call stays in its place when others read what it writes, write what it reads, or it writes no state", () => {
  const bufferOf = (name: string, placement: ProgramBuffer["placement"]): ProgramBuffer => ({
    ...{ name, dtype: "f32", elements: 8, bytes: 32, scope: "program", placement },
  });
  const [a, b, c, d, e] = ["a", "b", "c", "d", "e"].map((name) =>
    bufferOf(name, {
      kind: "state",
      state: new State(name, { shape: [8], dtype: "f32" }, new Float32Array(8)),
    }),
  ) as [ProgramBuffer, ProgramBuffer, ProgramBuffer, ProgramBuffer, ProgramBuffer];
  const [x, y] = ["x", "y"].map((name) => bufferOf(name, { kind: "arena", offset: 0 })) as [
    ProgramBuffer,
    ProgramBuffer,
  ];
  const free = [callOf([x], [a]), callOf([x], [e])];
  const bound = [callOf([b], [c]), callOf([x], [b]), callOf([x], [y]), callOf([x], [d]), callOf([x], [d])];
  const { batch, others } = batchOf([...bound, ...free], 2, () => 1000);
  expect(batch).toEqual(free);
  expect(others).toEqual(bound);
});

test.each([1, 4])("with %i threads the program has the function that they run", (threads) => {
  const program = { ...programOf([50_000, 40_000, 60_000, 45_000]), threads };
  const { code, isParallel } = emitProgram(program, { isa: avx2 });
  expect(code.symbols.some(({ name }) => name.startsWith("commit "))).toBe(threads > 1);
  expect(isParallel).toBe(threads > 1);
});
