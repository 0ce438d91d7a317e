/**
 * Every expansion against float64, in ulp, with and without fused multiply-add, on a sample of all f32; the targets' own code
 * is measured exhaustively in `src/testing/accuracy.test.ts`.
 */
import { describe, expect, test } from "vitest";
import { byTier, isFullTier } from "../../../test/tier.ts";
import { accuracyRows } from "../../testing/accuracy-rows.ts";
import { blockOf, ScalarEvaluator } from "../../testing/scalar-evaluator.ts";
import { relativeError64, sweep, ulpError } from "../../testing/ulp.ts";
import { powOp } from "../exponential.ts";
import { expandExp } from "./exp.ts";
import { expandPow } from "./pow.ts";

const timeout = 600_000;

describe.each(accuracyRows)("$name", ({ expand, reference, ulp, limit = NaN, ...row }) => {
  test.each([false, true])("f32, fused %s", { timeout }, (fused) => {
    const result = sweep(expand, reference, { fused, stride: byTier(40_009, 251), high: limit });
    if (isFullTier) console.log(JSON.stringify(result));
    expect(result.maxUlp, `at ${result.at}: ${result.got}, not ${result.expected}`).toBeLessThanOrEqual(ulp);
    const { instructions, fusedInstructions = instructions } = row;
    expect(result.instructions).toBe(fused ? fusedInstructions : instructions);
  });
  test("f64", () => {
    const points = pointsF64.filter((x) => Number.isNaN(limit) || !(Math.abs(x) > 2 ** 20));
    const { error, at } = relativeError64(expand, reference, points);
    expect(error, `at ${at}`).toBeLessThan(5e-15);
  });
});

/** Numbers below the smallest normal one as targets that scale have them, when they do not keep them: zero. */
const flushed = (x: number): number => (Math.abs(x) < 2 ** -126 ? 0 : x);

test("exp has the same bits whether or not powers of two are scaled by an instruction", { timeout }, () => {
  const length = 4096;
  const bits = new Uint32Array(length);
  const stride = byTier(40_009, 251);
  for (let first = 0; first < 2 ** 32; first += stride * length) {
    for (let i = 0; i < length; i++) bits[i] = first + i * stride;
    const x = blockOf("f32", new Float32Array(bits.buffer));
    const [plain, scaled] = [false, true].map((scales) =>
      expandExp(new ScalarEvaluator({ length, fused: true, scales }), x),
    );
    for (let i = 0; i < length; i++)
      if (!Object.is(plain!.data[i], flushed(scaled!.data[i]!)))
        expect.fail(`exp(${x.data[i]}): ${plain!.data[i]} and ${scaled!.data[i]}`);
  }
});

/** Deterministic numbers in [0, 1). */
function* numbers(seed: number): Generator<number, never> {
  let state = seed;
  for (;;) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    yield state / 2 ** 32;
  }
}

const special = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  Infinity,
  -Infinity,
  NaN,
  1e-300,
  -1e-300,
  5e-324,
  1e308,
  -1e308,
  709.7,
  -745,
  -708,
];
const random = numbers(1);
const scales = [0.01, 1, 4, 40, 1400];
const pointsF64 = [
  ...special,
  ...Array.from({ length: 20_000 }, (_, i) => (random.next().value - 0.5) * scales[i % scales.length]!),
];

describe("pow", () => {
  const evaluate = (a: number, b: number): number =>
    powOp.reference(
      [
        { shape: [], dtype: "f64", data: Float64Array.of(a) },
        { shape: [], dtype: "f64", data: Float64Array.of(b) },
      ],
      {},
      { outputs: [{ shape: [], dtype: "f64" }] } as never,
      undefined as never,
    )[0]!.data[0]!;

  const run = (
    dtype: "f32" | "f64",
    arithmetic: { fused: boolean; scales?: boolean },
    a: readonly number[],
    b: readonly number[],
  ) => {
    const evaluator = new ScalarEvaluator({ length: a.length, ...arithmetic });
    const result = expandPow(evaluator, blockOf(dtype, a), blockOf(dtype, b));
    return { data: result.data, instructions: evaluator.instructionCount };
  };

  const edges = [
    0,
    -0,
    1,
    -1,
    2,
    -2,
    0.5,
    -0.5,
    3,
    -3,
    1e30,
    1e-30,
    Infinity,
    -Infinity,
    NaN,
    16777215,
    16777216,
    2147483648,
  ];

  test.each(["f32", "f64"] as const)("special cases in %s are C's", (dtype) => {
    const pairs = edges.flatMap((a) => edges.map((b) => [a, b] as const));
    const { data } = run(
      dtype,
      { fused: false },
      pairs.map(([a]) => a),
      pairs.map(([, b]) => b),
    );
    pairs.forEach(([a, b], i) => {
      const [x, y] = dtype === "f32" ? [Math.fround(a), Math.fround(b)] : [a, b];
      const expected = evaluate(x, y);
      const error = dtype === "f32" ? ulpError(data[i]!, expected) : Math.abs(data[i]! / expected - 1) * 1e13;
      if (!(error <= 2) && !Object.is(data[i]!, expected) && data[i] !== expected)
        expect.fail(`pow(${a}, ${b}) gave ${data[i]}, not ${expected}`);
    });
  });

  test.each([
    { fused: false, scales: false },
    { fused: true, scales: false },
    { fused: true, scales: true },
  ])("f32: %o", { timeout }, ({ fused, scales }) => {
    const count = byTier(150_000, 4_000_000);
    const length = 4000;
    const draw = numbers(7);
    const next = (): number => draw.next().value;
    let worst = { error: 0, a: 0, b: 0 };
    for (let done = 0; done < count; done += length) {
      // log₂ a and log₂ of the result, both over the whole range and near 0.
      const logs = Array.from({ length }, (_, i) => (next() - 0.5) * (i % 2 ? 250 : 1));
      const a = logs.map((log) => Math.fround(2 ** log));
      const b = a.map((base) => Math.fround(((next() - 0.5) * 254) / Math.log2(base)));
      const { data } = run("f32", { fused, scales }, a, b);
      for (let i = 0; i < length; i++) {
        // Those are rounded twice.
        const got = scales ? flushed(data[i]!) : data[i]!;
        const error = ulpError(got, a[i]! ** b[i]!);
        if (error > worst.error) worst = { error, a: a[i]!, b: b[i]! };
      }
    }
    if (isFullTier) console.log(JSON.stringify(worst));
    expect(worst.error, `pow(${worst.a}, ${worst.b})`).toBeLessThanOrEqual(0.51);
  });

  test("f64", () => {
    const draw = numbers(7);
    const a = Array.from({ length: 20_000 }, () => 2 ** ((draw.next().value - 0.5) * 20));
    const b = a.map(() => (draw.next().value - 0.5) * 40);
    const { data } = run("f64", { fused: false }, a, b);
    a.forEach((base, i) => {
      expect(Math.abs(data[i]! / base ** b[i]! - 1)).toBeLessThan(1e-13);
    });
  });
});
