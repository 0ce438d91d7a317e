/** ASGD: gradient descent that also keeps the mean of the weights. */
import { type Tensor, where } from "../tensor/index.ts";
import type { Parameters } from "./groups.ts";
import { type Algorithm, Optimizer, type OptimizerFactory, type OptimizerOptions } from "./optimizer.ts";
import { requireRange } from "./options.ts";

export interface ASGDOptions extends OptimizerOptions {
  /** Λ, default 1e-4: the learning rate falls as (1 + Λ·lr·t)^−α, and weights shrink by Λ·η. */
  readonly lambda: number;
  /** α, default 0.75. */
  readonly alpha: number;
  /** The step from which on weights are averaged, default 1e6. */
  readonly start: number;
  /** λ, default 0: λ·θ is added to the gradient. */
  readonly weightDecay: number;
}

interface Shared {
  /** η. */
  readonly rate: Tensor;
  /** How much of the weights goes into their mean: 1 until averaging starts. */
  readonly share: Tensor;
}

const algorithm: Algorithm<ASGDOptions, "average", Shared> = {
  name: "ASGD",
  defaults: { learningRate: 1e-2, lambda: 1e-4, alpha: 0.75, start: 1e6, weightDecay: 0 },
  check({ lambda, alpha, start, weightDecay }) {
    for (const [name, value] of Object.entries({ lambda, alpha, start, weightDecay }))
      requireRange("ASGD", name, value, 0);
  },
  slots: () => ["average"],
  prepare({ lambda, alpha, start }, learningRate, step) {
    const done = step.sub(1);
    const falling = learningRate.mul(lambda).mul(done).log1p().mul(-alpha).exp();
    return { rate: learningRate.mul(falling), share: done.sub(start).maximum(1).reciprocal() };
  },
  update(parameter, gradient, slots, { rate, share }, { lambda, weightDecay }) {
    const g = weightDecay === 0 ? gradient : gradient.add(parameter.mul(weightDecay));
    const next = parameter.mul(rate.mul(-lambda).add(1)).sub(g.mul(rate));
    const mean = slots.average.add(next.sub(slots.average).mul(share));
    return { parameter: next, average: where(share.equal(1), next, mean) as Tensor };
  },
};

/**
 * Averaged stochastic gradient descent as PyTorch has it; t counts from 1.
 *
 *     g = ∇L(θ) + λ·θ
 *     η = lr / (1 + Λ·lr·(t − 1))^α
 *     θ = (1 − Λ·η)·θ − η·g
 *     a = a + (θ − a) / max(1, t − 1 − start)
 *
 * The averages a are in `stateDict()` as `average.name`. Defaults: learningRate 1e-2, lambda 1e-4, alpha 0.75, start 1e6,
 * weightDecay 0. Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992.
 *
 * @example
 * const model = new Linear(2, 1);
 * const optimizer = new ASGD(model.parameters());
 * const loss = model.forward(tensor([[1, 2]])).sum();
 * optimizer.step(grad(loss, model.parameters()));
 */
export class ASGD extends Optimizer<ASGDOptions> {
  constructor(parameters: Parameters<ASGDOptions>, options: Partial<ASGDOptions> = {}) {
    super(algorithm, parameters, options);
  }
}

/**
 * {@link ASGD} as `fit` takes it.
 *
 * @example
 * const optimizer = asgd({ learningRate: 0.01 })(new Linear(2, 1).parameters());
 * optimizer.parameters.length; // 2
 */
export const asgd =
  (options: Partial<ASGDOptions> = {}): OptimizerFactory =>
  (parameters) =>
    new ASGD(parameters, options);
