/** Adam: adaptive moment estimation. */

import type { Parameters } from "./groups.ts";
import {
  type AdamSlot,
  type AmsgradOptions,
  adamSlots,
  adamStep,
  type Corrections,
  checkAdam,
  corrections,
} from "./moments.ts";
import { type Algorithm, Optimizer, type OptimizerFactory } from "./optimizer.ts";

const algorithm: Algorithm<AmsgradOptions, AdamSlot, Corrections> = {
  name: "Adam",
  defaults: { learningRate: 1e-3, betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0, amsgrad: false },
  check: (options) => checkAdam("Adam", options),
  slots: adamSlots,
  prepare: corrections,
  update(parameter, gradient, slots, shared, options) {
    const { weightDecay } = options;
    const g = weightDecay === 0 ? gradient : gradient.add(parameter.mul(weightDecay));
    const { step, moments } = adamStep(g, slots, shared, options);
    return { parameter: parameter.sub(step), ...moments };
  },
};

/**
 * Adam as PyTorch has it; t counts from 1, m and v begin at 0.
 *
 *     g = ∇L(θ) + λ·θ
 *     m = β1·m + (1 − β1)·g        m̂ = m / (1 − β1ᵗ)
 *     v = β2·v + (1 − β2)·g²       v̂ = v / (1 − β2ᵗ)
 *     θ = θ − lr·m̂ / (√v̂ + ε)
 *
 * Defaults: learningRate 1e-3, betas 0.9 and 0.999, epsilon 1e-8, weightDecay 0 (added to the gradient; for decay apart from
 * it use `AdamW`). Kingma and Ba, "Adam: A method for stochastic optimization", ICLR 2015, Algorithm 1.
 * With `amsgrad` the largest v so far takes the place of v in v̂: Reddi, Kale and Kumar, "On the convergence of Adam and
 * beyond", ICLR 2018, with the bias corrected as in PyTorch.
 *
 * @example
 * const model = new Linear(2, 1);
 * const optimizer = new Adam(model.parameters());
 * const loss = model.forward(tensor([[1, 2]])).sum();
 * optimizer.step(grad(loss, model.parameters()));
 * await optimizer.stepCount.item(); // 1
 */
export class Adam extends Optimizer<AmsgradOptions> {
  constructor(parameters: Parameters<AmsgradOptions>, options: Partial<AmsgradOptions> = {}) {
    super(algorithm, parameters, options);
  }
}

/**
 * {@link Adam} as `fit` takes it.
 *
 * @example
 * const optimizer = adam({ learningRate: 0.01 })(new Linear(2, 1).parameters());
 * optimizer.parameters.length; // 2
 */
export const adam =
  (options: Partial<AmsgradOptions> = {}): OptimizerFactory =>
  (parameters) =>
    new Adam(parameters, options);
