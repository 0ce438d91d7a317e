/** Adagrad: steps divided by the root of all squared gradients so far. */
import type { Tensor } from "../tensor/index.ts";
import type { Parameters } from "./groups.ts";
import { type Algorithm, Optimizer, type OptimizerFactory, type OptimizerOptions } from "./optimizer.ts";
import { requireRange } from "./options.ts";

export interface AdagradOptions extends OptimizerOptions {
  /** η, default 0: the learning rate is divided by 1 + (t − 1)·η. */
  readonly learningRateDecay: number;
  /** λ, default 0: λ·θ is added to the gradient. */
  readonly weightDecay: number;
  /** Default 0 (Keras has 0.1): where the sum of squares begins. */
  readonly initialAccumulator: number;
  /** ε, default 1e-10 (Keras has 1e-7), added to the root. */
  readonly epsilon: number;
}

const algorithm: Algorithm<AdagradOptions, "sumOfSquares", Tensor> = {
  name: "Adagrad",
  defaults: {
    learningRate: 1e-2,
    learningRateDecay: 0,
    weightDecay: 0,
    initialAccumulator: 0,
    epsilon: 1e-10,
  },
  check({ learningRateDecay, weightDecay, initialAccumulator, epsilon }) {
    requireRange("Adagrad", "learningRateDecay", learningRateDecay, 0);
    requireRange("Adagrad", "weightDecay", weightDecay, 0);
    requireRange("Adagrad", "initialAccumulator", initialAccumulator, 0);
    requireRange("Adagrad", "epsilon", epsilon, 0);
  },
  slots: () => ["sumOfSquares"],
  rows: ({ weightDecay }) => (weightDecay === 0 ? "allowed" : undefined),
  prepare: ({ learningRateDecay }, learningRate, step) =>
    learningRateDecay === 0 ? learningRate : learningRate.div(step.sub(1).mul(learningRateDecay).add(1)),
  update(parameter, gradient, slots, learningRate, { weightDecay, initialAccumulator, epsilon }) {
    const g = weightDecay === 0 ? gradient : gradient.add(parameter.mul(weightDecay));
    const sumOfSquares = slots.sumOfSquares.add(g.mul(g));
    const all = initialAccumulator === 0 ? sumOfSquares : sumOfSquares.add(initialAccumulator);
    return { parameter: parameter.sub(g.mul(learningRate).div(all.sqrt().add(epsilon))), sumOfSquares };
  },
};

/**
 * Adagrad as PyTorch has it; t counts from 1, the state keeps v without its beginning a.
 *
 *     g = ∇L(θ) + λ·θ
 *     v = v + g²
 *     θ = θ − lr / (1 + (t − 1)·η) · g / (√(a + v) + ε)
 *
 * Of a sparse gradient (`Embedding(…, { sparse: true })`) the rows that it has change; that needs weightDecay 0.
 *
 * Defaults: learningRate 1e-2, learningRateDecay 0, weightDecay 0, initialAccumulator 0, epsilon 1e-10. Duchi, Hazan and
 * Singer, "Adaptive subgradient methods for online learning and stochastic optimization", JMLR 2011.
 *
 * @example
 * const model = new Linear(2, 1);
 * const optimizer = new Adagrad(model.parameters(), { learningRate: 0.1 });
 * const loss = model.forward(tensor([[1, 2]])).sum();
 * optimizer.step(grad(loss, model.parameters()));
 */
export class Adagrad extends Optimizer<AdagradOptions> {
  constructor(parameters: Parameters<AdagradOptions>, options: Partial<AdagradOptions> = {}) {
    super(algorithm, parameters, options);
  }
}

/**
 * {@link Adagrad} as `fit` takes it.
 *
 * @example
 * const optimizer = adagrad({ learningRate: 0.01 })(new Linear(2, 1).parameters());
 * optimizer.parameters.length; // 2
 */
export const adagrad =
  (options: Partial<AdagradOptions> = {}): OptimizerFactory =>
  (parameters) =>
    new Adagrad(parameters, options);
