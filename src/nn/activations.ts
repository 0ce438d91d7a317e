/** Activations as layers: the shape stays, and most work element by element. */
import type { DType } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { RandomKey } from "../base/random.ts";
import { shapeText } from "../base/shape.ts";
import type { Features, TensorShape } from "../base/shape-types.ts";
import { type Gate, randomUniform } from "../ops/index.ts";
import { type Tensor, where } from "../tensor/index.ts";
import { withPlace } from "../tensor/located.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";
import { RandomStream } from "./random-stream.ts";

/** A layer that gives a tensor of the shape and dtype it gets. */
abstract class Activation<What extends string> extends Module {
  /** For the type checker alone. */
  declare readonly features: Features<What, number, "same">;

  protected abstract apply(x: Tensor): Tensor;

  forward<S extends TensorShape, D extends DType>(x: Tensor<S, D>): Tensor<S, D> {
    return this.apply(x as Tensor) as Tensor<S, D>;
  }
}

/**
 * max(x, 0); the gradient at 0 is 0.
 *
 * @example new ReLU().forward(tensor([-3, 1])) // [0, 1]
 */
export class ReLU extends Activation<"ReLU"> {
  protected apply(x: Tensor): Tensor {
    return x.relu();
  }
}

/**
 * min(max(x, 0), 6). Howard et al., "MobileNets", 2017.
 *
 * @example new ReLU6().forward(tensor([-1, 7])) // [0, 6]
 */
export class ReLU6 extends Activation<"ReLU6"> {
  protected apply(x: Tensor): Tensor {
    return x.relu6();
  }
}

/**
 * 1 / (1 + e⁻ˣ).
 *
 * @example (await new Sigmoid().forward(tensor([-3, 1])).toArray()).map((y) => Number(y.toFixed(4))) // [0.0474, 0.7311]
 */
export class Sigmoid extends Activation<"Sigmoid"> {
  protected apply(x: Tensor): Tensor {
    return x.sigmoid();
  }
}

/**
 * log σ(x).
 *
 * @example (await new LogSigmoid().forward(tensor([-3, 1])).toArray()).map((y) => Number(y.toFixed(4))) // [-3.0486, -0.3133]
 */
export class LogSigmoid extends Activation<"LogSigmoid"> {
  protected apply(x: Tensor): Tensor {
    return x.logSigmoid();
  }
}

/**
 * The hyperbolic tangent.
 *
 * @example (await new Tanh().forward(tensor([-3, 1])).toArray()).map((y) => Number(y.toFixed(4))) // [-0.9951, 0.7616]
 */
export class Tanh extends Activation<"Tanh"> {
  protected apply(x: Tensor): Tensor {
    return x.tanh();
  }
}

/**
 * x − tanh(x).
 *
 * @example (await new TanhShrink().forward(tensor([-3, 1])).toArray()).map((y) => Number(y.toFixed(4))) // [-2.0049, 0.2384]
 */
export class TanhShrink extends Activation<"TanhShrink"> {
  protected apply(x: Tensor): Tensor {
    return x.tanhShrink();
  }
}

/**
 * x·σ(x), also called swish. Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units", 2018.
 *
 * @example (await new SiLU().forward(tensor([-3, 1])).toArray()).map((y) => Number(y.toFixed(4))) // [-0.1423, 0.7311]
 */
export class SiLU extends Activation<"SiLU"> {
  protected apply(x: Tensor): Tensor {
    return x.silu();
  }
}

/**
 * x·tanh(softplus(x)). Misra, "Mish", 2020.
 *
 * @example (await new Mish().forward(tensor([-3, 1])).toArray()).map((y) => Number(y.toFixed(4))) // [-0.1456, 0.8651]
 */
export class Mish extends Activation<"Mish"> {
  protected apply(x: Tensor): Tensor {
    return x.mish();
  }
}

/**
 * x / (1 + |x|).
 *
 * @example new Softsign().forward(tensor([-3, 1])) // [-0.75, 0.5]
 */
export class Softsign extends Activation<"Softsign"> {
  protected apply(x: Tensor): Tensor {
    return x.softsign();
  }
}

/**
 * x/6 + 1/2 within [0, 1].
 *
 * @example (await new HardSigmoid().forward(tensor([-3, 1])).toArray()).map((y) => Number(y.toFixed(4))) // [0, 0.6667]
 */
export class HardSigmoid extends Activation<"HardSigmoid"> {
  protected apply(x: Tensor): Tensor {
    return x.hardSigmoid();
  }
}

