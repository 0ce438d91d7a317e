/** NAdam: Adam with Nesterov's look ahead. */
import type { Tensor } from "../tensor/index.ts";
import type { Parameters } from "./groups.ts";
import { type AdamOptions, checkAdam, decayed, oneMinusPower } from "./moments.ts";
import { type Algorithm, Optimizer, type OptimizerFactory } from "./optimizer.ts";
import { requireRange } from "./options.ts";

export interface NAdamOptions extends AdamOptions {
  /** ψ, default 4e-3: how fast the momentum grows to β1. */
  readonly momentumDecay: number;
  /** Default false: λ·θ is added to the gradient. True: the weights themselves shrink, as in AdamW. */
  readonly decoupledWeightDecay: boolean;
}

type Slot = "firstMoment" | "secondMoment" | "momentumProduct";

interface Shared {
  readonly learningRate: Tensor;
  /** μ of this step and of the next. */
  readonly momentum: Tensor;
  readonly nextMomentum: Tensor;
  /** 1 / √(1 − β2ᵗ). */
  readonly scale: Tensor;
}

const algorithm: Algorithm<NAdamOptions, Slot, Shared> = {
  name: "NAdam",
  defaults: {
    ...{ learningRate: 2e-3, betas: [0.9, 0.999], epsilon: 1e-8, weightDecay: 0 },
    ...{ momentumDecay: 4e-3, decoupledWeightDecay: false },
  },
  check(options) {
    checkAdam("NAdam", options);
    requireRange("NAdam", "momentumDecay", options.momentumDecay, 0);
  },
  slots: () => ["firstMoment", "secondMoment", { slot: "momentumProduct", shape: [], initial: 1 }],
  prepare({ betas: [beta1, beta2], momentumDecay }, learningRate, step) {
    const momentumAt = (t: Tensor): Tensor =>
      t
        .mul(momentumDecay * Math.log(0.96))
        .exp()
        .mul(-0.5 * beta1)
        .add(beta1);
    return {
      learningRate,
      momentum: momentumAt(step),
      nextMomentum: momentumAt(step.add(1)),
      scale: oneMinusPower(beta2, step).rsqrt(),
    };
  },
  update(parameter, gradient, slots, shared, options) {
    const {
      betas: [beta1, beta2],
      epsilon,
    } = options;
    const { learningRate, momentum, nextMomentum, scale } = shared;
    const { weight, g } = decayed(parameter, gradient, learningRate, options);
    const momentumProduct = slots.momentumProduct.mul(momentum);
    const firstMoment = slots.firstMoment.mul(beta1).add(g.mul(1 - beta1));
    const secondMoment = slots.secondMoment.mul(beta2).add(g.mul(g).mul(1 - beta2));
    const ofGradient = momentum.neg().add(1).div(momentumProduct.neg().add(1));
    const ofMoment = nextMomentum.div(momentumProduct.mul(nextMomentum).neg().add(1));
    const step = g.mul(ofGradient).add(firstMoment.mul(ofMoment)).mul(learningRate);
    const divisor = secondMoment.sqrt().mul(scale).add(epsilon);
    return { parameter: weight.sub(step.div(divisor)), firstMoment, secondMoment, momentumProduct };
  },
};

/**
 * NAdam as PyTorch has it; t counts from 1, m and v begin at 0.
 *
 *     g = ∇L(θ) + λ·θ
 *     μₜ = β1·(1 − ½·0.96^(t·ψ))
 *     m = β1·m + (1 − β1)·g        v = β2·v + (1 − β2)·g²
 *     m̂ = μₜ₊₁·m / (1 − μ₁·…·μₜ₊₁) + (1 − μₜ)·g / (1 − μ₁·…·μₜ)
 *     θ = θ − lr·m̂ / (√(v / (1 − β2ᵗ)) + ε)
 *
 * Defaults: learningRate 2e-3, betas 0.9 and 0.999, epsilon 1e-8, weightDecay 0, momentumDecay 4e-3. Dozat, "Incorporating
 * Nesterov momentum into Adam", 2016.
 *
 * @example
 * const model = new Linear(2, 1);
 * const optimizer = new NAdam(model.parameters());
 * const loss = model.forward(tensor([[1, 2]])).sum();
 * optimizer.step(grad(loss, model.parameters()));
 */
export class NAdam extends Optimizer<NAdamOptions> {
  constructor(parameters: Parameters<NAdamOptions>, options: Partial<NAdamOptions> = {}) {
    super(algorithm, parameters, options);
  }
}

/**
 * {@link NAdam} as `fit` takes it.
 *
 * @example
 * const optimizer = nadam({ learningRate: 0.01 })(new Linear(2, 1).parameters());
 * optimizer.parameters.length; // 2
 */
export const nadam =
  (options: Partial<NAdamOptions> = {}): OptimizerFactory =>
  (parameters) =>
    new NAdam(parameters, options);
