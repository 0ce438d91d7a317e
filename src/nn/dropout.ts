/** Layers that drop at random while training. */
import type { DType } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { RandomKey } from "../base/random.ts";
import { type Shape, shapeText } from "../base/shape.ts";
import type { Features, TensorShape } from "../base/shape-types.ts";
import { randomNormal, randomUniform } from "../ops/index.ts";
import { type Tensor, where } from "../tensor/index.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { Module } from "./module.ts";
import { RandomStream } from "./random-stream.ts";
import { requireImage } from "./spatial.ts";

export interface DropoutOptions {
  /** What masks are drawn from: a key or a seed; by default the next key of the default stream (`seed(42)`). */
  readonly key?: RandomKey | number;
}

/** Something is lost with probability p in training, nothing in evaluation. */
abstract class Dropping<What extends string> extends Module {
  /** For the type checker alone. */
  declare readonly features: Features<What, number, "same">;
  /** The probability with which an element is dropped. */
  readonly p: number;
  readonly random: RandomStream;

  constructor(p = 0.5, options: DropoutOptions = {}) {
    super();
    const { name } = this.constructor;
    checkOptions(name, options, ["key"]);
    if (!(p >= 0 && p <= 1))
      throw new ArgumentError(`${name}: the probability must be from 0 to 1, got ${p}`);
    this.p = p;
    this.random = new RandomStream(options.key);
  }

  /** What comes out where `isDropped` (null: everywhere) is true and where not. */
  protected abstract drop(x: Tensor, isDropped: Tensor | null): Tensor;

  /** What is dropped together: axes of size 1 share one draw. */
  protected maskShape(x: Tensor): Shape {
    return nodeOf(x).shape;
  }

  forward<S extends TensorShape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
    if (!this.training || this.p === 0) return x;
    if (this.p === 1) return this.drop(x as Tensor, null) as Tensor<S, D>;
    const draws = fromNode(randomUniform(nodeOf(this.random.next()), this.maskShape(x as Tensor)));
    return this.drop(x as Tensor, draws.less(this.p)) as Tensor<S, D>;
  }

  protected override describe(): string {
    return String(this.p);
  }
}

/**
 * In training each element is 0 with probability p, else x / (1 − p), anew in every call: the mean stays. In evaluation x
 * itself. Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", JMLR 2014.
 *
 * The masks follow from a state of the layer, so runs repeat and resume exactly.
 *
 * @throws ArgumentError unless 0 ≤ p ≤ 1
 * @example
 * const layer = new Dropout(0.5, { key: 1 });
 * const y = layer.forward(tensor([1, 1, 1, 1]));
 * await y.toArray(); // [0, 2, 0, 2]
 * await layer.eval().forward(tensor([1, 1, 1, 1])).toArray(); // [1, 1, 1, 1]
 */
export class Dropout extends Dropping<"Dropout"> {
  protected drop(x: Tensor, isDropped: Tensor | null): Tensor {
    return isDropped ? where(isDropped, 0, x.mul(1 / (1 - this.p))) : x.mul(0);
  }
}

/** One draw for all of a channel. */
function channelMask(what: string, x: Tensor): Shape {
  const { shape } = nodeOf(x);
  if (shape.length >= 3) return shape.map((size, axis) => (axis < 2 ? size : 1));
  throw new ShapeError(
    `${what}: expects (batch, channels, …) with at least three axes, got ${shapeText(shape)}; use Dropout for vectors`,
  );
}

/**
 * Dropout of whole channels: one draw for each element of the first two axes (batch and channels), for images and sequences
 * whose neighbours say the same. PyTorch's `Dropout1d`, `Dropout2d`, `Dropout3d`. Tompson et al., "Efficient object
 * localization using convolutional networks", CVPR 2015.
 *
 * Shapes: x (B, C, …) of any rank from 3 on → the same.
 *
 * @throws ArgumentError unless 0 ≤ p ≤ 1; ShapeError in `forward` for fewer than three axes
 * @example
 * const y = new FeatureDropout(0.5, { key: 1 }).forward(ones([1, 4, 2]));
 * await y.toArray(); // [[[0, 0], [2, 2], [0, 0], [2, 2]]]
 */
