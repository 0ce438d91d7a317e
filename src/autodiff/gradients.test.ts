import { describe, expect, test } from "vitest";
import { Dimension } from "../base/size.ts";
import { interpret } from "../codegen/interpreter/index.ts";
import { type Node, topologicalOrder } from "../graph/node.ts";
import type { DenseArray } from "../graph/op.ts";
import { State } from "../graph/state.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import {
  add,
  assignState,
  cast,
  dot,
  full,
  like,
  mul,
  parameter,
  readState,
  scalar,
  sliceAxis,
  sum,
  transpose,
} from "../ops/index.ts";
import { gradients } from "./gradients.ts";
import { jvp } from "./vjp.ts";

const vector = (...data: number[]): DenseArray => ({
  shape: [data.length],
  dtype: "f64",
  data: Float64Array.from(data),
});

const run = (parameters: readonly Node[], results: readonly Node[], inputs: readonly DenseArray[]) =>
  interpret({ name: "test", parameters, results, assignments: [] }, inputs).results.map((r) => [...r.data]);

/** Tests build in a trace of their own, so that no state leaks from one to the next. */
const traced = <R>(body: () => R): R => withTrace(new Trace("compiled"), body);

const messageOf = (body: () => unknown): string => {
  try {
    body();
  } catch (error) {
    return (error as Error).message.replace(/[^ ]*\/([\w.]+):\d+:\d+/g, "$1");
  }
  return "no error";
};

test("gradients of gradients", () =>
  traced(() => {
    const x = parameter({ shape: [3], dtype: "f64" });
    const cube = mul(mul(x, x), x);
    const [first] = gradients(sum(cube), [x]);
    const [second] = gradients(sum(first!), [x]);
    expect(run([x], [first!, second!], [vector(1, 2, -3)])).toEqual([
      [3, 12, 27],
      [6, 12, -18],
    ]);
  }));

test("a matrix product, and jvp as vjp of vjp", () =>
  traced(() => {
    const a = parameter({ shape: [2, 3], dtype: "f64" }, "a");
    const b = parameter({ shape: [3, 2], dtype: "f64" }, "b");
    const y = dot(a, b);
    const [da, db] = gradients(sum(mul(y, y)), [a, b]);
    expect(da!.shape).toEqual([2, 3]);
    expect(db!.shape).toEqual([3, 2]);
    const [moved] = jvp([y], [a], [like(a, 1)]);
    const values = [
      { shape: [2, 3], dtype: "f64", data: Float64Array.of(1, 2, 3, 4, 5, 6) },
      { shape: [3, 2], dtype: "f64", data: Float64Array.of(1, 0, 2, 1, 0, 1) },
    ] as const;
    const twice = (n: Node) => mul(like(n, 2), n);
    const formula = [dot(twice(y), transpose(b)), dot(transpose(a), twice(y)), dot(like(a, 1), b)];
    const [...got] = run([a, b], [da!, db!, moved!, ...formula], values);
    expect(got.slice(0, 3)).toEqual(got.slice(3));
  }));

test("sizes known late", () =>
  traced(() => {
    const time = new Dimension("time", { min: 1, max: 8 });
    const x = parameter({ shape: [time], dtype: "f64" });
    const [dx] = gradients(sum(mul(x, x)), [x]);
    expect(run([x], [dx!], [vector(1, 2)])).toEqual([[2, 4]]);
    expect(run([x], [dx!], [vector(1, 2, 3)])).toEqual([[2, 4, 6]]);
  }));

test("a cotangent, and what is not used", () =>
  traced(() => {
    const x = parameter({ shape: [2], dtype: "f64" });
    const unused = parameter({ shape: [2], dtype: "f64" }, "hidden.bias");
    const y = mul(x, x);
    const [dx, zero] = gradients(y, [x, unused], { cotangent: like(y, 10), allowUnused: true });
    expect(run([x], [dx!, zero!], [vector(1, 2)])).toEqual([
      [20, 40],
      [0, 0],
    ]);
    expect(messageOf(() => gradients(sum(y), [unused]))).toMatchInlineSnapshot(
      `"gradients: the loss (at gradients.test.ts) does not depend on parameter "hidden.bias" (2,); leave it out, or pass { allowUnused: true } for zeros"`,
    );
  }));

