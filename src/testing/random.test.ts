/** Random numbers are the same bits on every target; and the graph's are those of the host. */
import { describe, expect, test } from "vitest";
import { normal, randomKey } from "../base/random.ts";
import type { Node } from "../graph/node.ts";
import { Trace, withTrace } from "../graph/trace.ts";
import * as ops from "../ops/index.ts";
import { createWasmDevice } from "../runtime/wasm-device.ts";
import { deviceTarget, type EvaluationTarget, interpreterTarget } from "./evaluation-target.ts";
import { nativeTargets } from "./native-targets.ts";

const draws: Record<string, (key: Node) => Node> = {
  uniform: (key) => ops.randomUniform(key, [1001]),
  uniform64: (key) => ops.randomUniform64(key, [1001]),
  normal: (key) => ops.cast(ops.randomNormal(key, [1001]), "f32"),
  normal64: (key) => ops.randomNormal(key, [1001]),
  exponential: (key) => ops.exponentialOf(ops.randomUniform64(key, [1001])),
  quantile: (key) => ops.normalQuantile(ops.randomUniform64(key, [1001])),
  integers: (key) => ops.randomIntegers(key, [1001], -5, 100),
  gamma: (key) => ops.randomGamma(key, ops.full([301], 0.7, "f64")),
  "large gamma": (key) => ops.randomGamma(key, ops.full([301], 30, "f64")),
  poisson: (key) => ops.randomPoisson(key, ops.full([301], 4, "f64")),
  "large poisson": (key) => ops.randomPoisson(key, ops.full([301], 50, "f64")),
  permutation: (key) => ops.randomPermutation(key, 333),
  folded: (key) => ops.randomUniform(ops.foldKey(key, ops.scalar(7, "u32")), [11]),
};

function drawn(target: EvaluationTarget, make: (key: Node) => Node, seed = 9): Float64Array {
  const type = { shape: [2], dtype: "u32" } as const;
  const fn = withTrace(new Trace("compiled"), () => {
    const key = ops.parameter(type, "key");
    return { name: "draw", parameters: [key], results: [make(key)], assignments: [] };
  });
  return target.evaluate(fn, [{ ...type, data: Float64Array.from(randomKey(seed)) }])[0]!.data;
}

describe.each([deviceTarget(createWasmDevice()), ...nativeTargets])("$name", (target) => {
  test.each(Object.entries(draws))("%s", (_, make) => {
    expect(drawn(target, make)).toEqual(drawn(interpreterTarget, make));
  });
});

test("normal numbers of the graph are those of the host", () => {
  expect(Float32Array.from(drawn(interpreterTarget, draws["normal"]!))).toEqual(normal(randomKey(9), 1001));
});

test.each([1, 2, 5, 16, 17, 333])("a permutation of %i is one", (n) => {
  const order = [...drawn(interpreterTarget, (key) => ops.randomPermutation(key, n))];
  expect(order.sort((a, b) => a - b)).toEqual(Array.from({ length: n }, (_, i) => i));
});

test("quantiles of the normal distribution are SciPy's", () => {
  const points = [0.975, 0.9, 0.07, 1e-3, 1e-10, 1e-30, 0.5, 0, 1];
  const type = { shape: [points.length], dtype: "f64" } as const;
  const fn = withTrace(new Trace("compiled"), () => {
    const p = ops.parameter(type, "p");
    return { name: "quantile", parameters: [p], results: [ops.normalQuantile(p)], assignments: [] };
  });
  const got = [...interpreterTarget.evaluate(fn, [{ ...type, data: Float64Array.from(points) }])[0]!.data];
  // scipy.special.ndtri, SciPy 1.17.1
  const expected = [
    1.959963984540054,
    1.2815515655446004,
    -1.4757910281791706,
    -3.090232306167813,
    -6.361340902404056,
    -11.464024688443613,
    0.0,
    -Infinity,
    Infinity,
  ];
  got.forEach((x, i) => {
    const want = expected[i]!;
    if (Number.isFinite(want)) expect(Math.abs(x - want)).toBeLessThanOrEqual(1e-15 * Math.abs(want));
    else expect(x).toBe(want);
  });
});
