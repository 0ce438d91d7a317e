/** Gamma, and what gamma numbers make: beta, Dirichlet, Student's t. Gradients of samples are implicit (`ops/functions/random-gamma.ts`). */
import { ShapeError } from "../base/errors.ts";
import { betainc, gammainc, random, type Tensor, type TensorLike, where } from "../tensor/index.ts";
import { Distribution } from "./distribution.ts";
import {
  argumentOf,
  digamma,
  type Key,
  lgamma,
  logBeta,
  parameters,
  repeated,
  type Shape,
  within,
} from "./parameters.ts";

/** The smallest number of a draw: 0 would have no logarithm. */
const smallest = 1e-37;

/**
 * p(x) = βᵅ xᵅ⁻¹ exp(−βx) / Γ(α) for x > 0, α the concentration and β the rate.
 *
 * @example new Gamma(3, 2).mean; // 1.5
 */
export class Gamma extends Distribution {
  readonly concentration: Tensor;
  readonly rate: Tensor;

  constructor(concentration: TensorLike, rate: TensorLike = 1) {
    const [a, b] = parameters("Gamma", concentration, rate) as [Tensor, Tensor];
    super(a.shape);
    this.concentration = a;
    this.rate = b;
  }
  get mean(): Tensor {
    return this.concentration.div(this.rate);
  }
  get variance(): Tensor {
    return this.mean.div(this.rate);
  }
  sample(key: Key, shape: Shape = []): Tensor {
    return random.gamma(key, repeated(this.concentration, shape)).div(this.rate);
  }
  logProb(value: TensorLike): Tensor {
    const x = argumentOf("Gamma", value, this.rate);
    const a = this.concentration;
    const density = a.sub(1).mul(x.maximum(smallest).log()).sub(x.mul(this.rate));
    return within(x.greater(0), density.add(a.mul(this.rate.log())).sub(lgamma(a)));
  }
  override cdf(value: TensorLike): Tensor {
    const x = argumentOf("Gamma", value, this.rate);
    return gammainc(this.concentration, x.mul(this.rate).maximum(0));
  }
  override entropy(): Tensor {
    const a = this.concentration;
    return a
      .sub(this.rate.log())
      .add(lgamma(a))
      .sub(a.sub(1).mul(digamma(a)));
  }
  protected override divergence(other: this): Tensor {
    const [a, b] = [this.concentration, other.concentration];
    return a
      .sub(b)
      .mul(digamma(a))
      .sub(lgamma(a))
      .add(lgamma(b))
      .add(b.mul(this.rate.log().sub(other.rate.log())))
      .add(a.mul(other.rate.sub(this.rate).div(this.rate)));
  }
}

/**
 * p(x) = xᵃ⁻¹ (1 − x)ᵇ⁻¹ / B(a, b) from 0 to 1.
 *
 * @example new Beta(1, 3).mean; // 0.25
 */
export class Beta extends Distribution {
  readonly a: Tensor;
  readonly b: Tensor;

  constructor(a: TensorLike, b: TensorLike) {
    const [first, second] = parameters("Beta", a, b) as [Tensor, Tensor];
    super(first.shape);
    this.a = first;
    this.b = second;
  }
  private get total(): Tensor {
    return this.a.add(this.b);
  }
  get mean(): Tensor {
    return this.a.div(this.total);
  }
  get variance(): Tensor {
    return this.mean.mul(this.b).div(this.total).div(this.total.add(1));
  }
  sample(key: Key, shape: Shape = []): Tensor {
    const keys = random.split(key);
    const x = random.gamma(keys.at(0) as never, repeated(this.a, shape));
    const y = random.gamma(keys.at(1) as never, repeated(this.b, shape));
    return x.div(x.add(y));
  }
  logProb(value: TensorLike): Tensor {
    const x = argumentOf("Beta", value, this.a);
    const isInside = x.greater(0).and(x.less(1));
    const inside = x.clip(smallest, 1 - 2 ** -24);
    const density = this.a.sub(1).mul(inside.log()).add(this.b.sub(1).mul(inside.neg().log1p()));
    return within(isInside, density.sub(logBeta(this.a, this.b)));
  }
  override cdf(value: TensorLike): Tensor {
    return betainc(this.a, this.b, argumentOf("Beta", value, this.a).clip(0, 1));
  }
  override entropy(): Tensor {
    const { a, b, total } = this;
    return logBeta(a, b)
      .sub(a.sub(1).mul(digamma(a)))
      .sub(b.sub(1).mul(digamma(b)))
      .add(total.sub(2).mul(digamma(total)));
  }
  protected override divergence(other: this): Tensor {
    const { a, b, total } = this;
    return logBeta(other.a, other.b)
      .sub(logBeta(a, b))
      .add(a.sub(other.a).mul(digamma(a)))
      .add(b.sub(other.b).mul(digamma(b)))
      .add(other.total.sub(total).mul(digamma(total)));
  }
}

/**
 * p(x) = Π xᵢ^(αᵢ − 1) Γ(Σα) / Π Γ(αᵢ) over vectors x of positive parts that sum to 1; the last axis holds the parts.
 *
 * @throws ShapeError for a scalar concentration
 * @example new Dirichlet([1, 1, 2]).mean; // [0.25, 0.25, 0.5]
 */
export class Dirichlet extends Distribution {
  readonly concentration: Tensor;

