import { afterAll, describe, expect, it } from "vitest";
import { bytesOf, type DType, type TypedArray } from "../../base/dtype.ts";
import { dimension } from "../../base/size.ts";
import type { State } from "../../graph/state.ts";
import { addAffine, constantAffine, scaleAffine, zeroAffine } from "../../ir/affine.ts";
import type { KernelBuilder } from "../../ir/builder.ts";
import type { CheckFailure } from "../../ir/evaluate.ts";
import type { Kernel, KernelBuffer, Register } from "../../ir/kernel.ts";
import type { Placement, Program, ProgramBuffer } from "../../ir/program.ts";
import { kernelBuffer, kernelOf } from "../../testing/kernels.ts";
import { type InstantiateOptions, instantiate } from "./executable.ts";
import { WasmMemory } from "./memory.ts";
import { workerSource } from "./thread-worker.ts";
import { WasmThreads } from "./threads.ts";

const rows = 37;
const columns = 29;
const n = rows * columns;
const big = { flop: 1e9, bytes: 1e9 };
const time = dimension("rows", { min: 1, max: rows });

const buffer = (name: string, placement: Placement, elements = n, dtype: DType = "f32"): ProgramBuffer => ({
  name,
  dtype,
  elements,
  bytes: elements * bytesOf(dtype),
  scope: "program",
  placement,
});
const arena = (name: string, offset: number, elements = n, dtype: DType = "f32"): ProgramBuffer =>
  buffer(name, { kind: "arena", offset }, elements, dtype);

const theState = { name: "weight" } as unknown as State;

const one = (b: KernelBuilder): ReturnType<KernelBuilder["constant"]> => b.constant("f32", 1);

function parallelRows(
  name: string,
  build: (b: KernelBuilder, at: ReturnType<typeof addAffine>, x: KernelBuffer, y: KernelBuffer) => void,
): Kernel {
  const [x, y] = [kernelBuffer("x", "f32", n), kernelBuffer("y", "f32", n, "write")];
  const kernel = kernelOf(name, [x, y], (b) =>
    b.parallel("i", time, (i) =>
      b.vector("j", columns, (j) => build(b, addAffine(scaleAffine(i, columns), j), x, y)),
    ),
  );
  return { ...kernel, cost: big };
}

/** Doubles in parallel, three times over one after the other in a loop, sums rows on thread 0, commits the sums. */
function wholeProgram(threads: number): Program {
  const input = buffer("input", { kind: "input", position: 0 });
  const [p, q] = [arena("p", 0), arena("q", 4 * n)];
  const sums = arena("sums", 8 * n, rows);
  const state = buffer("state", { kind: "state", state: theState }, rows);
  const result = buffer("result", { kind: "result", position: 0 });
  const flag = arena("flag", 8 * n + 4 * 64, 1, "bool");

  const scale = parallelRows("scale", (b, at, x, y) =>
    b.store(y, at, b.mulAdd(b.load(x, at), b.constant("f32", 1.25), one(b))),
  );
  const checked = parallelRows("checked", (b, at, x, y) => {
    const v = b.load(x, at);
    const fine = b.compare("less", v, b.constant("f32", 1e6));
    b.store(
      y,
      at,
      b.at({ check: 3, position: at }, () => b.check(fine, v)),
    );
  });
  const sum: Register = { name: "sum", dtype: "f32", count: 1, lanes: 16 };
  const [x, s] = [kernelBuffer("x", "f32", n), kernelBuffer("s", "f32", rows, "write")];
  const rowSums = kernelOf("row sums", [x, s], (b) =>
    b.parallel("i", time, (i) => {
      b.set(sum, b.constant("f32", 0));
      b.vector("j", columns, (j) =>
        b.set(sum, b.binary("add", b.read(sum), b.load(x, addAffine(scaleAffine(i, columns), j)))),
      );
      b.store(s, i, b.combine(sum, "add"));
    }),
  );
  const [from, to] = [kernelBuffer("from", "f32", rows), kernelBuffer("to", "f32", rows, "write")];
  const copy = kernelOf("copy", [from, to], (b) =>
    b.vector("i", time, (i) => b.store(to, i, b.load(from, i))),
  );
  const [counted, more] = [kernelBuffer("counted", "f32", n), kernelBuffer("more", "bool", 1, "write")];
  const round = { name: "round" };
  const test: Kernel = {
    ...kernelOf("test", [counted, more], (b) =>
      b.store(
        more,
        zeroAffine,
        b.compare(
          "less",
          b.index({ constant: 1, terms: [{ index: round, stride: 1 }] }),
          b.constant("i32", 4),
        ),
      ),
    ),
    parameters: [{ index: round, extent: 10 }],
  };
  const start = kernelOf("start", [more], (b) => b.store(more, zeroAffine, b.constant("bool", 1)));

  return {
    name: "whole",
    dimensions: [time],
    inputs: [input],
    states: [theState],
    arrays: [],
    results: [{ shape: [n], dtype: "f32", buffer: result }],
    compute: [
      { kind: "call", kernel: checked, buffers: [input, p] },
      {
        kind: "loop",
        index: { name: "three" },
        extent: 3,
        body: [
          { kind: "call", kernel: scale, buffers: [p, q] },
          { kind: "call", kernel: scale, buffers: [q, p] },
        ],
      },
      { kind: "call", kernel: start, buffers: [flag] },
      {
        kind: "while",
        index: round,
        max: 10,
        condition: flag,
        body: [
          { kind: "call", kernel: scale, buffers: [p, p] },
          { kind: "call", kernel: test, buffers: [p, flag] },
        ],
      },
      { kind: "call", kernel: { ...rowSums, cost: { flop: 0, bytes: 0 } }, buffers: [p, sums] },
      {
        kind: "call",
        kernel: parallelRows("out", (b, at, a, y) => b.store(y, at, b.load(a, at))),
        buffers: [p, result],
      },
    ],
    commit: [{ kind: "call", kernel: copy, buffers: [sums, state] }],
    undo: [],
    checks: [],
    arenaBytes: 8 * n + 4 * 64 + 64,
    threads,
  };
}

