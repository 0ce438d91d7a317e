/** Layers that bring activations to mean 0 and variance 1, over the batch, a sample, groups of channels or the features. */
import { isFloat, promote } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { type Shape, shapeText } from "../base/shape.ts";
import type { Features, PerChannel, TensorShape } from "../base/shape-types.ts";
import type { Node } from "../graph/node.ts";
import {
  add,
  batchNormalization,
  broadcastTo,
  type ChannelStatistics,
  cast,
  channelStatistics,
  channelsFirst,
  channelsLast,
  layerNormalization,
  mean,
  mul,
  normalize,
  rmsNormalization,
  variance,
} from "../ops/index.ts";
import { raised } from "../tensor/autocast.ts";
import { ones, StateTensor, type Tensor, zeros } from "../tensor/index.ts";
import { located, withPlace } from "../tensor/located.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";
import { type ChannelsCheck, requireImage } from "./spatial.ts";

export interface NormOptions {
  /** Added to the variance before the root; default 1e-5. */
  readonly epsilon?: number;
  /** Default true: a learnt scale and shift for each channel or feature. */
  readonly affine?: boolean;
}
export interface BatchNormOptions extends NormOptions {
  /** How much of a batch's statistics goes into the running ones; default 0.1. null: the mean over all batches so far. */
  readonly momentum?: number | null;
  /** Default true: running statistics are kept, and take the batch's place in evaluation. */
  readonly trackRunningStats?: boolean;
}

const scaleOf = (size: number | readonly number[], value: number, name: string): Parameter => {
  const shape = typeof size === "number" ? [size] : size;
  const data = new Float32Array(shape.reduce((n, s) => n * s, 1)).fill(value);
  return new Parameter({ dtype: "f32", shape, data }, { name });
};

function requirePositive(what: string, sizes: Readonly<Record<string, number>>): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (!Number.isInteger(size) || size < 1)
      throw new ArgumentError(`${what}: ${name} must be a positive integer, got ${size}`);
  }
}

/** (x − mean) / √(variance + ε) over axes. */
const standardized = (x: Tensor, axes: readonly number[], epsilon: number): Tensor =>
  located(() => fromNode(normalize(raised(nodeOf(x)), axes, epsilon)));

/** What a layer along the last axes takes, in one dtype. */
function affineOf(
  x: Tensor,
  weight: Parameter,
  bias: Parameter | undefined,
  epsilon: number,
): Parameters<typeof layerNormalization> {
  const given = raised(nodeOf(x));
  // What is no float is an error that the op has words for.
  const node = isFloat(given.dtype) ? cast(given, promote(given.dtype, weight.dtype)) : given;
  const own = (parameter: Parameter): Node => cast(nodeOf(parameter), node.dtype);
  return [node, epsilon, { weight: own(weight), bias: bias && own(bias) }];
}

/** A vector of the channels for (N, C, …). */
const alongChannels = (vector: Tensor, rank: number): Tensor =>
  vector.reshape([(vector.shape as readonly number[])[0]!, ...Array<number>(rank - 2).fill(1)]) as Tensor;

/** x · factor + shift for vectors of the channels, which are last. */
const scaledByChannel = (x: Node, factor: Node, shift: Node): Node =>
  add(mul(x, broadcastTo(factor, x.shape)), broadcastTo(shift, x.shape));

const countOf = (shape: Shape): number => (shape as readonly number[]).reduce((n, size) => n * size, 1);

function scaled(y: Tensor, weight: Parameter | undefined, bias: Parameter | undefined): Tensor {
  if (weight === undefined) return y;
  const rank = y.shape.length;
  const larger = y.mul(alongChannels(weight as Tensor, rank));
  return (bias === undefined ? larger : larger.add(alongChannels(bias as Tensor, rank))) as Tensor;
}

/**
 * What batch norms of any number of axes have in common.
 *
 * @example new BatchNorm1d(4) instanceof BatchNorm; // true
 */
export abstract class BatchNorm<
  What extends string = string,
  const Channels extends number = number,
