import { expect, it } from "vitest";
import type { GraphFunction } from "../graph/function.ts";
import type { Node } from "../graph/node.ts";
import { State } from "../graph/state.ts";
import { currentTrace, Trace, withTrace } from "../graph/trace.ts";
import { printProgram } from "../ir/print.ts";
import { wasmTarget } from "../ir/target.ts";
import {
  add,
  assignState,
  broadcastTo,
  div,
  dot,
  full,
  mul,
  parameter,
  readState,
  scalar,
  sub,
  sum,
  transpose,
} from "../ops/index.ts";
import { evaluateProgram } from "../testing/program-evaluator.ts";
import { compileProgram } from "./compile.ts";

const state = (name: string, shape: number[], fill: number) =>
  new State(name, { shape, dtype: "f32" }, new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(fill));

function trace(build: () => { parameters: Node[]; results: Node[] }): GraphFunction {
  return withTrace(new Trace("compiled"), () => {
    const { parameters, results } = build();
    return { name: "step", parameters, results, assignments: [...currentTrace().assigned] };
  });
}

const valuesOf = (...states: State[]) => new Map(states.map((s) => [s, s.initial!]));

it("an optimizer's update is one kernel that writes the states", () => {
  const [w, m, v, t] = [
    state("w", [8, 4], 1),
    state("m", [8, 4], 0.5),
    state("v", [8, 4], 0.25),
    state("t", [], 0),
  ];
  const fn = trace(() => {
    const x = parameter({ shape: [2, 8], dtype: "f32" });
    const y = dot(x, readState(w));
    const g = dot(transpose(x), y);
    const like = (n: number) => full([8, 4], n, "f32");
    const count = add(readState(t), scalar(1, "f32"));
    assignState(t, count);
    const m2 = add(mul(readState(m), like(0.9)), mul(g, like(0.1)));
    const v2 = add(mul(readState(v), like(0.99)), mul(mul(g, g), like(0.01)));
    assignState(m, m2);
    assignState(v, v2);
    assignState(w, sub(readState(w), div(m2, add(v2, broadcastTo(count, [8, 4])))));
    return { parameters: [x], results: [sum(y)] };
  });
  const program = compileProgram(fn, { target: wasmTarget });
  expect(program.commit.map((step) => step.kind === "call" && step.kernel.name).length).toBe(2);
  const states = valuesOf(w, m, v, t);
  const x = Float32Array.from({ length: 16 }, (_, i) => i / 16);
  const { results } = evaluateProgram(program, { inputs: [x], states });
  expect(states.get(t)![0]).toBe(1);
  expect(states.get(m)![0]).toBeCloseTo(0.45 + 0.1 * g00(x), 5);
  expect(results[0]![0]).toBeCloseTo(4 * x.reduce((a, b) => a + b), 4);
});
const g00 = (x: Float32Array) => {
  const y = [0, 1].map((b) => x.slice(b * 8, b * 8 + 8).reduce((a, c) => a + c));
  return x[0]! * y[0]! + x[8]! * y[1]!;
};

it("states that swap read both old values first", () => {
  const [a, b] = [state("a", [4], 1), state("b", [4], 2)];
  const fn = trace(() => {
    const old = readState(a);
    assignState(a, readState(b));
    assignState(b, old);
    return { parameters: [], results: [] };
  });
  const states = valuesOf(a, b);
  evaluateProgram(compileProgram(fn, { target: wasmTarget }), { inputs: [], states });
  expect([...states.get(a)!, ...states.get(b)!]).toEqual([2, 2, 2, 2, 1, 1, 1, 1]);
});

it("updates that read each other's state do not see new values", () => {
  const [a, b] = [state("a", [4], 1), state("b", [4], 2)];
  const fn = trace(() => {
    const [oldA, oldB] = [readState(a), readState(b)];
    assignState(a, add(oldA, transposeless(oldB)));
    assignState(b, add(oldB, transposeless(oldA)));
    return { parameters: [], results: [] };
  });
  const transposeless2 = printProgram(compileProgram(fn, { target: wasmTarget }));
  void transposeless2;
  const states = valuesOf(a, b);
  evaluateProgram(compileProgram(fn, { target: wasmTarget }), { inputs: [], states });
  expect([states.get(a)![0], states.get(b)![0]]).toEqual([3, 3]);
});
const transposeless = (x: Node) => x;
