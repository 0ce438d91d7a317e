/** Losses scaled so that gradients in f16 neither vanish nor overflow. */
import { ArgumentError } from "../base/errors.ts";
import { StateTensor, type Tensor, where } from "../tensor/index.ts";
import type { Optimizer } from "./optimizer.ts";
import { requireRange, withDefaults } from "./options.ts";

export interface LossScalerOptions {
  /** What losses are multiplied by at first; 65,536 unless told otherwise. */
  readonly initialScale: number;
  /** What the scale is multiplied by after `growthInterval` good steps in a row; 2 unless told otherwise. */
  readonly growthFactor: number;
  /** What it is multiplied by where gradients overflow; 0.5 unless told otherwise. */
  readonly backoffFactor: number;
  /** 2,000 unless told otherwise. */
  readonly growthInterval: number;
}

/**
 * Dynamic loss scaling, PyTorch's GradScaler: the loss is multiplied by a scale, gradients are divided by it, and a step whose gradients
 * are not all finite is left out while the scale is halved; it doubles again after many good steps. All of it is part of the compiled
 * step. Micikevicius et al., "Mixed precision training", ICLR 2018.
 *
 * @throws ArgumentError for factors on the wrong side of 1
 * @example
 * const model = new Linear(2, 1);
 * const optimizer = new SGD(model.parameters(), { learningRate: 0.1 });
 * const scaler = new LossScaler({ initialScale: 1024 });
 * const step = compile((x: Tensor) => {
 *   const loss = autocast("f16", () => model.forward(x)).cast("f32").square().mean();
 *   const gradients = scaler.unscale(grad(scaler.scale(loss), model.parameters()));
 *   scaler.step(optimizer, gradients);
 *   return loss;
 * });
 * await step(tensor([[1, 2]])).item();
 * await scaler.skippedSteps.item(); // 0
 */
export class LossScaler {
  readonly options: LossScalerOptions;
  /** What losses are multiplied by now: f32 of shape (). */
  readonly factor: StateTensor;
  /** Steps that were left out: i32 of shape (). */
  readonly skippedSteps: StateTensor;
  readonly #goodSteps: StateTensor;

  constructor(options: Partial<LossScalerOptions> = {}) {
    const defaults = { initialScale: 65_536, growthFactor: 2, backoffFactor: 0.5, growthInterval: 2000 };
    this.options = withDefaults<LossScalerOptions>("LossScaler", options, defaults);
    const { initialScale, growthFactor, backoffFactor, growthInterval } = this.options;
    requireRange("LossScaler", "initialScale", initialScale, Number.MIN_VALUE);
    requireRange("LossScaler", "growthFactor", growthFactor, 1);
    requireRange("LossScaler", "backoffFactor", backoffFactor, Number.MIN_VALUE, 1);
    requireRange("LossScaler", "growthInterval", growthInterval, 1);
    const initial = Float32Array.of(initialScale);
    this.factor = new StateTensor({ name: "lossScale", shape: [], dtype: "f32", initial });
    this.skippedSteps = new StateTensor({ name: "skippedSteps", shape: [], dtype: "i32" });
    this.#goodSteps = new StateTensor({ name: "goodSteps", shape: [], dtype: "i32" });
  }

  /** The loss to take gradients of. */
  scale(loss: Tensor): Tensor {
    return loss.cast("f32").mul(this.factor) as Tensor;
  }

  /** Gradients of the scaled loss as those of the loss, in f32. */
  unscale(gradients: readonly Tensor[]): Tensor[] {
    const share = this.factor.reciprocal() as Tensor;
    return gradients.map((gradient) => gradient.cast("f32").mul(share) as Tensor);
  }

  /** The optimizer's step where all (unscaled) gradients are finite; else nothing but a smaller scale. */
  step(optimizer: Optimizer, gradients: readonly Tensor[]): void {
    if (gradients.length === 0) throw new ArgumentError("LossScaler: no gradients");
    const isGood = gradients
      .map((gradient) => gradient.isFinite().all() as Tensor)
      .reduce((all, one) => all.and(one) as Tensor);
    const trained = optimizer.parameters.filter((parameter) => parameter.trainable);
    const states = [...trained, ...optimizer.stateDict().values()];
    const before = states.map((state) => state.value as Tensor);
    optimizer.step(gradients);
    states.forEach((state, i) => void state.assign(where(isGood, state.value, before[i]!) as Tensor));
    this.#update(isGood);
  }

  #update(isGood: Tensor): void {
    const { growthFactor, backoffFactor, growthInterval } = this.options;
    const good = where(isGood, this.#goodSteps.value.add(1), 0) as Tensor;
    const grows = good.greaterEqual(growthInterval) as Tensor;
    const factor = where(isGood, where(grows, growthFactor, 1), backoffFactor) as Tensor;
    this.factor.assign(this.factor.value.mul(factor) as Tensor);
    this.#goodSteps.assign(where(grows, 0, good).cast("i32") as Tensor);
    this.skippedSteps.assign(this.skippedSteps.value.add(where(isGood, 0, 1).cast("i32")) as Tensor);
  }

  /** Scale and counters by name, for a checkpoint. */
  stateDict(): Map<string, StateTensor> {
    const states = [this.factor, this.skippedSteps, this.#goodSteps];
    return new Map(states.map((state) => [state.name, state]));
  }
}
