/** Values that only rows need are computed by the kernel that walks them. */
import { describe, expect, test } from "vitest";
import { gradients } from "../autodiff/index.ts";
import type { Node } from "../graph/node.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import type { Program } from "../ir/program.ts";
import { wasmTarget } from "../ir/target.ts";
import { dot, layerNormalization, mul, parameter, rmsNormalization, sum } from "../ops/index.ts";
import { Numbers } from "../testing/numbers.ts";
import { evaluateProgram } from "../testing/program-evaluator.ts";
import { compileProgram } from "./compile.ts";

const [rows, columns] = [352, 48] as const;
const shapes = [[rows, 2], [2, columns], [columns], [columns], [columns, 2]] as const;

/** Gradients of a layer between two products. */
function programOf(layer: (x: Node, weight: Node, bias: Node) => Node, isFused = true): Program {
  return withTrace(new Trace("compiled"), () => {
    const parameters = shapes.map((shape, i) => parameter({ shape, dtype: "f32" }, `p${i}`));
    const [x, first, weight, bias, second] = parameters as [Node, Node, Node, Node, Node];
    const y = dot(layer(dot(x, first), weight, bias), second);
    const results = gradients(sum(mul(y, y)), [x, first, weight, bias, second], { allowUnused: true });
    return compileProgram(
      { name: "f", parameters, results, assignments: [] },
      { target: wasmTarget, isFused },
    );
  });
}

function resultsOf(program: Program): number[][] {
  const inputs = shapes.map((shape, i) => {
    const { data } = new Numbers(i + 1).array({ shape: [...shape], dtype: "f32" }, -1, 1);
    return Float32Array.from(data);
  });
  return evaluateProgram(program, { inputs }).results.map((values) => [...values]);
}

/** What kernels of rows and maps read and write, in arrays as large as all rows. */
const traffic = ({ compute }: Program): string[] =>
  compute.flatMap((step) => {
    if (step.kind !== "call" || !/^(row|map)/.test(step.kernel.name)) return [];
    const large = step.kernel.buffers.filter((_, i) => step.buffers[i]!.elements === rows * columns);
    const count = (access: string): number => large.filter((buffer) => buffer.access === access).length;
    return large.length === 0 ? [] : [`${count("read")} → ${count("write")}`];
  });

describe.each([
  ["layer norm", (x: Node, weight: Node, bias: Node) => layerNormalization(x, 1e-5, { weight, bias })],
  ["RMS norm", (x: Node, weight: Node) => rmsNormalization(x, 1e-5, { weight })],
] as const)("%s between products", (_, layer) => {
  test("keeps its input and numbers of the rows: each way one pass with one result", () => {
    expect(traffic(programOf(layer))).toEqual(["1 → 1", "2 → 1"]);
  });
  test("has the bits of ops that stand alone", () => {
    expect(resultsOf(programOf(layer))).toEqual(resultsOf(programOf(layer, false)));
  });
});
