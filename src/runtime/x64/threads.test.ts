/** Any number of threads gives the same bits. */
import { describe, expect, it } from "vitest";
import { byTier } from "../../../test/tier.ts";
import { Trace, withTrace } from "../../graph/trace.ts";
import { add, broadcastTo, div, dot, exp, expandAxes, parameter, sum, transpose } from "../../ops/index.ts";
import type { Device } from "../device.ts";
import { createNativeDevice } from "../x64-device.ts";
import { doctor } from "./doctor.ts";

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

/** The first place where two runs differ in a bit, or undefined. */
function firstDifference(got: readonly Float32Array[], want: readonly Float32Array[]): string | undefined {
  for (const [r, values] of want.entries())
    for (let i = 0; i < values.length; i++)
      if (!Object.is(got[r]![i], values[i]))
        return `result ${r}, element ${i}: ${got[r]![i]}, not ${values[i]}`;
  return undefined;
}

describe("threads", () => {
  it("do not change a bit", (context) => {
    context.skip(isa === undefined, `machine code cannot run here: ${reasons.join("; ")}`);
    const [want] = runs(createNativeDevice(), 1);
    for (const threads of [2, 3, 4])
      for (const got of runs(createNativeDevice({ threads }), byTier(20, 1000)))
        expect(firstDifference(got, want!), `${threads} threads`).toBeUndefined();
    const [narrow] = runs(createNativeDevice({ isa: "avx2", threads: 3 }), 1);
    expect(firstDifference(narrow!, want!), "AVX2").toBeUndefined();
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
