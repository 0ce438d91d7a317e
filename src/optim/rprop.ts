/** Rprop: a step size for each element, which grows while the gradient keeps its sign. For whole data sets, not for batches. */
import { ArgumentError } from "../base/errors.ts";
import { type Tensor, where } from "../tensor/index.ts";
import type { Parameters } from "./groups.ts";
import { type Algorithm, Optimizer, type OptimizerFactory, type OptimizerOptions } from "./optimizer.ts";

export interface RpropOptions extends OptimizerOptions {
  /** η⁻ and η⁺, default 0.5 and 1.2: what the step size is multiplied by where the sign changes and where it stays. */
  readonly etas: readonly [number, number];
  /** The least and the largest step size, default 1e-6 and 50. */
  readonly stepSizes: readonly [number, number];
}

interface Shared {
  readonly learningRate: Tensor;
  readonly isFirst: Tensor;
}

const algorithm: Algorithm<RpropOptions, "previous" | "stepSize", Shared> = {
  name: "Rprop",
  defaults: { learningRate: 1e-2, etas: [0.5, 1.2], stepSizes: [1e-6, 50] },
  check({ etas: [less, more], stepSizes: [least, most] }) {
    if (!(less > 0 && less < 1 && more > 1))
      throw new ArgumentError(`Rprop: etas must be between 0 and 1, and above 1, got ${less} and ${more}`);
    if (!(least >= 0 && least <= most))
      throw new ArgumentError(`Rprop: stepSizes must rise from 0 or more, got ${least} and ${most}`);
  },
  slots: () => ["previous", "stepSize"],
  prepare: (_, learningRate, step) => ({ learningRate, isFirst: step.equal(1) }),
  update(parameter, gradient, slots, { learningRate, isFirst }, { etas: [less, more], stepSizes }) {
    const agreement = gradient.mul(slots.previous);
    const isTurned = agreement.less(0);
    const factor = where(isTurned, less, where(agreement.greater(0), more, 1));
    const stepSize = where(isFirst, learningRate, slots.stepSize)
      .mul(factor)
      .maximum(stepSizes[0])
      .minimum(stepSizes[1]) as Tensor;
    const previous = where(isTurned, 0, gradient) as Tensor;
    return { parameter: parameter.sub(previous.sign().mul(stepSize)), previous, stepSize };
  },
};

/**
 * Resilient backpropagation as PyTorch has it; g′ is the gradient of the step before.
 *
 *     s = lr in the first step, then s·η⁺ where g·g′ > 0, s·η⁻ where g·g′ < 0, within the limits
 *     g = 0 where g·g′ < 0
 *     θ = θ − sign(g)·s
 *
 * Defaults: learningRate 1e-2, etas 0.5 and 1.2, stepSizes 1e-6 and 50. Riedmiller and Braun, "A direct adaptive method for
 * faster backpropagation learning: the RPROP algorithm", 1993.
 *
 * @example
 * const model = new Linear(2, 1);
 * const optimizer = new Rprop(model.parameters());
 * const loss = model.forward(tensor([[1, 2]])).sum();
 * optimizer.step(grad(loss, model.parameters()));
 */
export class Rprop extends Optimizer<RpropOptions> {
  constructor(parameters: Parameters<RpropOptions>, options: Partial<RpropOptions> = {}) {
    super(algorithm, parameters, options);
  }
}

/**
 * {@link Rprop} as `fit` takes it.
 *
 * @example
 * const optimizer = rprop({ learningRate: 0.01 })(new Linear(2, 1).parameters());
 * optimizer.parameters.length; // 2
 */
export const rprop =
  (options: Partial<RpropOptions> = {}): OptimizerFactory =>
  (parameters) =>
    new Rprop(parameters, options);
