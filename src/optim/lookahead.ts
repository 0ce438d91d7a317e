/** Lookahead: slow weights that follow another optimizer's fast ones. */
import { type Tensor, where } from "../tensor/index.ts";
import type { Algorithm, OptimizerFactory, OptimizerOptions, Slots } from "./optimizer.ts";
import { requireRange, withDefaults } from "./options.ts";

export interface LookaheadOptions {
  /** k, default 5: how many steps of the inner optimizer make one of the slow weights. */
  readonly every: number;
  /** α, default 0.5: how far the slow weights go towards the fast ones. */
  readonly alpha: number;
}

interface Shared {
  readonly inner: unknown;
  readonly isFirst: Tensor;
  readonly isDue: Tensor;
}

/**
 * After every k steps of an inner optimizer its slow weights φ go to φ + α·(θ − φ), and θ begins from there again. φ begins at θ.
 * Zhang, Lucas, Hinton and Ba, "Lookahead optimizer: k steps forward, 1 step back", NeurIPS 2019.
 *
 * @throws ArgumentError unless k ≥ 1 and 0 ≤ α ≤ 1
 * @example
 * const optimizer = lookahead(adam({ learningRate: 1e-3 }), { every: 5 })(new Linear(2, 1).parameters());
 * [...optimizer.stateDict().keys()].includes("slow.weight"); // true
 */
export function lookahead(inner: OptimizerFactory, given: Partial<LookaheadOptions> = {}): OptimizerFactory {
  const options = withDefaults<LookaheadOptions>("lookahead", given, { every: 5, alpha: 0.5 });
  requireRange("lookahead", "every", options.every, 1);
  requireRange("lookahead", "alpha", options.alpha, 0, 1 + Number.EPSILON);
  return (parameters) => inner(parameters).withAlgorithm((algorithm) => around(algorithm, options));
}

function around<Options extends OptimizerOptions>(
  inner: Algorithm<Options, string, unknown>,
  { every, alpha }: LookaheadOptions,
): Algorithm<Options, string, Shared> {
  return {
    name: `Lookahead(${inner.name})`,
    defaults: inner.defaults,
    check: (options) => inner.check(options),
    slots: (options, shape) => [...inner.slots(options, shape), { slot: "slow", initial: "parameter" }],
    prepare: (options, learningRate, step) => ({
      inner: inner.prepare(options, learningRate, step),
      isFirst: step.equal(1) as Tensor,
      isDue: step.remainder(every).equal(0) as Tensor,
    }),
    update(parameter, gradient, slots, shared, options) {
      const own = inner.update(parameter, gradient, slots, shared.inner, options);
      // What was loaded after the optimizer was made counts as the beginning.
      const slow = where(shared.isFirst, parameter, slots.slow!) as Tensor;
      const moved = slow.add(own.parameter.sub(slow).mul(alpha)) as Tensor;
      return {
        ...(own as Slots<string>),
        parameter: where(shared.isDue, moved, own.parameter) as Tensor,
        slow: where(shared.isDue, moved, slow) as Tensor,
      } as never;
    },
  };
}