> extends Module {
  /** For the type checker alone: what a chain of layers compares. */
  declare readonly features: PerChannel<What, Channels, "same">;
  readonly numFeatures: Channels;
  readonly epsilon: number;
  /** What was traced with another value keeps that. */
  momentum: number | null;
  readonly weight: Parameter | undefined;
  readonly bias: Parameter | undefined;
  readonly runningMean: StateTensor | undefined;
  readonly runningVar: StateTensor | undefined;
  readonly numBatchesTracked: StateTensor | undefined;

  constructor(numFeatures: Channels, options: BatchNormOptions = {}) {
    super();
    const what = this.constructor.name;
    checkOptions(what, options, ["epsilon", "momentum", "affine", "trackRunningStats"]);
    requirePositive(what, { numFeatures });
    const { epsilon = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true } = options;
    this.numFeatures = numFeatures;
    this.epsilon = epsilon;
    this.momentum = momentum;
    this.weight = affine ? scaleOf(numFeatures, 1, "weight") : undefined;
    this.bias = affine ? scaleOf(numFeatures, 0, "bias") : undefined;
    if (!trackRunningStats) return;
    const vector = (name: string, value: number): StateTensor =>
      new StateTensor({
        name,
        shape: [numFeatures],
        dtype: "f32",
        initial: new Float32Array(numFeatures).fill(value),
      });
    this.runningMean = vector("running_mean", 0);
    this.runningVar = vector("running_var", 1);
    this.numBatchesTracked = new StateTensor({ name: "num_batches_tracked", shape: [], dtype: "i32" });
  }

  /** PyTorch's names, under which its files hold the statistics. */
  protected override *fields(): Iterable<readonly [string, unknown]> {
    const names: Record<string, string> = {
      runningMean: "running_mean",
      runningVar: "running_var",
      numBatchesTracked: "num_batches_tracked",
    };
    for (const [name, value] of super.fields()) yield [names[name] ?? name, value];
  }

  /** Running statistics as at the beginning: mean 0, variance 1, no batch. */
  resetRunningStats(): void {
    this.runningMean?.assign(zeros([this.numFeatures]));
    this.runningVar?.assign(ones([this.numFeatures]));
    this.numBatchesTracked?.assign(zeros([], { dtype: "i32" }));
  }

  protected abstract check(x: Tensor): void;

  /** With channels last, as convolutions leave them: (N, …, C). */
  forward<S extends TensorShape>(x: Tensor<S> & ChannelsCheck<What, S, Channels>): Tensor<S> {
    this.check(x as Tensor);
    return located(() => {
      const node = raised(nodeOf(x as Tensor));
      return node.shape.length === 2
        ? fromNode(this.normalized(node))
        : fromNode(channelsFirst(this.normalized(channelsLast(node))));
    });
  }

  private normalized(x: Node): Node {
    const { runningMean, runningVar } = this;
    if (!this.training && runningMean !== undefined && runningVar !== undefined) {
      const { factor, shift } = this.rates(runningMean, runningVar);
      return scaledByChannel(x, factor, shift);
    }
    const { y, statistics, count } = this.byItself(x);
    if (this.training) this.track(statistics, count);
    return y;
  }

  /** Instance norms do not, as in PyTorch. */
  protected get countsBatches(): boolean {
    return true;
  }

  /** x normalized by its own statistics, each of `count` elements. */
  protected byItself(x: Node): { y: Node; statistics: ChannelStatistics; count: number } {
    const [weight, bias] = [this.weight && nodeOf(this.weight), this.bias && nodeOf(this.bias)];
    const statistics = channelStatistics(x);
    const y = batchNormalization(x, statistics, { epsilon: this.epsilon, weight, bias });
    return { y, statistics, count: countOf(x.shape.slice(0, -1)) };
  }

  /** What the running statistics make of x: x · factor + shift. */
  private rates(mean: StateTensor, variance: StateTensor): { factor: Node; shift: Node } {
    const scale = variance.add(this.epsilon).rsqrt() as Tensor;
    const factor = (this.weight === undefined ? scale : scale.mul(this.weight)) as Tensor;
    const drift = mean.mul(factor) as Tensor;
    const shift = (this.bias === undefined ? drift.neg() : this.bias.sub(drift)) as Tensor;
    return { factor: nodeOf(factor), shift: nodeOf(shift) };
  }

  private track(statistics: ChannelStatistics, count: number): void {
    const { runningMean, runningVar, numBatchesTracked, momentum } = this;
    if (runningMean === undefined || runningVar === undefined || numBatchesTracked === undefined) return;
    const mean = fromNode(statistics.mean);
    // The running variance is the unbiased estimate, the one that is divided by is not, as in PyTorch.
    const variance = fromNode(statistics.variance).mul(count / Math.max(1, count - 1)) as Tensor;
    const batches = numBatchesTracked.add(1) as Tensor;
    const share: Tensor | number = momentum ?? (batches.cast("f32").reciprocal() as Tensor);
    const towards = (state: StateTensor, value: Tensor): Tensor =>
      state.add(value.sub(state).mul(share)) as Tensor;
    runningMean.assign(towards(runningMean, mean));
    runningVar.assign(towards(runningVar, variance));
    if (this.countsBatches) numBatchesTracked.assign(batches);
  }

  protected override describe(): string {
    return `${this.numFeatures}${this.weight === undefined ? ", not affine" : ""}`;
  }
}

