/** RMSprop: steps divided by the root of the gradient's mean square. */
import type { Tensor } from "../tensor/index.ts";
import type { Parameters } from "./groups.ts";
import { type Algorithm, Optimizer, type OptimizerFactory, type OptimizerOptions } from "./optimizer.ts";
import { requireRange } from "./options.ts";

export interface RMSpropOptions extends OptimizerOptions {
  /** α, default 0.99 (Keras has 0.9): how much of the mean square a step keeps. */
  readonly alpha: number;
  /** ε, default 1e-8 (Keras has 1e-7), added to the root. */
  readonly epsilon: number;
  /** λ, default 0: λ·θ is added to the gradient. */
  readonly weightDecay: number;
  /** μ, default 0. */
  readonly momentum: number;
  /** Default false. True divides by the standard deviation: the mean is taken off the mean square. */
  readonly centered: boolean;
}

type Slot = "meanSquare" | "mean" | "momentum";

const algorithm: Algorithm<RMSpropOptions, Slot, Tensor> = {
  name: "RMSprop",
  defaults: { learningRate: 1e-2, alpha: 0.99, epsilon: 1e-8, weightDecay: 0, momentum: 0, centered: false },
  check({ alpha, epsilon, weightDecay, momentum }) {
    requireRange("RMSprop", "alpha", alpha, 0, 1);
    requireRange("RMSprop", "epsilon", epsilon, 0);
    requireRange("RMSprop", "weightDecay", weightDecay, 0);
    requireRange("RMSprop", "momentum", momentum, 0);
  },
  slots: ({ momentum, centered }) => [
    "meanSquare",
    ...(centered ? (["mean"] as const) : []),
    ...(momentum === 0 ? [] : (["momentum"] as const)),
  ],
  prepare: (_, learningRate) => learningRate,
  update(parameter, gradient, slots, learningRate, options) {
    const { alpha, epsilon, weightDecay, momentum, centered } = options;
    const g = weightDecay === 0 ? gradient : gradient.add(parameter.mul(weightDecay));
    const meanSquare = slots.meanSquare.mul(alpha).add(g.mul(g).mul(1 - alpha));
    const mean = centered ? slots.mean.mul(alpha).add(g.mul(1 - alpha)) : undefined;
    const variance = mean ? meanSquare.sub(mean.mul(mean)) : meanSquare;
    const direction = g.div(variance.sqrt().add(epsilon));
    const b = momentum === 0 ? direction : slots.momentum.mul(momentum).add(direction);
    const next = parameter.sub(b.mul(learningRate));
    return {
      ...{ parameter: next, meanSquare },
      ...(mean ? { mean } : {}),
      ...(momentum === 0 ? {} : { momentum: b }),
    };
  },
};

/**
 * RMSprop as PyTorch has it; v, m and b begin at 0.
 *
 *     g = ∇L(θ) + λ·θ
 *     v = α·v + (1 − α)·g²          centered: m = α·m + (1 − α)·g, and v − m² in place of v below
 *     b = μ·b + g / (√v + ε)
 *     θ = θ − lr·b
 *
 * Defaults: learningRate 1e-2, alpha 0.99, epsilon 1e-8, the rest 0 and false. Tieleman and Hinton, "Lecture 6.5: RMSprop",
 * 2012; centered: Graves, "Generating sequences with recurrent neural networks", 2013.
 *
 * @example
 * const model = new Linear(2, 1);
 * const optimizer = new RMSprop(model.parameters(), { momentum: 0.9 });
 * const loss = model.forward(tensor([[1, 2]])).sum();
 * optimizer.step(grad(loss, model.parameters()));
 */
export class RMSprop extends Optimizer<RMSpropOptions> {
  constructor(parameters: Parameters<RMSpropOptions>, options: Partial<RMSpropOptions> = {}) {
    super(algorithm, parameters, options);
  }
}

/**
 * {@link RMSprop} as `fit` takes it.
 *
 * @example
 * const optimizer = rmsprop({ learningRate: 0.01 })(new Linear(2, 1).parameters());
 * optimizer.parameters.length; // 2
 */
export const rmsprop =
  (options: Partial<RMSpropOptions> = {}): OptimizerFactory =>
  (parameters) =>
    new RMSprop(parameters, options);
