/** Scatters into states: rows in place, whole copies where both values are needed, and rows put back when a run fails. */
import { describe, expect, it } from "vitest";
import type { GraphFunction } from "../graph/function.ts";
import type { Node } from "../graph/node.ts";
import { State } from "../graph/state.ts";
import { currentTrace, Trace, withTrace } from "../graph/trace.ts";
import type { ProgramStep } from "../ir/program.ts";
import { wasmTarget } from "../ir/target.ts";
import {
  add,
  assignState,
  gather,
  parameter,
  permute,
  readState,
  scatter,
  scatterAdd,
  sum,
} from "../ops/index.ts";
import type { Device } from "../runtime/device.ts";
import { createWasmDevice } from "../runtime/wasm-device.ts";
import { nativeDevices } from "../testing/native-targets.ts";
import { evaluateProgram } from "../testing/program-evaluator.ts";
import { compileProgram } from "./compile.ts";
import { describeProgram } from "./describe.ts";

const [rows, width] = [50, 4];
const table = (count = rows): State =>
  new State(
    "table",
    { shape: [count, width], dtype: "f32" },
    Float32Array.from({ length: count * width }, (_, i) => i),
  );

function trace(build: (indices: Node, updates: Node) => readonly Node[], indexed = [3]): GraphFunction {
  return withTrace(new Trace("compiled"), () => {
    const indices = parameter({ shape: indexed, dtype: "i32" });
    const updates = parameter({ shape: [...indexed, width], dtype: "f32" });
    const results = build(indices, updates);
    const { assigned } = currentTrace();
    return { name: "step", parameters: [indices, updates], results, assignments: [...assigned] };
  });
}

const names = (steps: readonly ProgramStep[]): string[] =>
  steps.map((step) => (step.kind === "call" ? step.kernel.name : step.kind));

const given = {
  indices: Int32Array.of(7, 2, 7),
  updates: Float32Array.from({ length: 12 }, (_, i) => i + 1),
};

/** What a whole copy would come out to. */
function expected(isAdded: boolean): Float32Array {
  const want = Float32Array.from({ length: rows * width }, (_, i) => i);
  given.indices.forEach((row, n) => {
    for (let c = 0; c < width; c++) {
      const before = isAdded ? want[row * width + c]! : 0;
      want[row * width + c] = before + given.updates[n * width + c]!;
    }
  });
  return want;
}

function run(fn: GraphFunction, state: State, isFused = true) {
  const program = compileProgram(fn, { target: wasmTarget, isFused });
  const value = (state.initial as Float32Array).slice();
  const { results, failure } = evaluateProgram(program, {
    inputs: [given.indices, given.updates],
    states: new Map([[state, value]]),
  });
  return { program, value, results, failure };
}

describe("a scatter that nothing but the commit needs", () => {
  for (const [name, op] of [
    ["scatter", scatter],
    ["scatterAdd", scatterAdd],
  ] as const) {
    it(`${name} writes its rows in the commit, after reads of the old value`, () => {
      const state = table();
      const fn = trace((indices, updates) => {
        const old = readState(state);
        assignState(state, op(old, indices, updates, 0));
        return [gather(old, indices, 0)];
      });
      for (const isFused of [true, false]) {
        const { program, value, results } = run(fn, state, isFused);
        expect(names(program.commit)).toEqual([`${name} rows of (50, 4)`]);
        expect(program.undo).toEqual([]);
        expect([...value]).toEqual([...expected(name === "scatterAdd")]);
        expect([...results[0]!.subarray(0, 4)]).toEqual([28, 29, 30, 31]);
      }
    });
  }

  it("moves bytes and holds memory by the rows, not by the table", () => {
    const costs = [1000, 1_000_000].map((count) => {
      const state = table(count);
      const fn = trace((indices, updates) => {
        const old = readState(state);
        assignState(state, scatterAdd(old, indices, add(updates, gather(old, indices, 0)), 0));
        return [];
      });
      const { bytes, arenaBytes } = describeProgram(compileProgram(fn, { target: wasmTarget }));
      return { bytes, arenaBytes };
    });
    expect(costs[1]).toEqual(costs[0]);
    expect(costs[0]!.bytes).toBeLessThan(1000);
  });
});

