/** Bernoulli, binomial and Poisson: counts. */
import { ArgumentError } from "../base/errors.ts";
import * as ops from "../ops/index.ts";
import { arange, betainc, gammaincc, random, type Tensor, type TensorLike, where } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { Distribution } from "./distribution.ts";
import {
  argumentOf,
  type Key,
  lgamma,
  parameters,
  repeated,
  requireOne,
  type Shape,
  type Weights,
  within,
} from "./parameters.ts";

/** Probabilities of 1 and their logits, from either. */
function chances(what: string, weights: Weights): { probabilities: Tensor; logits: Tensor } {
  requireOne(what, weights);
  if (weights.logits !== undefined) {
    const [logits] = parameters(what, weights.logits) as [Tensor];
    return { logits, probabilities: logits.sigmoid() };
  }
  const [probabilities] = parameters(what, weights.probabilities) as [Tensor];
  return { probabilities, logits: probabilities.log().sub(probabilities.neg().log1p()) };
}

/**
 * x · logits, 0 where x is: 0 times an infinite logit is nothing. @internal
 */
const weighted = (x: Tensor, logits: Tensor): Tensor => where(x.equal(0), 0, x.mul(logits)) as Tensor;

/**
 * 1 with probability p, else 0.
 *
 * @throws ArgumentError unless either probabilities or logits are given
 * @example new Bernoulli({ probabilities: 0.25 }).variance; // 0.1875
 */
export class Bernoulli extends Distribution {
  readonly probabilities: Tensor;
  readonly logits: Tensor;

  constructor(weights: Weights) {
    const { probabilities, logits } = chances("Bernoulli", weights);
    super(logits.shape);
    this.probabilities = probabilities;
    this.logits = logits;
  }
  get mean(): Tensor {
    return this.probabilities;
  }
  get variance(): Tensor {
    return this.probabilities.mul(this.probabilities.neg().add(1));
  }
  /** Zeros and ones in the dtype of the parameters. */
  sample(key: Key, shape: Shape = []): Tensor {
    const drawn = random.bernoulli(key, [...shape, ...this.batchShape], this.probabilities);
    return (drawn as Tensor).cast(this.logits.dtype);
  }
  logProb(value: TensorLike): Tensor {
    const x = argumentOf("Bernoulli", value, this.logits);
    const isInside = x.equal(0).or(x.equal(1));
    // ln p where x is 1, ln (1 − p) where it is 0.
    return within(isInside, where(x.equal(1), this.logits, this.logits.neg()).logSigmoid() as Tensor);
  }
  override entropy(): Tensor {
    const p = this.probabilities;
    return p
      .xlogy(p)
      .add(p.neg().add(1).xlogy(p.neg().add(1)))
      .neg();
  }
  protected override divergence(other: this): Tensor {
    return new Binomial(1, { probabilities: this.probabilities }).divergenceOfOne(other.probabilities);
  }
}

/**
 * How many of n trials succeed, each with probability p.
 *
 * @throws ArgumentError unless n is a whole number that is not negative
 * @example new Binomial(10, { probabilities: 0.5 }).mean; // 5
 */
export class Binomial extends Distribution {
  readonly total: number;
  readonly probabilities: Tensor;
  readonly logits: Tensor;