export class FeatureDropout extends Dropping<"FeatureDropout"> {
  protected override maskShape(x: Tensor): Shape {
    return channelMask("FeatureDropout", x);
  }
  protected drop(x: Tensor, isDropped: Tensor | null): Tensor {
    return isDropped ? where(isDropped, 0, x.mul(1 / (1 - this.p))) : x.mul(0);
  }
}

abstract class SpatialDropout<What extends string> extends Dropping<What> {
  protected abstract readonly rank: number;
  protected override maskShape(x: Tensor): Shape {
    requireImage(this.toString(), x, this.rank);
    return nodeOf(x).shape.map((size, axis) => (axis < 2 ? size : 1));
  }
  protected drop(x: Tensor, isDropped: Tensor | null): Tensor {
    return isDropped ? where(isDropped, 0, x.mul(1 / (1 - this.p))) : x.mul(0);
  }
}
/** {@link FeatureDropout} for (N, C, L). @example new Dropout1d(0.5).eval().forward(ones([1, 2, 3])).shape // [1, 2, 3] */
export class Dropout1d extends SpatialDropout<"Dropout1d"> {
  protected get rank(): number {
    return 1;
  }
}
/** {@link FeatureDropout} for (N, C, H, W). @example new Dropout2d(0.5).eval().forward(ones([1, 2, 3, 3])).shape // [1, 2, 3, 3] */
export class Dropout2d extends SpatialDropout<"Dropout2d"> {
  protected get rank(): number {
    return 2;
  }
}
/** {@link FeatureDropout} for (N, C, D, H, W). @example new Dropout3d(0.5).eval().forward(ones([1, 2, 2, 3, 3])).shape // [1, 2, 2, 3, 3] */
export class Dropout3d extends SpatialDropout<"Dropout3d"> {
  protected get rank(): number {
    return 3;
  }
}

/**
 * Stochastic depth: each sample (the first axis) is 0 with probability p, else x / (1 − p): stands at the end of a residual branch,
 * which is so left out. Huang et al., "Deep networks with stochastic depth", ECCV 2016; torchvision's `StochasticDepth` in mode "row",
 * timm's `DropPath`.
 *
 * @throws ArgumentError unless 0 ≤ p ≤ 1
 * @example
 * const y = new DropPath(0.5, { key: 1 }).forward(ones([4, 2]));
 * await y.toArray(); // [[0, 0], [2, 2], [0, 0], [2, 2]]
 */
export class DropPath extends Dropping<"DropPath"> {
  protected override maskShape(x: Tensor): Shape {
    return nodeOf(x).shape.map((size, axis) => (axis === 0 ? size : 1));
  }
  protected drop(x: Tensor, isDropped: Tensor | null): Tensor {
    return isDropped ? where(isDropped, 0, x.mul(1 / (1 - this.p))) : x.mul(0);
  }
}

/** −scale·alpha of SELU: what its units tend to. */
const saturated = -1.0507009873554805 * 1.6732632423543772;

/**
 * Dropout for networks of SELU: dropped elements take the value that SELU saturates at, and the result is scaled and shifted
 * so that mean 0 and variance 1 stay. Klambauer et al., "Self-normalizing neural networks", NeurIPS 2017.
 *
 * With a = (q + q·p·α²)^(−1/2), q = 1 − p, α = −1.758: y = a·(x or α) − a·p·α.
 *
 * @throws ArgumentError unless 0 ≤ p ≤ 1
 * @example
 * const layer = new AlphaDropout(0.1).eval();
 * await layer.forward(tensor([1, 2])).toArray(); // [1, 2]
 */
