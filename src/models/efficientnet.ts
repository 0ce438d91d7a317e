/** Depth, width and resolution that grow together. Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks", 2019. */
import { checkOptions } from "../base/options.ts";
import type { ChainLink } from "../base/shape-types.ts";
import {
  AdaptiveAvgPool2d,
  Conv2d,
  Dropout,
  DropPath,
  Linear,
  Module,
  Sequential,
  SiLU,
} from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { convNorm, heFanOut, renamed, scaledChannels } from "./names.ts";

/** Each channel times a number from 0 to 1 that all channels' means decide. Hu, Shen and Sun, "Squeeze-and-excitation networks", 2017. */
class SqueezeExcitation extends Module {
  readonly fc1: Conv2d;
  readonly fc2: Conv2d;
  constructor(channels: number, squeezed: number) {
    super();
    this.fc1 = new Conv2d(channels, squeezed, 1, { weightInit: heFanOut });
    this.fc2 = new Conv2d(squeezed, channels, 1, { weightInit: heFanOut });
  }
  forward(x: Tensor): Tensor {
    const means = x.mean([2, 3], { keepDims: true }) as Tensor; // (N, C, 1, 1)
    const scale = this.fc2.forward(this.fc1.forward(means).silu() as Tensor).sigmoid();
    return x.mul(scale) as Tensor;
  }
}

interface BlockShape {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: number;
  readonly stride: number;
  readonly expansion: number;
  /** With which probability a sample goes around it in training. */
  readonly dropPath: number;
}

/** MobileNetV2's inverted residual with squeeze and excitation. */
class MBConv extends Module {
  readonly block: Sequential;
  readonly dropPath: DropPath;
  private readonly isResidual: boolean;

  constructor({ inChannels, outChannels, kernelSize, stride, expansion, dropPath }: BlockShape) {
    super();
    const inner = scaledChannels(inChannels * expansion, 1);
    const layers: ChainLink[] = [
      ...(inner === inChannels ? [] : [convNorm(inChannels, inner, 1, { activation: new SiLU() })]),
      convNorm(inner, inner, kernelSize, { stride, groups: inner, activation: new SiLU() }),
      new SqueezeExcitation(inner, Math.max(1, Math.floor(inChannels / 4))),
      convNorm(inner, outChannels, 1),
    ];
    this.block = new Sequential(...layers);
    this.dropPath = new DropPath(dropPath);
    this.isResidual = stride === 1 && inChannels === outChannels;
  }

  forward(x: Tensor): Tensor {
    const y = this.block.forward(x);
    return this.isResidual ? (x.add(this.dropPath.forward(y)) as Tensor) : y;
  }
}

/** Expansion, kernel, first stride, channels and blocks of each stage of B0. */
const stages = [
  [1, 3, 1, 16, 1],
  [6, 3, 2, 24, 2],
  [6, 5, 2, 40, 2],
  [6, 3, 2, 80, 3],
  [6, 5, 1, 112, 3],
  [6, 5, 2, 192, 4],
  [6, 3, 1, 320, 1],
] as const;

export interface EfficientNetOptions {
  /** Default 1000. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** Scales channels; default 1, B0. (B1: 1, B2: 1.1, B3: 1.2, B4: 1.4.) */
  readonly widthMultiplier?: number;
  /** Scales the number of blocks; default 1, B0. (B1: 1.1, B2: 1.2, B3: 1.4, B4: 1.8.) */
  readonly depthMultiplier?: number;
  /** Default 0.2. */
  readonly dropout?: number;
  /** With which probability a sample goes around the last block, less around earlier ones; default 0.2. */
  readonly dropPath?: number;
}

/**
 * EfficientNet-B0, 5.3 M parameters, and its larger versions. torchvision's weights and names.
 *
 * Shapes: (N, inChannels, H, W) → logits (N, numClasses).
 *
 * @example new EfficientNet({ widthMultiplier: 0.25, numClasses: 5 }).forward(zeros([1, 3, 32, 32])).shape // [1, 5]
 */
export class EfficientNet extends Module {
  readonly body: Sequential;
  readonly pool = new AdaptiveAvgPool2d(1);
  readonly head: Sequential;

  constructor(options: EfficientNetOptions = {}) {
    super();
    checkOptions("EfficientNet", options, [
      ...(["numClasses", "inChannels", "widthMultiplier", "depthMultiplier"] as const),
      ...(["dropout", "dropPath"] as const),
    ]);
    const { numClasses = 1000, inChannels = 3, dropout = 0.2, dropPath = 0.2 } = options;
    const { widthMultiplier = 1, depthMultiplier = 1 } = options;
    const counts = stages.map((stage) => Math.ceil(stage[4] * depthMultiplier));
    const total = counts.reduce((a, b) => a + b);
    let channels = scaledChannels(32, widthMultiplier);
    const layers: ChainLink[] = [convNorm(inChannels, channels, 3, { stride: 2, activation: new SiLU() })];
    let index = 0;
    for (const [stage, [expansion, kernelSize, firstStride, width]] of stages.entries()) {
      const outChannels = scaledChannels(width, widthMultiplier);
      const blocks = Array.from({ length: counts[stage]! }, (_, i) => {
        const inside = i === 0 ? channels : outChannels;
        const stride = i === 0 ? firstStride : 1;
        const drop = (dropPath * index++) / total;
        return new MBConv({ inChannels: inside, outChannels, kernelSize, stride, expansion, dropPath: drop });
      });
      layers.push(new Sequential(...blocks));
      channels = outChannels;
    }
    layers.push(convNorm(channels, 4 * channels, 1, { activation: new SiLU() }));
    this.body = new Sequential(...layers);
    this.head = new Sequential(new Dropout(dropout), new Linear(4 * channels, numClasses));
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return renamed(super.fields(), { body: "features", head: "classifier" });
  }

  forward(x: Tensor): Tensor {
    const pooled = this.pool.forward(this.body.forward(x)); // (N, C, 1, 1)
    return this.head.forward(pooled.flatten(1) as Tensor);
  }
}
