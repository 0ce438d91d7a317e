/** Rounding to 16 bits that loses nothing on average. */
import { random, type Tensor } from "../tensor/index.ts";

/** Makes the f32 values of one parameter its 16 bits: `place` is the parameter's among the optimizer's, `step` how many were done. */
export type Rounding = (
  value: Tensor,
  dtype: "bf16" | "f16",
  at: { readonly place: number; readonly step: Tensor },
) => Tensor;

/** Places behind the leading one. */
const places = { bf16: 7, f16: 10 } as const;

/**
 * The option `rounding` of optimizers for weights in 16 bits: up or down by chance, the nearer one the likelier, so that on average no
 * step is lost, however small. Chances go by the number of the step, the same in each run. Gupta and others, "Deep learning with limited
 * numerical precision", 2015.
 *
 * It is x + (u − ½)·ulp(x), rounded to the nearest, with u uniform from [0, 1); at powers of two, where places change, it is off by a
 * quarter of one at most.
 *
 * @example
 * const layer = new Linear(4, 2);
 * storeWeights(layer, "bf16");
 * const optimizer = new AdamW(layer.parameters(), { rounding: stochasticRounding });
 */
export const stochasticRounding: Rounding = (value, dtype, { place, step }) => {
  const size = value.abs().cast(dtype).cast("f32") as Tensor;
  // Between ¾ and 1½ places more, which is rounded to one.
  const above = size
    .mul(1 + 0.75 * 2 ** -places[dtype])
    .cast(dtype)
    .cast("f32") as Tensor;
  const key = random.fold(random.key(place), step);
  const chance = random.uniform(key, value.shape as number[]).sub(0.5) as Tensor;
  return value.add(chance.mul(above.sub(size))).cast(dtype) as Tensor;
};
