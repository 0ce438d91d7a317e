/** Adafactor: second moments of matrices as a row and a column, for models whose moments would not fit. */
import { ArgumentError } from "../base/errors.ts";
import type { Tensor } from "../tensor/index.ts";
import type { Parameters } from "./groups.ts";
import { normOf } from "./moments.ts";
import { type Algorithm, Optimizer, type OptimizerFactory, type OptimizerOptions } from "./optimizer.ts";
import { requireRange } from "./options.ts";

export interface AdafactorOptions extends OptimizerOptions {
  /** Default −0.8: after t steps the moments keep 1 − t^this. */
  readonly beta2Decay: number;
  /** ε1 and ε2, default 2⁻²³ and 1e-3: the least root of a moment; the least size of a parameter that steps are measured by. */
  readonly epsilons: readonly [number, number];
  /** d, default 1: the largest root mean square of a step before the learning rate. */
  readonly clipThreshold: number;
  /** λ, default 0: the weights themselves shrink by lr·λ. */
  readonly weightDecay: number;
}

type Slot = "row" | "column" | "secondMoment";

interface Shared {
  readonly learningRate: Tensor;
  /** min(lr, 1/√t). */
  readonly relativeRate: Tensor;
  /** t^−0.8: how much of a new square enters the moments. */
  readonly share: Tensor;
}

const algorithm: Algorithm<AdafactorOptions, Slot, Shared> = {
  name: "Adafactor",
  defaults: {
    ...{ learningRate: 1e-2, beta2Decay: -0.8, epsilons: [2 ** -23, 1e-3], clipThreshold: 1, weightDecay: 0 },
  },
  check({ beta2Decay, epsilons, clipThreshold, weightDecay }) {
    if (!(beta2Decay <= 0))
      throw new ArgumentError(`Adafactor: beta2Decay must be 0 or less, got ${beta2Decay}`);
    requireRange("Adafactor", "epsilons[0]", epsilons[0], 0);
    requireRange("Adafactor", "epsilons[1]", epsilons[1], 0);
    requireRange("Adafactor", "clipThreshold", clipThreshold, 1);
    requireRange("Adafactor", "weightDecay", weightDecay, 0);
  },
  slots(_, shape) {
    if (shape.length < 2) return ["secondMoment"];
    return [
      { slot: "row", shape: [...shape.slice(0, -1), 1] },
      { slot: "column", shape: [...shape.slice(0, -2), 1, shape.at(-1)!] },
    ];
  },
  prepare: ({ beta2Decay }, learningRate, step) => ({
    learningRate,
    relativeRate: learningRate.minimum(step.rsqrt()),
    share: step.log().mul(beta2Decay).exp(),
  }),
  update(parameter, gradient, slots, shared, options) {
    const { learningRate, relativeRate, share } = shared;
    const {
      epsilons: [least, leastSize],
      clipThreshold,
      weightDecay,
    } = options;
    const count = Math.sqrt((parameter.shape as readonly number[]).reduce((n, size) => n * size, 1));
    const size = normOf(parameter).div(count).maximum(leastSize).mul(relativeRate);
    const weight = weightDecay === 0 ? parameter : parameter.mul(learningRate.mul(-weightDecay).add(1));
    const { moment, states } = momentOf(gradient, slots, share, least);
    const direction = gradient.mul(moment.maximum(least ** 2).rsqrt());
    const excess = normOf(direction)
      .div(count * clipThreshold)
      .maximum(1);
    return { parameter: weight.sub(direction.mul(size.div(excess))), ...states };
  },
};

/** The second moment: of a matrix the product of its rows' and columns' means over the mean of all. */
function momentOf(
  gradient: Tensor,
  slots: Readonly<Record<Slot, Tensor>>,
  share: Tensor,
  least: number,
): { moment: Tensor; states: Partial<Record<Slot, Tensor>> } {
  const towards = (state: Tensor, value: Tensor): Tensor => state.add(value.sub(state).mul(share)) as Tensor;
  const square = gradient.square() as Tensor;
  if (gradient.shape.length < 2) {
    const secondMoment = towards(slots.secondMoment, square);
    return { moment: secondMoment, states: { secondMoment } };
  }
  const row = towards(slots.row, square.mean(-1, { keepDims: true }) as Tensor);
  const column = towards(slots.column, square.mean(-2, { keepDims: true }) as Tensor);
  const whole = row.mean(-2, { keepDims: true }).maximum(least) as Tensor;
  return { moment: row.mul(column).div(whole) as Tensor, states: { row, column } };
}

/**
 * Adafactor as PyTorch has it; t counts from 1, moments begin at 0. RMS is the root of the mean square.
 *
 *     ρ = min(lr, 1/√t)            α = max(ε2, RMS(θ))·ρ
 *     R = R + t^−0.8·(mean over columns of g² − R)     C likewise over rows
 *     v = R·C / mean(R)            of vectors v itself
 *     u = g / max(√v, ε1)          u = u / max(1, RMS(u)/d)
 *     θ = (1 − lr·λ)·θ − α·u
 *
 * Where Adam keeps two numbers a weight, this keeps a row and a column a matrix. Defaults: learningRate 1e-2, beta2Decay −0.8,
 * epsilons 2⁻²³ and 1e-3, clipThreshold 1, weightDecay 0. Shazeer and Stern, "Adafactor: adaptive learning rates with sublinear
 * memory cost", ICML 2018.
 *
 * @example
 * const model = new Linear(2, 1);
 * const optimizer = new Adafactor(model.parameters());
 * const loss = model.forward(tensor([[1, 2]])).sum();
 * optimizer.step(grad(loss, model.parameters()));
 */
export class Adafactor extends Optimizer<AdafactorOptions> {
  constructor(parameters: Parameters<AdafactorOptions>, options: Partial<AdafactorOptions> = {}) {
    super(algorithm, parameters, options);
  }
}

/**
 * {@link Adafactor} as `fit` takes it.
 *
 * @example
 * const optimizer = adafactor({ learningRate: 0.01 })(new Linear(2, 1).parameters());
 * optimizer.parameters.length; // 2
 */
export const adafactor =
  (options: Partial<AdafactorOptions> = {}): OptimizerFactory =>
  (parameters) =>
    new Adafactor(parameters, options);
