/** Functions computed in f64 for every float dtype: their f32 results are then right but for the last rounding. */
import type { ScalarBuilder } from "../../graph/scalar.ts";
import { Float } from "./float.ts";

/** `compute` in f64 on x (and y), rounded once to their dtype. */
export function wide<V>(
  b: ScalarBuilder<V>,
  inputs: readonly V[],
  compute: (f: Float<V>, ...inputs: V[]) => V,
): V {
  const dtype = b.dtypeOf(inputs[0]!);
  const widened = inputs.map((x) => (dtype === "f64" ? x : b.convert("f64", x)));
  const value = compute(new Float(b, widened[0]!), ...widened);
  return dtype === "f64" ? value : b.convert(dtype, value);
}
