/** Convolutions over one, two or three spatial axes, and their transposes. */
import { nextKey } from "../base/default-key.ts";
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fold, type RandomKey, toRandomKey } from "../base/random.ts";
import type { Features, TensorShape } from "../base/shape-types.ts";
import type { Node } from "../graph/node.ts";
import { convolution, convolutionTranspose } from "../ops/index.ts";
import { lowered } from "../tensor/autocast.ts";
import type { Tensor } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { fansOf, glorotUniform, type Initializer, zeros } from "./initializers.ts";
import { Module } from "./module.ts";
import { Parameter } from "./parameter.ts";
import {
  type ChannelsCheck,
  type Padding,
  type PaddingMode,
  type PerAxis,
  paddingPairs,
  perAxis,
  perAxisText,
  requireImage,
  type WithChannels,
} from "./spatial.ts";

interface SharedOptions {
  /** From one place to the next; default 1. */
  readonly stride?: PerAxis;
  /** From one element of the kernel to the next; default 1. */
  readonly dilation?: PerAxis;
  /** Channels fall into so many groups that see nothing of each other; default 1. As many as channels: depthwise. */
  readonly groups?: number;
  /** Default true: adds a learnt number to each channel. */
  readonly bias?: boolean;
  /** Default `initializers.glorotUniform()`, as Keras; `initializers.fanInUniform()` is PyTorch's. */
  readonly weightInit?: Initializer;
  /** Default `initializers.zeros()`. */
  readonly biasInit?: Initializer;
  /** What the initializers draw from: a key or a seed; by default the next key of the default stream (`seed(42)`). */
  readonly key?: RandomKey | number;
}

export interface ConvolutionOptions extends SharedOptions {
  /** Elements put around the input: numbers, "valid" (none, the default) or "same" (as many places as the input has). */
  readonly padding?: Padding;
  /** What is put around: "zeros" (default), or elements of the input as `Tensor.pad` takes them. */
  readonly paddingMode?: PaddingMode;
}

export interface TransposedConvolutionOptions extends SharedOptions {
  /** How much is cut off around the result; default 0. */
  readonly padding?: PerAxis;
  /** Places added at the end, less than the stride: which of the sizes that a convolution maps to one is wanted; default 0. */
  readonly outputPadding?: PerAxis;
}

const sharedNames = [
  "stride",
  "dilation",
  "groups",
  "bias",
  "weightInit",
  "biasInit",
  "key",
  "padding",
] as const;

interface Parts {
  readonly rank: number;
  readonly kernelSize: PerAxis;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly isTransposed: boolean;
}

/** What all of them have: channels, a kernel, weight and bias. */
abstract class Convolution<What extends string, In extends number, Out extends number> extends Module {
  /** For the type checker alone: what a chain of layers compares. */
  declare readonly features: Features<What, number, number, In, Out>;
  readonly inChannels: In;
  readonly outChannels: Out;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
  readonly weight: Parameter;
  readonly bias: Parameter<[Out]> | undefined;

  constructor({ rank, isTransposed, ...parts }: Parts, options: SharedOptions) {
    super();
    const what = this.constructor.name;
    const { stride = 1, dilation = 1, groups = 1, bias = true, key = nextKey() } = options;
    const { weightInit = glorotUniform(), biasInit = zeros() } = options;
    const { inChannels, outChannels } = parts;
    for (const [name, size] of Object.entries({ inChannels, outChannels, groups })) {
      if (!Number.isInteger(size) || size < 1)
        throw new ArgumentError(`${what}: ${name} must be a positive integer, got ${size}`);
    }
    if (inChannels % groups !== 0 || outChannels % groups !== 0)
      throw new ArgumentError(
        `${what}: ${groups} groups must divide the channels, got ${inChannels} → ${outChannels}`,
      );
    this.inChannels = inChannels as In;
    this.outChannels = outChannels as Out;
    this.kernelSize = perAxis(`${what}: kernelSize`, parts.kernelSize, rank, 1);
    this.stride = perAxis(`${what}: stride`, stride, rank, 1);
    this.dilation = perAxis(`${what}: dilation`, dilation, rank, 1);
    this.groups = groups;
    const [first, second] = isTransposed ? [inChannels, outChannels] : [outChannels, inChannels];
    const shape = [first, second / groups, ...this.kernelSize];
    const root = toRandomKey(key);
    const fans = fansOf(shape);
    const data = () => weightInit({ shape, ...fans, key: fold(root, 0) });
    this.weight = new Parameter({ dtype: "f32", shape, data }, { name: "weight" });
    this.bias = bias
      ? new Parameter(biasInit({ shape: [outChannels], ...fans, key: fold(root, 1) }) as never, {
          name: "bias",
        })
      : undefined;
  }

