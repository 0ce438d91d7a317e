/** What is computed in f64 against float64: at most 1 ulp in f32, to about 1e-14 in f64, exact where it is promised. */
import { describe, expect, test } from "vitest";
import { byTier } from "../../../test/tier.ts";
import { computeDType } from "../../base/dtype.ts";
import type { ScalarBuilder } from "../../graph/scalar.ts";
import { wideFunctions } from "../../testing/accuracy-page.ts";
import { blockOf, ScalarEvaluator } from "../../testing/scalar-evaluator.ts";
import { relativeError64, sweep } from "../../testing/ulp.ts";
import * as ops from "../index.ts";

const scalar = { shape: [], dtype: "f64" } as const;

describe.each(wideFunctions)("%s", (name) => {
  // biome-ignore lint/performance/noDynamicNamespaceImportAccess: a test is not bundled.
  const op = ops[`${name}Op`];
  const expand = <V>(b: ScalarBuilder<V>, x: V): V =>
    op.expand(b, [x], {}, { shape: [], dtype: computeDType(b.dtypeOf(x)) } as never);
  const reference = (x: number): number =>
    op.reference(
      [{ ...scalar, data: Float64Array.of(x) }],
      {},
      { outputs: [scalar] } as never,
      undefined as never,
    )[0]!.data[0]!;
  // Beyond, tan is NaN; JavaScript's own functions are tested there.
  const high = name === "tan" ? 2 ** 20 : NaN;

  test.each([false, true])("f32, fused %s", (fused) => {
    const { maxUlp, at, got, expected } = sweep(expand, reference, {
      fused,
      stride: byTier(400_009, 4999),
      high,
    });
    expect(maxUlp, `at ${at}: ${got}, not ${expected}`).toBeLessThanOrEqual(0.51);
  });
  test("f64", () => {
    const points = Array.from({ length: 4000 }, (_, i) => Math.sinh((i - 2000) / 300) + 1e-3);
    const { error, at } = relativeError64(expand, reference, points);
    expect(error, `at ${at}`).toBeLessThan(2e-14);
  });
});

test("powers of two are exact", () => {
  const exponents = Array.from({ length: 250 }, (_, i) => i - 125);
  const powers = exponents.map((n) => 2 ** n);
  for (const dtype of ["f32", "f64"] as const) {
    const node = { shape: [], dtype } as never;
    const b = new ScalarEvaluator({ length: 250, fused: false });
    expect([...ops.exp2Op.expand(b, [blockOf(dtype, exponents)], {}, node).data]).toEqual(powers);
    expect([...ops.log2Op.expand(b, [blockOf(dtype, powers)], {}, node).data].map((x) => x + 0)).toEqual(
      exponents,
    );
  }
});
