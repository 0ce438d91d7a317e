import { expect, test } from "vitest";
import { gradients } from "../autodiff/index.ts";
import { type GraphFunction, rootsOf } from "../graph/function.ts";
import { type Node, topologicalOrder } from "../graph/node.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import { verifyGraph } from "../graph/verify.ts";
import { add, mul, parameter, scan, sum, tanh, zerosLike } from "../ops/index.ts";
import { interpreterTarget } from "../testing/evaluation-target.ts";
import { Numbers } from "../testing/numbers.ts";
import { mergeScans } from "./merge-scans.ts";

const scansIn = (fn: GraphFunction): Node[] =>
  topologicalOrder(rootsOf(fn)).filter(({ op }) => op.name === "scan");

/** A recurrent loss and its gradient: the forward loop, the same with residuals, the backward loop. */
function training(): GraphFunction {
  return withTrace(new Trace("compiled"), () => {
    const x = parameter({ shape: [5, 3], dtype: "f32" }, "x");
    const weight = parameter({ shape: [3], dtype: "f32" }, "weight");
    const { carry, stacked } = scan([zerosLike({ shape: [3], dtype: "f32" })], [x], ([state], [slice]) => {
      const next = tanh(add(mul(state!, weight), slice!));
      return { carry: [next], stacked: [mul(next, next), next] };
    });
    const loss = add(sum(carry[0]!), sum(stacked[0]!));
    return {
      name: "f",
      parameters: [x, weight],
      results: [loss, ...gradients(loss, [weight])],
      assignments: [],
    };
  });
}

test("the forward loop runs once, and stacks only what is read", () => {
  const fn = training();
  const merged = mergeScans(fn);
  verifyGraph(merged);
  expect(scansIn(fn).length).toBe(3);
  const [forward, backward, ...others] = scansIn(merged);
  expect(others).toEqual([]);
  // One carry; the squares for the loss, tanh and the state before it for the gradient. Backward: two carries, no stacks.
  expect(forward!.outputs!.length).toBe(4);
  expect(backward!.outputs!.length).toBe(2);
});

test("results are the same bits", () => {
  const fn = training();
  const inputs = fn.parameters.map(({ shape }) =>
    new Numbers(1).array({ shape: shape as number[], dtype: "f32" }, -1, 1),
  );
  const [want, got] = [fn, mergeScans(fn)].map((f) =>
    interpreterTarget.evaluate(f, inputs).map(({ data }) => [...data]),
  );
  expect(got).toEqual(want);
});

test("a function without scans is left as it is", () => {
  const fn = withTrace(new Trace("compiled"), (): GraphFunction => {
    const x = parameter({ shape: [2], dtype: "f32" });
    return { name: "f", parameters: [x], results: [add(x, x)], assignments: [] };
  });
  expect(mergeScans(fn)).toBe(fn);
});