/**
 * x·hardSigmoid(x). Howard et al., "Searching for MobileNetV3", 2019.
 *
 * @example (await new HardSwish().forward(tensor([-3, 1])).toArray()).map((y) => Number(y.toFixed(4))) // [0, 0.6667]
 */
export class HardSwish extends Activation<"HardSwish"> {
  protected apply(x: Tensor): Tensor {
    return x.hardSwish();
  }
}

/**
 * ELU scaled so that means of 0 and variances of 1 are kept. Klambauer et al., "Self-normalizing neural networks", 2017.
 *
 * @example (await new SELU().forward(tensor([-3, 1])).toArray()).map((y) => Number(y.toFixed(4))) // [-1.6706, 1.0507]
 */
export class SELU extends Activation<"SELU"> {
  protected apply(x: Tensor): Tensor {
    return x.selu();
  }
}

/** What activations with one number have in common: it is `value`, and shown. */
abstract class WithNumber<What extends string> extends Activation<What> {
  protected readonly value: number;
  constructor(value: number) {
    super();
    if (!Number.isFinite(value))
      throw new ArgumentError(`${this.constructor.name}: needs a finite number, got ${value}`);
    this.value = value;
  }
  protected override describe(): string {
    return String(this.value);
  }
}

/**
 * x where x > 0, else alpha·(eˣ − 1). Clevert, Unterthiner and Hochreiter, "ELU", 2016.
 *
 * @example (await new ELU().forward(tensor([-3, 1])).toArray()).map((y) => Number(y.toFixed(4))) // [-0.9502, 1]
 */
export class ELU extends WithNumber<"ELU"> {
  constructor({ alpha = 1 }: { alpha?: number } = {}) {
    super(alpha);
  }
  protected apply(x: Tensor): Tensor {
    return x.elu(this.value);
  }
}

/**
 * x where x > 0, else alpha·(e^(x/alpha) − 1). Barron, "Continuously differentiable exponential linear units", 2017.
 *
 * @example (await new CELU().forward(tensor([-3, 1])).toArray()).map((y) => Number(y.toFixed(4))) // [-0.9502, 1]
 */
export class CELU extends WithNumber<"CELU"> {
  constructor({ alpha = 1 }: { alpha?: number } = {}) {
    super(alpha);
    if (alpha === 0) throw new ArgumentError("CELU: alpha is a divisor and must not be 0");
  }
  protected apply(x: Tensor): Tensor {
    return x.celu(this.value);
  }
}

/**
 * x where x > 0, else slope·x (0.01 when left out, as in PyTorch). Maas, Hannun and Ng, 2013.
 *
 * @example (await new LeakyReLU().forward(tensor([-3, 1])).toArray()).map((y) => Number(y.toFixed(4))) // [-0.03, 1]
 */
export class LeakyReLU extends WithNumber<"LeakyReLU"> {
  constructor({ negativeSlope = 0.01 }: { negativeSlope?: number } = {}) {
    super(negativeSlope);
  }
  protected apply(x: Tensor): Tensor {
    return x.leakyRelu(this.value);
  }
}

/**
 * x moved towards 0 by lambda.
 *
 * @example new SoftShrink().forward(tensor([-0.25, 2])) // [0, 1.5]
 */
export class SoftShrink extends WithNumber<"SoftShrink"> {
  constructor({ lambda = 0.5 }: { lambda?: number } = {}) {
    super(lambda);
  }
  protected apply(x: Tensor): Tensor {
    return x.softShrink(this.value);
  }
}

/**
 * 0 where |x| ≤ lambda, else x.
 *
 * @example new HardShrink().forward(tensor([-0.25, 2])) // [0, 2]
 */
export class HardShrink extends WithNumber<"HardShrink"> {
  constructor({ lambda = 0.5 }: { lambda?: number } = {}) {
    super(lambda);
  }
  protected apply(x: Tensor): Tensor {
    return x.hardShrink(this.value);
  }
}

/**
 * log(1 + e^(βx)) / β, a smooth ReLU.
 *
 * @example (await new Softplus().forward(tensor([-3, 1])).toArray()).map((y) => Number(y.toFixed(4))) // [0.0486, 1.3133]
 */
export class Softplus extends WithNumber<"Softplus"> {
  constructor({ beta = 1 }: { beta?: number } = {}) {
    super(beta);
    if (beta === 0) throw new ArgumentError("Softplus: beta is a divisor and must not be 0");
  }
  protected apply(x: Tensor): Tensor {
    return this.value === 1 ? x.softplus() : x.mul(this.value).softplus().div(this.value);
  }
}

/**
 * x within [low, high], else the nearer end.
 *
 * @example new HardTanh().forward(tensor([-3, 1])) // [-1, 1]
 */
