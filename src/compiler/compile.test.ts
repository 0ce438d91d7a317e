/** Every kernel class against the interpreter, run on the loop IR's definition. */
import { describe, expect, it } from "vitest";
import { Dimension, dimension, evaluateSize, type Size } from "../base/size.ts";
import { interpret } from "../codegen/interpreter/index.ts";
import type { Node } from "../graph/node.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import { wasmTarget } from "../ir/target.ts";
import {
  add,
  array,
  broadcastTo,
  cast,
  div,
  dot,
  flip,
  full,
  iota,
  lessEqual,
  mul,
  pad,
  parameter,
  permute,
  reshape,
  scalar,
  select,
  slice,
  sub,
  sum,
  transpose,
} from "../ops/index.ts";
import { evaluateProgram } from "../testing/program-evaluator.ts";
import { compileProgram } from "./compile.ts";

type Build = (...x: Node[]) => Node[];

/** Compiles and runs `build` on parameters of `shapes`, at the given values of dimensions, and compares. */
function check(shapes: Size[][], build: Build, values: readonly number[] = [0]): void {
  withTrace(new Trace("compiled"), () => {
    const parameters = shapes.map((shape, i) => parameter({ shape, dtype: "f32" }, `x${i}`));
    const fn = { name: "test", parameters, results: build(...parameters), assignments: [] };
    const program = compileProgram(fn, { target: wasmTarget });
    const dimensions = shapes.flat().filter((size) => size instanceof Dimension);
    for (const value of values) {
      const bound = new Map(dimensions.map((d) => [d, value]));
      const sizes = shapes.map((shape) => shape.map((size) => evaluateSize(size, bound)));
      const inputs = sizes.map((shape, s) => {
        const count = shape.reduce((a, b) => a * b, 1);
        return Float32Array.from({ length: count }, (_, i) => Math.sin(i * 12.9898 + s) * 2);
      });
      const dense = inputs.map((data, i) => ({
        shape: sizes[i]!,
        dtype: "f32" as const,
        data: Float64Array.from(data),
      }));
      const whole = inputs.map((data, i) => {
        const room = new Float32Array(program.inputs[i]!.elements);
        room.set(data);
        return room;
      });
      const got = evaluateProgram(program, { inputs: whole, dimensions: bound });
      const want = interpret(fn, dense, { dimensions: bound });
      want.results.forEach(({ data }, r) => {
        data.forEach((x, i) => {
          const y = got.results[r]![i]!;
          expect(Math.abs(x - y), `result ${r}[${i}] at ${value}: ${y}, expected ${x}`).toBeLessThan(
            1e-5 * (1 + Math.abs(x)),
          );
        });
      });
    }
  });
}

const keep = (x: Node, shape: Size[]): Node => broadcastTo(reshape(x, [shape[0]!, 1]), shape);

/** (x − mean) ÷ variance along rows: three stages. */
function standardized(x: Node, rows: Size, columns: number): Node[] {
  const shape = [rows, columns];
  const mean = div(keep(sum(x, 1), shape), full(shape, columns, "f32"));
  const centred = sub(x, mean);
  const variance = sum(mul(centred, centred), 1);
  return [div(centred, add(keep(variance, shape), full(shape, 1, "f32"))), variance];
}

describe("kernels", () => {
  it("maps", () =>
    check(
      [
        [32, 64],
        [32, 64],
      ],
      (x, y) => [mul(add(x!, y!), x!)],
    ));
  it("maps of scalars", () => check([[], []], (x, y) => [mul(x!, y!), add(x!, y!)]));
  it("long maps in blocks", () => check([[200_000]], (x) => [mul(x!, x!)]));
  it("broadcasts", () => check([[32, 64], [64]], (x, y) => [add(x!, broadcastTo(y!, [32, 64]))]));
  it("rows in stages", () => check([[32, 10]], (x) => standardized(x!, 32, 10)));
  it("columns", () => check([[32, 70]], (x) => [sum(x!, 0), sum(mul(x!, x!), 0)]));
  it("columns in stages", () =>
    check([[9, 21]], (x) => {
      const centred = sub(x!, broadcastTo(sum(x!, 0), [9, 21]));
      return [centred, sum(mul(centred, centred), 0)];
    }));
  it("full reductions", () => check([[33, 70]], (x) => [sum(mul(x!, x!)), sum(x!, 1)]));
  it("long sums in blocks", () => check([[40_000]], (x) => [sum(x!)]));
  it("long columns in blocks", () => check([[4000, 5]], (x) => [sum(x!, 0)]));
  it("middle axes", () => check([[3, 4, 5]], (x) => [sum(x!, 1), sum(x!, [0, 2]), permute(x!, [2, 0, 1])]));
  it("reshapes that need a copy", () =>
    check([[33, 70]], (x) => [transpose(x!), reshape(transpose(x!), [2310])]));
  it("counters, flips, slices, pads", () =>
    check([[6, 5]], (x) => [
      add(cast(iota([6, 5], 1), "f32"), flip(x!, 1)),
      mul(slice(x!, { start: [1, 0], shape: [2, 3], step: [2, 1] }), full([2, 3], 2, "f32")),
      pad(x!, { low: [1, 0], high: [2, 1], interior: [0, 1], value: 7 }),
      reshape(cast(transpose(iota([3, 2], 0)), "f32"), [6]),
    ]));
  it("constants where memory is needed", () =>
    check([[4, 3]], (x) => [
      dot(full([2, 4], 1, "f32"), x!),
      array({ dtype: "f32", shape: [2], data: new Float32Array([5, 6]) }),
    ]));
  it("results that are inputs, twice", () => check([[4, 3]], (x) => [x!, x!, transpose(x!)]));
  it("empty axes", () => check([[0, 3]], (x) => [sum(x!, 0), add(x!, x!), sum(x!)]));
});

describe("dimensions", () => {
  const batch = dimension("batch", { min: 1, max: 40 });
  const sizes = [1, 2, 7, 16, 33, 40];
  it("maps", () => check([[batch, 10], [10]], (x, y) => [mul(x!, broadcastTo(y!, [batch, 10]))], sizes));
  it("rows", () => check([[batch, 10]], (x) => standardized(x!, batch, 10), sizes));
  it("columns", () => check([[batch, 10]], (x) => [sum(x!, 0), sum(x!)], sizes));
  it("along the row", () => check([[10, batch]], (x) => [sum(x!, 1), sum(x!, 0)], sizes));
  it("products", () =>
    check(
      [
        [batch, 6],
        [6, 5],
      ],
      (x, w) => [dot(x!, w!)],
      sizes,
    ));
});

it("fuses a layer and its gradient", () => {
  check([[8, 20], [20, 12], [12]], (x, w, b) => {
    const z = add(dot(x!, w!), broadcastTo(b!, [8, 12]));
    const zero = full([8, 12], 0, "f32");
    const mask = lessEqual(z, zero);
    const loss = sum(select(mask, zero, z));
    const g = select(mask, zero, full([8, 12], 1, "f32"));
    return [loss, dot(transpose(x!), g), sum(g, 0), mul(loss, scalar(2, "f32"))];
  });
});