  protected get biasNode(): Node | undefined {
    return this.bias && lowered(nodeOf(this.bias));
  }

  /** What stands after channels and kernel. */
  protected details(): string[] {
    const one = (list: readonly number[]): boolean => list.every((n) => n === 1);
    return [
      `kernel ${perAxisText(this.kernelSize)}`,
      ...(one(this.stride) ? [] : [`stride ${perAxisText(this.stride)}`]),
      ...(one(this.dilation) ? [] : [`dilation ${perAxisText(this.dilation)}`]),
      ...(this.groups === 1 ? [] : [`groups ${this.groups}`]),
      ...(this.bias === undefined ? ["no bias"] : []),
    ];
  }
  protected override describe(): string {
    return [`${this.inChannels} → ${this.outChannels}`, ...this.details()].join(", ");
  }
}

abstract class Straight<What extends string, In extends number, Out extends number> extends Convolution<
  What,
  In,
  Out
> {
  readonly padding: readonly (readonly [low: number, high: number])[];
  readonly paddingMode: PaddingMode;

  constructor(parts: Omit<Parts, "isTransposed">, options: ConvolutionOptions) {
    super({ ...parts, isTransposed: false }, options);
    const what = this.constructor.name;
    checkOptions(what, options, [...sharedNames, "paddingMode"]);
    const { padding = 0, paddingMode = "zeros" } = options;
    if (!["zeros", "reflect", "replicate", "circular"].includes(paddingMode))
      throw new ArgumentError(
        `${what}: paddingMode "${paddingMode}" is unknown; use "zeros", "reflect", "replicate" or "circular"`,
      );
    const { kernelSize: kernel, stride: strides, dilation: dilations } = this;
    this.padding = paddingPairs(what, padding, { kernel, strides, dilations });
    this.paddingMode = paddingMode;
  }

  forward<S extends TensorShape>(x: Tensor<S> & ChannelsCheck<What, S, In>): Tensor<WithChannels<S, Out>> {
    const image = x as Tensor;
    requireImage(this.toString(), image, this.kernelSize.length, this.inChannels);
    const isFilled = this.paddingMode !== "zeros" && this.padding.some(([low, high]) => low > 0 || high > 0);
    const whole = isFilled
      ? image.pad([[0, 0], [0, 0], ...this.padding], { mode: this.paddingMode as "reflect" })
      : image;
    const geometry = {
      strides: this.stride,
      dilations: this.dilation,
      padding: isFilled ? this.padding.map(() => [0, 0] as const) : this.padding,
      groups: this.groups,
    };
    return located(() =>
      fromNode(
        convolution(lowered(nodeOf(whole as Tensor)), lowered(nodeOf(this.weight)), geometry, this.biasNode),
      ),
    );
  }

  protected override details(): string[] {
    const sizes = this.padding.map(([low]) => low);
    const isPadded = this.padding.some(([low, high]) => low > 0 || high > 0);
    const mode = this.paddingMode === "zeros" ? "" : ` ${this.paddingMode}`;
    return [...super.details(), ...(isPadded ? [`padding ${perAxisText(sizes)}${mode}`] : [])];
  }
}

/**
 * Convolution over one axis: (N, inChannels, L) → (N, outChannels, L′). Weight (outChannels, inChannels / groups, kernel), PyTorch's
 * layout and names.
 *
 * @throws ShapeError when the input has other axes or channels
 * @example new Conv1d(4, 8, 3, { padding: "same" }).forward(zeros([2, 4, 10])).shape // [2, 8, 10]
 */
export class Conv1d<const In extends number = number, const Out extends number = number> extends Straight<
  "Conv1d",
  In,
  Out
> {
  constructor(inChannels: In, outChannels: Out, kernelSize: PerAxis, options: ConvolutionOptions = {}) {
    super({ rank: 1, inChannels, outChannels, kernelSize }, options);
  }
}

/**
 * Convolution over images: (N, inChannels, H, W) → (N, outChannels, H′, W′) with H′ = ⌊(H + 2·padding − dilation·(kernel − 1) − 1) /
 * stride⌋ + 1. Weight (outChannels, inChannels / groups, kernel, kernel), PyTorch's layout and names.
 *
 * @throws ShapeError when the input has other axes or channels
 * @example
 * const layer = new Conv2d(3, 32, 3, { stride: 2, padding: 1 });
 * layer.forward(zeros([8, 3, 28, 28])).shape; // [8, 32, 14, 14]
 */
export class Conv2d<const In extends number = number, const Out extends number = number> extends Straight<
  "Conv2d",
  In,
  Out
> {
  constructor(inChannels: In, outChannels: Out, kernelSize: PerAxis, options: ConvolutionOptions = {}) {
    super({ rank: 2, inChannels, outChannels, kernelSize }, options);
  }
}

