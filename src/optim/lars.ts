/** LARS: momentum whose step has, in each parameter, a length in proportion to the parameter's: for very large batches. */
import { type Tensor, where } from "../tensor/index.ts";
import type { Parameters } from "./groups.ts";
import { normOf } from "./moments.ts";
import { type Algorithm, Optimizer, type OptimizerFactory, type OptimizerOptions } from "./optimizer.ts";
import { requireRange } from "./options.ts";

export interface LARSOptions extends OptimizerOptions {
  /** μ, default 0.9. */
  readonly momentum: number;
  /** λ, default 1e-4. */
  readonly weightDecay: number;
  /** η, default 1e-3: how much a step may change a parameter, relative to its length. */
  readonly trustCoefficient: number;
}

const algorithm: Algorithm<LARSOptions, "momentum", Tensor> = {
  name: "LARS",
  defaults: { learningRate: 1, momentum: 0.9, weightDecay: 1e-4, trustCoefficient: 1e-3 },
  check({ momentum, weightDecay, trustCoefficient }) {
    requireRange("LARS", "momentum", momentum, 0);
    requireRange("LARS", "weightDecay", weightDecay, 0);
    requireRange("LARS", "trustCoefficient", trustCoefficient, 0);
  },
  slots: () => ["momentum"],
  prepare: (_, learningRate) => learningRate,
  update(parameter, gradient, slots, learningRate, options) {
    const { momentum: share, weightDecay, trustCoefficient } = options;
    const [own, slope] = [normOf(parameter), normOf(gradient)];
    const divisor: Tensor = slope.add(own.mul(weightDecay));
    const isSome = own.greater(0).and(slope.greater(0));
    const trust = where(isSome, own.mul(trustCoefficient).div(where(isSome, divisor, 1)), 1);
    const step = gradient.add(parameter.mul(weightDecay)).mul(trust.mul(learningRate));
    const momentum = slots.momentum.mul(share).add(step);
    return { parameter: parameter.sub(momentum), momentum };
  },
};

/**
 * LARS; the momentum b begins at 0.
 *
 *     lr′ = lr · η·‖θ‖ / (‖g‖ + λ·‖θ‖)     lr where a norm is 0
 *     b = μ·b + lr′·(g + λ·θ)
 *     θ = θ − b
 *
 * Norms are those of each parameter. Defaults: learningRate 1, momentum 0.9, weightDecay 1e-4, trustCoefficient 1e-3. You,
 * Gitman and Ginsburg, "Large batch training of convolutional networks", 2017, Algorithm 1.
 *
 * @example
 * const model = new Linear(2, 1);
 * const optimizer = new LARS(model.parameters());
 * const loss = model.forward(tensor([[1, 2]])).sum();
 * optimizer.step(grad(loss, model.parameters()));
 */
export class LARS extends Optimizer<LARSOptions> {
  constructor(parameters: Parameters<LARSOptions>, options: Partial<LARSOptions> = {}) {
    super(algorithm, parameters, options);
  }
}

/**
 * {@link LARS} as `fit` takes it.
 *
 * @example
 * const optimizer = lars({ learningRate: 0.01 })(new Linear(2, 1).parameters());
 * optimizer.parameters.length; // 2
 */
export const lars =
  (options: Partial<LARSOptions> = {}): OptimizerFactory =>
  (parameters) =>
    new LARS(parameters, options);
