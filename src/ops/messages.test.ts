/** Whole messages of the type rules: what came, which rule broke, what to do. */
import { expect, test } from "vitest";
import type { DType } from "../base/dtype.ts";
import { dimension } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import { State } from "../graph/state.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import * as ops from "./index.ts";

const x = (shape: readonly (number | ReturnType<typeof dimension>)[], dtype: DType = "f32"): Node =>
  ops.parameter({ shape, dtype });

/** The message without the place it was thrown at. */
function messageOf(build: () => unknown): string {
  try {
    withTrace(new Trace("compiled"), build);
  } catch (error) {
    return (error as Error).message.replace(/ \(at [^)]*messages\.test\.ts[^)]*\)/, " (here)");
  }
  return "no error";
}

test("elementwise", () => {
  expect(messageOf(() => ops.add(x([2, 3]), x([3])))).toMatchInlineSnapshot(
    `"add: shapes (2, 3) and (3,) differ; broadcast them to one shape first (broadcastTo) (here)"`,
  );
  expect(messageOf(() => ops.add(x([2]), x([2], "i32")))).toMatchInlineSnapshot(
    `"add: dtypes f32 and i32 differ; cast one of them first (cast) (here)"`,
  );
  expect(messageOf(() => ops.exp(x([2], "i32")))).toMatchInlineSnapshot(
    `"exp: takes a float, got i32 (2,); cast it first: cast(x, "f32") (here)"`,
  );
  expect(messageOf(() => ops.and(x([2]), x([2])))).toMatchInlineSnapshot(
    `"and: takes integers or bool, got f32 (2,); cast it first: cast(x, "i32") (here)"`,
  );
  expect(messageOf(() => ops.select(x([2]), x([2]), x([2])))).toMatchInlineSnapshot(
    `"select: condition: takes bool, got f32 (2,); cast it first: cast(x, "bool") (here)"`,
  );
  expect(messageOf(() => ops.less(x([2], "bool"), x([2], "bool")))).toMatchInlineSnapshot(
    `"less: takes numbers, got bool (2,); cast it first: cast(x, "f32") (here)"`,
  );
});

test("products", () => {
  expect(messageOf(() => ops.dot(x([32, 784]), x([64, 10])))).toMatchInlineSnapshot(
    `"dot: inner dimensions 784 and 64 differ: (32, 784) × (64, 10) (here)"`,
  );
  expect(messageOf(() => ops.dot(x([32, 784]), x([64, 784])))).toMatchInlineSnapshot(
    `"dot: inner dimensions 784 and 64 differ: (32, 784) × (64, 784); transpose the second (here)"`,
  );
  expect(messageOf(() => ops.dot(x([2, 3, 4]), x([5, 4, 3])))).toMatchInlineSnapshot(
    `"dot: batch dimensions differ: (2, 3, 4) × (5, 4, 3); broadcast them first (here)"`,
  );
  expect(messageOf(() => ops.dot(x([3]), x([3])))).toMatchInlineSnapshot(
    `"dot: both need one rank of at least 2, got (3,) × (3,); reshape one of them (here)"`,
  );
});

test("movement", () => {
  expect(messageOf(() => ops.reshape(x([4, 6]), [5, 5]))).toMatchInlineSnapshot(
    `"reshape: (4, 6) has 24 elements, (5, 5) has 25; choose sizes with the same product (here)"`,
  );
  expect(messageOf(() => ops.broadcastTo(x([2, 3]), [2, 4]))).toMatchInlineSnapshot(
    `"broadcast: (2, 3) does not broadcast to (2, 4): aligned at the last axis, each size must be equal or 1 (here)"`,
  );
  expect(messageOf(() => ops.permute(x([2, 3]), [0, 0]))).toMatchInlineSnapshot(
    `"permute: order [0, 0] must name each axis of (2, 3) once (here)"`,
  );
  expect(messageOf(() => ops.slice(x([4]), { start: [2], shape: [3] }))).toMatchInlineSnapshot(
    `"slice: elements 2 … 4 of axis 0 are outside (4,); indices go from 0 to size − 1 (here)"`,
  );
  expect(messageOf(() => ops.slice(x([4]), { start: [0], step: [0], shape: [1] }))).toMatchInlineSnapshot(
    `"slice: step 0 of axis 0 must be an integer other than 0 (here)"`,
  );
  expect(messageOf(() => ops.slice(x([4, 2]), { start: [0], shape: [1] }))).toMatchInlineSnapshot(
    `"slice: start has 1 entries, need one for each of the 2 axes of (4, 2) (here)"`,
  );
  expect(messageOf(() => ops.flip(x([4]), 1))).toMatchInlineSnapshot(
    `"flip: axis 1 is out of range for rank 1 (-1 … 0)"`,
  );
  expect(
    messageOf(() => ops.windows(x([4]), { axes: [0], sizes: [3], dilations: [2] })),
  ).toMatchInlineSnapshot(`"windows: a window reaches over 5 elements of an axis of 4; pad it first (here)"`);
  expect(messageOf(() => ops.windows(x([4]), { axes: [0], sizes: [0] }))).toMatchInlineSnapshot(
    `"windows: sizes are [0], need 1 integers of 1 or more, one for each axis"`,
  );
});