  constructor(total: number, weights: Weights) {
    if (!(Number.isInteger(total) && total >= 0))
      throw new ArgumentError(`Binomial: the number of trials must be a whole number, got ${total}`);
    const { probabilities, logits } = chances("Binomial", weights);
    super(logits.shape);
    this.total = total;
    this.probabilities = probabilities;
    this.logits = logits;
  }
  get mean(): Tensor {
    return this.probabilities.mul(this.total);
  }
  get variance(): Tensor {
    return this.mean.mul(this.probabilities.neg().add(1));
  }
  /** Counts in the dtype of the parameters, trial by trial. */
  sample(key: Key, shape: Shape = []): Tensor {
    return located(() => {
      const p = ops.cast(nodeOf(repeated(this.probabilities, shape)), "f32");
      const trials = ops.iota([this.total], 0, "u32");
      const base = nodeOf(random.fold(key, 0));
      const { carry } = ops.scan([ops.zerosLike(p)], [trials], ([count], [trial]) => {
        const isSuccess = ops.less(ops.randomUniform(ops.foldKey(base, trial!), p.shape), p);
        return { carry: [ops.add(count!, ops.cast(isSuccess, "f32"))] };
      });
      return fromNode(ops.cast(carry[0]!, this.logits.dtype));
    });
  }
  logProb(value: TensorLike): Tensor {
    const n = this.total;
    const x = argumentOf("Binomial", value, this.logits);
    const isInside = x.greaterEqual(0).and(x.lessEqual(n)).and(x.equal(x.floor()));
    const inside = where(isInside, x, 0) as Tensor;
    const ways = lgamma(inside.add(1)).add(lgamma(inside.neg().add(n + 1)));
    const all = lgamma(inside.mul(0).add(n + 1));
    const rest = inside.neg().add(n);
    const chance = weighted(inside, this.logits.logSigmoid()).add(
      weighted(rest, this.logits.neg().logSigmoid()),
    );
    return within(isInside, all.sub(ways).add(chance));
  }
  override cdf(value: TensorLike): Tensor {
    const x = argumentOf("Binomial", value, this.logits).floor();
    const isInside = x.greaterEqual(0).and(x.less(this.total));
    const count = where(isInside, x, 0) as Tensor;
    const failures = count.neg().add(this.total);
    const inside = betainc(failures.maximum(1), count.add(1), this.probabilities.neg().add(1));
    return where(isInside, inside, x.greaterEqual(0).cast(this.logits.dtype)) as Tensor;
  }
  /** Summed over all counts. */
  override entropy(): Tensor {
    const counts = arange(this.total + 1).reshape([this.total + 1, ...this.batchShape.map(() => 1)] as never);
    const logP = this.logProb(counts as Tensor);
    return weighted(logP.exp(), logP).sum(0).neg();
  }
  protected override divergence(other: this): Tensor {
    if (other.total !== this.total)
      throw new ArgumentError(
        `klDivergence: Binomial of ${this.total} and of ${other.total} trials; they must be equal`,
      );
    return this.divergenceOfOne(other.probabilities).mul(this.total);
  }
  /** KL of a single trial. @internal */
  divergenceOfOne(other: Tensor): Tensor {
    const p = this.probabilities;
    const [q, otherQ] = [p.neg().add(1), other.neg().add(1)];
    return p.xlogy(p.div(other)).add(q.xlogy(q.div(otherQ)));
  }
}

/**
 * p(k) = λᵏ e^(−λ) / k!: how many events happen at rate λ.
 *
 * @example new Poisson(3).variance; // 3
 */
export class Poisson extends Distribution {
  readonly rate: Tensor;

  constructor(rate: TensorLike) {
    const [r] = parameters("Poisson", rate) as [Tensor];
    super(r.shape);
    this.rate = r;
  }
  get mean(): Tensor {
    return this.rate;
  }
  get variance(): Tensor {
    return this.rate;
  }
  /** Counts in the dtype of the rate: by counting below 10, by Hörmann's PTRS (1993) above. */
  sample(key: Key, shape: Shape = []): Tensor {
    return random.poisson(key, repeated(this.rate, shape));
  }
  logProb(value: TensorLike): Tensor {
    const k = argumentOf("Poisson", value, this.rate);
    const isInside = k.greaterEqual(0).and(k.equal(k.floor()));
    const inside = where(isInside, k, 0) as Tensor;
    return within(
      isInside,
      inside
        .xlogy(this.rate)
        .sub(this.rate)
        .sub(lgamma(inside.add(1))),
    );
  }
  override cdf(value: TensorLike): Tensor {
    const k = argumentOf("Poisson", value, this.rate).floor();
    const inside = gammaincc(k.maximum(0).add(1), this.rate);
    return where(k.greaterEqual(0), inside, 0) as Tensor;
  }
  protected override divergence(other: this): Tensor {
    return this.rate.mul(this.rate.log().sub(other.rate.log())).sub(this.rate).add(other.rate);
  }
}
