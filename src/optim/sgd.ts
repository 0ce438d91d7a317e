/** Stochastic gradient descent, with momentum. */
import { ArgumentError } from "../base/errors.ts";
import type { Tensor } from "../tensor/index.ts";
import { where } from "../tensor/index.ts";
import type { Parameters } from "./groups.ts";
import { type Algorithm, Optimizer, type OptimizerFactory, type OptimizerOptions } from "./optimizer.ts";
import { requireRange } from "./options.ts";

export interface SGDOptions extends OptimizerOptions {
  /** μ, default 0: plain gradient descent. */
  readonly momentum: number;
  /** τ, default 0: how much of a new gradient is kept out of the momentum. */
  readonly dampening: number;
  /** λ, default 0: λ·θ is added to the gradient. */
  readonly weightDecay: number;
  /** Default false. True looks one step of momentum ahead. */
  readonly nesterov: boolean;
}

interface Shared {
  readonly learningRate: Tensor;
  /** How much of a gradient enters the momentum: 1 in the first step, then 1 − τ. */
  readonly share: Tensor | 1;
}

const algorithm: Algorithm<SGDOptions, "momentum", Shared> = {
  name: "SGD",
  defaults: { learningRate: 1e-2, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false },
  check({ momentum, dampening, weightDecay, nesterov }) {
    requireRange("SGD", "momentum", momentum, 0);
    requireRange("SGD", "weightDecay", weightDecay, 0);
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      throw new ArgumentError(
        `SGD: nesterov needs momentum above 0 and dampening 0, got momentum ${momentum}, dampening ${dampening}`,
      );
    }
  },
  slots: ({ momentum }) => (momentum === 0 ? [] : ["momentum"]),
  rows: ({ momentum, weightDecay }) => (momentum === 0 && weightDecay === 0 ? "allowed" : undefined),
  prepare: ({ dampening }, learningRate, step) => ({
    learningRate,
    share: dampening === 0 ? 1 : where(step.equal(1), 1, 1 - dampening),
  }),
  update(parameter, gradient, slots, { learningRate, share }, { momentum, weightDecay, nesterov }) {
    const g = weightDecay === 0 ? gradient : gradient.add(parameter.mul(weightDecay));
    if (momentum === 0) return { parameter: parameter.sub(g.mul(learningRate)) };
    const b = slots.momentum.mul(momentum).add(share === 1 ? g : g.mul(share));
    const direction = nesterov ? g.add(b.mul(momentum)) : b;
    return { parameter: parameter.sub(direction.mul(learningRate)), momentum: b };
  },
};

/**
 * Stochastic gradient descent as PyTorch has it; the momentum b begins as the first gradient.
 *
 *     g = ∇L(θ) + λ·θ
 *     b = μ·b + (1 − τ)·g
 *     θ = θ − lr·b          without momentum θ − lr·g, with nesterov θ − lr·(g + μ·b)
 *
 * Of a sparse gradient (`Embedding(…, { sparse: true })`) the rows that it has change; that needs momentum and weightDecay 0.
 *
 * Defaults: learningRate 1e-2, the rest 0 and false. Sutskever, Martens, Dahl and Hinton, "On the importance of
 * initialization and momentum in deep learning", ICML 2013, have the learning rate inside b: the same while it is constant.
 *
 * @example
 * const model = new Linear(2, 1);
 * const optimizer = new SGD(model.parameters(), { learningRate: 0.5, momentum: 0.9 });
 * const loss = model.forward(tensor([[1, 2]])).sum();
 * optimizer.step(grad(loss, model.parameters()));
 * await model.bias!.toArray(); // [-0.5]
 */
export class SGD extends Optimizer<SGDOptions> {
  constructor(parameters: Parameters<SGDOptions>, options: Partial<SGDOptions> = {}) {
    super(algorithm, parameters, options);
  }
}

/**
 * {@link SGD} as `fit` takes it.
 *
 * @example
 * const optimizer = sgd({ learningRate: 0.01 })(new Linear(2, 1).parameters());
 * optimizer.parameters.length; // 2
 */
export const sgd =
  (options: Partial<SGDOptions> = {}): OptimizerFactory =>
  (parameters) =>
    new SGD(parameters, options);
