import { describe, expect, test } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { Dimension } from "../base/size.ts";
import { interpret } from "../codegen/interpreter/index.ts";
import type { Node } from "../graph/node.ts";
import type { DenseArray } from "../graph/op.ts";
import { State } from "../graph/state.ts";
import { currentTrace, Trace, withTrace } from "../graph/trace.ts";
import {
  add,
  array,
  assignState,
  dot,
  full,
  iota,
  less,
  mul,
  parameter,
  readState,
  repeatWhile,
  reshape,
  scalar,
  scan,
  sliceAxis,
  sub,
  sum,
  tanh,
} from "./index.ts";

const f64 = (shape: number[], ...data: number[]): DenseArray => ({
  shape,
  dtype: "f64",
  data: Float64Array.from(data),
});
const traced = <R>(body: () => R): R => withTrace(new Trace("compiled"), body);
const run = (
  parameters: readonly Node[],
  results: readonly Node[],
  inputs: readonly DenseArray[],
): number[][] =>
  interpret(
    { name: "test", parameters, results, assignments: [...currentTrace().assigned] },
    inputs,
  ).results.map((r) => [...r.data]);

/** Running sums along the first axis. */
const runningSum = (x: Node, reverse = false): Node =>
  scan(
    [full(x.shape.slice(1), 0, x.dtype)],
    [x],
    ([total], [slice]) => {
      const next = add(total!, slice!);
      return { carry: [next], stacked: [next] };
    },
    { reverse },
  ).stacked[0]!;

