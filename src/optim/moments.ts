/** What Adam and its variants share: two moving averages of gradients, corrected for their start at zero. */
import { type Tensor, where } from "../tensor/index.ts";
import type { OptimizerOptions, Slots } from "./optimizer.ts";
import { requireRange } from "./options.ts";

export interface AdamOptions extends OptimizerOptions {
  /** β1 and β2, default 0.9 and 0.999: how much of the first and second moment a step keeps. */
  readonly betas: readonly [number, number];
  /** ε, default 1e-8 (Keras has 1e-7): the ε of Kingma and Ba's Algorithm 1, added to √v̂, not to √v. */
  readonly epsilon: number;
  /** λ: 0 for Adam, 1e-2 for AdamW. */
  readonly weightDecay: number;
}

export interface AmsgradOptions extends AdamOptions {
  /** Divide by the largest second moment so far instead of the present one, default false: one more state per parameter. */
  readonly amsgrad: boolean;
}

export type AdamSlot = "firstMoment" | "secondMoment" | "largestSecondMoment";

export const adamSlots = ({ amsgrad }: AmsgradOptions): readonly AdamSlot[] =>
  amsgrad ? ["firstMoment", "secondMoment", "largestSecondMoment"] : ["firstMoment", "secondMoment"];

export function checkAdam(what: string, { betas, epsilon, weightDecay }: AdamOptions): void {
  requireRange(what, "betas[0]", betas[0], 0, 1);
  requireRange(what, "betas[1]", betas[1], 0, 1);
  requireRange(what, "epsilon", epsilon, 0);
  requireRange(what, "weightDecay", weightDecay, 0);
}

/** What all elements share: lr / (1 − β1ᵗ), and 1 / √(1 − β2ᵗ). */
export interface Corrections {
  readonly learningRate: Tensor;
  readonly stepSize: Tensor;
  readonly scale: Tensor;
}

export function corrections(
  { betas: [beta1, beta2] }: AdamOptions,
  learningRate: Tensor,
  step: Tensor,
): Corrections {
  return {
    learningRate,
    stepSize: learningRate.div(oneMinusPower(beta1, step)),
    scale: oneMinusPower(beta2, step).rsqrt(),
  };
}

/** 1 − βᵗ as −expm1(t·ln β): the plain difference in f32 would lose most digits while βᵗ is near 1. */
export const oneMinusPower = (beta: number, step: Tensor): Tensor => step.mul(Math.log(beta)).expm1().neg();

/**
 * m = β1·m + (1 − β1)·g, v = β2·v + (1 − β2)·g², and the step lr·m̂ / (√v̂ + ε) that follows from them; with `amsgrad` the
 * largest v so far is in v's place.
 */
export function adamStep(
  gradient: Tensor,
  slots: Slots<AdamSlot>,
  { stepSize, scale }: Corrections,
  { betas: [beta1, beta2], epsilon, amsgrad }: AmsgradOptions,
): { step: Tensor; moments: Partial<Slots<AdamSlot>> } {
  const firstMoment = slots.firstMoment.mul(beta1).add(gradient.mul(1 - beta1));
  const secondMoment = slots.secondMoment.mul(beta2).add(gradient.mul(gradient).mul(1 - beta2));
  const largestSecondMoment = amsgrad ? slots.largestSecondMoment.maximum(secondMoment) : secondMoment;
  const step = firstMoment.mul(stepSize).div(largestSecondMoment.sqrt().mul(scale).add(epsilon));
  const moments = { firstMoment, secondMoment };
  return { step, moments: amsgrad ? { ...moments, largestSecondMoment } : moments };
}

/** Decay of both kinds: the weight shrunk by lr·λ, or λ·θ in the gradient. */
export function decayed(
  parameter: Tensor,
  gradient: Tensor,
  learningRate: Tensor,
  { weightDecay, decoupledWeightDecay }: { weightDecay: number; decoupledWeightDecay: boolean },
): { weight: Tensor; g: Tensor } {
  if (weightDecay === 0) return { weight: parameter, g: gradient };
  return decoupledWeightDecay
    ? { weight: parameter.mul(learningRate.mul(-weightDecay).add(1)), g: gradient }
    : { weight: parameter, g: gradient.add(parameter.mul(weightDecay)) };
}

/** √Σx² over all elements, of shape (). */
export const normOf = (x: Tensor): Tensor => x.square().sum().sqrt();

/** ‖parameter‖ / ‖direction‖; 1 where one of them is 0. */
export function trustRatio(parameter: Tensor, direction: Tensor): Tensor {
  const [own, other] = [normOf(parameter), normOf(direction)];
  const isSome = own.greater(0).and(other.greater(0));
  return where(isSome, own.div(where(isSome, other, 1)), 1) as Tensor;
}
