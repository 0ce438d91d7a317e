/** Which kernels one after the other threads go through without waiting for each other, and that it changes no bit. */
import { describe, expect, it } from "vitest";
import { compileProgram } from "../../compiler/compile.ts";
import type { GraphFunction } from "../../graph/function.ts";
import type { Node } from "../../graph/node.ts";
import { Trace, withTrace } from "../../graph/trace.ts";
import type { Program, ProgramBuffer, ProgramStep } from "../../ir/program.ts";
import { x64Target } from "../../ir/target.ts";
import { verifyProgram } from "../../ir/verify-program.ts";
import { dot, parameter, relu } from "../../ops/index.ts";
import { createNativeDevice } from "../../runtime/x64-device.ts";
import { nativeDevices } from "../../testing/native-targets.ts";
import { joinLoops } from "./joined-loops.ts";

/** Layers of these widths one after the other; `between` is done to what each but the first reads. */
function layers(
  rows: number,
  widths: readonly number[],
  between: (x: Node) => Node = (x) => x,
): GraphFunction {
  return withTrace(new Trace("compiled"), () => {
    const x = parameter({ shape: [rows, widths[0]!], dtype: "f32" });
    const weights = widths
      .slice(1)
      .map((width, i) => parameter({ shape: [widths[i]!, width], dtype: "f32" }));
    const results = [weights.reduce<Node>((y, w, i) => dot(i > 0 ? between(y) : y, w), x)];
    return { name: "layers", parameters: [x, ...weights], results, assignments: [] };
  });
}

const compiled = (fn: GraphFunction, threads: number): Program =>
  compileProgram(fn, { target: { ...x64Target, threads } });

/** How many kernels each joined loop holds; 0 for a call by itself. */
const joinedIn = ({ compute, threads }: Program): number[] =>
  joinLoops(compute, threads, ({ kernel }) =>
    kernel.body.some((s) => s.kind === "loop" && s.mode === "parallel"),
  ).map((step) => (step.kind === "loop" ? step.body.length : 0));

describe("kernels that go on with each other's rows", () => {
  it("are one loop, which is proven as any other", () => {
    const program = compiled(layers(128, [128, 128, 192, 128]), 2);
    expect(joinedIn(program)).toEqual([3]);
    const compute = joinLoops(program.compute, 2, () => true);
    expect(() => verifyProgram({ ...program, compute })).not.toThrow();
  });

  it("with what is done to each result between them", () => {
    expect(joinedIn(compiled(layers(128, [128, 192, 128], relu), 2))).toEqual([2]);
  });

  it("are not where one reads other rows, too, or there is one thread", () => {
    const squared = withTrace(new Trace("compiled"), () => {
      const [x, w] = [0, 1].map(() => parameter({ shape: [128, 128], dtype: "f32" })) as [Node, Node];
      const y = dot(x, w);
      return { name: "squared", parameters: [x, w], results: [dot(y, y)], assignments: [] };
    });
    expect(joinedIn(compiled(squared, 2))).toEqual([0, 0]);
    expect(joinedIn(compiled(layers(128, [128, 128, 128]), 1))).toEqual([0, 0]);
  });

  it("are not where rows of one lie in the memory of other rows of the next", () => {
    const { compute, ...program } = compiled(layers(128, [128, 128, 128, 128]), 2);
    // What the third writes is put half a matrix into what the second reads.
    const [first, second, third] = compute as Extract<ProgramStep, { kind: "call" }>[];
    const written = (call: typeof first): ProgramBuffer =>
      call!.buffers[call!.kernel.buffers.findIndex(({ access }) => access === "write")]!;
    const placement = { kind: "arena", offset: 32 * 1024 } as const;
    const moved: ProgramBuffer = { ...written(third), placement };
    const buffers = third!.buffers.map((buffer) => (buffer === written(third) ? moved : buffer));
    expect(written(first).placement).toEqual({ kind: "arena", offset: 0 });
    const steps = [first!, second!, { ...third!, buffers }];
    expect(joinedIn({ ...program, compute: steps })).toEqual([2, 0]);
  });
});

const numbers = (count: number, seed: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898 + seed) / 4);

function run(fn: GraphFunction, threads: number): Float32Array {
  const executable = createNativeDevice({ threads, backgroundMs: Number.POSITIVE_INFINITY }).compile(fn);
  const inputs = fn.parameters.map(({ shape }, i) => {
    const sizes = shape as number[];
    return { dtype: "f32" as const, shape: sizes, data: numbers(sizes[0]! * sizes[1]!, i) };
  });
  let data = new Float32Array();
  // Which thread comes first differs from time to time.
  for (let time = 0; time < 5; time++) {
    const [result] = executable.run(inputs);
    data = (result!.readSync() as Float32Array).slice();
    result!.release();
  }
  executable.dispose();
  return data;
}

describe.skipIf(nativeDevices.length === 0)("the same bits on any number of threads", () => {
  it.each([
    { rows: 128, widths: [128, 128, 128, 128, 128] },
    { rows: 192, widths: [100, 300, 200, 300, 100, 300] },
    { rows: 96, widths: [256, 320, 64, 512, 256] },
  ])("$rows rows, widths $widths", ({ rows, widths }) => {
    const alone = run(layers(rows, widths, relu), 1);
    expect(alone.some((x) => x > 0)).toBe(true);
    for (const threads of [2, 3]) expect(run(layers(rows, widths, relu), threads)).toEqual(alone);
  });
});
