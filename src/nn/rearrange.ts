/** Layers that move elements: pixels and channels, patches, axes. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import { foldWindows, windows } from "../ops/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { located, withPlace } from "../tensor/located.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { Module } from "./module.ts";
import { type PerAxis, perAxis, perAxisText, requireImage } from "./spatial.ts";

function requireFactor(what: string, factor: number): void {
  if (Number.isInteger(factor) && factor >= 1) return;
  throw new ArgumentError(`${what}: must be a positive integer, got ${factor}`);
}

/** The sizes of an image, one of which a number must divide. */
function dividedImage(
  layer: Module,
  x: Tensor,
  divides: (sizes: readonly number[]) => boolean,
  rule: string,
): readonly number[] {
  requireImage(layer.toString(), x, 2);
  const sizes = x.shape as readonly number[];
  if (divides(sizes)) return sizes;
  throw withPlace(new ShapeError(`${layer} expects ${rule}, got ${shapeText(sizes)}`));
}

/**
 * Channels become pixels: (N, C·r², H, W) → (N, C, H·r, W·r). Shi et al., "Real-time single image and video super-resolution using an
 * efficient sub-pixel convolutional neural network", CVPR 2016.
 *
 * @throws ShapeError in `forward` when r² does not divide the channels
 * @example new PixelShuffle(2).forward(tensor([[[[1]], [[2]], [[3]], [[4]]]])) // [[[[1, 2], [3, 4]]]]
 */
export class PixelShuffle extends Module {
  readonly upscaleFactor: number;
  constructor(upscaleFactor: number) {
    super();
    requireFactor("PixelShuffle: upscaleFactor", upscaleFactor);
    this.upscaleFactor = upscaleFactor;
  }
  forward(x: Tensor): Tensor {
    const r = this.upscaleFactor;
    const [n, c, h, w] = dividedImage(
      this,
      x,
      ([, c]) => c! % r ** 2 === 0,
      `channels that ${r ** 2} divides`,
    );
    const parts = x.reshape([n!, c! / r ** 2, r, r, h!, w!]).permute([0, 1, 4, 2, 5, 3]) as Tensor;
    return parts.reshape([n!, c! / r ** 2, h! * r, w! * r]) as Tensor;
  }
  protected override describe(): string {
    return String(this.upscaleFactor);
  }
}

/**
 * Pixels become channels, what `PixelShuffle` undoes: (N, C, H·r, W·r) → (N, C·r², H, W).
 *
 * @throws ShapeError in `forward` when r does not divide height and width
 * @example new PixelUnshuffle(2).forward(tensor([[[[1, 2], [3, 4]]]])) // [[[[1]], [[2]], [[3]], [[4]]]]
 */
export class PixelUnshuffle extends Module {
  readonly downscaleFactor: number;
  constructor(downscaleFactor: number) {
    super();
    requireFactor("PixelUnshuffle: downscaleFactor", downscaleFactor);
    this.downscaleFactor = downscaleFactor;
  }
  forward(x: Tensor): Tensor {
    const r = this.downscaleFactor;
    const fits = ([, , h, w]: readonly number[]): boolean => h! % r === 0 && w! % r === 0;
    const [n, c, h, w] = dividedImage(this, x, fits, `a height and width that ${r} divides`);
    const parts = x.reshape([n!, c!, h! / r, r, w! / r, r]).permute([0, 1, 3, 5, 2, 4]) as Tensor;
    return parts.reshape([n!, c! * r ** 2, h! / r, w! / r]) as Tensor;
  }
  protected override describe(): string {
    return String(this.downscaleFactor);
  }
}

/**
 * Channels of groups dealt out in turn, so that the next grouped convolution sees all groups: (N, C, …) → the same. Zhang et al.,
 * "ShuffleNet", CVPR 2018.
 *
 * @throws ShapeError in `forward` when the groups do not divide the channels
 * @example new ChannelShuffle(2).forward(tensor([[[1], [2], [3], [4]]])) // [[[1], [3], [2], [4]]]
 */
