/** Adadelta: steps in the unit of the parameters, without a learning rate to tune. */
import type { Tensor } from "../tensor/index.ts";
import type { Parameters } from "./groups.ts";
import { type Algorithm, Optimizer, type OptimizerFactory, type OptimizerOptions } from "./optimizer.ts";
import { requireRange } from "./options.ts";

export interface AdadeltaOptions extends OptimizerOptions {
  /** ρ, default 0.9 (Keras has 0.95): how much of both mean squares a step keeps. */
  readonly rho: number;
  /** ε, default 1e-6, added under both roots. */
  readonly epsilon: number;
  /** λ, default 0: λ·θ is added to the gradient. */
  readonly weightDecay: number;
}

const algorithm: Algorithm<AdadeltaOptions, "meanSquare" | "meanSquareStep", Tensor> = {
  name: "Adadelta",
  defaults: { learningRate: 1, rho: 0.9, epsilon: 1e-6, weightDecay: 0 },
  check({ rho, epsilon, weightDecay }) {
    requireRange("Adadelta", "rho", rho, 0, 1);
    requireRange("Adadelta", "epsilon", epsilon, 0);
    requireRange("Adadelta", "weightDecay", weightDecay, 0);
  },
  slots: () => ["meanSquare", "meanSquareStep"],
  prepare: (_, learningRate) => learningRate,
  update(parameter, gradient, slots, learningRate, { rho, epsilon, weightDecay }) {
    const g = weightDecay === 0 ? gradient : gradient.add(parameter.mul(weightDecay));
    const meanSquare = slots.meanSquare.mul(rho).add(g.mul(g).mul(1 - rho));
    const step = slots.meanSquareStep.add(epsilon).sqrt().div(meanSquare.add(epsilon).sqrt()).mul(g);
    const meanSquareStep = slots.meanSquareStep.mul(rho).add(step.mul(step).mul(1 - rho));
    return { parameter: parameter.sub(step.mul(learningRate)), meanSquare, meanSquareStep };
  },
};

/**
 * Adadelta as PyTorch has it; v and u begin at 0.
 *
 *     g = ∇L(θ) + λ·θ
 *     v = ρ·v + (1 − ρ)·g²
 *     Δ = √(u + ε) / √(v + ε) · g
 *     u = ρ·u + (1 − ρ)·Δ²
 *     θ = θ − lr·Δ
 *
 * Defaults: learningRate 1, rho 0.9, epsilon 1e-6, weightDecay 0. Zeiler, "Adadelta: an adaptive learning rate method", 2012.
 *
 * @example
 * const model = new Linear(2, 1);
 * const optimizer = new Adadelta(model.parameters());
 * const loss = model.forward(tensor([[1, 2]])).sum();
 * optimizer.step(grad(loss, model.parameters()));
 */
export class Adadelta extends Optimizer<AdadeltaOptions> {
  constructor(parameters: Parameters<AdadeltaOptions>, options: Partial<AdadeltaOptions> = {}) {
    super(algorithm, parameters, options);
  }
}

/**
 * {@link Adadelta} as `fit` takes it.
 *
 * @example
 * const optimizer = adadelta({ learningRate: 0.01 })(new Linear(2, 1).parameters());
 * optimizer.parameters.length; // 2
 */
export const adadelta =
  (options: Partial<AdadeltaOptions> = {}): OptimizerFactory =>
  (parameters) =>
    new Adadelta(parameters, options);