/**
 * Batch normalization of features (N, C) or (N, C, L): each channel to mean 0 and variance 1 over the batch while training, by
 * the running statistics in evaluation. Ioffe and Szegedy, "Batch normalization", ICML 2015. Names as in PyTorch.
 *
 * @throws ShapeError when the input has other axes or channels
 * @example new BatchNorm1d(2).forward(tensor([[1, 5], [3, 5]])).shape // [2, 2]
 */
export class BatchNorm1d<const Channels extends number = number> extends BatchNorm<"BatchNorm1d", Channels> {
  protected check(x: Tensor): void {
    const shape = x.shape as readonly number[];
    const isFlat = shape.length === 2 && shape[1] === this.numFeatures;
    if (!isFlat) requireImage(this.toString(), x, 1, this.numFeatures);
  }
}
/** Batch normalization of images (N, C, H, W): see `BatchNorm1d`. @example new BatchNorm2d(3).forward(zeros([8, 3, 4, 4])).shape // [8, 3, 4, 4] */
export class BatchNorm2d<const Channels extends number = number> extends BatchNorm<"BatchNorm2d", Channels> {
  protected check(x: Tensor): void {
    requireImage(this.toString(), x, 2, this.numFeatures);
  }
}
/** Batch normalization of volumes (N, C, D, H, W): see `BatchNorm1d`. @example new BatchNorm3d(3).forward(zeros([8, 3, 2, 4, 4])).shape // [8, 3, 2, 4, 4] */
export class BatchNorm3d<const Channels extends number = number> extends BatchNorm<"BatchNorm3d", Channels> {
  protected check(x: Tensor): void {
    requireImage(this.toString(), x, 3, this.numFeatures);
  }
}

abstract class LastAxes extends Module {
  readonly normalizedShape: readonly number[];
  readonly epsilon: number;
  constructor(normalizedShape: number | readonly number[], epsilon: number) {
    super();
    const list = typeof normalizedShape === "number" ? [normalizedShape] : [...normalizedShape];
    requirePositive(
      this.constructor.name,
      Object.fromEntries(list.map((size, i) => [`normalizedShape[${i}]`, size])),
    );
    this.normalizedShape = list;
    this.epsilon = epsilon;
  }

  /** The axes, from the end. */
  protected axesOf(x: Tensor): number[] {
    const shape = x.shape as readonly number[];
    const { normalizedShape } = this;
    const last = shape.slice(-normalizedShape.length);
    if (shape.length < normalizedShape.length || last.some((size, i) => size !== normalizedShape[i]))
      throw withPlace(
        new ShapeError(`${this} expects (…, ${normalizedShape.join(", ")}), got ${shapeText(shape)}`),
      );
    return normalizedShape.map((_, i) => i - normalizedShape.length);
  }
  protected override describe(): string {
    return this.normalizedShape.join("×");
  }
}

export interface LayerNormOptions {
  /** Default 1e-5. */
  readonly epsilon?: number;
  /** Default true: a learnt scale (and shift) of the normalized shape. */
  readonly elementwiseAffine?: boolean;
  /** Default true: the shift, too. */
  readonly bias?: boolean;
}

/**
 * Layer normalization over the last axes: (x − mean) / √(variance + ε) · weight + bias. Ba, Kiros and Hinton, 2016.
 *
 * Shapes: (…, normalizedShape) → the same.
 *
 * @throws ShapeError when the last axes are others
 * @example new LayerNorm(2, { epsilon: 0 }).forward(tensor([[1, 3]])) // [[-1, 1]]
 */
export class LayerNorm extends LastAxes {
  readonly weight: Parameter | undefined;
  readonly bias: Parameter | undefined;
  constructor(normalizedShape: number | readonly number[], options: LayerNormOptions = {}) {
    checkOptions("LayerNorm", options, ["epsilon", "elementwiseAffine", "bias"]);
    const { epsilon = 1e-5, elementwiseAffine = true, bias = true } = options;
    super(normalizedShape, epsilon);
    this.weight = elementwiseAffine ? scaleOf(this.normalizedShape, 1, "weight") : undefined;
    this.bias = elementwiseAffine && bias ? scaleOf(this.normalizedShape, 0, "bias") : undefined;
  }
  forward(x: Tensor): Tensor {
    const axes = this.axesOf(x);
    const { weight, bias, epsilon } = this;
    if (weight === undefined) return standardized(x, axes, epsilon);
    return located(() => fromNode(layerNormalization(...affineOf(x, weight, bias, epsilon))));
  }
}

