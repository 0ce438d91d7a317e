/** Adam with weight decay apart from the gradient. */

import type { Tensor } from "../tensor/index.ts";
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

interface Shared extends Corrections {
  /** 1 − lr·λ. */
  readonly keep: Tensor;
}

const algorithm: Algorithm<AmsgradOptions, AdamSlot, Shared> = {
  name: "AdamW",
  defaults: { learningRate: 1e-3, betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 1e-2, amsgrad: false },
  check: (options) => checkAdam("AdamW", options),
  slots: adamSlots,
  prepare: (options, learningRate, step) => ({
    ...corrections(options, learningRate, step),
    keep: learningRate.mul(-options.weightDecay).add(1),
  }),
  update(parameter, gradient, slots, shared, options) {
    const { step, moments } = adamStep(gradient, slots, shared, options);
    return { parameter: parameter.mul(shared.keep).sub(step), ...moments };
  },
};

/**
 * Adam whose weight decay shrinks the weights themselves, as PyTorch has it.
 *
 *     θ = (1 − lr·λ)·θ
 *     m = β1·m + (1 − β1)·g        m̂ = m / (1 − β1ᵗ)
 *     v = β2·v + (1 − β2)·g²       v̂ = v / (1 − β2ᵗ)
 *     θ = θ − lr·m̂ / (√v̂ + ε)
 *
 * Defaults: learningRate 1e-3, betas 0.9 and 0.999, epsilon 1e-8, weightDecay 1e-2. Loshchilov and Hutter, "Decoupled
 * weight decay regularization", ICLR 2019 (the decay is scaled by the learning rate, as everywhere since).
 *
 * @example
 * const model = new Linear(2, 1);
 * const optimizer = new AdamW([
 *   { parameters: [model.weight] },
 *   { parameters: [model.bias!], weightDecay: 0 }, // weights decay, biases do not
 * ]);
 */
export class AdamW extends Optimizer<AmsgradOptions> {
  constructor(parameters: Parameters<AmsgradOptions>, options: Partial<AmsgradOptions> = {}) {
    super(algorithm, parameters, options);
  }
}

/**
 * {@link AdamW} as `fit` takes it.
 *
 * @example
 * const optimizer = adamw({ learningRate: 0.01 })(new Linear(2, 1).parameters());
 * optimizer.parameters.length; // 2
 */
export const adamw =
  (options: Partial<AmsgradOptions> = {}): OptimizerFactory =>
  (parameters) =>
    new AdamW(parameters, options);
