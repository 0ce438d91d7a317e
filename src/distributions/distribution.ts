/** What all distributions are. */
import { ArgumentError } from "../base/errors.ts";
import type { Tensor, TensorLike } from "../tensor/index.ts";
import type { Key, Shape } from "./parameters.ts";

/**
 * A distribution, or a batch of them: parameters broadcast to `batchShape`; one draw of one of them has `eventShape`.
 *
 * Samples of continuous distributions are differentiable functions of the parameters (reparameterised); wrap them in
 * `stopGradient` where that is not wanted. Samples of discrete ones have no gradient.
 *
 * @example new Normal(0, 1) instanceof Distribution; // true
 */
export abstract class Distribution {
  readonly batchShape: Shape;
  readonly eventShape: Shape;

  constructor(batchShape: Shape, eventShape: Shape = []) {
    this.batchShape = batchShape;
    this.eventShape = eventShape;
  }

  /** The name in messages. */
  get name(): string {
    return this.constructor.name;
  }

  /** Draws of shape (…shape, …batchShape, …eventShape): equal keys, equal draws, on every target. */
  abstract sample(key: Key, shape?: Shape): Tensor;
  /** ln of the density (or probability) at `value`; −Infinity outside the support. */
  abstract logProb(value: TensorLike): Tensor;
  abstract get mean(): Tensor;
  abstract get variance(): Tensor;

  /** √variance. */
  get standardDeviation(): Tensor {
    return this.variance.sqrt();
  }
  /** The density (or probability) at `value`. */
  prob(value: TensorLike): Tensor {
    return this.logProb(value).exp();
  }
  /** −E ln p, in nats. @throws ArgumentError where there is no closed form */
  entropy(): Tensor {
    throw noForm(this, "entropy");
  }
  /** P(X ≤ value). @throws ArgumentError where there is no closed form */
  cdf(_value: TensorLike): Tensor {
    throw noForm(this, "cdf");
  }
  /** The value below which a share p lies: the inverse of `cdf`. @throws ArgumentError where there is no closed form */
  icdf(_p: TensorLike): Tensor {
    throw noForm(this, "icdf");
  }
  /** KL(this ‖ other), of one family. */
  protected divergence(_other: this): Tensor {
    throw noForm(this, "klDivergence");
  }

  /** For `klDivergence`. */
  static divergenceOf(p: Distribution, q: Distribution): Tensor {
    if (p.constructor !== q.constructor)
      throw new ArgumentError(
        `klDivergence: of ${p.name} and ${q.name} there is no closed form here; average p.logProb(x) − q.logProb(x) over samples x of p`,
      );
    return p.divergence(q);
  }
}

function noForm({ name }: Distribution, what: string): ArgumentError {
  return new ArgumentError(`${name}: ${what} has no closed form; estimate it from samples`);
}

/**
 * KL(p ‖ q) = E_p[ln p − ln q] of two distributions of one family, element by element of their batch.
 *
 * @throws ArgumentError for two families, or one without a closed form
 * @example klDivergence(new Normal(0, 1), new Normal(1, 1)); // 0.5
 */
export const klDivergence = (p: Distribution, q: Distribution): Tensor => Distribution.divergenceOf(p, q);
