/** A picture for a picture: Ronneberger, Fischer and Brox, "U-Net: convolutional networks for biomedical image segmentation", 2015. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import { BatchNorm2d, Conv2d, ConvTranspose2d, MaxPool2d, Module, ReLU, Sequential } from "../nn/index.ts";
import { concat, type Tensor } from "../tensor/index.ts";
import { heFanOut } from "./names.ts";

/** Twice: 3×3 convolution, batch norm, ReLU. Images keep their size. */
const doubleConvolution = (inChannels: number, outChannels: number): Sequential => {
  const convolution = (from: number): Conv2d =>
    new Conv2d(from, outChannels, 3, { padding: 1, bias: false, weightInit: heFanOut });
  return new Sequential(
    convolution(inChannels),
    new BatchNorm2d(outChannels),
    new ReLU(),
    convolution(outChannels),
    new BatchNorm2d(outChannels),
    new ReLU(),
  );
};

export interface UNetOptions {
  /** Default 1. */
  readonly inChannels?: number;
  /** Default 1: one logit a pixel, for binary cross-entropy. More: one a class. */
  readonly outChannels?: number;
  /** Channels at full size; default 64. Each level below has twice as many. */
  readonly width?: number;
  /** How often the image is halved; default 4. */
  readonly depth?: number;
}

/**
 * U-Net: convolutions on the way down, each level half as large with twice the channels; on the way up each level sees what the
 * way down saw at its size. Padded, so the result has the image's size; batch norms, which the paper had not yet.
 *
 * Shapes: (N, inChannels, H, W), H and W multiples of 2^depth → logits (N, outChannels, H, W).
 *
 * @throws ShapeError when the image cannot be halved as often as `depth` says
 * @example new UNet({ width: 4, depth: 2 }).forward(zeros([1, 1, 16, 16])).shape // [1, 1, 16, 16]
 */
export class UNet extends Module {
  readonly down: Sequential[];
  readonly bottom: Sequential;
  readonly widen: ConvTranspose2d[];
  readonly up: Sequential[];
  readonly output: Conv2d;
  private readonly pool = new MaxPool2d(2);

  constructor(options: UNetOptions = {}) {
    super();
    checkOptions("UNet", options, ["inChannels", "outChannels", "width", "depth"]);
    const { inChannels = 1, outChannels = 1, width = 64, depth = 4 } = options;
    if (!Number.isInteger(depth) || depth < 1)
      throw new ArgumentError(`UNet: depth must be a positive integer, got ${depth}`);
    const widths = Array.from({ length: depth + 1 }, (_, level) => width * 2 ** level);
    const levels = widths.slice(0, -1);
    this.down = levels.map((channels, level) =>
      doubleConvolution(level === 0 ? inChannels : channels / 2, channels),
    );
    this.bottom = doubleConvolution(widths[depth - 1]!, widths[depth]!);
    this.widen = levels.map((channels) => new ConvTranspose2d(2 * channels, channels, 2, { stride: 2 }));
    this.up = levels.map((channels) => doubleConvolution(2 * channels, channels));
    this.output = new Conv2d(width, outChannels, 1);
  }

  forward(x: Tensor): Tensor {
    this.check(x);
    const seen: Tensor[] = [];
    let y = x;
    for (const level of this.down) {
      const here = level.forward(y);
      seen.push(here);
      y = this.pool.forward(here);
    }
    y = this.bottom.forward(y);
    for (let level = this.up.length - 1; level >= 0; level--) {
      const larger = this.widen[level]!.forward(y);
      y = this.up[level]!.forward(concat([seen[level]!, larger], 1) as Tensor);
    }
    return this.output.forward(y);
  }

  private check(x: Tensor): void {
    const shape = x.shape as readonly number[];
    const unit = 2 ** this.down.length;
    if (shape.length === 4 && shape[2]! % unit === 0 && shape[3]! % unit === 0) return;
    throw new ShapeError(
      `UNet: expects (N, C, H, W) with H and W multiples of ${unit} (${this.down.length} halvings), got ${shapeText(shape)}; pad or resize the images`,
    );
  }
}
