/** Lion: steps of one size, in the direction that a momentum votes for. */
import type { Tensor } from "../tensor/index.ts";
import type { Parameters } from "./groups.ts";
import { type Algorithm, Optimizer, type OptimizerFactory, type OptimizerOptions } from "./optimizer.ts";
import { requireRange } from "./options.ts";

export interface LionOptions extends OptimizerOptions {
  /** β1 and β2, default 0.9 and 0.99: how much of the momentum votes, and how much of it a step keeps. */
  readonly betas: readonly [number, number];
  /** λ, default 0: the weights themselves shrink by lr·λ. */
  readonly weightDecay: number;
}

const algorithm: Algorithm<LionOptions, "momentum", Tensor> = {
  name: "Lion",
  defaults: { learningRate: 1e-4, betas: [0.9, 0.99], weightDecay: 0 },
  check({ betas, weightDecay }) {
    requireRange("Lion", "betas[0]", betas[0], 0, 1);
    requireRange("Lion", "betas[1]", betas[1], 0, 1);
    requireRange("Lion", "weightDecay", weightDecay, 0);
  },
  slots: () => ["momentum"],
  prepare: (_, learningRate) => learningRate,
  update(parameter, gradient, slots, learningRate, { betas: [beta1, beta2], weightDecay }) {
    const vote = slots.momentum
      .mul(beta1)
      .add(gradient.mul(1 - beta1))
      .sign();
    const direction = weightDecay === 0 ? vote : vote.add(parameter.mul(weightDecay));
    return {
      parameter: parameter.sub(direction.mul(learningRate)),
      momentum: slots.momentum.mul(beta2).add(gradient.mul(1 - beta2)),
    };
  },
};

/**
 * Lion (evolved sign momentum); m begins at 0.
 *
 *     u = sign(β1·m + (1 − β1)·∇L(θ))
 *     θ = θ − lr·(u + λ·θ)
 *     m = β2·m + (1 − β2)·∇L(θ)
 *
 * Every element moves by lr: learning rates are 3 to 10 times smaller than AdamW's, decay as much larger. Defaults: learningRate
 * 1e-4, betas 0.9 and 0.99, weightDecay 0. Chen et al., "Symbolic discovery of optimization algorithms", NeurIPS 2023.
 *
 * @example
 * const model = new Linear(2, 1);
 * const optimizer = new Lion(model.parameters());
 * const loss = model.forward(tensor([[1, 2]])).sum();
 * optimizer.step(grad(loss, model.parameters()));
 */
export class Lion extends Optimizer<LionOptions> {
  constructor(parameters: Parameters<LionOptions>, options: Partial<LionOptions> = {}) {
    super(algorithm, parameters, options);
  }
}

/**
 * {@link Lion} as `fit` takes it.
 *
 * @example
 * const optimizer = lion({ learningRate: 0.01 })(new Linear(2, 1).parameters());
 * optimizer.parameters.length; // 2
 */
export const lion =
  (options: Partial<LionOptions> = {}): OptimizerFactory =>
  (parameters) =>
    new Lion(parameters, options);
