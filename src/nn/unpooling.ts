/** Max pooling undone: values put back where the maxima stood, zeros elsewhere. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { PerChannel } from "../base/shape-types.ts";
import { placedAt } from "../ops/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import { nodeOf } from "../tensor/nodes.ts";
import { fromNode } from "../tensor/tensor.ts";
import { Module } from "./module.ts";
import { type PerAxis, perAxis, perAxisText, requireImage } from "./spatial.ts";

export interface MaxUnpoolOptions {
  /** Of the pooling that is undone; its window unless told. */
  readonly stride?: PerAxis;
  /** Of the pooling that is undone; default 0. */
  readonly padding?: PerAxis;
}

abstract class MaxUnpool<What extends string> extends Module {
  /** For the type checker alone: what a chain of layers compares. */
  declare readonly features: PerChannel<What>;
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];

  constructor(rank: number, kernelSize: PerAxis, options: MaxUnpoolOptions) {
    super();
    const what = this.constructor.name;
    checkOptions(what, options, ["stride", "padding"]);
    this.kernelSize = perAxis(`${what}: kernelSize`, kernelSize, rank, 1);
    this.stride = perAxis(`${what}: stride`, options.stride ?? this.kernelSize, rank, 1);
    this.padding = perAxis(`${what}: padding`, options.padding ?? 0, rank, 0);
  }

  /**
   * @param indices where each value belongs in its channel's image: `MaxPool….withIndices`
   * @param outputSize the spatial sizes of that image, where (size − 1)·stride − 2·padding + kernel is not what they were
   */
  forward(x: Tensor, indices: Tensor, outputSize?: readonly number[]): Tensor {
    const rank = this.kernelSize.length;
    requireImage(this.toString(), x, rank);
    const { stride, padding, kernelSize } = this;
    const sizes = (x.shape as readonly number[]).slice(2);
    const usual = sizes.map((size, i) => (size - 1) * stride[i]! - 2 * padding[i]! + kernelSize[i]!);
    const spatial = outputSize ?? usual;
    const isNear =
      spatial.length === rank && spatial.every((size, i) => Math.abs(size - usual[i]!) < stride[i]!);
    if (!isNear)
      throw new ArgumentError(
        `${this}: outputSize (${spatial.join(", ")}) must be within a stride of (${usual.join(", ")})`,
      );
    return located(() => fromNode(placedAt(nodeOf(x), nodeOf(indices), spatial)));
  }

  protected override describe(): string {
    const { kernelSize, stride } = this;
    const isUsual = stride.every((n, i) => n === kernelSize[i]);
    return `kernel ${perAxisText(kernelSize)}${isUsual ? "" : `, stride ${perAxisText(stride)}`}`;
  }
}

/**
 * {@link MaxPool1d} undone: each value where its window's maximum stood, zeros elsewhere. Zeiler, Taylor and Fergus, ICCV 2011.
 *
 * Shapes: x and indices (N, C, L) → (N, C, (L − 1)·stride − 2·padding + kernel).
 *
 * @throws ArgumentError for an output size that pooling does not bring to that of x
 * @example
 * const { output, indices } = new MaxPool1d(2).withIndices(tensor([[[1, 3, 2, 0]]]));
 * await new MaxUnpool1d(2).forward(output, indices).toArray(); // [[[0, 3, 2, 0]]]
 */
export class MaxUnpool1d extends MaxUnpool<"MaxUnpool1d"> {
  constructor(kernelSize: PerAxis, options: MaxUnpoolOptions = {}) {
    super(1, kernelSize, options);
  }
}
/**
 * {@link MaxPool2d} undone: see `MaxUnpool1d`.
 *
 * @example
 * const { output, indices } = new MaxPool2d(2).withIndices(zeros([8, 3, 5, 6]));
 * new MaxUnpool2d(2).forward(output, indices, [5, 6]).shape; // [8, 3, 5, 6]
 */
export class MaxUnpool2d extends MaxUnpool<"MaxUnpool2d"> {
  constructor(kernelSize: PerAxis, options: MaxUnpoolOptions = {}) {
    super(2, kernelSize, options);
  }
}
/**
 * {@link MaxPool3d} undone: see `MaxUnpool1d`.
 *
 * @example
 * const { output, indices } = new MaxPool3d(2).withIndices(zeros([1, 2, 4, 4, 4]));
 * new MaxUnpool3d(2).forward(output, indices).shape; // [1, 2, 4, 4, 4]
 */
export class MaxUnpool3d extends MaxUnpool<"MaxUnpool3d"> {
  constructor(kernelSize: PerAxis, options: MaxUnpoolOptions = {}) {
    super(3, kernelSize, options);
  }
}