describe("scan", () => {
  test("carries and stacks, both ways", () =>
    traced(() => {
      const x = parameter({ shape: [4], dtype: "f64" });
      const [forward, backward] = run([x], [runningSum(x), runningSum(x, true)], [f64([4], 1, 2, 3, 4)]);
      expect(forward).toEqual([1, 3, 6, 10]);
      expect(backward).toEqual([10, 9, 7, 4]);
    }));

  test("over no slices the carry is what it was", () =>
    traced(() => {
      const x = parameter({ shape: [0], dtype: "f64" });
      const { carry, stacked } = scan([scalar(7, "f64")], [x], ([c], [s]) => ({
        carry: [add(c!, s!)],
        stacked: [s!],
      }));
      expect(run([x], [...carry, ...stacked], [f64([0])])).toEqual([[7], []]);
    }));

  test("a length known late", () =>
    traced(() => {
      const time = new Dimension("time", { min: 0, max: 9 });
      const x = parameter({ shape: [time], dtype: "f64" });
      const total = runningSum(x);
      const [dx] = gradients(sum(mul(total, total)), [x]);
      expect(run([x], [total, dx!], [f64([2], 1, 2)])).toEqual([
        [1, 3],
        [8, 6],
      ]);
      expect(run([x], [total, dx!], [f64([1], 5)])).toEqual([[5], [10]]);
    }));

  test("a range runs the iterations inside, both ways and backward", () =>
    traced(() => {
      const x = parameter({ shape: [5], dtype: "f64" });
      const range = parameter({ shape: [2], dtype: "i32" }, "range");
      const total = (reverse: boolean) =>
        scan(
          [scalar(10, "f64")],
          [x],
          ([sum], [slice]) => {
            const next = add(sum!, mul(slice!, slice!));
            return { carry: [next], stacked: [next] };
          },
          { reverse, range },
        );
      const [forward, backward] = [total(false), total(true)];
      const losses = [forward, backward].map(({ carry, stacked }) => add(carry[0]!, sum(stacked[0]!)));
      const slopes = losses.map((loss) => gradients(loss, [x])[0]!);
      const results = [forward.carry[0]!, forward.stacked[0]!, backward.stacked[0]!, ...slopes];
      const of = (first: number, end: number) =>
        run([x, range], results, [
          f64([5], 1, 2, 3, 4, 5),
          { shape: [2], dtype: "i32", data: Float64Array.of(first, end) },
        ]);
      expect(of(1, 3)).toEqual([
        [23],
        [0, 14, 23, 0, 0],
        [0, 0, 35, 26, 0],
        [0, 12, 12, 0, 0],
        [0, 0, 12, 24, 0],
      ]);
      expect(of(-3, 1).slice(0, 2)).toEqual([[11], [11, 0, 0, 0, 0]]);
      expect(of(4, 9).slice(0, 2)).toEqual([[35], [0, 0, 0, 0, 35]]);
      expect(of(2, 2)[0]).toEqual([10]);
      expect(() => scan([], [x], () => ({ carry: [] }), { range: x })).toThrow(
        "scan: a range is i32 of shape (2), first and end, got f64 (5,)",
      );
    }));

  test("the gradient is that of the unrolled loop, to second order", () =>
    traced(() => {
      const [T, C] = [3, 2];
      const x = parameter({ shape: [T, C], dtype: "f64" }, "x");
      const w = parameter({ shape: [C, C], dtype: "f64" }, "w");
      const h = parameter({ shape: [1, C], dtype: "f64" }, "h");
      const step = (state: Node, slice: Node, weight: Node): Node =>
        tanh(add(dot(state, weight), reshape(slice, [1, C])));
      const looped = scan([h], [x], ([state], [slice]) => {
        const next = step(state!, slice!, w);
        return { carry: [next], stacked: [mul(next, next)] };
      });
      let state = h;
      let squares: Node = scalar(0, "f64");
      for (let t = 0; t < T; t++) {
        state = step(state, sliceAxis(x, 0, t, 1), w);
        squares = add(squares, sum(mul(state, state)));
      }
      const losses = [add(sum(looped.carry[0]!), sum(looped.stacked[0]!)), add(sum(state), squares)];
      const first = losses.map((loss) => gradients(loss, [x, w, h]));
      const second = first.map(([dx, dw, dh]) =>
        gradients(add(sum(mul(dx!, dx!)), add(sum(mul(dw!, dw!)), sum(dh!))), [x, w, h]),
      );
      const values = [
        f64([T, C], 0.1, -0.2, 0.3, 0.5, -0.7, 0.2),
        f64([C, C], 0.3, -0.4, 0.8, 0.5),
        f64([1, C], 0.6, -0.1),
      ];
      const all = [...losses, ...first.flat(), ...second.flat()];
      const got = run([x, w, h], all, values);
      const close = (a: number[], b: number[]): void => {
        expect(a.map((v, i) => Math.abs(v - b[i]!) < 1e-12)).toEqual(b.map(() => true));
      };
      close(got[0]!, got[1]!);
      for (const i of [0, 1, 2]) {
        close(got[2 + i]!, got[5 + i]!);
        close(got[8 + i]!, got[11 + i]!);
      }
    }));

  test("a scan in a scan", () =>
    traced(() => {
      const x = parameter({ shape: [2, 3], dtype: "f64" }, "x");
      const k = parameter({ shape: [], dtype: "f64" }, "k");
      // Σ over rows of Π over columns of (k · x)
      const { carry } = scan([scalar(0, "f64")], [x], ([total], [row]) => {
        const inner = scan([scalar(1, "f64")], [row!], ([p], [v]) => ({ carry: [mul(p!, mul(k, v!))] }));
        return { carry: [add(total!, inner.carry[0]!)] };
      });
      const [dx, dk] = gradients(carry[0]!, [x, k]);
      const [ddk] = gradients(dk!, [k]);
      expect(run([x, k], [carry[0]!, dx!, dk!, ddk!], [f64([2, 3], 1, 2, 3, 4, 5, 6), f64([], 2)])).toEqual([
        [8 * 126],
        [48, 24, 16, 240, 192, 160],
        [12 * 126],
        [12 * 126],
      ]);
    }));

  test("states are carried, and what is only read is read once", () =>
    traced(() => {
      const state = (name: string, value: number) =>
        new State(name, { shape: [], dtype: "f64" }, Float64Array.of(value));
      const [count, step] = [state("count", 10), state("step", 3)];
      const { stacked } = scan(
        [],
        [],
        () => {
          const before = readState(count);
          assignState(count, add(before, readState(step)));
          return { carry: [], stacked: [before] };
        },
        { length: 3 },
      );
      expect(run([], [stacked[0]!, readState(count)], [])).toEqual([[10, 13, 16], [19]]);
    }));

  test("what cannot be", () =>
    traced(() => {
      const x = parameter({ shape: [3, 2], dtype: "f32" });
      const y = parameter({ shape: [4, 2], dtype: "f32" });
      const zero = scalar(0, "f32");
      const place = (message: string) => message.replace(/ \(at [^)]*\)/, "");
      const messageOf = (body: () => unknown): string => {
        try {
          body();
        } catch (error) {
          return place((error as Error).message);
        }
        return "no error";
      };
      expect(messageOf(() => scan([zero], [x], (_, [s]) => ({ carry: [s!] })))).toMatchInlineSnapshot(
        `"scan: carry 0 is f32 () at the start and f32 (2,) after the body; it must keep its shape and dtype"`,
      );
      expect(messageOf(() => scan([zero], [x, y], (c) => ({ carry: c })))).toMatchInlineSnapshot(
        `"scan: slices 1 have shape (4, 2), the length is 3"`,
      );
      expect(messageOf(() => scan([zero], [x], () => ({ carry: [] })))).toMatchInlineSnapshot(
        `"scan: 1 values are carried, the body gives 0"`,
      );
      expect(messageOf(() => scan([zero], [], (c) => ({ carry: c })))).toMatchInlineSnapshot(
        `"scan: needs slices or a length"`,
      );
    }));
});