test("placement and indices", () => {
  expect(messageOf(() => ops.pad(x([4]), { low: [-1], high: [0] }))).toMatchInlineSnapshot(
    `"pad: -1 of axis 0 is negative; use slice to cut elements off (here)"`,
  );
  expect(messageOf(() => ops.concat([x([2, 3]), x([2, 4])], 0))).toMatchInlineSnapshot(
    `"concat: shapes (2, 3) and (2, 4) differ on another axis than 0 (here)"`,
  );
  expect(messageOf(() => ops.concat([]))).toMatchInlineSnapshot(
    `"concat: needs at least one input, got none"`,
  );
  expect(messageOf(() => ops.foldWindows(x([3, 2]), [5], { axes: [0], sizes: [2] }))).toMatchInlineSnapshot(
    `"foldWindows: windows over (5,) have shape (4, 2), got f32 (3, 2) (here)"`,
  );
  expect(messageOf(() => ops.gather(x([4]), x([2]), 0))).toMatchInlineSnapshot(
    `"gather: indices are i32, got f32 (2,); cast them first (here)"`,
  );
  expect(messageOf(() => ops.scatterAdd(x([4]), x([2], "i32"), x([3]), 0))).toMatchInlineSnapshot(
    `"scatterAdd: (4,) at indices (2,) along axis 0 takes updates (2,), got (3,) (here)"`,
  );
});

test("reductions", () => {
  expect(messageOf(() => ops.sum(x([2], "bool")))).toMatchInlineSnapshot(
    `"sum: takes numbers, got bool (2,); cast it first: cast(x, "f32") (here)"`,
  );
  expect(messageOf(() => ops.sum(x([2, 3]), [0, -2]))).toMatchInlineSnapshot(`"sum: axes 0, 0 repeat one"`);
  expect(messageOf(() => ops.any(x([2])))).toMatchInlineSnapshot(
    `"any: takes bool, got f32 (2,); compare it first"`,
  );
  expect(messageOf(() => ops.mean(x([2], "i32")))).toMatchInlineSnapshot(
    `"mean: takes a float, got i32 (2,); cast it first: cast(x, "f32")"`,
  );
});

test("sizes known late", () => {
  const time = dimension("time", { min: 1, max: 64 });
  const other = dimension("other", { min: 1, max: 64 });
  expect(messageOf(() => ops.add(x([time]), x([other])))).toMatchInlineSnapshot(
    `"cannot decide whether time equals other: give the dimensions narrower bounds, or use one dimension for both (here)"`,
  );
  expect(messageOf(() => ops.sliceAxis(x([time]), 0, 0, 8))).toMatchInlineSnapshot(
    `"slice: cannot decide whether 8 ≤ time: give the dimensions narrower bounds (here)"`,
  );
  expect(messageOf(() => ops.reshape(x([time, 4]), [time, 2, 2]))).toBe("no error");
});

test("states", () => {
  const weight = new State("hidden.weight", { shape: [2], dtype: "f32" }, new Float32Array(2));
  expect(messageOf(() => ops.assignState(weight, x([3])))).toMatchInlineSnapshot(
    `"state "hidden.weight" has shape (2,), got (3,): a state keeps its shape"`,
  );
  expect(messageOf(() => ops.assignState(weight, x([2], "f64")))).toMatchInlineSnapshot(
    `"state "hidden.weight" is f32, got f64: cast the value first"`,
  );
});
