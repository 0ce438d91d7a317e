import { describe, expect, test } from "vitest";
import { dimension } from "../../base/size.ts";
import type { GraphFunction } from "../../graph/function.ts";
import type { DenseArray } from "../../graph/op.ts";
import { State } from "../../graph/state.ts";
import { currentTrace, Trace, withTrace } from "../../graph/trace.ts";
import {
  add,
  assignState,
  check,
  checkIndex,
  gather,
  greater,
  iota,
  like,
  mul,
  parameter,
  readState,
  scalar,
  scan,
  sum,
  zerosLike,
} from "../../ops/index.ts";
import { interpret } from "./interpret.ts";

const f32 = (...data: number[]): DenseArray => ({
  shape: [data.length],
  dtype: "f32",
  data: Float64Array.from(data),
});
const i32 = (...data: number[]): DenseArray => ({ ...f32(...data), dtype: "i32" });

/** What `build` traces: its nodes as results, the states it assigned. */
const traced = (build: () => Pick<GraphFunction, "parameters" | "results">): GraphFunction =>
  withTrace(new Trace("compiled"), () => ({
    name: "f",
    ...build(),
    assignments: [...currentTrace().assigned],
  }));

describe("interpret", () => {
  test("rounds every node to its dtype", () => {
    const fn = traced(() => {
      const x = parameter({ shape: [1], dtype: "f32" });
      return { parameters: [x], results: [add(x, like(x, 1e8))] };
    });
    expect([...interpret(fn, [f32(3)]).results[0]!.data]).toEqual([1e8]);
  });

  test("states: reads before an assignment keep the old value; the caller commits", () => {
    const count = new State("count", { shape: [], dtype: "f32" }, Float32Array.of(5));
    const fn = traced(() => {
      const before = readState(count);
      assignState(count, add(before, scalar(1, "f32")));
      return { parameters: [], results: [before, readState(count)] };
    });
    const first = interpret(fn, []);
    expect(first.results.map(({ data }) => data[0])).toEqual([5, 6]);
    expect(first.assigned.map(({ data }) => data[0])).toEqual([6]);
    const second = interpret(fn, [], { readState: () => first.assigned[0]! });
    expect(second.results.map(({ data }) => data[0])).toEqual([6, 7]);
  });

  test("reports the first check that failed, with its place and value", () => {
    const fn = traced(() => {
      const table = parameter({ shape: [3], dtype: "f32" });
      const at = parameter({ shape: [3], dtype: "i32" });
      const positive = check(table, greater(table, zerosLike(table)), "positive");
      return { parameters: [table, at], results: [gather(positive, checkIndex(at, 3, "0 … 2"), 0)] };
    });
    expect(interpret(fn, [f32(1, 2, 3), i32(2, 0, 1)]).failure).toBeUndefined();
    const outside = interpret(fn, [f32(1, 2, 3), i32(0, 7, -1)]);
    expect(outside.failure).toMatchObject({ position: 1, value: 7, node: { op: { name: "checkIndex" } } });
    const both = interpret(fn, [f32(1, -2, 3), i32(0, 7, -1)]);
    expect(both.failure).toMatchObject({ position: 1, value: -2, node: { op: { name: "check" } } });
  });

  test("reports checks inside a region", () => {
    const fn = traced(() => {
      const x = parameter({ shape: [3, 1], dtype: "f32" });
      const { stacked } = scan([], [x], (_, [slice]) => ({
        carry: [],
        stacked: [check(slice!, greater(slice!, zerosLike(slice!)), "positive")],
      }));
      return { parameters: [x], results: stacked };
    });
    const { failure } = interpret(fn, [{ shape: [3, 1], dtype: "f32", data: Float64Array.of(1, -4, 2) }]);
    expect(failure).toMatchObject({ position: 0, value: -4 });
  });

  test("reads dimensions off the inputs, or is given them", () => {
    const time = dimension("time", { min: 1, max: 9 });
    const fn = traced(() => {
      const x = parameter({ shape: [time], dtype: "f32" });
      return { parameters: [x], results: [sum(mul(x, iota([time], 0, "f32")))] };
    });
    expect(interpret(fn, [f32(1, 1, 1)]).results[0]!.data[0]).toBe(3);
    const counted = traced(() => ({ parameters: [], results: [iota([time], 0)] }));
    const { results } = interpret(counted, [], { dimensions: new Map([[time, 4]]) });
    expect([...results[0]!.data]).toEqual([0, 1, 2, 3]);
    expect(() => interpret(counted, [])).toThrow('dimension "time" has no value in this run');
  });

  test("refuses inputs that are not of their parameters' types", () => {
    const time = dimension("time", { min: 1, max: 9 });
    const fn = traced(() => {
      const x = parameter({ shape: [time, 2], dtype: "f32" }, "x");
      const y = parameter({ shape: [time, 2], dtype: "f32" }, "y");
      return { parameters: [x, y], results: [add(x, y)] };
    });
    const zeros = (shape: number[]): DenseArray => ({
      shape,
      dtype: "f32",
      data: new Float64Array(shape[0]! * 2),
    });
    expect(() => interpret(fn, [zeros([3, 2]), zeros([4, 2])])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: interpret: "y" is f32 (time, 2), got f32 (4, 2)]`,
    );
    expect(() =>
      interpret(fn, [zeros([3, 2]), { ...zeros([3, 2]), dtype: "i32" }]),
    ).toThrowErrorMatchingInlineSnapshot(`[ShapeError: interpret: "y" is f32 (time, 2), got i32 (3, 2)]`);
  });
});