/**
 * Convolution over volumes: (N, inChannels, D, H, W) → (N, outChannels, D′, H′, W′).
 *
 * @throws ShapeError when the input has other axes or channels
 * @example new Conv3d(1, 2, [1, 3, 3]).forward(zeros([1, 1, 4, 5, 5])).shape // [1, 2, 4, 3, 3]
 */
export class Conv3d<const In extends number = number, const Out extends number = number> extends Straight<
  "Conv3d",
  In,
  Out
> {
  constructor(inChannels: In, outChannels: Out, kernelSize: PerAxis, options: ConvolutionOptions = {}) {
    super({ rank: 3, inChannels, outChannels, kernelSize }, options);
  }
}

abstract class Transposed<What extends string, In extends number, Out extends number> extends Convolution<
  What,
  In,
  Out
> {
  readonly padding: readonly number[];
  readonly outputPadding: readonly number[];

  constructor(parts: Omit<Parts, "isTransposed">, options: TransposedConvolutionOptions) {
    super({ ...parts, isTransposed: true }, options);
    const what = this.constructor.name;
    checkOptions(what, options, [...sharedNames, "outputPadding"]);
    this.padding = perAxis(`${what}: padding`, options.padding ?? 0, parts.rank, 0);
    this.outputPadding = perAxis(`${what}: outputPadding`, options.outputPadding ?? 0, parts.rank, 0);
    this.outputPadding.forEach((extra, i) => {
      if (extra >= Math.max(this.stride[i]!, this.dilation[i]!))
        throw new ArgumentError(
          `${what}: outputPadding ${extra} must be less than the stride ${this.stride[i]}`,
        );
    });
  }

  forward<S extends TensorShape>(x: Tensor<S> & ChannelsCheck<What, S, In>): Tensor<WithChannels<S, Out>> {
    const image = x as Tensor;
    requireImage(this.toString(), image, this.kernelSize.length, this.inChannels);
    const geometry = {
      strides: this.stride,
      dilations: this.dilation,
      padding: this.padding.map((n) => [n, n] as const),
      groups: this.groups,
      outputPadding: this.outputPadding,
    };
    return located(() =>
      fromNode(
        convolutionTranspose(lowered(nodeOf(image)), lowered(nodeOf(this.weight)), geometry, this.biasNode),
      ),
    );
  }

  protected override details(): string[] {
    const isPadded = this.padding.some((n) => n > 0);
    return [...super.details(), ...(isPadded ? [`padding ${perAxisText(this.padding)}`] : [])];
  }
}

/**
 * The transpose of `Conv1d` by its input, which makes a signal longer: (N, inChannels, L) → (N, outChannels, (L − 1)·stride −
 * 2·padding + dilation·(kernel − 1) + outputPadding + 1). Weight (inChannels, outChannels / groups, kernel).
 *
 * @throws ShapeError when the input has other axes or channels
 * @example new ConvTranspose1d(4, 2, 3, { stride: 2 }).forward(zeros([1, 4, 5])).shape // [1, 2, 11]
 */
export class ConvTranspose1d<
  const In extends number = number,
  const Out extends number = number,
> extends Transposed<"ConvTranspose1d", In, Out> {
  constructor(
    inChannels: In,
    outChannels: Out,
    kernelSize: PerAxis,
    options: TransposedConvolutionOptions = {},
  ) {
    super({ rank: 1, inChannels, outChannels, kernelSize }, options);
  }
}

/**
 * The transpose of `Conv2d` by its input, which makes images larger.
 *
 * @throws ShapeError when the input has other axes or channels
 * @example new ConvTranspose2d(8, 3, 2, { stride: 2 }).forward(zeros([1, 8, 7, 7])).shape // [1, 3, 14, 14]
 */
export class ConvTranspose2d<
  const In extends number = number,
  const Out extends number = number,
> extends Transposed<"ConvTranspose2d", In, Out> {
  constructor(
    inChannels: In,
    outChannels: Out,
    kernelSize: PerAxis,
    options: TransposedConvolutionOptions = {},
  ) {
    super({ rank: 2, inChannels, outChannels, kernelSize }, options);
  }
}

/**
 * The transpose of `Conv3d` by its input.
 *
 * @throws ShapeError when the input has other axes or channels
 * @example new ConvTranspose3d(2, 1, 2, { stride: 2 }).forward(zeros([1, 2, 3, 3, 3])).shape // [1, 1, 6, 6, 6]
 */
export class ConvTranspose3d<
  const In extends number = number,
  const Out extends number = number,
> extends Transposed<"ConvTranspose3d", In, Out> {
  constructor(
    inChannels: In,
    outChannels: Out,
    kernelSize: PerAxis,
    options: TransposedConvolutionOptions = {},
  ) {
    super({ rank: 3, inChannels, outChannels, kernelSize }, options);
  }
}