export class HardTanh extends Activation<"HardTanh"> {
  readonly low: number;
  readonly high: number;
  constructor({ low = -1, high = 1 }: { low?: number; high?: number } = {}) {
    super();
    if (!(low < high)) throw new ArgumentError(`HardTanh: needs low < high, got ${low} and ${high}`);
    this.low = low;
    this.high = high;
  }
  protected apply(x: Tensor): Tensor {
    return x.hardTanh({ low: this.low, high: this.high });
  }
  protected override describe(): string {
    return `${this.low} … ${this.high}`;
  }
}

/**
 * x·Φ(x) with Φ the normal distribution function; with `approximate: "tanh"`
 * x/2·(1 + tanh(√(2/π)·(x + 0.044715·x³))). Hendrycks and Gimpel, "Gaussian error linear units", 2016.
 *
 * @example (await new GELU().forward(tensor([-3, 1])).toArray()).map((y) => Number(y.toFixed(4))) // [-0.004, 0.8413]
 */
export class GELU extends Activation<"GELU"> {
  readonly approximate: "none" | "tanh";
  constructor({ approximate = "none" }: { approximate?: "none" | "tanh" } = {}) {
    super();
    this.approximate = approximate;
  }
  protected apply(x: Tensor): Tensor {
    return x.gelu({ approximate: this.approximate });
  }
  protected override describe(): string {
    return this.approximate === "none" ? "" : this.approximate;
  }
}

/** What is computed along one axis, the last unless `axis` says otherwise. */
abstract class AlongAxis<What extends string> extends Activation<What> {
  readonly axis: number;
  constructor({ axis = -1 }: { axis?: number } = {}) {
    super();
    this.axis = axis;
  }
  protected override describe(): string {
    return `axis ${this.axis}`;
  }
}

/**
 * exp(x − max x) / Σ exp(x − max x) along one axis, the last unless `axis` says otherwise: positive numbers of sum 1.
 *
 * @example (await new Softmax().forward(tensor([-3, 1])).toArray()).map((y) => Number(y.toFixed(4))) // [0.018, 0.982]
 */
export class Softmax extends AlongAxis<"Softmax"> {
  protected apply(x: Tensor): Tensor {
    return x.softmax(this.axis);
  }
}

/**
 * x − log Σ eˣ along one axis, the last unless `axis` says otherwise.
 *
 * @example (await new LogSoftmax().forward(tensor([-3, 1])).toArray()).map((y) => Number(y.toFixed(4))) // [-4.0181, -0.0181]
 */
export class LogSoftmax extends AlongAxis<"LogSoftmax"> {
  protected apply(x: Tensor): Tensor {
    return x.logSoftmax(this.axis);
  }
}

/**
 * softmax(−x) along one axis, the last unless `axis` says otherwise.
 *
 * @example (await new Softmin().forward(tensor([-3, 1])).toArray()).map((y) => Number(y.toFixed(4))) // [0.982, 0.018]
 */
export class Softmin extends AlongAxis<"Softmin"> {
  protected apply(x: Tensor): Tensor {
    return x.softmin(this.axis);
  }
}

/**
 * The nearest point of the simplex, along one axis, the last unless `axis` says otherwise: like softmax, with exact zeros. Martins and
 * Astudillo, "From softmax to sparsemax", ICML 2016.
 *
 * @example await new Sparsemax().forward(tensor([0, 0.5, -3])).toArray() // [0.25, 0.75, 0]
 */
export class Sparsemax extends AlongAxis<"Sparsemax"> {
  protected apply(x: Tensor): Tensor {
    return x.sparsemax(this.axis);
  }
}

/**
 * 1.5-entmax along one axis, the last unless `axis` says otherwise: between softmax and sparsemax. Peters, Niculae and Martins,
 * "Sparse sequence-to-sequence models", ACL 2019.
 *
 * @example await new Entmax15().forward(tensor([7, 0])).toArray() // [1, 0]
 */
export class Entmax15 extends AlongAxis<"Entmax15"> {
  protected apply(x: Tensor): Tensor {
    return x.entmax15(this.axis);
  }
}

/**
 * x where x > 0, else weight·x with a learnt weight: one for all, or one for each channel (axis 1; the last of a vector).
 * He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015.
 *
 * @throws ShapeError in `forward` when x has another number of channels
 * @example
 * const layer = new PReLU();
 * await layer.forward(tensor([-4, 2])).toArray(); // [-1, 2]
 */