export class ChannelShuffle extends Module {
  readonly groups: number;
  constructor(groups: number) {
    super();
    requireFactor("ChannelShuffle: groups", groups);
    this.groups = groups;
  }
  forward(x: Tensor): Tensor {
    const shape = x.shape as readonly number[];
    const [n, c, ...rest] = shape;
    if (c === undefined || c % this.groups !== 0)
      throw withPlace(
        new ShapeError(`${this} expects channels that ${this.groups} divides, got ${shapeText(shape)}`),
      );
    const dealt = x.reshape([n!, this.groups, c / this.groups, ...rest]).transpose(1, 2) as Tensor;
    return dealt.reshape(shape) as Tensor;
  }
  protected override describe(): string {
    return `${this.groups} groups`;
  }
}

export interface UnfoldOptions {
  /** From one patch to the next; default 1. */
  readonly stride?: PerAxis;
  /** From one element of a patch to the next; default 1. */
  readonly dilation?: PerAxis;
  /** Zeros put around; default 0. */
  readonly padding?: PerAxis;
}

abstract class Patches extends Module {
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: readonly number[];
  constructor(kernelSize: PerAxis, options: UnfoldOptions) {
    super();
    const what = this.constructor.name;
    checkOptions(what, options, ["stride", "dilation", "padding"]);
    this.kernelSize = perAxis(`${what}: kernelSize`, kernelSize, 2, 1);
    this.stride = perAxis(`${what}: stride`, options.stride ?? 1, 2, 1);
    this.dilation = perAxis(`${what}: dilation`, options.dilation ?? 1, 2, 1);
    this.padding = perAxis(`${what}: padding`, options.padding ?? 0, 2, 0);
  }
  protected get windows(): {
    axes: number[];
    sizes: readonly number[];
    strides: readonly number[];
    dilations: readonly number[];
  } {
    return { axes: [2, 3], sizes: this.kernelSize, strides: this.stride, dilations: this.dilation };
  }
  /** Patches along each axis of an image of these sizes. */
  protected countsOf(sizes: readonly number[]): number[] {
    return sizes.map((size, i) => {
      const reach = (this.kernelSize[i]! - 1) * this.dilation[i]! + 1;
      return Math.floor((size + 2 * this.padding[i]! - reach) / this.stride[i]!) + 1;
    });
  }
  protected override describe(): string {
    return `kernel ${perAxisText(this.kernelSize)}, stride ${perAxisText(this.stride)}`;
  }
}

/**
 * The patches that a convolution would see, as columns: (N, C, H, W) → (N, C·kernel², patches), patches row by row.
 *
 * @throws ShapeError in `forward` when the input is no image, or smaller than a patch
 * @example new Unfold(2).forward(tensor([[[[1, 2, 3], [4, 5, 6]]]])) // [[[1, 2], [2, 3], [4, 5], [5, 6]]]
 */
export class Unfold extends Patches {
  constructor(kernelSize: PerAxis, options: UnfoldOptions = {}) {
    super(kernelSize, options);
  }
  forward(x: Tensor): Tensor {
    requireImage(this.toString(), x, 2);
    const padding = this.padding.map((n) => [n, n] as [number, number]);
    const whole = x.pad([[0, 0], [0, 0], ...padding]) as Tensor;
    const view = located(() => fromNode(windows(nodeOf(whole), this.windows))); // (N, C, H′, W′, kernel, kernel)
    const [n, c, h, w, ...kernel] = view.shape as [number, number, number, number, ...number[]];
    const columns = view.permute([0, 1, 4, 5, 2, 3]) as Tensor;
    return columns.reshape([n, c * kernel[0]! * kernel[1]!, h * w]) as Tensor;
  }
}

