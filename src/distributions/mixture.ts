/** One of several distributions of a family, chosen at random. */
import { ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { random, type Tensor, type TensorLike } from "../tensor/index.ts";
import { Categorical } from "./categorical.ts";
import type { Distribution as Component } from "./distribution.ts";
import { Distribution } from "./distribution.ts";
import { argumentOf, type Key, type Shape, type Weights } from "./parameters.ts";

/**
 * Σᵢ wᵢ pᵢ(x): the components are the last axis of the batch of one distribution, whose draws are scalars.
 *
 * Samples have gradients with respect to the chosen component alone, not to the weights.
 *
 * @throws ShapeError when the components do not lie along a last axis of the weights' size
 * @example
 * const p = new Mixture({ probabilities: [0.5, 0.5] }, new Normal([-1, 1], 1));
 * p.variance; // 2
 */
export class Mixture extends Distribution {
  readonly weights: Categorical;
  readonly components: Component;

  constructor(weights: Weights, components: Component) {
    const chosen = new Categorical(weights);
    const [count, size] = [chosen.logits.shape.at(-1), components.batchShape.at(-1)];
    if (count !== size || components.eventShape.length > 0) {
      const text = `a batch ${shapeText(components.batchShape)} of draws ${shapeText(components.eventShape)}`;
      throw new ShapeError(
        `Mixture: ${count} weights for components that are ${text}; the batch's last axis must have ${count}, and draws be scalars`,
      );
    }
    super(components.batchShape.slice(0, -1));
    this.weights = chosen;
    this.components = components;
  }
  private average(x: Tensor): Tensor {
    return x.mul(this.weights.probabilities).sum(-1);
  }
  get mean(): Tensor {
    return this.average(this.components.mean);
  }
  /** The mean of the variances and the variance of the means. */
  get variance(): Tensor {
    const distance = this.components.mean.sub(this.mean.expandDims(-1) as Tensor);
    return this.average(this.components.variance.add(distance.square()));
  }
  sample(key: Key, shape: Shape = []): Tensor {
    const keys = random.split(key);
    const all = this.components.sample(keys.at(0) as never, shape);
    const size = [...shape, ...this.batchShape];
    const noise = random.gumbel(keys.at(1) as never, [...size, this.weights.logits.shape.at(-1)!]) as Tensor;
    const scores = noise.add(this.weights.logits);
    const isChosen = scores.equal(scores.max(-1, { keepDims: true }));
    return all.mul(isChosen.cast(all.dtype)).sum(-1);
  }
  logProb(value: TensorLike): Tensor {
    const x = argumentOf("Mixture", value, this.weights.logits).expandDims(-1) as Tensor;
    return this.components.logProb(x).add(this.weights.logits).logSumExp(-1);
  }
  override cdf(value: TensorLike): Tensor {
    const x = argumentOf("Mixture", value, this.weights.logits).expandDims(-1) as Tensor;
    return this.average(this.components.cdf(x));
  }
}
