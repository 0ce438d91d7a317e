/** Gradients of several batches as one: what a large batch would give, in the memory of a small one. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import type { Parameter } from "../nn/index.ts";
import { StateTensor, type Tensor, where, zerosLike } from "../tensor/index.ts";
import { parameterNames } from "./groups.ts";

/**
 * Sums of gradients between updates. Gradients of means over n₁, n₂ … samples become those of the mean over all samples,
 * Σ nᵢ·gᵢ / Σ nᵢ, so that a smaller last batch weighs less. Sums are f32, states, and part of the compiled step.
 *
 * @throws ArgumentError for another number of gradients, ShapeError for one of another shape than its parameter
 * @example
 * const weight = new Parameter([1, 2]);
 * const accumulator = new GradientAccumulator([weight]);
 * accumulator.add(grad(weight.mul(tensor([3, 0])).sum(), [weight]), 1);
 * accumulator.add(grad(weight.mul(tensor([0, 6])).sum(), [weight]), 2);
 * const [gradient] = accumulator.take();
 * await gradient.toArray(); // [1, 4]
 */
export class GradientAccumulator {
  readonly parameters: readonly Parameter[];
  readonly #sums: readonly StateTensor[];
  readonly #count: StateTensor;

  constructor(parameters: Iterable<Parameter>) {
    this.parameters = [...parameters];
    this.#sums = this.parameters.map(
      ({ name, shape }) =>
        new StateTensor({ name: `gradientSum.${name}`, shape: shape as readonly number[], dtype: "f32" }),
    );
    this.#count = new StateTensor({ name: "gradientCount", shape: [], dtype: "f32" });
  }

  /** Adds the gradients of a mean over `count` samples, or tokens. */
  add(gradients: readonly Tensor[], count: number | Tensor = 1): void {
    this.#require(gradients);
    this.#sums.forEach((sum, i) => void sum.assign(sum.value.add(gradients[i]!.cast("f32").mul(count))));
    this.#count.assign(this.#count.value.add(count));
  }

  /** The gradients of the mean over everything that was added; the sums begin anew. */
  take(): Tensor[] {
    // Where nothing counted, sums are zeros, and so is their mean.
    const count = this.#count.value;
    const share = where(count.equal(0), 1, count).reciprocal();
    const means = this.#sums.map((sum) => sum.value.mul(share) as Tensor);
    for (const state of [...this.#sums, this.#count]) state.assign(zerosLike(state.value));
    return means;
  }

  /** Sums and count by name, for a checkpoint between updates. */
  stateDict(): Map<string, StateTensor> {
    const names = parameterNames(this.parameters);
    const sums = this.#sums.map((sum, i) => [`gradientSum.${names[i]}`, sum] as const);
    return new Map<string, StateTensor>([...sums, ["gradientCount", this.#count]]);
  }

  #require(gradients: readonly Tensor[]): void {
    if (gradients.length !== this.parameters.length) {
      throw new ArgumentError(
        `GradientAccumulator: ${gradients.length} gradients for ${this.parameters.length} parameters; pass grad(loss, accumulator.parameters)`,
      );
    }
    this.parameters.forEach(({ name, shape }, i) => {
      if (sameShape(shape, gradients[i]!.shape)) return;
      throw new ShapeError(
        `GradientAccumulator: gradient ${i} has shape ${shapeText(gradients[i]!.shape)}, parameter "${name}" ${shapeText(shape)}`,
      );
    });
  }
}
