/** Pooling over one, two or three spatial axes of (N, C, …spatial). */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { PerChannel } from "../base/shape-types.ts";
import { averagePool, maxPool, maxPoolIndices, type PoolGeometry } from "../ops/index.ts";
import { concat, type Tensor } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { Module } from "./module.ts";
import { type PerAxis, perAxis, perAxisText, requireImage } from "./spatial.ts";

export interface PoolOptions {
  /** From one window to the next; the window's size unless told. */
  readonly stride?: PerAxis;
  /** Elements put around, at most half a window; default 0. */
  readonly padding?: PerAxis;
  /** Default false: true also keeps windows that reach over the end. */
  readonly ceilMode?: boolean;
}
export interface MaxPoolOptions extends PoolOptions {
  /** From one element of a window to the next; default 1. */
  readonly dilation?: PerAxis;
}
export interface AveragePoolOptions extends PoolOptions {
  /** Default true, as in PyTorch: padding counts as zeros. False: only elements of the input count. */
  readonly countIncludePad?: boolean;
  /** Divides instead of the number of elements. */
  readonly divisorOverride?: number;
}

abstract class Pool<What extends string> extends Module {
  /** For the type checker alone: what a chain of layers compares. */
  declare readonly features: PerChannel<What>;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly ceilMode: boolean;

  constructor(rank: number, kernelSize: PerAxis, options: MaxPoolOptions, extra: readonly string[]) {
    super();
    const what = this.constructor.name;
    checkOptions(what, options, ["stride", "padding", "ceilMode", ...extra] as never);
    this.kernelSize = perAxis(`${what}: kernelSize`, kernelSize, rank, 1);
    this.stride = perAxis(`${what}: stride`, options.stride ?? this.kernelSize, rank, 1);
    this.padding = perAxis(`${what}: padding`, options.padding ?? 0, rank, 0);
    this.dilation = perAxis(`${what}: dilation`, options.dilation ?? 1, rank, 1);
    this.ceilMode = options.ceilMode ?? false;
    this.padding.forEach((pad, i) => {
      if (2 * pad > this.kernelSize[i]!)
        throw new ArgumentError(
          `${what}: padding ${pad} must be at most half of the window's ${this.kernelSize[i]}`,
        );
    });
  }

  protected abstract pool(x: Tensor, geometry: PoolGeometry): Tensor;

  forward(x: Tensor): Tensor {
    return this.pool(x, this.geometryOf(x));
  }

  /** The windows of an input. */
  protected geometryOf(x: Tensor): PoolGeometry {
    requireImage(this.toString(), x, this.kernelSize.length);
    const padding = (x.shape as readonly number[]).slice(2).map((size, i) => this.paddingOf(size, i));
    const { kernelSize: sizes, stride: strides, dilation: dilations } = this;
    return { sizes, strides, dilations, padding };
  }

  /** With `ceilMode` as much at the end as the last window needs; it must begin in the input or in the padding before it. */
  private paddingOf(size: number, i: number): readonly [number, number] {
    const [pad, stride] = [this.padding[i]!, this.stride[i]!];
    if (!this.ceilMode) return [pad, pad];
    const reach = (this.kernelSize[i]! - 1) * this.dilation[i]! + 1;
    let places = Math.ceil((size + 2 * pad - reach) / stride) + 1;
    if ((places - 1) * stride >= size + pad) places--;
    return [pad, Math.max(pad, (places - 1) * stride + reach - size - pad)];
  }

  protected override describe(): string {
    const { kernelSize, stride, padding } = this;
    const isPadded = padding.some((n) => n > 0);
    return [
      `kernel ${perAxisText(kernelSize)}`,
      ...(stride.some((n, i) => n !== kernelSize[i]) ? [`stride ${perAxisText(stride)}`] : []),
      ...(isPadded ? [`padding ${perAxisText(padding)}`] : []),
    ].join(", ");
  }
}

export interface MaxPoolResult {
  /** The largest element of each window. */
  readonly output: Tensor;
  /** i32 of the same shape: where it stands in its channel's image, counted row by row. */
  readonly indices: Tensor;
}

abstract class MaxPool<What extends string> extends Pool<What> {
  constructor(rank: number, kernelSize: PerAxis, options: MaxPoolOptions) {
    super(rank, kernelSize, options, ["dilation"]);
  }
  protected pool(x: Tensor, geometry: PoolGeometry): Tensor {
    return located(() => fromNode(maxPool(nodeOf(x), geometry)));
  }

  /** The maxima with their places, which `MaxUnpool` takes: PyTorch's `return_indices`. */
  withIndices(x: Tensor): MaxPoolResult {
    const geometry = this.geometryOf(x);
    const indices = located(() => fromNode(maxPoolIndices(nodeOf(x), geometry)));
    return { output: this.forward(x), indices };
  }
}

/**
 * The largest element of each window of one axis; of equal ones the first takes the gradient.
 *
 * @example new MaxPool1d(2).forward(tensor([[[1, 3, 2, 0]]])) // [[[3, 2]]]
 */
