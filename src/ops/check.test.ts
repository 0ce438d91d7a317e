import { expect, test } from "vitest";
import { gradients } from "../autodiff/gradients.ts";
import { interpret } from "../codegen/interpreter/index.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import { stepError } from "../runtime/step-error.ts";
import { check, greater, like, mul, parameter, sum } from "./index.ts";

function checked(values: readonly number[]) {
  return withTrace(new Trace("compiled"), () => {
    const x = parameter({ shape: [2, 2], dtype: "f32" });
    const y = mul(check(x, greater(x, like(x, 0)), "square: values must be positive"), x);
    const [gradient] = gradients(sum(y), [x]);
    const input = { shape: [2, 2], dtype: "f32", data: Float64Array.from(values) } as const;
    const fn = { name: "test", parameters: [x], results: [y, gradient!], assignments: [] };
    return { fn, outcome: interpret(fn, [input]) };
  });
}

test("passes values and gradients through where the condition holds", () => {
  const { outcome } = checked([1, 2, 3, 4]);
  expect(outcome.failure).toBeUndefined();
  expect(outcome.results.map(({ data }) => [...data])).toEqual([
    [1, 4, 9, 16],
    [2, 4, 6, 8],
  ]);
});

test("fails the run at the first element for which it does not hold", () => {
  const { failure } = checked([1, 2, -3, Number.NaN]).outcome;
  expect(failure).toMatchObject({ position: 2, value: -3 });
  expect(stepError(failure!).message.replace(/ \(at .*\)/, "")).toMatchInlineSnapshot(
    `"square: values must be positive, but element [1, 0] is -3. The step changed nothing: states hold what it began with"`,
  );
});