/**
 * The transpose of `Unfold`: columns of patches put back into an image, where those that overlap are added: (N, C·kernel², patches)
 * → (N, C, …outputSize).
 *
 * @throws ShapeError in `forward` when there are other patches than the output size has
 * @example new Fold([2, 3], 2).forward(ones([1, 4, 2])) // [[[[1, 2, 1], [1, 2, 1]]]]
 */
export class Fold extends Patches {
  readonly outputSize: readonly number[];
  constructor(outputSize: PerAxis, kernelSize: PerAxis, options: UnfoldOptions = {}) {
    super(kernelSize, options);
    this.outputSize = perAxis("Fold: outputSize", outputSize, 2, 1);
  }
  forward(x: Tensor): Tensor {
    const shape = x.shape as readonly number[];
    const [n, rows, patches] = shape;
    const [kh, kw] = this.kernelSize as [number, number];
    const [h, w] = this.countsOf(this.outputSize) as [number, number];
    if (shape.length !== 3 || rows! % (kh * kw) !== 0 || patches !== h * w)
      throw withPlace(
        new ShapeError(`${this} expects (N, channels · ${kh * kw}, ${h * w}), got ${shapeText(shape)}`),
      );
    const channels = rows! / (kh * kw);
    const view = x.reshape([n!, channels, kh, kw, h, w]).permute([0, 1, 4, 5, 2, 3]) as Tensor;
    const whole = this.outputSize.map((size, i) => size + 2 * this.padding[i]!);
    const image: Tensor = located(() =>
      fromNode(foldWindows(nodeOf(view), [n!, channels, ...whole], this.windows)),
    );
    return this.padding.reduce(
      (y, pad, i) => (pad === 0 ? y : (y.slice(i + 2, pad, pad + this.outputSize[i]!) as Tensor)),
      image,
    );
  }
  protected override describe(): string {
    return `to ${perAxisText(this.outputSize)}, ${super.describe()}`;
  }
}

/**
 * Each sample in another shape, (N, …) → (N, …shape): Keras's `Reshape`. One size may be −1.
 *
 * @throws ShapeError in `forward` when the sizes do not multiply to the sample's
 * @example new Reshape([2, 3]).forward(zeros([8, 6])).shape // [8, 2, 3]
 */
export class Reshape extends Module {
  readonly targetShape: readonly number[];
  constructor(targetShape: readonly number[]) {
    super();
    this.targetShape = [...targetShape];
  }
  forward(x: Tensor): Tensor {
    return x.reshape([(x.shape as readonly number[])[0]!, ...this.targetShape]) as Tensor;
  }
  protected override describe(): string {
    return `(${this.targetShape.join(", ")})`;
  }
}

/**
 * All axes in another order, the batch's too: `new Permute([0, 2, 1])` swaps the last two.
 *
 * @throws ShapeError in `forward` when the input has other axes
 * @example new Permute([0, 2, 1]).forward(zeros([8, 2, 3])).shape // [8, 3, 2]
 */
export class Permute extends Module {
  readonly axes: readonly number[];
  constructor(axes: readonly number[]) {
    super();
    this.axes = [...axes];
  }
  forward(x: Tensor): Tensor {
    return x.permute([...this.axes]) as Tensor;
  }
  protected override describe(): string {
    return this.axes.join(", ");
  }
}

/**
 * A function as a layer. It must compute with tensors alone; parameters it reads must belong to the model otherwise.
 *
 * @example new Lambda((x) => x.square()).forward(tensor([2, 3])) // [4, 9]
 */
export class Lambda extends Module {
  private readonly compute: (...inputs: Tensor[]) => Tensor;
  constructor(compute: (...inputs: Tensor[]) => Tensor) {
    super();
    this.compute = compute;
  }
  forward(...inputs: Tensor[]): Tensor {
    return this.compute(...inputs);
  }
  protected override describe(): string {
    return this.compute.name;
  }
}