interface Outcome {
  readonly failure: CheckFailure | undefined;
  readonly result: TypedArray;
  readonly state: TypedArray;
}

function execute(
  program: Program,
  memory: WasmMemory,
  input: Float32Array,
  options: InstantiateOptions & { active?: number; times?: number } = {},
): Outcome {
  const executable = instantiate(program, memory, options);
  const [x, s, r] = [memory.allocate(4 * n), memory.allocate(4 * rows), memory.allocate(4 * n)];
  memory.view("f32", x, n).set(input);
  memory.view("f32", s, rows).fill(-1);
  memory.view("f32", r, n).fill(0);
  const args = { inputs: [x], states: [s], results: [r], arrays: [], dimensions: [options.active ?? rows] };
  let failure: CheckFailure | undefined;
  for (let i = 0; i < (options.times ?? 1); i++) failure = executable.run(args);
  const outcome = {
    failure,
    result: memory.view("f32", r, n).slice(),
    state: memory.view("f32", s, rows).slice(),
  };
  for (const address of [x, s, r]) memory.free(address);
  executable.dispose();
  return outcome;
}

const data = Float32Array.from({ length: n }, (_, i) => Math.sin(i) * 3);

/** The same in plain JavaScript. */
function expectedOf(active: number): { result: Float32Array; state: Float32Array } {
  const f = Math.fround;
  const result = new Float32Array(n);
  const state = new Float32Array(rows).fill(-1);
  for (let i = 0; i < active; i++) {
    const lanes = new Float32Array(16);
    for (let j = 0; j < columns; j++) {
      let v = data[i * columns + j]!;
      for (let k = 0; k < 10; k++) v = f(f(v * 1.25) + 1);
      result[i * columns + j] = v;
      lanes[j % 16]! += v;
    }
    for (let half = 8; half >= 1; half /= 2) for (let l = 0; l < half; l++) lanes[l]! += lanes[l + half]!;
    state[i] = lanes[0]!;
  }
  return { result, state };
}