describe("a scatter whose result the step reads", () => {
  const build = (state: State) =>
    trace((indices, updates) => {
      const next = scatter(readState(state), indices, updates, 0);
      assignState(state, next);
      return [sum(next)];
    });

  it("writes its rows where it is computed, and the reader reads the state", () => {
    const state = table();
    for (const isFused of [true, false]) {
      const { program, value, results } = run(build(state), state, isFused);
      expect(names(program.commit)).toEqual([]);
      expect(program.undo.length).toBe(1);
      expect([...value]).toEqual([...expected(false)]);
      expect(results[0]![0]).toBe(expected(false).reduce((a, b) => a + b));
    }
  });

  it("puts the rows back when a check fails", () => {
    const state = table();
    const program = compileProgram(build(state), { target: wasmTarget });
    const value = (state.initial as Float32Array).slice();
    const inputs = [Int32Array.of(7, rows, 7), given.updates];
    const { failure } = evaluateProgram(program, { inputs, states: new Map([[state, value]]) });
    expect(failure).toMatchObject({ position: 1, value: rows });
    expect([...value]).toEqual([...(state.initial as Float32Array)]);
  });

  const devices: readonly Device[] = [createWasmDevice(), createWasmDevice({ threads: 2 }), ...nativeDevices];
  for (const device of devices) {
    it(`the same on ${device.name} with ${device.threads} thread(s)`, () => {
      const state = table();
      const before = [...(state.initial as Float32Array)];
      const executable = device.compile(build(state));
      const call = (indices: Int32Array) =>
        executable.run([
          { dtype: "i32", shape: [3], data: indices },
          { dtype: "f32", shape: [3, width], data: given.updates },
        ]);
      const [failed] = call(Int32Array.of(7, -1, 7));
      expect(() => failed!.readSync()).toThrow("scatter: indices into axis 0 of size 50 must be 0 … 49");
      expect([...device.readState(state)]).toEqual(before);
      const [total] = call(given.indices);
      expect(total!.readSync()[0]).toBe(expected(false).reduce((a, b) => a + b));
      expect([...device.readState(state)]).toEqual([...expected(false)]);
      executable.dispose();
    });
  }
});

describe("where both values are needed the whole table is copied", () => {
  const cases: [string, (state: State, indices: Node, updates: Node) => readonly Node[]][] = [
    [
      "the step returns the old value and reads the new one",
      (state, indices, updates) => {
        const old = readState(state);
        const next = scatterAdd(old, indices, updates, 0);
        assignState(state, next);
        return [old, sum(next)];
      },
    ],
    [
      "the update is of another shape of the table",
      (state, indices, updates) => {
        const turned = permute(readState(state), [1, 0]);
        assignState(state, permute(scatterAdd(turned, indices, permute(updates, [1, 0]), 1), [1, 0]));
        return [];
      },
    ],
  ];
  it.for(cases)("%s", ([, build]) => {
    const state = table();
    const { program, value } = run(
      trace((indices, updates) => build(state, indices, updates)),
      state,
    );
    expect(names(program.commit)).not.toContain("scatterAdd rows of (50, 4)");
    expect(program.undo).toEqual([]);
    expect([...value]).toEqual([...expected(true)]);
  });

  it("updates that are another state's old value", () => {
    const [a, b] = [table(3), table(3)];
    const fn = withTrace(new Trace("compiled"), () => {
      const [oldA, oldB] = [readState(a), readState(b)];
      const order = parameter({ shape: [3], dtype: "i32" });
      assignState(a, scatter(oldA, order, oldB, 0));
      assignState(b, scatter(oldB, order, oldA, 0));
      return { name: "step", parameters: [order], results: [], assignments: [...currentTrace().assigned] };
    });
    const values = [a, b].map((_, n) => Float32Array.from({ length: 12 }, (_, i) => 100 * n + i));
    const want = values.map((value) => [2, 0, 1].map((row) => [...value.subarray(4 * row, 4 * row + 4)]));
    evaluateProgram(compileProgram(fn, { target: wasmTarget }), {
      inputs: [Int32Array.of(1, 2, 0)],
      states: new Map([
        [a, values[0]!],
        [b, values[1]!],
      ]),
    });
    expect([...values[0]!]).toEqual(want[1]!.flat());
    expect([...values[1]!]).toEqual(want[0]!.flat());
  });
});