export class AlphaDropout extends Dropping<"AlphaDropout"> {
  protected drop(x: Tensor, isDropped: Tensor | null): Tensor {
    return droppedToAlpha(x, isDropped, this.p);
  }
}

function droppedToAlpha(x: Tensor, isDropped: Tensor | null, p: number): Tensor {
  if (isDropped === null) return x.mul(0);
  const scale = 1 / Math.sqrt((1 - p) * (1 + p * saturated ** 2));
  return where(isDropped, saturated, x)
    .mul(scale)
    .sub(scale * p * saturated);
}

/**
 * {@link AlphaDropout} of whole channels: one draw for each element of the first two axes.
 *
 * @throws ArgumentError unless 0 ≤ p ≤ 1; ShapeError in `forward` for fewer than three axes
 * @example new FeatureAlphaDropout(0.1).eval().forward(ones([1, 4, 2])).shape // [1, 4, 2]
 */
export class FeatureAlphaDropout extends Dropping<"FeatureAlphaDropout"> {
  protected override maskShape(x: Tensor): Shape {
    return channelMask("FeatureAlphaDropout", x);
  }
  protected drop(x: Tensor, isDropped: Tensor | null): Tensor {
    return droppedToAlpha(x, isDropped, this.p);
  }
}

/** Noise that is added, or multiplies, in training; nothing in evaluation. */
abstract class Noise<What extends string> extends Module {
  /** For the type checker alone. */
  declare readonly features: Features<What, number, "same">;
  readonly random: RandomStream;

  constructor(options: DropoutOptions) {
    super();
    checkOptions(this.constructor.name, options, ["key"]);
    this.random = new RandomStream(options.key);
  }

  /** Standard normal numbers of a shape. */
  protected normal(x: Tensor): Tensor {
    return fromNode(randomNormal(nodeOf(this.random.next()), nodeOf(x).shape)).cast(x.dtype) as Tensor;
  }
  protected abstract disturbed(x: Tensor): Tensor;

  forward<S extends TensorShape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
    return (this.training ? this.disturbed(x as Tensor) : x) as Tensor<S, D>;
  }
}

/**
 * In training x + σ·n with n standard normal, anew in every call; in evaluation x itself. Keras's `GaussianNoise`.
 *
 * @throws ArgumentError unless σ ≥ 0
 * @example await new GaussianNoise(0.1).eval().forward(tensor([1, 2])).toArray() // [1, 2]
 */
export class GaussianNoise extends Noise<"GaussianNoise"> {
  readonly stddev: number;
  constructor(stddev: number, options: DropoutOptions = {}) {
    super(options);
    if (!(stddev >= 0)) throw new ArgumentError(`GaussianNoise: stddev must be 0 or more, got ${stddev}`);
    this.stddev = stddev;
  }
  protected disturbed(x: Tensor): Tensor {
    return x.add(this.normal(x).mul(this.stddev));
  }
  protected override describe(): string {
    return String(this.stddev);
  }
}

/**
 * In training x·(1 + n·√(p / (1 − p))) with n standard normal: as much noise as `Dropout(p)` makes, without zeros. In evaluation x
 * itself. Srivastava et al., JMLR 2014, section 10; Keras's `GaussianDropout`.
 *
 * @throws ArgumentError unless 0 ≤ p < 1
 * @example await new GaussianDropout(0.1).eval().forward(tensor([1, 2])).toArray() // [1, 2]
 */
export class GaussianDropout extends Noise<"GaussianDropout"> {
  readonly p: number;
  constructor(p = 0.5, options: DropoutOptions = {}) {
    super(options);
    if (!(p >= 0 && p < 1))
      throw new ArgumentError(`GaussianDropout: the probability must be from 0 to below 1, got ${p}`);
    this.p = p;
  }
  protected disturbed(x: Tensor): Tensor {
    const noise = this.normal(x).mul(Math.sqrt(this.p / (1 - this.p)));
    return x.mul(noise.add(1));
  }
  protected override describe(): string {
    return String(this.p);
  }
}
