/** Residual networks. He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  Linear,
  MaxPool2d,
  Module,
  Sequential,
} from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { convNorm, heFanOut } from "./names.ts";

interface BlockShape {
  readonly inChannels: number;
  /** Of the 3×3 convolutions. */
  readonly channels: number;
  readonly stride: number;
}

const convolution = (
  inChannels: number,
  outChannels: number,
  kernelSize: number,
  { stride = 1, groups = 1 } = {},
): Conv2d =>
  new Conv2d(inChannels, outChannels, kernelSize, {
    stride,
    groups,
    padding: (kernelSize - 1) / 2,
    bias: false,
    weightInit: heFanOut,
  });

/** What a residual adds to: x itself, or x brought to the block's channels and stride. */
const shortcut = (inChannels: number, outChannels: number, stride: number): Sequential | undefined =>
  stride === 1 && inChannels === outChannels ? undefined : convNorm(inChannels, outChannels, 1, { stride });

/**
 * Two 3×3 convolutions and a residual: relu(x + f(x)).
 *
 * @example new BasicBlock({ inChannels: 8, channels: 16, stride: 2 }).forward(zeros([1, 8, 4, 4])).shape; // [1, 16, 2, 2]
 */
export class BasicBlock extends Module {
  static readonly expansion = 1;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Sequential | undefined;

  constructor({ inChannels, channels, stride }: BlockShape) {
    super();
    this.conv1 = convolution(inChannels, channels, 3, { stride });
    this.bn1 = new BatchNorm2d(channels);
    this.conv2 = convolution(channels, channels, 3);
    this.bn2 = new BatchNorm2d(channels);
    this.downsample = shortcut(inChannels, channels, stride);
  }

  forward(x: Tensor): Tensor {
    const y = this.bn1.forward(this.conv1.forward(x)).relu() as Tensor;
    const residual = this.bn2.forward(this.conv2.forward(y));
    return residual.add(this.downsample?.forward(x) ?? x).relu() as Tensor;
  }
}

/**
 * 1×1, 3×3 and 1×1 convolutions to four times the channels, and a residual. The stride is at the 3×3 one, as in torchvision.
 *
 * @example new Bottleneck({ inChannels: 8, channels: 4, stride: 1 }).forward(zeros([1, 8, 4, 4])).shape; // [1, 16, 4, 4]
 */
export class Bottleneck extends Module {
  static readonly expansion = 4;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Sequential | undefined;

  constructor({ inChannels, channels, stride }: BlockShape) {
    super();
    const outChannels = channels * Bottleneck.expansion;
    this.conv1 = convolution(inChannels, channels, 1);
    this.bn1 = new BatchNorm2d(channels);
    this.conv2 = convolution(channels, channels, 3, { stride });
    this.bn2 = new BatchNorm2d(channels);
    this.conv3 = convolution(channels, outChannels, 1);
    this.bn3 = new BatchNorm2d(outChannels);
    this.downsample = shortcut(inChannels, outChannels, stride);
  }

  forward(x: Tensor): Tensor {
    const narrow = this.bn1.forward(this.conv1.forward(x)).relu() as Tensor;
    const seen = this.bn2.forward(this.conv2.forward(narrow)).relu() as Tensor;
    const residual = this.bn3.forward(this.conv3.forward(seen));
    return residual.add(this.downsample?.forward(x) ?? x).relu() as Tensor;
  }
}

export interface ResNetOptions {
  /** Default 1000. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** Channels of the first stage; default 64. Each later stage has twice as many. */
  readonly width?: number;
  /** Default "imagenet": 7×7 with stride 2 and a pooling. "small": 3×3 with stride 1, for images of 32×32 and less. */
  readonly stem?: "imagenet" | "small";
}

/**
 * A residual network: a stem, four stages of blocks, the mean over places, a dense layer. torchvision's weights and names.
 *
 * Shapes: (N, inChannels, H, W) → logits (N, numClasses).
 *
 * @param block `BasicBlock` or `Bottleneck`
 * @param counts how many blocks each stage has
 * @throws ArgumentError unless counts are four positive integers
 * @example
 * const model = new ResNet(BasicBlock, [1, 1, 1, 1], { width: 8, numClasses: 5, stem: "small" });
 * model.forward(zeros([2, 3, 16, 16])).shape; // [2, 5]
 */
