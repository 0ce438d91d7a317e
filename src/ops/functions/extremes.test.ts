/** Functions where others go wrong: at infinities, zeros, ties and large offsets, forward and backward, on every target. */
import { describe, expect, test } from "vitest";
import { byTier } from "../../../test/tier.ts";
import { gradients } from "../../autodiff/index.ts";
import type { DType } from "../../base/dtype.ts";
import { fillBits, fillUniform, randomKey } from "../../base/random.ts";
import type { GraphFunction } from "../../graph/function.ts";
import type { Node } from "../../graph/node.ts";
import type { DenseArray } from "../../graph/op.ts";
import { Trace, withTrace } from "../../graph/trace.ts";
import { createWasmDevice } from "../../runtime/wasm-device.ts";
import { deviceTarget, type EvaluationTarget, interpreterTarget } from "../../testing/evaluation-target.ts";
import { nativeTargets } from "../../testing/native-targets.ts";
import * as ops from "../index.ts";

const array = (dtype: DType, ...data: number[]): DenseArray => ({
  shape: [data.length],
  dtype,
  data: Float64Array.from(data),
});

const targets: readonly EvaluationTarget[] = [
  interpreterTarget,
  deviceTarget(createWasmDevice()),
  ...nativeTargets,
];

/** Numbers that differ by a few roundings are equal, and so are numbers too small to be normal. */
const near = (a: unknown, b: unknown): boolean | undefined => {
  if (typeof a !== "number" || typeof b !== "number") return undefined;
  return (
    Object.is(a, b) ||
    a === b ||
    Math.abs(a - b) <= 2e-6 * Math.abs(b) ||
    Math.abs(a) + Math.abs(b) < 2 ** -125
  );
};
expect.addEqualityTesters([near]);

interface Outcome {
  readonly value: number[];
  readonly gradient: number[];
}

/** The value of f at a vector, and the gradient of the sum of f. */
function evaluateAt(
  target: EvaluationTarget,
  f: (x: Node) => Node,
  data: readonly number[],
  dtype: DType,
): Outcome {
  const fn = withTrace(new Trace("compiled"), (): GraphFunction => {
    const x = ops.parameter({ shape: [data.length], dtype });
    const y = f(x);
    const [dx] = y.dtype === dtype ? gradients(ops.sum(y), [x]) : [x];
    return { name: "f", parameters: [x], results: [y, dx!], assignments: [] };
  });
  const [value, gradient] = target.evaluate(fn, [array(dtype, ...data)]);
  return { value: [...value!.data], gradient: [...gradient!.data] };
}

