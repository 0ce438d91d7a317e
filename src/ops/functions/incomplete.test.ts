/** Incomplete gamma and beta functions against SciPy, in f64, in relative terms; derivatives against differences. */
import { describe, expect, test } from "vitest";
import { readFixture } from "../../../test/fixtures.ts";
import { interpret } from "../../codegen/interpreter/index.ts";
import type { Node } from "../../graph/node.ts";
import type { DenseArray } from "../../graph/op.ts";
import { checkGradients } from "../../testing/index.ts";
import * as ops from "../index.ts";

type Column = readonly (number | string)[];

interface Fixture {
  readonly incompleteGamma: Readonly<Record<"a" | "x" | "lower" | "upper", Column>>;
  readonly incompleteBeta: Readonly<Record<"a" | "b" | "x" | "value", Column>>;
}

const { incompleteGamma, incompleteBeta } = readFixture<Fixture>("distributions.json");

const numbers = (column: Column): Float64Array =>
  Float64Array.from(column, (x) => (x === "inf" ? Infinity : Number(x)));

const dense = (column: Column): DenseArray => ({
  shape: [column.length],
  dtype: "f64",
  data: numbers(column),
});

function evaluate(op: (...x: Node[]) => Node, ...columns: readonly Column[]): Float64Array {
  const parameters = columns.map(({ length }) => ops.parameter({ shape: [length], dtype: "f64" }));
  const fn = { name: "f", parameters, results: [op(...parameters)], assignments: [] };
  return interpret(fn, columns.map(dense)).results[0]!.data as Float64Array;
}

/** Each within a relative error; below 1e-290 only the size counts. */
function requireDigits(got: Float64Array, want: Column, tolerance: number, places: readonly Column[]): void {
  numbers(want).forEach((value, i) => {
    const at = `at ${places.map((column) => column[i]).join(", ")}`;
    if (Number.isNaN(value)) expect(got[i], at).toBeNaN();
    else
      expect(
        Math.abs(got[i]! - value) / Math.max(value, 1e-290),
        `${at}: ${got[i]} for ${value}`,
      ).toBeLessThan(tolerance);
  });
}

describe("SciPy's values", () => {
  test("gammainc and gammaincc", () => {
    const { a, x, lower, upper } = incompleteGamma;
    requireDigits(evaluate(ops.gammainc, a, x), lower, 1e-11, [a, x]);
    requireDigits(evaluate(ops.gammaincc, a, x), upper, 1e-11, [a, x]);
  });

  test("betainc", () => {
    const { a, b, x, value } = incompleteBeta;
    requireDigits(evaluate(ops.betainc, a, b, x), value, 1e-10, [a, b, x]);
  });
});

describe("gradients", () => {
  const a = dense([0.4, 1, 2.5, 12, 40]);
  const x = dense([0.1, 1.7, 9, 10, 41]);
  const b = dense([2, 0.6, 1, 3, 7]);
  const share = dense([0.05, 0.9, 0.4, 0.8, 0.7]);

  test("by every argument", () => {
    checkGradients(([a, x]) => ops.gammainc(a!, x!), [a, x], { order: 1 });
    checkGradients(([a, x]) => ops.gammaincc(a!, x!), [a, x], { order: 1 });
    checkGradients(([a, b, x]) => ops.betainc(a!, b!, x!), [a, b, share], { order: 1 });
  });

  test("by x to second order", () => {
    const fixed = ({ data, shape }: DenseArray) =>
      ops.array({ shape: shape as number[], dtype: "f64", data: Float64Array.from(data) });
    checkGradients(([x]) => ops.gammainc(fixed(a), x!), [x]);
    checkGradients(([x]) => ops.betainc(fixed(a), fixed(b), x!), [share]);
  });
});
