/** Loops of independent iterations one in the other: threads share the iterations of both, and results lie where they are wanted. */
import { describe, expect, it } from "vitest";
import type { GraphFunction } from "../graph/function.ts";
import type { Node } from "../graph/node.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import type { ProgramStep } from "../ir/program.ts";
import { wasmTarget } from "../ir/target.ts";
import { add, dot, mul, parameter, reshape, scan } from "../ops/index.ts";
import { createWasmDevice } from "../runtime/wasm-device.ts";
import { createNativeDevice } from "../runtime/x64-device.ts";
import { nativeDevices } from "../testing/native-targets.ts";
import { compileProgram } from "./compile.ts";

const [heads, blocks, rows, width] = [3, 5, 64, 64];

/** x·(x + y) of each block of x (heads, blocks, …) with the head's y. */
function nested(also: (product: Node, x: Node) => Node = (product) => product): GraphFunction {
  return withTrace(new Trace("compiled"), () => {
    const x = parameter({ shape: [heads, blocks, rows, width], dtype: "f32" }, "x");
    const y = parameter({ shape: [heads, rows, width], dtype: "f32" }, "y");
    const { stacked } = scan([], [x, y], (_, [ofHead, own]) => {
      const inner = scan([], [ofHead!], (_, [block]) => ({
        carry: [],
        stacked: [dot(block!, add(block!, own!))],
      }));
      return { carry: [], stacked: [also(inner.stacked[0]!, ofHead!)] };
    });
    const result = reshape(stacked[0]!, [heads * blocks * rows, width]);
    return { name: "nested", parameters: [x, y], results: [result], assignments: [] };
  });
}

const outline = (steps: readonly ProgramStep[]): unknown[] =>
  steps.map((step) =>
    step.kind === "loop" ? [step.isParallel ? "parallel" : "serial", ...outline(step.body)] : step.kind,
  );

describe("a scan that is all of another one's body", () => {
  const target = { ...wasmTarget, threads: 2 };

  it("is shared together with it, and stores its results where the function wants them", () => {
    const { compute, arenaBytes } = compileProgram(nested(), { target });
    expect(outline(compute)).toEqual([["parallel", ["parallel", "call", "call"]]]);
    // No place for the stacks of either loop.
    expect(arenaBytes).toBeLessThan(4 * blocks * rows * width);
  });

  it("is not where the outer one does more", () => {
    const { compute } = compileProgram(
      nested((product, x) => mul(product, x)),
      { target: { ...target, threads: 3 } },
    );
    expect(outline(compute)).toEqual([["parallel", ["serial", "call", "call"], "call"]]);
  });
});

describe("gives the same bits on any number of threads", () => {
  const input = (count: number, seed: number): Float32Array =>
    Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898 + seed));
  const run = (device: ReturnType<typeof createWasmDevice>): number[] => {
    const executable = device.compile(nested());
    const [result] = executable.run([
      { dtype: "f32", shape: [heads, blocks, rows, width], data: input(heads * blocks * rows * width, 1) },
      { dtype: "f32", shape: [heads, rows, width], data: input(heads * rows * width, 2) },
    ]);
    const bits = [...new Uint32Array((result!.readSync() as Float32Array).slice().buffer)];
    executable.dispose();
    return bits;
  };

  it("of WebAssembly", () => {
    expect(run(createWasmDevice({ threads: 3 }))).toEqual(run(createWasmDevice()));
  });
  it.runIf(nativeDevices.length > 0)("of machine code", () => {
    const [one, two, four] = [1, 2, 4].map((threads) => run(createNativeDevice({ threads })));
    expect(two).toEqual(one);
    expect(four).toEqual(one);
  });
});