export interface RMSNormOptions {
  /** Default the smallest difference from 1 of the input's dtype, as in PyTorch (2⁻²³ for f32). */
  readonly epsilon?: number;
  /** Default true: a learnt scale. */
  readonly elementwiseAffine?: boolean;
}

/**
 * x / √(mean x² + ε) · weight over the last axes. Zhang and Sennrich, "Root mean square layer normalization", 2019.
 *
 * @throws ShapeError when the last axes are others
 * @example new RMSNorm(2, { epsilon: 0 }).forward(tensor([[5, 5]])) // [[1, 1]]
 */
export class RMSNorm extends LastAxes {
  readonly weight: Parameter | undefined;
  constructor(normalizedShape: number | readonly number[], options: RMSNormOptions = {}) {
    checkOptions("RMSNorm", options, ["epsilon", "elementwiseAffine"]);
    const { epsilon = 2 ** -23, elementwiseAffine = true } = options;
    super(normalizedShape, epsilon);
    this.weight = elementwiseAffine ? scaleOf(this.normalizedShape, 1, "weight") : undefined;
  }
  forward(x: Tensor): Tensor {
    const axes = this.axesOf(x);
    const { weight, epsilon } = this;
    if (weight !== undefined)
      return located(() => fromNode(rmsNormalization(...affineOf(x, weight, undefined, epsilon))));
    const square = x.mul(x).mean(axes, { keepDims: true }) as Tensor;
    return x.mul(square.add(epsilon).rsqrt()) as Tensor;
  }
}

/**
 * Each group of channels of each sample to mean 0 and variance 1. Wu and He, "Group normalization", 2018.
 *
 * Shapes: (N, numChannels, …) → the same.
 *
 * @throws ShapeError when axis 1 has other channels
 * @example new GroupNorm(2, 4).forward(zeros([8, 4, 5, 5])).shape // [8, 4, 5, 5]
 */
export class GroupNorm<const Channels extends number = number> extends Module {
  /** For the type checker alone: what a chain of layers compares. */
  declare readonly features: PerChannel<"GroupNorm", Channels, "same">;
  readonly numGroups: number;
  readonly numChannels: Channels;
  readonly epsilon: number;
  readonly weight: Parameter | undefined;
  readonly bias: Parameter | undefined;

  constructor(numGroups: number, numChannels: Channels, options: NormOptions = {}) {
    super();
    checkOptions("GroupNorm", options, ["epsilon", "affine"]);
    requirePositive("GroupNorm", { numGroups, numChannels });
    if (numChannels % numGroups !== 0)
      throw new ArgumentError(`GroupNorm: ${numGroups} groups must divide ${numChannels} channels`);
    this.numGroups = numGroups;
    this.numChannels = numChannels;
    this.epsilon = options.epsilon ?? 1e-5;
    const isAffine = options.affine ?? true;
    this.weight = isAffine ? scaleOf(numChannels, 1, "weight") : undefined;
    this.bias = isAffine ? scaleOf(numChannels, 0, "bias") : undefined;
  }

  forward<S extends TensorShape>(given: Tensor<S> & ChannelsCheck<"GroupNorm", S, Channels>): Tensor<S> {
    const x = given as Tensor;
    const shape = x.shape as readonly number[];
    if (shape[1] !== this.numChannels)
      throw withPlace(
        new ShapeError(`${this} expects ${this.numChannels} channels on axis 1, got ${shapeText(shape)}`),
      );
    const size = shape.slice(2).reduce((n, s) => n * s, this.numChannels / this.numGroups);
    const y = standardized(x.reshape([shape[0]!, this.numGroups, size]) as Tensor, [-1], this.epsilon);
    return scaled(y.reshape(shape) as Tensor, this.weight, this.bias);
  }
  protected override describe(): string {
    return `${this.numChannels} in ${this.numGroups} groups`;
  }
}

export interface InstanceNormOptions extends NormOptions {
  /** How much of a batch's statistics goes into the running ones; default 0.1. */
  readonly momentum?: number;
  /** Default false: true keeps running statistics, which take the sample's place in evaluation. */
  readonly trackRunningStats?: boolean;
}

/** A batch norm over one sample: as in PyTorch, nothing is learnt or tracked unless asked for. */
abstract class InstanceNorm<What extends string, Channels extends number> extends BatchNorm<What, Channels> {
  private readonly rank: number;