describe("programs", () => {
  for (const shared of [false, true])
    it(`run loops, whiles and the commit on one thread (${shared ? "shared" : "own"} memory)`, () => {
      const memory = new WasmMemory({ shared });
      for (const active of [1, 5, rows]) {
        const { failure, result, state } = execute(wholeProgram(1), memory, data, { active });
        expect(failure).toBeUndefined();
        expect({ result, state }).toEqual(expectedOf(active));
      }
    });

  it("do not commit when a check fails, and say which", () => {
    const bad = data.slice();
    bad[700] = 2e6;
    bad[300] = 3e6;
    const { failure, state } = execute(wholeProgram(1), new WasmMemory(), bad);
    expect(failure).toEqual({ check: 3, position: 300, value: 3e6 });
    expect([...new Set(state)]).toEqual([-1]);
  });

  it("flush subnormals stored to states, not others", () => {
    const [x, y, z] = [
      kernelBuffer("x", "f32", n),
      kernelBuffer("y", "f32", n, "write"),
      kernelBuffer("z", "f32", n, "write"),
    ];
    const kernel = kernelOf("both", [x, y, z], (b) => {
      b.vector("i", 20, (i) => {
        b.store(y, i, b.load(x, i));
        b.store(z, i, b.load(x, i));
      });
      b.serial("i", 6, (i) => b.store(y, addAffine(i, constantAffine(20)), b.load(x, i)));
    });
    const input = buffer("input", { kind: "input", position: 0 });
    const state = buffer("state", { kind: "state", state: theState }, rows);
    const result = buffer("result", { kind: "result", position: 0 });
    const program: Program = {
      ...wholeProgram(1),
      compute: [],
      commit: [{ kind: "call", kernel, buffers: [input, state, result] }],
      undo: [],
    };
    const values = new Float32Array(n);
    values.set([1e-40, -1e-40, 2 ** -126, -(2 ** -126), NaN, -Infinity, 0, -0, 1.1754942e-38, 3]);
    const outcome = execute(program, new WasmMemory(), values);
    const flushed = [0, -0, 2 ** -126, -(2 ** -126), NaN, -Infinity, 0, -0, 0, 3];
    expect([...outcome.state.slice(0, 10)]).toEqual(flushed);
    expect([...outcome.state.slice(20, 26)]).toEqual(flushed.slice(0, 6));
    expect([...outcome.result.slice(0, 10)]).toEqual([...values.slice(0, 10)]);
  });
});

describe("threads", () => {
  const pools: WasmThreads[] = [];
  const pool = (memory: WasmMemory, count: number, source?: string): WasmThreads => {
    const threads = new WasmThreads(memory, count, source);
    pools.push(threads);
    return threads;
  };
  afterAll(() => {
    for (const threads of pools) threads.stop();
  });

  for (const count of [2, 3, 4])
    it(`${count} give the same bits, run after run`, async () => {
      const memory = new WasmMemory({ shared: true });
      const threads = pool(memory, count);
      await threads.ready();
      for (const active of [1, 2, 5, rows]) {
        const program = wholeProgram(count);
        const options = { active, threads, times: 50, alwaysThreads: true };
        const { failure, result, state } = execute(program, memory, data, options);
        // Long enough that workers go to sleep.
        await new Promise((resolve) => setTimeout(resolve, 20));
        expect(failure).toBeUndefined();
        expect({ result, state }).toEqual(expectedOf(active));
      }
    });

  it("report the first failure, whichever thread is faster", async () => {
    const memory = new WasmMemory({ shared: true });
    const threads = pool(memory, 4);
    await threads.ready();
    const bad = data.slice();
    for (const at of [1000, 800, 600, 77, 300]) bad[at] = 1e6 + at;
    for (let i = 0; i < 20; i++) {
      const { failure, state } = execute(wholeProgram(4), memory, bad, { threads, alwaysThreads: true });
      expect(failure).toEqual({ check: 3, position: 77, value: 1e6 + 77 });
      expect([...new Set(state)]).toEqual([-1]);
    }
  });

  it("join while programs already run", async () => {
    const memory = new WasmMemory({ shared: true });
    const threads = pool(memory, 4);
    const expected = expectedOf(rows);
    const executable = wholeProgram(4);
    for (let i = 0; i < 30; i++) {
      const { result } = execute(executable, memory, data, { threads, times: 10, alwaysThreads: true });
      expect(result).toEqual(expected.result);
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    expect(threads.admit()).toBe(4);
  });

  it("end a run with the stack of the worker that died, and start anew", async () => {
    const memory = new WasmMemory({ shared: true });
    const source = workerSource.replace(
      "entryOf(words",
      "if (thread === 2) throw new Error('boom'); entryOf(words",
    );
    expect(source).not.toBe(workerSource);
    const threads = pool(memory, 4, source);
    await threads.ready();
    const run = (): Outcome => execute(wholeProgram(4), memory, data, { threads, alwaysThreads: true });
    expect(run).toThrow(/a worker thread died:\nError: boom\n +at /);
    expect(run().result).toEqual(expectedOf(rows).result);
  });
});