export class MaxPool1d extends MaxPool<"MaxPool1d"> {
  constructor(kernelSize: PerAxis, options: MaxPoolOptions = {}) {
    super(1, kernelSize, options);
  }
}
/**
 * The largest element of each window of an image; of equal ones the first takes the gradient.
 *
 * @example new MaxPool2d(2).forward(zeros([8, 32, 28, 28])).shape // [8, 32, 14, 14]
 */
export class MaxPool2d extends MaxPool<"MaxPool2d"> {
  constructor(kernelSize: PerAxis, options: MaxPoolOptions = {}) {
    super(2, kernelSize, options);
  }
}
/** The largest element of each window of a volume. @example new MaxPool3d(2).forward(zeros([1, 2, 4, 4, 4])).shape // [1, 2, 2, 2, 2] */
export class MaxPool3d extends MaxPool<"MaxPool3d"> {
  constructor(kernelSize: PerAxis, options: MaxPoolOptions = {}) {
    super(3, kernelSize, options);
  }
}

abstract class AveragePool<What extends string> extends Pool<What> {
  readonly countIncludePad: boolean;
  readonly divisorOverride: number | undefined;
  constructor(rank: number, kernelSize: PerAxis, options: AveragePoolOptions) {
    super(rank, kernelSize, options, ["countIncludePad", "divisorOverride"]);
    this.countIncludePad = options.countIncludePad ?? true;
    this.divisorOverride = options.divisorOverride;
  }
  protected pool(x: Tensor, geometry: PoolGeometry): Tensor {
    const { countIncludePad: countsPadding, divisorOverride: divisor } = this;
    // What `ceilMode` adds at the end never counts: then each window counts what it sees of the input and its own padding.
    const isEven = geometry.padding.every(([low, high]) => low === high);
    if (isEven || !countsPadding || divisor !== undefined)
      return located(() => fromNode(averagePool(nodeOf(x), { ...geometry, countsPadding, divisor })));
    const own = geometry.padding.map(([low]) => [low, low] as const);
    const whole = x.pad([[0, 0], [0, 0], ...own]) as Tensor;
    const rest = geometry.padding.map(([low, high]) => [0, high - low] as const);
    return located(() =>
      fromNode(averagePool(nodeOf(whole), { ...geometry, padding: rest, countsPadding: false })),
    );
  }
}

/** The mean of each window of one axis. @example new AvgPool1d(2).forward(tensor([[[1, 3, 2, 0]]])) // [[[2, 1]]] */
export class AvgPool1d extends AveragePool<"AvgPool1d"> {
  constructor(kernelSize: PerAxis, options: AveragePoolOptions = {}) {
    super(1, kernelSize, options);
  }
}
/** The mean of each window of an image. @example new AvgPool2d(7).forward(zeros([8, 32, 7, 7])).shape // [8, 32, 1, 1] */
export class AvgPool2d extends AveragePool<"AvgPool2d"> {
  constructor(kernelSize: PerAxis, options: AveragePoolOptions = {}) {
    super(2, kernelSize, options);
  }
}
/** The mean of each window of a volume. @example new AvgPool3d(2).forward(zeros([1, 2, 4, 4, 4])).shape // [1, 2, 2, 2, 2] */
export class AvgPool3d extends AveragePool<"AvgPool3d"> {
  constructor(kernelSize: PerAxis, options: AveragePoolOptions = {}) {
    super(3, kernelSize, options);
  }
}

export interface LPPoolOptions {
  /** From one window to the next; the window's size unless told. */
  readonly stride?: PerAxis;
  /** Default false: true also keeps windows that reach over the end. */
  readonly ceilMode?: boolean;
}

abstract class LPPool<What extends string> extends Pool<What> {
  readonly normType: number;
  constructor(
    rank: number,
    { normType, kernelSize }: { normType: number; kernelSize: PerAxis },
    options: LPPoolOptions,
  ) {
    super(rank, kernelSize, options, []);
    if (!(normType > 0))
      throw new ArgumentError(`${this.constructor.name}: normType must be above 0, got ${normType}`);
    this.normType = normType;
  }
  protected pool(x: Tensor, geometry: PoolGeometry): Tensor {
    // As in PyTorch, where `ceilMode` cuts a window off its mean counts as that of a whole one.
    const powers = x.pow(this.normType) as Tensor;
    const means = located(() => fromNode(averagePool(nodeOf(powers), { ...geometry, countsPadding: false })));
    const count = this.kernelSize.reduce((n, size) => n * size, 1);
    return means.mul(count).pow(1 / this.normType) as Tensor;
  }
}

/** (Σ xᵖ)^(1/p) over each window of one axis. @example new LPPool1d(1, 2).forward(tensor([[[1, 3, 2, 0]]])) // [[[4, 2]]] */
export class LPPool1d extends LPPool<"LPPool1d"> {
  constructor(normType: number, kernelSize: PerAxis, options: LPPoolOptions = {}) {
    super(1, { normType, kernelSize }, options);
  }
}
/** (Σ xᵖ)^(1/p) over each window of an image. @example new LPPool2d(2, 2).forward(zeros([8, 3, 6, 6])).shape // [8, 3, 3, 3] */
export class LPPool2d extends LPPool<"LPPool2d"> {
  constructor(normType: number, kernelSize: PerAxis, options: LPPoolOptions = {}) {
    super(2, { normType, kernelSize }, options);
  }
}
/** (Σ xᵖ)^(1/p) over each window of a volume. @example new LPPool3d(2, 2).forward(zeros([1, 2, 4, 4, 4])).shape // [1, 2, 2, 2, 2] */
export class LPPool3d extends LPPool<"LPPool3d"> {
  constructor(normType: number, kernelSize: PerAxis, options: LPPoolOptions = {}) {
    super(3, { normType, kernelSize }, options);
  }
}

