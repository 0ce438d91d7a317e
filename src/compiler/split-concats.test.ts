import { expect, it } from "vitest";
import { interpret } from "../codegen/interpreter/index.ts";
import type { GraphFunction } from "../graph/function.ts";
import { type Node, topologicalOrder } from "../graph/node.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import { concat, customGradient, parameter, reshape, slice } from "../ops/index.ts";
import { splitConcats } from "./split-concats.ts";

function made(build: (a: Node, b: Node) => readonly Node[]): GraphFunction {
  return withTrace(new Trace("compiled"), () => {
    const [a, b] = ["a", "b"].map((name) => parameter({ shape: [2, 3], dtype: "f32" }, name)) as [Node, Node];
    return { name: "parts", parameters: [a, b], results: build(a, b), assignments: [] };
  });
}
const namesIn = ({ results }: GraphFunction): string[] => topologicalOrder(results).map(({ op }) => op.name);
const inputs = [0, 10].map((from) => ({
  shape: [2, 3],
  dtype: "f32" as const,
  data: Float64Array.from({ length: 6 }, (_, i) => from + i),
}));
const valuesOf = (fn: GraphFunction): number[][] =>
  interpret(fn, inputs).results.map(({ data }) => [...data]);

it("a part of what was put together is that part, through what changes gradients alone", () => {
  const fn = made((a, b) => {
    const flat = concat([reshape(a, [6]), reshape(b, [6])], 0);
    const all = customGradient(flat, [a, b], () => [null, null]);
    return [
      reshape(slice(all, { start: [6], shape: [6] }), [2, 3]),
      slice(slice(all, { start: [0], shape: [6] }), { start: [1], shape: [2] }),
    ];
  });
  const simpler = splitConcats(fn);
  expect(namesIn(simpler)).not.toContain("concat");
  expect(valuesOf(simpler)).toEqual([
    [10, 11, 12, 13, 14, 15],
    [1, 2],
  ]);
  expect(valuesOf(simpler)).toEqual(valuesOf(fn));
});

it("what reaches over two parts, or skips some, stays", () => {
  const over = made((a, b) => [slice(concat([a, b], 1), { start: [0, 2], shape: [2, 2] })]);
  expect(splitConcats(over)).toBe(over);
  const skipping = made((a, b) => [slice(concat([a, b], 1), { start: [0, 0], step: [1, 2], shape: [2, 2] })]);
  expect(splitConcats(skipping)).toBe(skipping);
  const rows = made((a, b) => [slice(concat([a, b], 1), { start: [1, 4], shape: [1, 2] })]);
  expect(namesIn(splitConcats(rows))).not.toContain("concat");
  expect(valuesOf(splitConcats(rows))).toEqual([[14, 15]]);
});
