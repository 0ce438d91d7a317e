/** LAMB: Adam whose step has, in each parameter, a length in proportion to the parameter's: for very large batches. */
import type { Parameters } from "./groups.ts";
import {
  type AdamOptions,
  adamStep,
  type Corrections,
  checkAdam,
  corrections,
  trustRatio,
} from "./moments.ts";
import { type Algorithm, Optimizer, type OptimizerFactory } from "./optimizer.ts";

const algorithm: Algorithm<AdamOptions, "firstMoment" | "secondMoment", Corrections> = {
  name: "LAMB",
  defaults: { learningRate: 1e-3, betas: [0.9, 0.999], epsilon: 1e-6, weightDecay: 0 },
  check: (options) => checkAdam("LAMB", options),
  slots: () => ["firstMoment", "secondMoment"],
  prepare: (options, learningRate, step) => {
    const { stepSize, scale } = corrections(options, learningRate, step);
    return { learningRate, stepSize: stepSize.div(learningRate), scale };
  },
  update(parameter, gradient, slots, shared, options) {
    const { step, moments } = adamStep(gradient, slots as never, shared, { ...options, amsgrad: false });
    const direction = options.weightDecay === 0 ? step : step.add(parameter.mul(options.weightDecay));
    const length = trustRatio(parameter, direction).mul(shared.learningRate);
    return { parameter: parameter.sub(direction.mul(length)), ...moments } as never;
  },
};

/**
 * LAMB; t counts from 1, m and v begin at 0.
 *
 *     m = β1·m + (1 − β1)·g        m̂ = m / (1 − β1ᵗ)
 *     v = β2·v + (1 − β2)·g²       v̂ = v / (1 − β2ᵗ)
 *     u = m̂ / (√v̂ + ε) + λ·θ
 *     θ = θ − lr · ‖θ‖/‖u‖ · u     the ratio is 1 where a norm is 0
 *
 * Norms are those of each parameter. Defaults: learningRate 1e-3, betas 0.9 and 0.999, epsilon 1e-6, weightDecay 0. You et al.,
 * "Large batch optimization for deep learning: training BERT in 76 minutes", ICLR 2020, Algorithm 2 with φ(z) = z.
 *
 * @example
 * const model = new Linear(2, 1);
 * const optimizer = new LAMB(model.parameters());
 * const loss = model.forward(tensor([[1, 2]])).sum();
 * optimizer.step(grad(loss, model.parameters()));
 */
export class LAMB extends Optimizer<AdamOptions> {
  constructor(parameters: Parameters<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(algorithm, parameters, options);
  }
}

/**
 * {@link LAMB} as `fit` takes it.
 *
 * @example
 * const optimizer = lamb({ learningRate: 0.01 })(new Linear(2, 1).parameters());
 * optimizer.parameters.length; // 2
 */
export const lamb =
  (options: Partial<AdamOptions> = {}): OptimizerFactory =>
  (parameters) =>
    new LAMB(parameters, options);