/** Windows of ⌊i·size/out⌋ … ⌈(i + 1)·size/out⌉ along each spatial axis, so that the result has the size asked for. */
function inWindows(
  x: Tensor,
  counts: readonly number[],
  fold: (part: Tensor, axis: number) => Tensor,
): Tensor {
  return counts.reduce((image, count, i) => {
    const axis = i + 2;
    const size = (image.shape as readonly number[])[axis]!;
    if (size === count) return image;
    const parts = Array.from({ length: count }, (_, at) => {
      const [start, stop] = [Math.floor((at * size) / count), Math.ceil(((at + 1) * size) / count)];
      return fold(image.slice(axis, start, stop) as Tensor, axis);
    });
    return count === 1 ? parts[0]! : (concat(parts, axis) as Tensor);
  }, x);
}

const meanAlong = (part: Tensor, axis: number): Tensor => part.mean(axis, { keepDims: true }) as Tensor;

/** Means to spatial sizes that are given. */
export const adaptiveAverage = (x: Tensor, counts: readonly number[]): Tensor =>
  inWindows(x, counts, meanAlong);

abstract class Adaptive<What extends string> extends Module {
  /** For the type checker alone: what a chain of layers compares. */
  declare readonly features: PerChannel<What>;
  readonly outputSize: readonly number[];
  constructor(rank: number, outputSize: PerAxis) {
    super();
    this.outputSize = perAxis(`${this.constructor.name}: outputSize`, outputSize, rank, 1);
  }
  protected abstract fold(part: Tensor, axis: number): Tensor;

  forward(x: Tensor): Tensor {
    requireImage(this.toString(), x, this.outputSize.length);
    return inWindows(x, this.outputSize, (part, axis) => this.fold(part, axis));
  }
  protected override describe(): string {
    return `to ${perAxisText(this.outputSize)}`;
  }
}

abstract class AdaptiveAverage<What extends string> extends Adaptive<What> {
  protected fold(part: Tensor, axis: number): Tensor {
    return meanAlong(part, axis);
  }
}
abstract class AdaptiveMax<What extends string> extends Adaptive<What> {
  protected fold(part: Tensor, axis: number): Tensor {
    return part.max(axis, { keepDims: true }) as Tensor;
  }
}

/** Means to a size that is given. @example new AdaptiveAvgPool1d(2).forward(tensor([[[1, 3, 2, 0]]])) // [[[2, 1]]] */
export class AdaptiveAvgPool1d extends AdaptiveAverage<"AdaptiveAvgPool1d"> {
  constructor(outputSize: PerAxis) {
    super(1, outputSize);
  }
}
/** Means to a size that is given; to 1 it is global average pooling. @example new AdaptiveAvgPool2d(1).forward(zeros([8, 512, 7, 5])).shape // [8, 512, 1, 1] */
export class AdaptiveAvgPool2d extends AdaptiveAverage<"AdaptiveAvgPool2d"> {
  constructor(outputSize: PerAxis) {
    super(2, outputSize);
  }
}
/** Means to a size that is given. @example new AdaptiveAvgPool3d([1, 2, 2]).forward(zeros([1, 2, 4, 4, 4])).shape // [1, 2, 1, 2, 2] */
export class AdaptiveAvgPool3d extends AdaptiveAverage<"AdaptiveAvgPool3d"> {
  constructor(outputSize: PerAxis) {
    super(3, outputSize);
  }
}
/** Maxima to a size that is given. @example new AdaptiveMaxPool1d(2).forward(tensor([[[1, 3, 2, 0]]])) // [[[3, 2]]] */
export class AdaptiveMaxPool1d extends AdaptiveMax<"AdaptiveMaxPool1d"> {
  constructor(outputSize: PerAxis) {
    super(1, outputSize);
  }
}
/** Maxima to a size that is given. @example new AdaptiveMaxPool2d([3, 2]).forward(zeros([8, 4, 7, 5])).shape // [8, 4, 3, 2] */
export class AdaptiveMaxPool2d extends AdaptiveMax<"AdaptiveMaxPool2d"> {
  constructor(outputSize: PerAxis) {
    super(2, outputSize);
  }
}
/** Maxima to a size that is given. @example new AdaptiveMaxPool3d(2).forward(zeros([1, 2, 4, 4, 4])).shape // [1, 2, 2, 2, 2] */
export class AdaptiveMaxPool3d extends AdaptiveMax<"AdaptiveMaxPool3d"> {
  constructor(outputSize: PerAxis) {
    super(3, outputSize);
  }
}
