/** What each action is worth. Mnih and others, "Human-level control through deep reinforcement learning", 2015; Wang and others, "Dueling network architectures", 2016. */
import { checkOptions } from "../base/options.ts";
import type { ChainLink } from "../base/shape-types.ts";
import { Linear, Module, ReLU, Sequential } from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";

export interface QNetworkOptions {
  /** Default [128, 128]. */
  readonly hiddenSizes?: readonly number[];
  /** Default false: true values the state and what each action adds apart, Q = V + A − mean(A). */
  readonly dueling?: boolean;
}

/**
 * Dense layers from an observation to a value for each action.
 *
 * Shapes: (N, observationSize) → (N, actions).
 *
 * @example new QNetwork(4, 2, { hiddenSizes: [16], dueling: true }).forward(zeros([3, 4])).shape // [3, 2]
 */
export class QNetwork extends Module {
  readonly body: Sequential;
  readonly advantage: Linear;
  readonly value: Linear | undefined;

  constructor(observationSize: number, actions: number, options: QNetworkOptions = {}) {
    super();
    checkOptions("QNetwork", options, ["hiddenSizes", "dueling"]);
    const { hiddenSizes = [128, 128], dueling = false } = options;
    let size = observationSize;
    const layers: ChainLink[] = [];
    for (const hidden of hiddenSizes) {
      layers.push(new Linear(size, hidden), new ReLU());
      size = hidden;
    }
    this.body = new Sequential(...layers);
    this.advantage = new Linear(size, actions);
    this.value = dueling ? new Linear(size, 1) : undefined;
  }

  forward(observation: Tensor): Tensor {
    const seen = this.body.forward(observation);
    const advantage = this.advantage.forward(seen as never) as Tensor; // (N, actions)
    if (this.value === undefined) return advantage;
    const value = this.value.forward(seen as never) as Tensor; // (N, 1)
    return value.add(advantage).sub(advantage.mean(-1, { keepDims: true })) as Tensor;
  }
}
