/** Averages of weights over the steps of training. */
import { ArgumentError } from "../base/errors.ts";
import type { Parameter } from "../nn/index.ts";
import { StateTensor, type Tensor } from "../tensor/index.ts";

/**
 * An average of parameters, often better than the last weights. It begins at the parameters' values.
 *
 * With a decay it is a moving one (EMA), a ← decay·a + (1 − decay)·p after each update: Polyak and Juditsky, "Acceleration of
 * stochastic approximation by averaging", 1992. With `decay: "equal"` it is the mean of all updates (SWA), to be updated once
 * an epoch while the learning rate is high or cyclic: Izmailov et al., "Averaging weights leads to wider optima and better
 * generalization", UAI 2018. A model with batch norm then needs `updateBatchNorm` before it is used with the averages.
 *
 * @throws ArgumentError unless 0 ≤ decay < 1 or "equal"
 * @example
 * const weight = new Parameter([0, 0]);
 * const average = new WeightAverage([weight], { decay: 0.5 });
 * weight.assign([4, 8]);
 * average.update();
 * average.swap();
 * await weight.toArray(); // [2, 4]
 */
export class WeightAverage {
  readonly decay: number | "equal";
  readonly #averages: ReadonlyMap<Parameter, StateTensor>;
  /** How many updates an equal average is of. */
  readonly #updates: StateTensor | undefined;

  constructor(parameters: Iterable<Parameter>, { decay = 0.999 }: { decay?: number | "equal" } = {}) {
    if (decay !== "equal" && !(decay >= 0 && decay < 1))
      throw new ArgumentError(
        `WeightAverage: decay must be from 0 to below 1, got ${decay}; "equal" gives the mean of all updates`,
      );
    this.decay = decay;
    this.#updates =
      decay === "equal" ? new StateTensor({ name: "updates", shape: [], dtype: "i32" }) : undefined;
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
    const share = this.#shareOfUpdate();
    for (const [parameter, average] of this.#averages) {
      const own = typeof share === "number" ? share : (share.cast(average.dtype) as Tensor);
      const kept = typeof own === "number" ? 1 - own : (own.neg().add(1) as Tensor);
      average.assign(average.value.mul(kept).add(parameter.value.mul(own)));
    }
  }

  #shareOfUpdate(): number | Tensor {
    if (this.decay !== "equal") return 1 - this.decay;
    const updates = this.#updates!.add(1) as Tensor;
    this.#updates!.assign(updates);
    return updates.cast("f32").reciprocal() as Tensor;
  }

  /** Exchanges averages and parameters: before an evaluation, and again after it. */
  swap(): void {
    for (const [parameter, average] of this.#averages) {
      const [own, mean] = [parameter.value, average.value];
      parameter.assign(mean);
      average.assign(own);
    }
  }

  /** The averages, under their parameters' names; of an equal average also `updates`. */
  stateDict(): Map<string, StateTensor> {
    const averages = [...this.#averages].map(([parameter, average]) => [parameter.name, average] as const);
    return new Map(
      this.#updates === undefined ? averages : [["updates", this.#updates] as const, ...averages],
    );
  }
}
