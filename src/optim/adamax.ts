/** Adamax: Adam with the largest gradient of late in place of its mean square. */
import type { Tensor } from "../tensor/index.ts";
import type { Parameters } from "./groups.ts";
import { type AdamOptions, checkAdam, oneMinusPower } from "./moments.ts";
import { type Algorithm, Optimizer, type OptimizerFactory } from "./optimizer.ts";

const algorithm: Algorithm<AdamOptions, "firstMoment" | "largest", Tensor> = {
  name: "Adamax",
  defaults: { learningRate: 2e-3, betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0 },
  check: (options) => checkAdam("Adamax", options),
  slots: () => ["firstMoment", "largest"],
  prepare: ({ betas: [beta1] }, learningRate, step) => learningRate.div(oneMinusPower(beta1, step)),
  update(parameter, gradient, slots, stepSize, { betas: [beta1, beta2], epsilon, weightDecay }) {
    const g = weightDecay === 0 ? gradient : gradient.add(parameter.mul(weightDecay));
    const firstMoment = slots.firstMoment.mul(beta1).add(g.mul(1 - beta1));
    const largest = slots.largest.mul(beta2).maximum(g.abs().add(epsilon));
    return { parameter: parameter.sub(firstMoment.mul(stepSize).div(largest)), firstMoment, largest };
  },
};

/**
 * Adamax as PyTorch has it; t counts from 1, m and u begin at 0.
 *
 *     g = ∇L(θ) + λ·θ
 *     m = β1·m + (1 − β1)·g
 *     u = max(β2·u, |g| + ε)
 *     θ = θ − lr / (1 − β1ᵗ) · m / u
 *
 * Defaults: learningRate 2e-3, betas 0.9 and 0.999, epsilon 1e-8, weightDecay 0. Kingma and Ba, "Adam: A method for stochastic
 * optimization", ICLR 2015, Algorithm 2.
 *
 * @example
 * const model = new Linear(2, 1);
 * const optimizer = new Adamax(model.parameters());
 * const loss = model.forward(tensor([[1, 2]])).sum();
 * optimizer.step(grad(loss, model.parameters()));
 */
export class Adamax extends Optimizer<AdamOptions> {
  constructor(parameters: Parameters<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(algorithm, parameters, options);
  }
}

/**
 * {@link Adamax} as `fit` takes it.
 *
 * @example
 * const optimizer = adamax({ learningRate: 0.01 })(new Linear(2, 1).parameters());
 * optimizer.parameters.length; // 2
 */
export const adamax =
  (options: Partial<AdamOptions> = {}): OptimizerFactory =>
  (parameters) =>
    new Adamax(parameters, options);
