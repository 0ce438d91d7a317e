/** One of several classes, as an index or as a row of zeros and a one; and counts of many draws. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import type { Size } from "../base/size.ts";
import * as ops from "../ops/index.ts";
import { random, stopGradient, type Tensor, type TensorLike } from "../tensor/index.ts";
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

/** Normalised ln p over the last axis. */
function logProbabilities(what: string, weights: Weights): Tensor {
  requireOne(what, weights);
  const [given] = parameters(what, (weights.logits ?? weights.probabilities)!) as [Tensor];
  if (given.rank === 0) throw new ShapeError(`${what}: needs an axis of classes, got a scalar`);
  if (weights.logits !== undefined) return given.logSoftmax(-1);
  return given.div(given.sum(-1, { keepDims: true })).log();
}

/** Rows with a 1 at each class: (…) → (…, classes), in the dtype of `like`. */
const rows = (classes: Tensor, count: Size, like: Tensor): Tensor =>
  located(() => {
    const index = ops.cast(nodeOf(classes), "i32");
    const shape = [...index.shape, count];
    const wide = ops.broadcastTo(ops.reshape(index, [...index.shape, 1]), shape);
    return fromNode(ops.cast(ops.equal(wide, ops.iota(shape, index.shape.length)), like.dtype));
  });

/**
 * Class i with probability pᵢ; weights along the last axis, probabilities need not sum to 1. Samples and values are class
 * indices.
 *
 * @throws ArgumentError unless either probabilities or logits are given
 * @throws ShapeError for a scalar
 * @example new Categorical({ probabilities: [1, 3] }).prob(1); // 0.75
 */
export class Categorical extends Distribution {
  /** ln p, normalised: (…, classes). */
  readonly logits: Tensor;

  constructor(weights: Weights) {
    const logits = logProbabilities("Categorical", weights);
    super(logits.shape.slice(0, -1));
    this.logits = logits;
  }
  get probabilities(): Tensor {
    return this.logits.exp();
  }
  private get classes(): Size {
    return this.logits.shape.at(-1)!;
  }
  /** Of the class index, as SciPy's rv_discrete. */
  get mean(): Tensor {
    return this.moment(1);
  }
  get variance(): Tensor {
    return this.moment(2).sub(this.mean.square());
  }
  private moment(power: 1 | 2): Tensor {
    const { probabilities: p } = this;
    return located(() => {
      const node = nodeOf(p);
      const index = ops.iota(node.shape, node.shape.length - 1, node.dtype);
      const weight = power === 1 ? index : ops.mul(index, index);
      return fromNode(ops.sum(ops.mul(node, weight), -1));
    });
  }
  /** Class indices (i32): the largest logit plus a Gumbel number. */
  sample(key: Key, shape: Shape = []): Tensor {
    const noise = random.gumbel(key, [...shape, ...this.logits.shape], { dtype: "f64" }) as Tensor;
    return stopGradient(noise.add(this.logits.cast("f64"))).argmax(-1);
  }
  logProb(value: TensorLike): Tensor {
    const x = argumentOf("Categorical", value, this.logits);
    const count = Number(this.classes);
    const isInside = x.greaterEqual(0).and(x.less(count)).and(x.equal(x.floor()));
    const row = rows(x, count, this.logits);
    // Not row × logits: a class of probability 0 has an infinite one.
    return within(
      isInside,
      located(() => {
        const [at, logits] = [nodeOf(row), nodeOf(this.logits)];
        const shape = at.shape.length >= logits.shape.length ? at.shape : logits.shape;
        const wide = ops.broadcastTo(logits, shape);
        const isIt = ops.notEqual(ops.broadcastTo(at, shape), ops.zerosLike(wide));
        return fromNode(ops.sum(ops.select(isIt, wide, ops.zerosLike(wide)), -1));
      }),
    );
  }
  override entropy(): Tensor {
    const p = this.probabilities;
    return p.xlogy(p).sum(-1).neg();
  }
  protected override divergence(other: this): Tensor {
    const p = this.probabilities;
    return p.xlogy(p.div(other.probabilities)).sum(-1);
  }
}

/**
 * As `Categorical`, samples and values being rows with a single 1.
 *
 * @example new OneHotCategorical({ probabilities: [1, 3] }).logProb([0, 1]).exp(); // 0.75
 */
export class OneHotCategorical extends Distribution {
  readonly base: Categorical;

  constructor(weights: Weights) {
    const base = new Categorical(weights);
    super(base.batchShape, base.logits.shape.slice(-1));
    this.base = base;
  }
  get mean(): Tensor {
    return this.base.probabilities;
  }
  get variance(): Tensor {
    return this.mean.mul(this.mean.neg().add(1));
  }
  sample(key: Key, shape: Shape = []): Tensor {
    return rows(this.base.sample(key, shape), this.eventShape[0]!, this.base.logits);
  }
  logProb(value: TensorLike): Tensor {
    const x = argumentOf("OneHotCategorical", value, this.base.logits);
    const isRow = x.equal(0).or(x.equal(1)).all(-1).and(x.sum(-1).equal(1));
    return within(isRow, this.base.logProb(x.argmax(-1) as Tensor));
  }
  override entropy(): Tensor {
    return this.base.entropy();
  }
  protected override divergence(other: this): Tensor {
    return Distribution.divergenceOf(this.base, other.base);
  }
}

/**
 * How often each class comes up in n draws: counts along the last axis.
 *
 * @throws ArgumentError unless n is a whole number that is not negative
 * @example new Multinomial(4, { probabilities: [0.25, 0.75] }).mean; // [1, 3]
 */
export class Multinomial extends Distribution {
  readonly total: number;
  readonly base: Categorical;

  constructor(total: number, weights: Weights) {
    if (!(Number.isInteger(total) && total >= 0))
      throw new ArgumentError(`Multinomial: the number of draws must be a whole number, got ${total}`);
    const base = new Categorical(weights);
    super(base.batchShape, base.logits.shape.slice(-1));
    this.total = total;
    this.base = base;
  }
  get mean(): Tensor {
    return this.base.probabilities.mul(this.total);
  }
  get variance(): Tensor {
    return this.mean.mul(this.base.probabilities.neg().add(1));
  }
  /** Counts in the dtype of the parameters, draw by draw. */
  sample(key: Key, shape: Shape = []): Tensor {
    return located(() => {
      const logits = nodeOf(stopGradient(repeated(this.base.logits, shape)));
      const base = nodeOf(random.fold(key, 0));
      const { carry } = ops.scan(
        [ops.zerosLike(logits)],
        [ops.iota([this.total], 0, "u32")],
        ([counts], [at]) => {
          const u = ops.randomUniform64(ops.foldKey(base, at!), logits.shape);
          const noise = ops.neg(ops.portableLog(ops.neg(ops.portableLog(ops.add(u, ops.like(u, 2 ** -54))))));
          const drawn = ops.argmax(ops.add(noise, ops.cast(logits, "f64")), -1);
          return { carry: [ops.add(counts!, ops.oneHot(drawn, logits.shape.at(-1)!, logits.dtype))] };
        },
      );
      return fromNode(carry[0]!);
    });
  }
  logProb(value: TensorLike): Tensor {
    const x = argumentOf("Multinomial", value, this.base.logits);
    const isInside = x.greaterEqual(0).and(x.equal(x.floor())).all(-1).and(x.sum(-1).equal(this.total));
    const ways = lgamma(x.sum(-1).add(1)).sub(lgamma(x.maximum(0).add(1)).sum(-1));
    return within(isInside, ways.add(x.xlogy(this.base.probabilities).sum(-1)));
  }
}