describe("repeatWhile", () => {
  const doubled = (limit: Node, max: number): Node =>
    repeatWhile(
      [scalar(1, "f64")],
      ([p]) => less(p!, limit),
      ([p]) => [add(p!, p!)],
      { max },
    )[0]!;

  test("repeats while the condition holds, at most max times", () =>
    traced(() => {
      const limit = parameter({ shape: [], dtype: "f64" });
      expect(run([limit], [doubled(limit, 64), doubled(limit, 3)], [f64([], 100)])).toEqual([[128], [8]]);
      expect(run([limit], [doubled(limit, 64)], [f64([], 0)])).toEqual([[1]]);
    }));

  test("carries states", () =>
    traced(() => {
      const left = new State("left", { shape: [], dtype: "f64" }, Float64Array.of(5));
      const zero = scalar(0, "f64");
      const [sum] = repeatWhile(
        [zero],
        () => less(zero, readState(left)),
        ([total]) => {
          const now = readState(left);
          assignState(left, sub(now, scalar(1, "f64")));
          return [add(total!, now)];
        },
        { max: 100 },
      );
      expect(run([], [sum!, readState(left)], [])).toEqual([[15], [0]]);
    }));

  test("has no gradient, and says so", () =>
    traced(() => {
      const limit = parameter({ shape: [], dtype: "f64" });
      const [result] = repeatWhile(
        [limit],
        ([p]) => less(p!, limit),
        ([p]) => [add(p!, p!)],
        { max: 3 },
      );
      expect(() => gradients(result!, [limit])).toThrow(
        /repeatWhile.* has none, because the number of its iterations is not known; use scan/,
      );
    }));
});

test("constants and counters are built inside, not captured", () =>
  traced(() => {
    const table = array({ dtype: "f64", shape: [2], data: Float64Array.of(1, 2) });
    const { stacked } = scan(
      [],
      [],
      () => ({ carry: [], stacked: [add(add(iota([2], 0, "f64"), full([2], 1, "f64")), table)] }),
      { length: 2 },
    );
    expect(stacked[0]!.inputs[0]!.inputs).toEqual([table]);
    expect(run([], stacked, [])).toEqual([[2, 4, 2, 4]]);
  }));
