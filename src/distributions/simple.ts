/** Uniform, exponential and Laplace: drawn by their inverse distribution functions. */
import { random, type Tensor, type TensorLike } from "../tensor/index.ts";
import { Distribution } from "./distribution.ts";
import { argumentOf, type Key, parameters, type Shape, within } from "./parameters.ts";

/**
 * Equally likely from low to high.
 *
 * @example new Uniform(0, 4).variance; // 1.3333333730697632
 */
export class Uniform extends Distribution {
  readonly low: Tensor;
  readonly high: Tensor;

  constructor(low: TensorLike = 0, high: TensorLike = 1) {
    const [a, b] = parameters("Uniform", low, high) as [Tensor, Tensor];
    super(a.shape);
    this.low = a;
    this.high = b;
  }
  private get width(): Tensor {
    return this.high.sub(this.low);
  }
  get mean(): Tensor {
    return this.low.add(this.high).mul(0.5);
  }
  get variance(): Tensor {
    return this.width.square().div(12);
  }
  sample(key: Key, shape: Shape = []): Tensor {
    const u = random.uniform(key, [...shape, ...this.batchShape], {
      dtype: this.low.dtype as "f32",
    }) as Tensor;
    return u.mul(this.width).add(this.low);
  }
  logProb(value: TensorLike): Tensor {
    const x = argumentOf("Uniform", value, this.low);
    return within(x.greaterEqual(this.low).and(x.lessEqual(this.high)), x.mul(0).sub(this.width.log()));
  }
  override cdf(value: TensorLike): Tensor {
    return argumentOf("Uniform", value, this.low).sub(this.low).div(this.width).clip(0, 1);
  }
  override icdf(p: TensorLike): Tensor {
    return argumentOf("Uniform", p, this.low).mul(this.width).add(this.low);
  }
  override entropy(): Tensor {
    return this.width.log();
  }
  protected override divergence(other: this): Tensor {
    const isCovered = this.low.greaterEqual(other.low).and(this.high.lessEqual(other.high));
    return within(isCovered, this.width.log().sub(other.width.log())).neg();
  }
}

/**
 * p(x) = λ exp(−λx) for x ≥ 0, λ the rate.
 *
 * @example new Exponential(2).mean; // 0.5
 */
export class Exponential extends Distribution {
  readonly rate: Tensor;

  constructor(rate: TensorLike = 1) {
    const [r] = parameters("Exponential", rate) as [Tensor];
    super(r.shape);
    this.rate = r;
  }
  get mean(): Tensor {
    return this.rate.reciprocal();
  }
  get variance(): Tensor {
    return this.rate.square().reciprocal();
  }
  sample(key: Key, shape: Shape = []): Tensor {
    const x = random.exponential(key, [...shape, ...this.batchShape], { dtype: this.rate.dtype as "f32" });
    return (x as Tensor).div(this.rate);
  }
  logProb(value: TensorLike): Tensor {
    const x = argumentOf("Exponential", value, this.rate);
    return within(x.greaterEqual(0), this.rate.log().sub(x.mul(this.rate)));
  }
  override cdf(value: TensorLike): Tensor {
    return argumentOf("Exponential", value, this.rate).maximum(0).mul(this.rate).neg().expm1().neg();
  }
  override icdf(p: TensorLike): Tensor {
    return argumentOf("Exponential", p, this.rate).neg().log1p().neg().div(this.rate);
  }
  override entropy(): Tensor {
    return this.rate.log().neg().add(1);
  }
  protected override divergence(other: this): Tensor {
    const ratio = other.rate.div(this.rate);
    return ratio.sub(1).sub(ratio.log());
  }
}

/**
 * p(x) = exp(−|x − μ|/b) / 2b.
 *
 * @example new Laplace(1, 2).variance; // 8
 */
export class Laplace extends Distribution {
  readonly mean: Tensor;
  readonly scale: Tensor;

  constructor(mean: TensorLike = 0, scale: TensorLike = 1) {
    const [m, b] = parameters("Laplace", mean, scale) as [Tensor, Tensor];
    super(m.shape);
    this.mean = m;
    this.scale = b;
  }
  get variance(): Tensor {
    return this.scale.square().mul(2);
  }
  sample(key: Key, shape: Shape = []): Tensor {
    const size = [...shape, ...this.batchShape];
    const keys = random.split(key);
    const dtype = this.mean.dtype as "f32";
    const size1 = random.exponential(keys.at(0) as never, size, { dtype }) as Tensor;
    const size2 = random.exponential(keys.at(1) as never, size, { dtype }) as Tensor;
    // The difference of two exponential numbers.
    return size1.sub(size2).mul(this.scale).add(this.mean);
  }
  private standardized(value: TensorLike): Tensor {
    return argumentOf("Laplace", value, this.mean).sub(this.mean).div(this.scale);
  }
  logProb(value: TensorLike): Tensor {
    return this.standardized(value).abs().neg().sub(this.scale.mul(2).log());
  }
  override cdf(value: TensorLike): Tensor {
    const z = this.standardized(value);
    return z.sign().mul(z.abs().neg().expm1()).mul(-0.5).add(0.5);
  }
  override icdf(p: TensorLike): Tensor {
    const q = argumentOf("Laplace", p, this.mean).sub(0.5);
    return this.mean.sub(this.scale.mul(q.sign()).mul(q.abs().mul(-2).log1p()));
  }
  override entropy(): Tensor {
    return this.scale.mul(2).log().add(1);
  }
  protected override divergence(other: this): Tensor {
    const distance = this.mean.sub(other.mean).abs();
    const ratio = this.scale.div(other.scale);
    return ratio
      .mul(distance.div(this.scale).neg().exp())
      .add(distance.div(other.scale))
      .sub(ratio.log())
      .sub(1);
  }
}
