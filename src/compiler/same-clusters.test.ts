import { describe, expect, test, vi } from "vitest";
import type { GraphFunction } from "../graph/function.ts";
import type { Node } from "../graph/node.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import { wasmTarget } from "../ir/target.ts";
import {
  add,
  broadcastTo,
  dot,
  expandAxes,
  mul,
  parameter,
  scalar,
  sub,
  sum,
  transpose,
} from "../ops/index.ts";
import { createWasmDevice } from "../runtime/wasm-device.ts";
import { deviceTarget, interpreterTarget } from "../testing/evaluation-target.ts";
import { Numbers } from "../testing/numbers.ts";
import { lowerProgram } from "./lower-program.ts";
import { SameClusters } from "./same-clusters.ts";

const shape = [24, 40];
const like = (value: number): Node => broadcastTo(scalar(value, "f32"), shape);
const sumOfRows = (x: Node): Node => expandAxes(sum(x, 1), [1], shape);

function functionOf(body: (x: Node, y: Node) => Node[]): GraphFunction {
  return withTrace(new Trace("compiled"), () => {
    const parameters = ["x", "y"].map((name) => parameter({ shape, dtype: "f32" }, name));
    return { name: "f", parameters, results: body(parameters[0]!, parameters[1]!), assignments: [] };
  });
}

/** Clusters that were lowered, of all; and the kernels of the calls. */
function lowered(fn: GraphFunction) {
  let [all, own] = [0, 0];
  const { lower } = SameClusters.prototype;
  const spy = vi.spyOn(SameClusters.prototype, "lower").mockImplementation(function (
    this: SameClusters,
    request,
    lowerIt,
  ) {
    all++;
    return lower.call(this, request, (host) => {
      own++;
      return lowerIt(host);
    });
  });
  const { compute } = lowerProgram(fn, { target: wasmTarget, isFused: true });
  spy.mockRestore();
  const calls = compute.flatMap((step) => (step.kind === "call" ? [step] : []));
  return { all, own, calls };
}

/** Sums in another order: equal to a few units in the last place. */
function expectRight(fn: GraphFunction): void {
  const numbers = new Numbers(3);
  const inputs = fn.parameters.map(() => numbers.array({ shape, dtype: "f32" }, -1, 1));
  const got = deviceTarget(createWasmDevice()).evaluate(fn, inputs);
  const want = interpreterTarget.evaluate(fn, inputs);
  const errors = want.map(({ data }, r) =>
    Math.max(...Array.from(data, (value, i) => Math.abs(value - got[r]!.data[i]!))),
  );
  expect(Math.max(...errors)).toBeLessThan(1e-5);
}

test("rows of other memory: one kernel, called with each", () => {
  const fn = functionOf((x, y) => [sub(x, sumOfRows(x)), sub(y, sumOfRows(y))]);
  const { all, own, calls } = lowered(fn);
  expect([all, own]).toEqual([2, 1]);
  expect(calls[1]!.kernel).toBe(calls[0]!.kernel);
  expect(calls.map(({ buffers }) => buffers.map(({ name }) => name))).toEqual([
    ["input0", "result0"],
    ["input1", "result1"],
  ]);
  expectRight(fn);
});

test("contractions with tails share their packing, each in memory of its own", () => {
  const fn = functionOf((x, y) =>
    [x, y].map((z) => add(dot(z, transpose(z)), broadcastTo(scalar(0.5, "f32"), [24, 24]))),
  );
  const { all, own, calls } = lowered(fn);
  expect([all, own]).toEqual([2, 1]);
  expect(new Set(calls.map(({ kernel }) => kernel)).size).toBe(calls.length / 2);
  expectRight(fn);
});

describe("what looks alike and is not", () => {
  const pairs: Record<string, (x: Node, y: Node) => Node[]> = {
    "another constant": (x, y) => [mul(x, like(2)), mul(y, like(3))],
    "−0": (x, y) => [mul(x, like(0)), mul(y, like(-0))],
    "one buffer read twice, or two": (x, y) => [mul(x, sub(x, like(1))), mul(x, sub(y, like(1)))],
    "the order of operands": (x, y) => [sub(x, sumOfRows(x)), sub(sumOfRows(y), y)],
    "another view": (x, y) => [
      add(x, broadcastTo(expandAxes(sum(y, 1), [1], [24, 1]), shape)),
      add(x, broadcastTo(expandAxes(sum(y, 0), [0], [1, 40]), shape)),
    ],
  };
  test.each(Object.entries(pairs))("%s", (_, body) => {
    const fn = functionOf(body);
    const { all, own } = lowered(fn);
    expect(own).toBe(all);
    expect(all).toBeGreaterThan(1);
    expectRight(fn);
  });
});
