/** Every kernel class against the interpreter, run on the loop IR's definition. */
import { describe, expect, it } from "vitest";
import { gradients } from "../autodiff/index.ts";
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
  concat,
  div,
  dot,
  flip,
  full,
  gather,
  iota,
  lessEqual,
  mul,
  pad,
  parameter,
  permute,
  repeatWhile,
  reshape,
  scalar,
  scan,
  select,
  slice,
  sub,
  sum,
  transpose,
  windows,
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
        const found = got.results[r]!;
        const i = data.findIndex((x, at) => !(Math.abs(x - found[at]!) < 1e-5 * (1 + Math.abs(x))));
        if (i >= 0) expect.fail(`result ${r}[${i}] at ${value}: ${found[i]}, expected ${data[i]}`);
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

describe("placement and indices", () => {
  const indices = array({ dtype: "i32", shape: [2, 2], data: new Int32Array([2, 0, 2, 1]) });
  it("gather, and its gradient adds", () =>
    check(
      [
        [3, 5],
        [5, 3],
      ],
      (x, y) => [
        gather(x!, indices, 0),
        gather(y!, indices, 1),
        ...gradientOf(gather(x!, indices, 0), x!),
        ...gradientOf(gather(y!, indices, 1), y!),
      ],
    ));
  it("concat and its gradient", () =>
    check(
      [
        [3, 5],
        [3, 2],
      ],
      (x, y) => {
        const joined = concat([x!, y!], 1);
        return [joined, ...gradientOf(joined, x!, y!)];
      },
    ));
  it("windows and their gradient", () =>
    check([[2, 9]], (x) => {
      const seen = windows(x!, { axes: [1], sizes: [3], strides: [2], dilations: [1] } as never);
      return [seen, ...gradientOf(seen, x!)];
    }));
});

/** Gradients of the sum of squares. */
const gradientOf = (y: Node, ...x: Node[]): Node[] => gradients(sum(mul(y, y)), x);

describe("loops", () => {
  const cell = (w: Node) => (carry: readonly Node[], slices: readonly Node[]) => {
    const next = add(dot(carry[0]!, w), slices[0]!);
    const squashed = div(next, add(mul(next, next), full(next.shape, 1, "f32")));
    return { carry: [squashed], stacked: [squashed] };
  };
  const recurrent =
    (reverse: boolean): Build =>
    (x, h, w) => {
      const { carry, stacked } = scan([h!], [x!], cell(w!), { reverse });
      return [carry[0]!, stacked[0]!, ...gradientOf(add(sum(stacked[0]!), sum(carry[0]!)), x!, h!, w!)];
    };
  it("scan and its gradient", () =>
    check(
      [
        [6, 2, 4],
        [2, 4],
        [4, 4],
      ],
      recurrent(false),
    ));
  it("scan backwards", () =>
    check(
      [
        [6, 2, 4],
        [2, 4],
        [4, 4],
      ],
      recurrent(true),
    ));
  it("over slices of a permuted input", () =>
    check(
      [
        [2, 6, 4],
        [2, 4],
        [4, 4],
      ],
      (x, h, w) => [scan([h!], [permute(x!, [1, 0, 2])], cell(w!)).stacked[0]!],
    ));
  it("of a length known late", () => {
    const time = dimension("time", { min: 1, max: 9 });
    check(
      [
        [time, 2, 4],
        [2, 4],
        [4, 4],
      ],
      recurrent(false),
      [1, 4, 9],
    );
  });
  it("repeatWhile", () =>
    check([[3]], (x) => {
      const small = (carry: readonly Node[]): Node =>
        lessEqual(sum(mul(carry[0]!, carry[0]!)), scalar(100, "f32"));
      return repeatWhile([x!], small, (carry) => [mul(carry[0]!, full([3], 1.5, "f32"))], {
        max: 50,
      }) as Node[];
    }));
  it("nested", () =>
    check([[3, 4]], (x) => {
      const inner = (row: Node): Node =>
        scan([scalar(0, "f32")], [row], ([total], [value]) => ({
          carry: [add(mul(total!, scalar(0.5, "f32")), value!)],
        })).carry[0]!;
      return scan([scalar(0, "f32")], [x!], ([total], [row]) => {
        const next = add(total!, inner(row!));
        return { carry: [next], stacked: [next] };
      }).stacked as Node[];
    }));
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
