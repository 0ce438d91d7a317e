/** RAdam: Adam whose first steps are plain momentum, as long as the second moment says too little. */
import { type Tensor, where } from "../tensor/index.ts";
import type { Parameters } from "./groups.ts";
import { type AdamOptions, checkAdam, decayed, oneMinusPower } from "./moments.ts";
import { type Algorithm, Optimizer, type OptimizerFactory } from "./optimizer.ts";

export interface RAdamOptions extends AdamOptions {
  /** Default false: λ·θ is added to the gradient. True: the weights themselves shrink, as in AdamW. */
  readonly decoupledWeightDecay: boolean;
}

interface Shared {
  readonly learningRate: Tensor;
  /** lr / (1 − β1ᵗ). */
  readonly stepSize: Tensor;
  readonly isRectified: Tensor;
  /** r·√(1 − β2ᵗ). */
  readonly rectification: Tensor;
}

const algorithm: Algorithm<RAdamOptions, "firstMoment" | "secondMoment", Shared> = {
  name: "RAdam",
  defaults: {
    ...{
      learningRate: 1e-3,
      betas: [0.9, 0.999],
      epsilon: 1e-8,
      weightDecay: 0,
      decoupledWeightDecay: false,
    },
  },
  check: (options) => checkAdam("RAdam", options),
  slots: () => ["firstMoment", "secondMoment"],
  prepare({ betas: [beta1, beta2] }, learningRate, step) {
    const most = 2 / (1 - beta2) - 1;
    const unbiased = oneMinusPower(beta2, step);
    // ρₜ = ρ∞ − 2·t·β2ᵗ / (1 − β2ᵗ)
    const length: Tensor = unbiased.neg().add(1).mul(step).mul(-2).div(unbiased).add(most);
    const isRectified = length.greater(5);
    const safe = where(isRectified, length, 6) as Tensor;
    const share: Tensor = safe
      .sub(4)
      .mul(safe.sub(2))
      .mul(most / ((most - 4) * (most - 2)))
      .div(safe);
    return {
      learningRate,
      stepSize: learningRate.div(oneMinusPower(beta1, step)),
      isRectified,
      rectification: share.mul(unbiased).sqrt(),
    };
  },
  update(parameter, gradient, slots, shared, options) {
    const {
      betas: [beta1, beta2],
      epsilon,
    } = options;
    const { weight, g } = decayed(parameter, gradient, shared.learningRate, options);
    const firstMoment = slots.firstMoment.mul(beta1).add(g.mul(1 - beta1));
    const secondMoment = slots.secondMoment.mul(beta2).add(g.mul(g).mul(1 - beta2));
    const scale = where(shared.isRectified, shared.rectification.div(secondMoment.sqrt().add(epsilon)), 1);
    return { parameter: weight.sub(firstMoment.mul(shared.stepSize).mul(scale)), firstMoment, secondMoment };
  },
};

/**
 * RAdam as PyTorch has it; t counts from 1, m and v begin at 0. ρ∞ = 2 / (1 − β2) − 1.
 *
 *     g = ∇L(θ) + λ·θ
 *     m = β1·m + (1 − β1)·g        v = β2·v + (1 − β2)·g²
 *     ρₜ = ρ∞ − 2·t·β2ᵗ / (1 − β2ᵗ)
 *     r = √((ρₜ − 4)·(ρₜ − 2)·ρ∞ / ((ρ∞ − 4)·(ρ∞ − 2)·ρₜ))
 *     θ = θ − lr·m / (1 − β1ᵗ) · (r·√(1 − β2ᵗ) / (√v + ε) where ρₜ > 5, else 1)
 *
 * Defaults: learningRate 1e-3, betas 0.9 and 0.999, epsilon 1e-8, weightDecay 0. Liu et al., "On the variance of the adaptive
 * learning rate and beyond", ICLR 2020.
 *
 * @example
 * const model = new Linear(2, 1);
 * const optimizer = new RAdam(model.parameters());
 * const loss = model.forward(tensor([[1, 2]])).sum();
 * optimizer.step(grad(loss, model.parameters()));
 */
export class RAdam extends Optimizer<RAdamOptions> {
  constructor(parameters: Parameters<RAdamOptions>, options: Partial<RAdamOptions> = {}) {
    super(algorithm, parameters, options);
  }
}

/**
 * {@link RAdam} as `fit` takes it.
 *
 * @example
 * const optimizer = radam({ learningRate: 0.01 })(new Linear(2, 1).parameters());
 * optimizer.parameters.length; // 2
 */
export const radam =
  (options: Partial<RAdamOptions> = {}): OptimizerFactory =>
  (parameters) =>
    new RAdam(parameters, options);