export class PReLU extends Activation<"PReLU"> {
  readonly weight: Parameter<[number]>;
  constructor(channels = 1, { init = 0.25 }: { init?: number } = {}) {
    super();
    if (!Number.isInteger(channels) || channels < 1)
      throw new ArgumentError(`PReLU: the number of channels must be a positive integer, got ${channels}`);
    this.weight = new Parameter(new Float32Array(channels).fill(init), { name: "weight" });
  }
  protected apply(x: Tensor): Tensor {
    const behind = Math.max(x.shape.length - 2, 0);
    const [channels] = this.weight.shape;
    return x.prelu(this.weight.reshape([channels, ...Array<number>(channels === 1 ? 0 : behind).fill(1)]));
  }
  protected override describe(): string {
    return String(this.weight.shape[0]);
  }
}

/**
 * The first half of an axis (the last, when left out) times the gate of the second: sigmoid for GLU, `silu` for SwiGLU, `gelu`
 * for GEGLU, `relu` for ReGLU. Dauphin et al., 2017; Shazeer, "GLU variants improve Transformer", 2020.
 *
 * Shapes: (…, 2n, …) → (…, n, …).
 *
 * @throws ShapeError in `forward` when the axis has no even size
 * @example
 * new GLU({ gate: "silu" }).forward(zeros([32, 128])).shape; // [32, 64]
 */
export class GLU extends Module {
  readonly axis: number;
  readonly gate: Gate;
  constructor(options: { readonly axis?: number; readonly gate?: Gate } = {}) {
    super();
    checkOptions("GLU", options, ["axis", "gate"]);
    const { axis = -1, gate = "sigmoid" } = options;
    this.axis = axis;
    this.gate = gate;
  }
  forward(x: Tensor): Tensor {
    return x.glu({ axis: this.axis, gate: this.gate });
  }
  protected override describe(): string {
    return `${this.gate}, axis ${this.axis}`;
  }
}

/**
 * Softmax over the channels of (N, C, H, W) or (C, H, W), at each place.
 *
 * @throws ShapeError in `forward` for other axes
 * @example await new Softmax2d().forward(zeros([1, 2, 1, 1])).toArray() // [[[[0.5]], [[0.5]]]]
 */
export class Softmax2d extends Activation<"Softmax2d"> {
  protected apply(x: Tensor): Tensor {
    if (x.shape.length === 3 || x.shape.length === 4) return x.softmax(-3);
    throw withPlace(new ShapeError(`${this} expects (N, C, H, W) or (C, H, W), got ${shapeText(x.shape)}`));
  }
}

/**
 * x where x > threshold, else a value.
 *
 * @example new Threshold(0.5, -1).forward(tensor([0.25, 0.5, 2])) // [-1, -1, 2]
 */
export class Threshold extends Activation<"Threshold"> {
  readonly threshold: number;
  readonly value: number;
  constructor(threshold: number, value: number) {
    super();
    this.threshold = threshold;
    this.value = value;
  }
  protected apply(x: Tensor): Tensor {
    return where(x.greater(this.threshold), x, this.value);
  }
  protected override describe(): string {
    return `above ${this.threshold}, else ${this.value}`;
  }
}

/**
 * x where x ≥ 0, else a·x with a drawn from [low, high) for each element in training, and their middle in evaluation. Xu et al.,
 * "Empirical evaluation of rectified activations in convolutional network", 2015.
 *
 * @throws ArgumentError unless low ≤ high
 * @example new RReLU({ low: 0.25, high: 0.75 }).eval().forward(tensor([-2, 3])) // [-1, 3]
 */
export class RReLU extends Activation<"RReLU"> {
  readonly low: number;
  readonly high: number;
  readonly random: RandomStream;
  constructor(
    options: { readonly low?: number; readonly high?: number; readonly key?: RandomKey | number } = {},
  ) {
    super();
    checkOptions("RReLU", options, ["low", "high", "key"]);
    const { low = 1 / 8, high = 1 / 3, key } = options;
    if (!(low <= high)) throw new ArgumentError(`RReLU: needs low ≤ high, got ${low} and ${high}`);
    this.low = low;
    this.high = high;
    this.random = new RandomStream(key);
  }
  protected apply(x: Tensor): Tensor {
    if (!this.training) return x.leakyRelu((this.low + this.high) / 2);
    const draws: Tensor = fromNode(randomUniform(nodeOf(this.random.next()), nodeOf(x).shape));
    const slope: Tensor = draws.mul(this.high - this.low).add(this.low);
    return where(x.greaterEqual(0), x, x.mul(slope.cast(x.dtype)));
  }
  protected override describe(): string {
    return `${this.low} … ${this.high}`;
  }
}