describe.each(targets)("$name", (target) => {
  const at = (f: (x: Node) => Node, data: readonly number[], dtype: DType = "f32"): Outcome =>
    evaluateAt(target, f, data, dtype);
  const run = (results: readonly Node[]) =>
    target.evaluate({ name: "f", parameters: [], results, assignments: [] }, []);

  describe("activations", () => {
    test("relu and abs have gradient 0 at 0, and keep NaN", () => {
      expect(at(ops.relu, [-1, 0, 2, NaN])).toEqual({ value: [0, 0, 2, NaN], gradient: [0, 0, 1, 1] });
      expect(at(ops.abs, [-1, 0, 2]).gradient).toEqual([-1, 0, 1]);
    });
    test("sigmoid is 0 and 1 at the ends, its gradient never NaN", () => {
      const { value, gradient } = at(ops.sigmoid, [-1e30, -100, 0, 100, 1e30, -Infinity, Infinity]);
      expect(value).toEqual([0, 0, 0.5, 1, 1, 0, 1]);
      expect(gradient).toEqual([0, 0, 0.25, 0, 0, 0, 0]);
    });
    test("softplus(400) is 400, and its slope at −100 is no NaN", () => {
      const { value, gradient } = at(ops.softplus, [400, -400, -100, 0]);
      expect(value).toEqual([400, 0, Math.fround(Math.exp(-100)), Math.fround(Math.LN2)]);
      expect(gradient).toEqual([1, 0, 0, 0.5]);
    });
    test("silu and gelu vanish far below and are x far above", () => {
      for (const f of [ops.silu, ops.gelu, ops.geluTanh]) {
        expect(at(f, [-1000, 1000]).value.map((x) => x + 0)).toEqual([0, 1000]);
        expect(at(f, [-1000, 1000]).gradient.map((x) => x + 0)).toEqual([0, 1]);
      }
    });
  });

  describe("softmax and its kin", () => {
    test("logits of a thousand", () => {
      expect(at((x) => ops.softmax(x, 0), [1000, 1000]).value).toEqual([0.5, 0.5]);
      expect(at((x) => ops.logSoftmax(x, 0), [1000, 0]).value).toEqual([0, -1000]);
      expect(at((x) => ops.logSumExp(x), [1000, 1000]).value[0]).toBeCloseTo(1000 + Math.LN2, 3);
    });
    test("cross-entropy of the logits [1000, 0] for class 1 is 1000", () => {
      const pick = (x: Node) => ops.neg(ops.sliceAxis(ops.logSoftmax(x, 0), 0, 1, 1));
      expect(at(pick, [1000, 0])).toEqual({ value: [1000], gradient: [1, -1] });
    });
    test("infinities", () => {
      expect(at((x) => ops.logSumExp(x), [-Infinity, -Infinity])).toEqual({
        value: [-Infinity],
        gradient: [0, 0],
      });
      expect(at((x) => ops.logSumExp(x), [-Infinity, 3])).toEqual({ value: [3], gradient: [0, 1] });
      expect(at((x) => ops.logSumExp(x), [Infinity, 3]).value).toEqual([Infinity]);
      expect(at((x) => ops.softmax(x, 0), [-Infinity, 3])).toEqual({ value: [0, 1], gradient: [0, 0] });
    });
    test("a fully masked row of softmax is NaN, as in PyTorch", () => {
      expect(at((x) => ops.softmax(x, 0), [-Infinity, -Infinity]).value).toEqual([NaN, NaN]);
    });
  });

  describe("statistics", () => {
    test("variance of large values", () => {
      expect(at((x) => ops.variance(x), [1e4, 1e4 + 1, 1e4 + 2, 1e4 + 3]).value).toEqual([1.25]);
      expect(
        at((x) => ops.variance(x, 0, { correction: 1 }), [1e4, 1e4 + 1, 1e4 + 2, 1e4 + 3]).value[0],
      ).toBeCloseTo(5 / 3, 6);
      // Neighbouring f32 are 8 apart here.
      const far = [0, 8, 8, 24].map((x) => 1e8 + x);
      expect(at((x) => ops.variance(x), far).value[0]).toBeCloseTo(76, 4);
    });
    test("the norm of zeros has gradient 0", () => {
      expect(at((x) => ops.norm(x), [0, 0])).toEqual({ value: [0], gradient: [0, 0] });
      expect(at((x) => ops.norm(x), [3, 4]).gradient).toEqual([Math.fround(0.6), Math.fround(0.8)]);
    });
    test("normalize: mean 0, variance 1, a gradient that sums to 0", () => {
      const f = (x: Node) => ops.mul(ops.normalize(x, 0, 0), ops.iota([3], 0, "f64"));
      const { value, gradient } = at(f, [1, 2, 4], "f64");
      const spread = Math.sqrt(14 / 9);
      [-4 / 3, -1 / 3, 5 / 3].forEach((x, i) => {
        expect(value[i]).toBeCloseTo((x / spread) * i, 12);
      });
      expect(gradient[0]! + gradient[1]! + gradient[2]!).toBeCloseTo(0, 12);
    });
    const count = byTier(1e6, 1e7);
    test(`sum of ${count} × 0.1`, () => {
      const data = new Float64Array(count).fill(Math.fround(0.1));
      const [total] = withTrace(new Trace("compiled"), () => {
        const x = ops.parameter({ shape: [count], dtype: "f32" });
        const fn = { name: "sum", parameters: [x], results: [ops.sum(x)], assignments: [] };
        return target.evaluate(fn, [{ shape: [count], dtype: "f32", data }]);
      });
      expect(Math.abs(total!.data[0]! / (count / 10) - 1)).toBeLessThan(1e-6);
    });
  });

  describe("selection", () => {
    test("the gradient of max is shared by equal ones", () => {
      expect(at((x) => ops.max(x), [2, 2])).toEqual({ value: [2], gradient: [0.5, 0.5] });
      expect(at((x) => ops.min(x), [2, 3, 2])).toEqual({ value: [2], gradient: [0.5, 0, 0.5] });
      expect(at((x) => ops.maximum(x, ops.like(x, 2)), [1, 2, 3]).gradient).toEqual([0, 0.5, 1]);
    });
    test("the gradient of prod is right with zeros", () => {
      expect(at((x) => ops.prod(x), [2, 3, 4]).gradient).toEqual([12, 8, 6]);
      expect(at((x) => ops.prod(x), [2, 0, 4]).gradient).toEqual([0, 8, 0]);
      expect(at((x) => ops.prod(x), [0, 0, 4]).gradient).toEqual([0, 0, 0]);
    });
    test("argmax takes the first NaN, else the first largest", () => {
      const index = (...data: number[]) => at((x) => ops.argmax(x, 0), data).value[0];
      expect([
        index(1, 3, 2),
        index(3, 1, 3),
        index(1, NaN, 9),
        index(NaN, NaN),
        index(-Infinity, -Infinity),
      ]).toEqual([1, 0, 1, 0, 0]);
      expect(at((x) => ops.argmin(x, 0), [1, 0, 0]).value).toEqual([1]);
    });
    test("over an empty axis reductions give their identity", () => {
      expect(at((x) => ops.sum(x), []).value).toEqual([0]);
      expect(at((x) => ops.prod(x), []).value).toEqual([1]);
      expect(at((x) => ops.max(x), []).value).toEqual([-Infinity]);
      expect(at((x) => ops.min(x), []).value).toEqual([Infinity]);
      expect(at((x) => ops.mean(x), []).value).toEqual([NaN]);
      expect(() => at((x) => ops.argmax(x, 0), [])).toThrow(/argmax: axis 0 of \(0,\) is empty/);
    });
  });

  test("random words and uniforms are those of base/random", () => {
    const key = randomKey(42);
    const node = ops.array({ dtype: "u32", shape: [2], data: Uint32Array.from(key) });
    const results = [ops.randomWords(node, [3, 3]), ops.randomUniform(node, [3, 3])];
    const got = run(results);
    const [words, uniforms] = [new Uint32Array(9), new Float32Array(9)];
    fillBits(key, words);
    fillUniform(key, uniforms);
    expect(got.map(({ data }) => [...data])).toEqual([[...words], [...uniforms]]);
  });
});