  constructor(rank: number, numFeatures: Channels, options: InstanceNormOptions = {}) {
    super(numFeatures, { affine: false, trackRunningStats: false, ...options });
    this.rank = rank;
  }
  protected check(x: Tensor): void {
    requireImage(this.toString(), x, this.rank, this.numFeatures);
  }
  /** Each sample by itself; the running statistics take in the mean over the samples. */
  protected override byItself(x: Node): { y: Node; statistics: ChannelStatistics; count: number } {
    const axes = Array.from({ length: this.rank }, (_, i) => i + 1);
    const y = normalize(x, axes, this.epsilon);
    const statistics = { mean: mean(mean(x, axes), 0), variance: mean(variance(x, axes), 0) };
    const [weight, bias] = [this.weight, this.bias];
    const scaled =
      weight === undefined || bias === undefined ? y : scaledByChannel(y, nodeOf(weight), nodeOf(bias));
    return { y: scaled, statistics, count: countOf(x.shape.slice(1, -1)) };
  }
  protected override get countsBatches(): boolean {
    return false;
  }
}

/** Each channel of each sample (N, C, L) to mean 0 and variance 1. Ulyanov et al., 2016. @example new InstanceNorm1d(3).forward(zeros([8, 3, 4])).shape // [8, 3, 4] */
export class InstanceNorm1d<const Channels extends number = number> extends InstanceNorm<
  "InstanceNorm1d",
  Channels
> {
  constructor(numFeatures: Channels, options: InstanceNormOptions = {}) {
    super(1, numFeatures, options);
  }
}
/** Each channel of each image to mean 0 and variance 1. @example new InstanceNorm2d(3).forward(zeros([8, 3, 4, 4])).shape // [8, 3, 4, 4] */
export class InstanceNorm2d<const Channels extends number = number> extends InstanceNorm<
  "InstanceNorm2d",
  Channels
> {
  constructor(numFeatures: Channels, options: InstanceNormOptions = {}) {
    super(2, numFeatures, options);
  }
}
/** Each channel of each volume to mean 0 and variance 1. @example new InstanceNorm3d(3).forward(zeros([8, 3, 2, 4, 4])).shape // [8, 3, 2, 4, 4] */
export class InstanceNorm3d<const Channels extends number = number> extends InstanceNorm<
  "InstanceNorm3d",
  Channels
> {
  constructor(numFeatures: Channels, options: InstanceNormOptions = {}) {
    super(3, numFeatures, options);
  }
}

export interface LocalResponseNormOptions {
  /** Default 1e-4. */
  readonly alpha?: number;
  /** Default 0.75. */
  readonly beta?: number;
  /** Default 1. */
  readonly k?: number;
}

/**
 * x_c / (k + α/n·Σ x²)^β, the sum over n channels around c: AlexNet's norm. (N, C, …) → the same. Krizhevsky, Sutskever and Hinton,
 * NeurIPS 2012; α divided by n as in PyTorch.
 *
 * @throws ArgumentError unless n is a positive integer
 * @example new LocalResponseNorm(2, { alpha: 2, beta: 1, k: 0 }).forward(tensor([[[1], [1]]])) // [[[1], [0.5]]]
 */
export class LocalResponseNorm extends Module {
  declare readonly features: Features<"LocalResponseNorm", number, "same">;
  readonly size: number;
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;
  constructor(size: number, options: LocalResponseNormOptions = {}) {
    super();
    checkOptions("LocalResponseNorm", options, ["alpha", "beta", "k"]);
    requirePositive("LocalResponseNorm", { size });
    this.size = size;
    ({ alpha: this.alpha = 1e-4, beta: this.beta = 0.75, k: this.k = 1 } = options);
  }
  forward(x: Tensor): Tensor {
    const shape = x.shape as readonly number[];
    if (shape.length < 2)
      throw withPlace(new ShapeError(`${this} expects (N, channels, …), got ${shapeText(shape)}`));
    const before = Math.floor(this.size / 2);
    const widths = shape.map((_, axis) => (axis === 1 ? [before, this.size - 1 - before] : [0, 0]));
    const padded = x.square().pad(widths as [number, number][]) as Tensor;
    const terms = Array.from({ length: this.size }, (_, i) => padded.slice(1, i, i + shape[1]!) as Tensor);
    const sum = terms.reduce((a, b) => a.add(b) as Tensor);
    const divisor = sum
      .mul(this.alpha / this.size)
      .add(this.k)
      .pow(this.beta);
    return x.div(divisor) as Tensor;
  }
  protected override describe(): string {
    return `${this.size} channels`;
  }
}
