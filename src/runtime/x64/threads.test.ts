/** Any number of threads gives the same bits. */
import { describe, expect, it, vi } from "vitest";
import { byTier } from "../../../test/tier.ts";
import type { Node } from "../../graph/node.ts";
import { State } from "../../graph/state.ts";
import { Trace, withTrace } from "../../graph/trace.ts";
import {
  add,
  broadcastTo,
  div,
  dot,
  exp,
  expandAxes,
  parameter,
  readState,
  sub,
  sum,
  transpose,
} from "../../ops/index.ts";
import type { Device } from "../device.ts";
import { createNativeDevice } from "../x64-device.ts";
import { doctor } from "./doctor.ts";
import { requireNativeSystem } from "./system.ts";

const { isa, reasons } = doctor();
const [rows, depth, columns] = [253, 310, 187];

/** Products, rows divided by their sums, and the columns' sums, all large enough for several threads. */
const fn = withTrace(new Trace("compiled"), () => {
  const [x, y] = [
    parameter({ shape: [rows, depth], dtype: "f32" }),
    parameter({ shape: [depth, columns], dtype: "f32" }),
  ];
  const products = exp(dot(x, y));
  const shares = div(products, expandAxes(sum(products, 1), [1], [rows, columns]));
  const gram = dot(transpose(shares), shares);
  const shifted = add(gram, broadcastTo(sum(shares, 0), [columns, columns]));
  return { name: "threads", parameters: [x, y], results: [shares, gram, shifted], assignments: [] };
});

const numbers = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin((i + seed) * 12.9898) / 8);

function runs(device: Device, count: number): Float32Array[][] {
  const executable = device.compile(fn);
  const x = { dtype: "f32" as const, shape: [rows, depth], data: numbers(rows * depth, 1) };
  const y = { dtype: "f32" as const, shape: [depth, columns], data: numbers(depth * columns, 2) };
  const results = Array.from({ length: count }, () =>
    executable.run([x, y]).map((result) => result.readSync() as Float32Array),
  );
  executable.dispose();
  return results;
}

/** The values of states of many sizes after three steps that add a gradient, keep the mean of it, and exchange two states. */
function updates(device: Device, count: number): Float32Array[][] {
  const sizes = [90_000, ...Array.from({ length: 20 }, (_, i) => 4096 + 700 * i)];
  return Array.from({ length: count }, () => {
    const stateOf = (name: string, size: number): State =>
      new State(name, { shape: [size], dtype: "f32" }, numbers(size, size));
    const weights = sizes.map((size) => stateOf("weight", size));
    const means = sizes.map((size) => stateOf("mean", size));
    const [left, right] = [stateOf("left", 9000), stateOf("right", 9000)];
    const step = withTrace(new Trace("compiled"), () => {
      const gradients = sizes.map((size) => parameter({ shape: [size], dtype: "f32" }));
      const assignments = sizes.flatMap((_, i): [State, Node][] => {
        const mean = add(readState(means[i]!), gradients[i]!);
        return [
          [means[i]!, mean],
          [weights[i]!, sub(readState(weights[i]!), exp(mean))],
        ];
      });
      assignments.push([left, add(readState(right), readState(right))], [right, readState(left)]);
      return { name: "step", parameters: gradients, results: [], assignments };
    });
    const executable = device.compile(step);
    const given = sizes.map((size) => ({ dtype: "f32" as const, shape: [size], data: numbers(size, 1) }));
    for (let i = 0; i < 3; i++) executable.run(given);
    const values = [...weights, ...means, left, right].map((state) => device.readState(state).slice());
    executable.dispose();
    return values as Float32Array[];
  });
}

/** The first place where two runs differ in a bit, or undefined. */
function firstDifference(got: readonly Float32Array[], want: readonly Float32Array[]): string | undefined {
  for (const [r, values] of want.entries())
    for (let i = 0; i < values.length; i++)
      if (!Object.is(got[r]![i], values[i]))
        return `result ${r}, element ${i}: ${got[r]![i]}, not ${values[i]}`;
  return undefined;
}

describe("threads", () => {
  it("do not change a bit", { timeout: byTier(30_000, 300_000) }, (context) => {
    context.skip(isa === undefined, `machine code cannot run here: ${reasons.join("; ")}`);
    const [want] = runs(createNativeDevice(), 1);
    for (const threads of [2, 3, 4])
      for (const got of runs(createNativeDevice({ threads }), byTier(10, 1000)))
        expect(firstDifference(got, want!), `${threads} threads`).toBeUndefined();
    const [narrow] = runs(createNativeDevice({ isa: "avx2", threads: 3 }), 1);
    expect(firstDifference(narrow!, want!), "AVX2").toBeUndefined();
  });

  it("are waited for only once they are at work: some may never come", (context) => {
    context.skip(isa === undefined, `machine code cannot run here: ${reasons.join("; ")}`);
    const [want] = runs(createNativeDevice(), 1);
    const [wanted] = updates(createNativeDevice(), 1);
    const system = requireNativeSystem();
    const start = vi.spyOn(system, "startThread").mockReturnValue(0);
    try {
      for (const device of [
        createNativeDevice({ threads: 4 }),
        createNativeDevice({ threads: 4, isa: "avx2" }),
      ]) {
        expect(firstDifference(runs(device, 1)[0]!, want!)).toBeUndefined();
        expect(firstDifference(updates(device, 1)[0]!, wanted!)).toBeUndefined();
      }
      expect(start).toHaveBeenCalledTimes(6);
    } finally {
      start.mockRestore();
    }
  });

  it("update many states as they would one after the other", {
    timeout: byTier(30_000, 300_000),
  }, (context) => {
    context.skip(isa === undefined, `machine code cannot run here: ${reasons.join("; ")}`);
    const [want] = updates(createNativeDevice(), 1);
    for (const threads of [2, 4])
      for (const got of updates(createNativeDevice({ threads }), byTier(4, 200)))
        expect(firstDifference(got, want!), `${threads} threads`).toBeUndefined();
  });

  it("work again after they have slept", async (context) => {
    context.skip(isa === undefined, `machine code cannot run here: ${reasons.join("; ")}`);
    const device = createNativeDevice({ threads: 4 });
    const [want] = runs(device, 1);
    for (let i = 0; i < 5; i++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(firstDifference(runs(device, 1)[0]!, want!)).toBeUndefined();
    }
  });
});