  constructor(concentration: TensorLike) {
    const [a] = parameters("Dirichlet", concentration) as [Tensor];
    if (a.rank === 0)
      throw new ShapeError("Dirichlet: the concentration needs an axis of parts, got a scalar");
    super(a.shape.slice(0, -1), a.shape.slice(-1));
    this.concentration = a;
  }
  private get total(): Tensor {
    return this.concentration.sum(-1);
  }
  private get share(): Tensor {
    return this.concentration.div(this.concentration.sum(-1, { keepDims: true }));
  }
  get mean(): Tensor {
    return this.share;
  }
  get variance(): Tensor {
    const total = this.concentration.sum(-1, { keepDims: true });
    return this.share.mul(this.share.neg().add(1)).div(total.add(1));
  }
  sample(key: Key, shape: Shape = []): Tensor {
    const x = random.gamma(key, repeated(this.concentration, shape));
    return x.div(x.sum(-1, { keepDims: true }));
  }
  /** ln of the multivariate beta function. */
  private get logNormalizer(): Tensor {
    return lgamma(this.concentration).sum(-1).sub(lgamma(this.total));
  }
  logProb(value: TensorLike): Tensor {
    const x = argumentOf("Dirichlet", value, this.concentration);
    const density = this.concentration.sub(1).mul(x.maximum(smallest).log()).sum(-1);
    return within(x.greater(0).all(-1), density.sub(this.logNormalizer));
  }
  override entropy(): Tensor {
    const { concentration: a, total } = this;
    const parts = a.sub(1).mul(digamma(a)).sum(-1);
    return this.logNormalizer.add(total.sub(Number(this.eventShape[0])).mul(digamma(total))).sub(parts);
  }
  protected override divergence(other: this): Tensor {
    const { concentration: a, total } = this;
    const slopes = digamma(a).sub(digamma(total).expandDims(-1) as Tensor);
    return other.logNormalizer.sub(this.logNormalizer).add(a.sub(other.concentration).mul(slopes).sum(-1));
  }
}

/**
 * Student's t with ν degrees of freedom, moved by μ and scaled by σ.
 *
 * @example new StudentT(4).variance; // 2
 */
export class StudentT extends Distribution {
  readonly degrees: Tensor;
  readonly location: Tensor;
  readonly scale: Tensor;

  constructor(degrees: TensorLike, location: TensorLike = 0, scale: TensorLike = 1) {
    const [n, m, s] = parameters("StudentT", degrees, location, scale) as [Tensor, Tensor, Tensor];
    super(n.shape);
    this.degrees = n;
    this.location = m;
    this.scale = s;
  }
  /** NaN up to one degree of freedom. */
  get mean(): Tensor {
    return where(this.degrees.greater(1), this.location, Number.NaN) as Tensor;
  }
  /** Infinity up to two degrees of freedom, NaN up to one. */
  get variance(): Tensor {
    const spread = this.scale.square().mul(this.degrees).div(this.degrees.sub(2).maximum(0));
    return where(this.degrees.greater(1), spread, Number.NaN) as Tensor;
  }
  sample(key: Key, shape: Shape = []): Tensor {
    const keys = random.split(key);
    const size = [...shape, ...this.batchShape];
    const z = random.normal(keys.at(0) as never, size, { dtype: this.scale.dtype as "f32" }) as Tensor;
    const half = repeated(this.degrees.mul(0.5), shape);
    // A χ² number of ν degrees is twice a gamma number of concentration ν/2.
    const spread = half.div(random.gamma(keys.at(1) as never, half)).sqrt();
    return z.mul(spread).mul(this.scale).add(this.location);
  }
  logProb(value: TensorLike): Tensor {
    const n = this.degrees;
    const z = argumentOf("StudentT", value, this.scale).sub(this.location).div(this.scale);
    const tail = z.square().div(n).log1p().mul(n.add(1).mul(-0.5));
    return tail
      .sub(this.scale.log())
      .sub(n.log().mul(0.5))
      .sub(logBeta(n.mul(0.5), n.mul(0).add(0.5)));
  }
  /** By I of the share that z² has in z² + ν, or of what is left of it, whichever is smaller. */
  override cdf(value: TensorLike): Tensor {
    const n = this.degrees.cast("f64");
    const distance = argumentOf("StudentT", value, this.scale).sub(this.location).div(this.scale).cast("f64");
    // The slope at 0 is 0 · ∞; beside it, it is right.
    const z = distance.add(where(distance.equal(0), 1e-30, 0));
    const square = z.square();
    const isMiddle = square.less(n);
    const half = n.mul(0.5);
    const share = where(isMiddle, square, n).div(square.add(n));
    const part = betainc(where(isMiddle, 0.5, half), where(isMiddle, half, 0.5), share).mul(0.5);
    const [isLow, rest] = [z.less(0), part.neg()];
    const middle = where(isLow, rest, part).add(0.5);
    const tail = where(isLow, part, rest.add(1));
    return where(isMiddle, middle, tail).cast(this.scale.dtype) as Tensor;
  }
  override entropy(): Tensor {
    const n = this.degrees;
    const slope = digamma(n.add(1).mul(0.5)).sub(digamma(n.mul(0.5)));
    const normalizer = n
      .log()
      .mul(0.5)
      .add(logBeta(n.mul(0.5), n.mul(0).add(0.5)));
    return n.add(1).mul(0.5).mul(slope).add(normalizer).add(this.scale.log());
  }
}
