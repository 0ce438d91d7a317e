/** Adam of the rows that a batch used. */
import type { Tensor } from "../tensor/index.ts";
import type { Parameters } from "./groups.ts";
import { oneMinusPower } from "./moments.ts";
import { type Algorithm, Optimizer, type OptimizerFactory, type OptimizerOptions } from "./optimizer.ts";
import { requireRange } from "./options.ts";

export interface SparseAdamOptions extends OptimizerOptions {
  /** β1 and β2, default 0.9 and 0.999. */
  readonly betas: readonly [number, number];
  /** ε, default 1e-8, added to √v before the bias of v is corrected: the ε̂ of Kingma and Ba's section 2. */
  readonly epsilon: number;
}

const algorithm: Algorithm<SparseAdamOptions, "firstMoment" | "secondMoment", Tensor> = {
  name: "SparseAdam",
  defaults: { learningRate: 1e-3, betas: [0.9, 0.999], epsilon: 1e-8 },
  check({ betas, epsilon }) {
    requireRange("SparseAdam", "betas[0]", betas[0], 0, 1);
    requireRange("SparseAdam", "betas[1]", betas[1], 0, 1);
    requireRange("SparseAdam", "epsilon", epsilon, 0);
  },
  slots: () => ["firstMoment", "secondMoment"],
  rows: () => "required",
  prepare: ({ betas: [beta1, beta2] }, learningRate, step) =>
    learningRate.mul(oneMinusPower(beta2, step).sqrt()).div(oneMinusPower(beta1, step)),
  update(parameter, gradient, slots, stepSize, { betas: [beta1, beta2], epsilon }) {
    const firstMoment = slots.firstMoment.mul(beta1).add(gradient.mul(1 - beta1));
    const secondMoment = slots.secondMoment.mul(beta2).add(gradient.mul(gradient).mul(1 - beta2));
    const step = firstMoment.mul(stepSize).div(secondMoment.sqrt().add(epsilon));
    return { parameter: parameter.sub(step), firstMoment, secondMoment };
  },
};

/**
 * Adam for tables of which a batch uses few rows, as PyTorch has it: rows without gradient keep their values and their moments,
 * which do not decay meanwhile; t counts all steps. Takes the weights of `Embedding(…, { sparse: true })` alone.
 *
 *     m = β1·m + (1 − β1)·g
 *     v = β2·v + (1 − β2)·g²                                  for each row that g has
 *     θ = θ − lr·√(1 − β2ᵗ) / (1 − β1ᵗ) · m / (√v + ε)
 *
 * Defaults: learningRate 1e-3, betas 0.9 and 0.999, epsilon 1e-8.
 *
 * @example
 * const table = new Embedding(1000, 8, { sparse: true });
 * const optimizer = new SparseAdam([table.weight]);
 * const loss = table.forward(tensor([3, 5, 3], { dtype: "i32" })).square().mean();
 * optimizer.step(grad(loss, [table.weight]));
 */
export class SparseAdam extends Optimizer<SparseAdamOptions> {
  constructor(parameters: Parameters<SparseAdamOptions>, options: Partial<SparseAdamOptions> = {}) {
    super(algorithm, parameters, options);
  }
}

/**
 * {@link SparseAdam} as `fit` takes it.
 *
 * @example
 * const optimizer = sparseAdam({ learningRate: 0.01 })([new Embedding(100, 4, { sparse: true }).weight]);
 * optimizer.parameters.length; // 1
 */
export const sparseAdam =
  (options: Partial<SparseAdamOptions> = {}): OptimizerFactory =>
  (parameters) =>
    new SparseAdam(parameters, options);