test("losses and targets that have no gradient", () =>
  traced(() => {
    const x = parameter({ shape: [2], dtype: "f32" }, "x");
    const labels = parameter({ shape: [2], dtype: "i32" }, "labels");
    expect(messageOf(() => gradients(mul(x, x), [x]))).toMatchInlineSnapshot(
      `"gradients: the loss has shape (2,) (at gradients.test.ts), not (); take its mean or sum, or pass a cotangent"`,
    );
    expect(messageOf(() => gradients(sum(labels), [x]))).toMatchInlineSnapshot(
      `"gradients: the loss is i32 () (at gradients.test.ts); only floats have gradients"`,
    );
    expect(messageOf(() => gradients(sum(cast(labels, "f32")), [labels]))).toMatchInlineSnapshot(
      `"gradients: parameter "labels" is i32 (2,); only floats have gradients"`,
    );
    expect(messageOf(() => gradients(sum(cast(labels, "f32")), [x]))).toMatchInlineSnapshot(
      `"gradients: the loss (at gradients.test.ts) does not depend on parameter "x" (2,); leave it out, or pass { allowUnused: true } for zeros"`,
    );
  }));

test("states: the values that the loss read", () =>
  traced(() => {
    const weight = new State("weight", { shape: [], dtype: "f64" }, Float64Array.of(3));
    const w = readState(weight);
    const loss = mul(w, w);
    const [before] = gradients(loss, [weight]);
    assignState(weight, add(w, scalar(1, "f64")));
    expect(messageOf(() => gradients(loss, [weight]))).toMatchInlineSnapshot(
      `"gradients: state "weight" was assigned at gradients.test.ts, after the loss read it at gradients.test.ts; take the gradient before the assignment"`,
    );
    const current = readState(weight);
    const [after] = gradients(mul(current, current), [weight]);
    expect(run([], [before!, after!], [])).toEqual([[6], [8]]);
  }));

describe("parts of an axis", () => {
  const named = (node: Node, name: string): Node[] =>
    topologicalOrder([node]).filter(({ op }) => op.name === name);
  const part = (x: Node, start: number, size: number, by: number): Node => {
    const taken = sliceAxis(x, 1, start, size);
    return sum(mul(taken, mul(taken, full(taken.shape, by, "f64"))));
  };
  const rows = [1, 2, 3, 4, 5, 6].map((n) => n / 2);
  const input: DenseArray = { shape: [1, 6], dtype: "f64", data: Float64Array.from(rows) };

  test("that lie side by side are put together, not padded and added", () =>
    traced(() => {
      const x = parameter({ shape: [1, 6], dtype: "f64" }, "x");
      const loss = add(add(part(x, 2, 3, 10), part(x, 0, 2, 1)), part(x, 5, 1, 100));
      const [dx] = gradients(loss, [x]);
      expect(named(dx!, "pad")).toEqual([]);
      expect(named(dx!, "concat").map(({ inputs }) => inputs.length)).toEqual([3]);
      expect(run([x], [dx!], [input])).toEqual([rows.map((n, i) => 2 * n * [1, 1, 10, 10, 10, 100][i]!)]);
      const [ddx] = gradients(sum(mul(dx!, dx!)), [x]);
      const squares = [1, 1, 10, 10, 10, 100].map((by) => 8 * by * by);
      expect(run([x], [ddx!], [input])).toEqual([rows.map((n, i) => n * squares[i]!)]);
    }));

  test("with gaps, or that overlap, come out as sums do", () =>
    traced(() => {
      const x = parameter({ shape: [1, 6], dtype: "f64" }, "x");
      const apart = gradients(add(part(x, 0, 1, 1), part(x, 3, 2, 10)), [x])[0]!;
      expect(run([x], [apart], [input])).toEqual([rows.map((n, i) => 2 * n * [1, 0, 0, 10, 10, 0][i]!)]);
      const overlapping = add(add(part(x, 0, 4, 1), part(x, 3, 3, 10)), part(x, 1, 1, 100));
      const both = gradients(overlapping, [x])[0]!;
      expect(run([x], [both], [input])).toEqual([rows.map((n, i) => 2 * n * [1, 101, 1, 11, 10, 10][i]!)]);
      const other = add(part(x, 0, 3, 1), sum(mul(sliceAxis(x, 0, 0, 1), x)));
      expect(run([x], gradients(other, [x]), [input])).toEqual([rows.map((n, i) => 2 * n * (i < 3 ? 2 : 1))]);
    }));
});
