/** The normal distribution, and the one whose logarithm it is. */
import { random, type Tensor, type TensorLike } from "../tensor/index.ts";
import { Distribution } from "./distribution.ts";
import { argumentOf, type Key, normalQuantile, parameters, type Shape, within } from "./parameters.ts";

const logRootTwoPi = 0.5 * Math.log(2 * Math.PI);

/**
 * p(x) = exp(−(x − μ)²/2σ²) / √(2πσ²).
 *
 * @example
 * const p = new Normal(0, [1, 2]);
 * p.logProb(0); // [-0.9189385175704956, -1.6120857000350952]
 */
export class Normal extends Distribution {
  readonly mean: Tensor;
  private readonly deviation: Tensor;

  constructor(mean: TensorLike = 0, standardDeviation: TensorLike = 1) {
    const [m, s] = parameters("Normal", mean, standardDeviation) as [Tensor, Tensor];
    super(m.shape);
    this.mean = m;
    this.deviation = s;
  }
  override get standardDeviation(): Tensor {
    return this.deviation;
  }
  get variance(): Tensor {
    return this.deviation.square();
  }
  sample(key: Key, shape: Shape = []): Tensor {
    const noise = random.normal(key, [...shape, ...this.batchShape], { dtype: this.mean.dtype as "f32" });
    return noise.mul(this.standardDeviation).add(this.mean) as Tensor;
  }
  private standardized(value: TensorLike): Tensor {
    return argumentOf("Normal", value, this.mean).sub(this.mean).div(this.standardDeviation);
  }
  logProb(value: TensorLike): Tensor {
    const z = this.standardized(value);
    return z.square().mul(-0.5).sub(this.standardDeviation.log()).sub(logRootTwoPi);
  }
  override cdf(value: TensorLike): Tensor {
    return this.standardized(value).mul(-Math.SQRT1_2).erfc().mul(0.5);
  }
  override icdf(p: TensorLike): Tensor {
    return normalQuantile(argumentOf("Normal", p, this.mean))
      .mul(this.standardDeviation)
      .add(this.mean);
  }
  override entropy(): Tensor {
    return this.standardDeviation.log().add(logRootTwoPi + 0.5);
  }
  protected override divergence(other: this): Tensor {
    const ratio = this.standardDeviation.div(other.standardDeviation).square();
    const distance = this.mean.sub(other.mean).div(other.standardDeviation).square();
    return ratio.add(distance).sub(1).sub(ratio.log()).mul(0.5);
  }
}

/**
 * exp of a normal number: ln X has mean μ and standard deviation σ.
 *
 * @example new LogNormal(0, 1).cdf(1); // 0.5
 */
export class LogNormal extends Distribution {
  /** The distribution of the logarithm. */
  readonly base: Normal;

  constructor(mean: TensorLike = 0, standardDeviation: TensorLike = 1) {
    const base = new Normal(mean, standardDeviation);
    super(base.batchShape);
    this.base = base;
  }
  get mean(): Tensor {
    return this.base.variance.mul(0.5).add(this.base.mean).exp();
  }
  get variance(): Tensor {
    return this.base.variance.expm1().mul(this.mean.square());
  }
  sample(key: Key, shape: Shape = []): Tensor {
    return this.base.sample(key, shape).exp();
  }
  logProb(value: TensorLike): Tensor {
    const x = argumentOf("LogNormal", value, this.base.mean);
    const logX = x.maximum(1e-37).log();
    return within(x.greater(0), this.base.logProb(logX).sub(logX));
  }
  override cdf(value: TensorLike): Tensor {
    return this.base.cdf(argumentOf("LogNormal", value, this.base.mean).maximum(0).log());
  }
  override icdf(p: TensorLike): Tensor {
    return this.base.icdf(p).exp();
  }
  override entropy(): Tensor {
    return this.base.entropy().add(this.base.mean);
  }
  protected override divergence(other: this): Tensor {
    return Distribution.divergenceOf(this.base, other.base);
  }
}