export class ResNet extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly maxpool: MaxPool2d | undefined;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  readonly avgpool = new AdaptiveAvgPool2d(1);
  readonly fc: Linear;

  constructor(
    block: typeof BasicBlock | typeof Bottleneck,
    counts: readonly number[],
    options: ResNetOptions = {},
  ) {
    super();
    checkOptions("ResNet", options, ["numClasses", "inChannels", "width", "stem"]);
    if (counts.length !== 4 || !counts.every((n) => Number.isInteger(n) && n > 0))
      throw new ArgumentError(
        `ResNet: counts must be four positive integers, one a stage, got [${counts.join(", ")}]`,
      );
    const { numClasses = 1000, inChannels = 3, width = 64, stem = "imagenet" } = options;
    if (stem !== "imagenet" && stem !== "small")
      throw new ArgumentError(`ResNet: stem "${stem as string}" is unknown; use "imagenet" or "small"`);
    const isLarge = stem === "imagenet";
    this.conv1 = convolution(inChannels, width, isLarge ? 7 : 3, { stride: isLarge ? 2 : 1 });
    this.bn1 = new BatchNorm2d(width);
    this.maxpool = isLarge ? new MaxPool2d(3, { stride: 2, padding: 1 }) : undefined;
    const stages = counts.map((count, stage): Sequential => {
      const channels = width * 2 ** stage;
      const before = stage === 0 ? width : (channels / 2) * block.expansion;
      const blocks = Array.from(
        { length: count },
        (_, i) =>
          new block({
            inChannels: i === 0 ? before : channels * block.expansion,
            channels,
            stride: i === 0 && stage > 0 ? 2 : 1,
          }),
      );
      return new Sequential(...blocks);
    });
    [this.layer1, this.layer2, this.layer3, this.layer4] = stages as [
      Sequential,
      Sequential,
      Sequential,
      Sequential,
    ];
    this.fc = new Linear(8 * width * block.expansion, numClasses);
  }

  /** Maps of features of the four stages, (N, C, H/4, W/4) to (N, 8·C, H/32, W/32): what detectors and segmenters build on. */
  stages(x: Tensor): Tensor[] {
    const first = this.bn1.forward(this.conv1.forward(x)).relu() as Tensor;
    let y = this.maxpool?.forward(first) ?? first;
    return [this.layer1, this.layer2, this.layer3, this.layer4].map((stage) => (y = stage.forward(y)));
  }

  forward(x: Tensor): Tensor {
    const pooled = this.avgpool.forward(this.stages(x)[3]!); // (N, C, 1, 1)
    return this.fc.forward(pooled.flatten(1) as never) as Tensor;
  }
}

/** ResNet with 18 layers, 11.7 M parameters. @example resnet18({ width: 8, numClasses: 5 }).forward(zeros([1, 3, 32, 32])).shape // [1, 5] */
export const resnet18 = (options?: ResNetOptions): ResNet => new ResNet(BasicBlock, [2, 2, 2, 2], options);
/** ResNet with 34 layers, 21.8 M parameters. @example resnet34({ width: 8, numClasses: 5 }).parameters().length // 110 */
export const resnet34 = (options?: ResNetOptions): ResNet => new ResNet(BasicBlock, [3, 4, 6, 3], options);
/** ResNet with 50 layers, 25.6 M parameters. @example resnet50({ width: 8, numClasses: 5 }).parameters().length // 161 */
export const resnet50 = (options?: ResNetOptions): ResNet => new ResNet(Bottleneck, [3, 4, 6, 3], options);
/** ResNet with 101 layers, 44.5 M parameters. @example resnet101({ width: 8, numClasses: 5 }).parameters().length // 314 */
export const resnet101 = (options?: ResNetOptions): ResNet => new ResNet(Bottleneck, [3, 4, 23, 3], options);
