/** Averages of weights over the steps of training. */
import { ArgumentError } from "../base/errors.ts";
import type { Parameter } from "../nn/index.ts";
import { StateTensor } from "../tensor/index.ts";

/**
 * A moving average of parameters, a ← decay·a + (1 − decay)·p after each step: often better than the last weights. It begins
 * at the parameters' values. Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992.
 *
 * @throws ArgumentError unless 0 ≤ decay < 1
 * @example
 * const weight = new Parameter([0, 0]);
 * const average = new WeightAverage([weight], { decay: 0.5 });
 * weight.assign([4, 8]);
 * average.update();
 * average.swap();
 * await weight.toArray(); // [2, 4]
 */
export class WeightAverage {
  readonly decay: number;
  readonly #averages: ReadonlyMap<Parameter, StateTensor>;

  constructor(parameters: Iterable<Parameter>, { decay = 0.999 }: { decay?: number } = {}) {
    if (!(decay >= 0 && decay < 1))
      throw new ArgumentError(`WeightAverage: decay must be from 0 to below 1, got ${decay}`);
    this.decay = decay;
    this.#averages = new Map(
      [...parameters].map((parameter) => {
        const { shape, dtype, name } = parameter;
        const average = new StateTensor({ name: `average.${name}`, shape, dtype });
        average.assign(parameter.value);
        return [parameter, average];
      }),
    );
  }

  /** Takes the parameters' values in: after the optimizer's step, within the compiled step. */
  update(): void {
    for (const [parameter, average] of this.#averages)
      average.assign(average.value.mul(this.decay).add(parameter.value.mul(1 - this.decay)));
  }

  /** Exchanges averages and parameters: before an evaluation, and again after it. */
  swap(): void {
    for (const [parameter, average] of this.#averages) {
      const [own, mean] = [parameter.value, average.value];
      parameter.assign(mean);
      average.assign(own);
    }
  }

  /** The averages, under their parameters' names. */
  stateDict(): Map<string, StateTensor> {
    return new Map([...this.#averages].map(([parameter, average]) => [parameter.name, average]));
  }
}
