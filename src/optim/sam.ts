/** Sharpness-aware minimization: the gradient of the worst point nearby, for another optimizer's step. */
import type { Parameter } from "../nn/index.ts";
import { grad, type Tensor } from "../tensor/index.ts";
import { globalNorm } from "./clip.ts";
import type { Optimizer } from "./optimizer.ts";
import { requireRange, withDefaults } from "./options.ts";

export interface SAMOptions {
  /** ρ, default 0.05 (adaptive: about 0.5 to 2): how far the worst point is looked for. */
  readonly rho: number;
  /** Default false. True measures distances relative to each weight: Kwon et al., "ASAM", ICML 2021 (without their η). */
  readonly adaptive: boolean;
}

/**
 * Sharpness-aware minimization around an optimizer:
 *
 *     e = ρ·g / (‖g‖ + 10⁻¹²)                 adaptive: ρ·θ²·g / (‖|θ|·g‖ + 10⁻¹²)
 *     θ takes the optimizer's step with the gradient at θ + e
 *
 * Norms are over all parameters together. Each step computes the loss and its gradient twice, both in the compiled step. Foret et
 * al., "Sharpness-aware minimization for efficiently improving generalization", ICLR 2021.
 *
 * The loss runs twice: a layer with statistics (batch norm) takes both batches in.
 *
 * @example
 * const weight = new Parameter([1, 2]);
 * const sam = new SAM(new SGD([weight], { learningRate: 0.5 }), { rho: 0.1 });
 * const step = compile((x: Tensor) => sam.step(() => weight.mul(x).sum()));
 * await step(tensor([1, 1])).item(); // 3
 */
export class SAM {
  readonly optimizer: Optimizer;
  readonly options: SAMOptions;

  constructor(optimizer: Optimizer, options: Partial<SAMOptions> = {}) {
    this.optimizer = optimizer;
    this.options = withDefaults<SAMOptions>("SAM", options, { rho: 0.05, adaptive: false });
    requireRange("SAM", "rho", this.options.rho, 0);
  }

  /** Assigns one update. @returns the loss before it */
  step(loss: () => Tensor): Tensor {
    const { parameters } = this.optimizer;
    const begin = parameters.map((parameter) => parameter.value as Tensor);
    const value = loss();
    this.#climb(parameters, grad(value, parameters) as Tensor[]);
    const gradients = grad(loss(), parameters) as Tensor[];
    parameters.forEach((parameter, i) => {
      parameter.assign(begin[i]!);
    });
    this.optimizer.step(gradients);
    return value;
  }

  #climb(parameters: readonly Parameter[], gradients: readonly Tensor[]): void {
    const { rho, adaptive } = this.options;
    const slopes = adaptive ? gradients.map((g, i) => g.mul(parameters[i]!.abs()) as Tensor) : gradients;
    const scale = globalNorm(slopes).add(1e-12).reciprocal().mul(rho) as Tensor;
    parameters.forEach((parameter, i) => {
      const slope = adaptive ? (slopes[i]!.mul(parameter.abs()) as Tensor) : slopes[i]!;
      parameter.assign(parameter.value.add(slope.mul(scale.cast(slope.dtype))));
    });
  }
}
