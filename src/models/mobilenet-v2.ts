/** Inverted residuals: wide inside, narrow outside. Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2", 2018. */
import { checkOptions } from "../base/options.ts";
import type { ChainLink } from "../base/shape-types.ts";
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  Dropout,
  Linear,
  Module,
  ReLU6,
  Sequential,
} from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { convNorm, heFanOut, renamed, scaledChannels } from "./names.ts";

interface InvertedResidualShape {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly stride: number;
  /** How many times as many channels the depthwise convolution sees. */
  readonly expansion: number;
}

/** 1×1 to many channels, 3×3 within each channel, 1×1 back to few, and a residual where shapes allow. */
class InvertedResidual extends Module {
  readonly conv: Sequential;
  private readonly isResidual: boolean;

  constructor({ inChannels, outChannels, stride, expansion }: InvertedResidualShape) {
    super();
    const inner = inChannels * expansion;
    const layers: ChainLink[] = [
      ...(expansion === 1 ? [] : [convNorm(inChannels, inner, 1, { activation: new ReLU6() })]),
      convNorm(inner, inner, 3, { stride, groups: inner, activation: new ReLU6() }),
      new Conv2d(inner, outChannels, 1, { bias: false, weightInit: heFanOut }),
      new BatchNorm2d(outChannels),
    ];
    this.conv = new Sequential(...layers);
    this.isResidual = stride === 1 && inChannels === outChannels;
  }

  forward(x: Tensor): Tensor {
    const y = this.conv.forward(x);
    return this.isResidual ? (x.add(y) as Tensor) : y;
  }
}

/** Expansion, channels, blocks and first stride of each stage. */
const stages = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

export interface MobileNetV2Options {
  /** Default 1000. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** Scales all channels; default 1. */
  readonly widthMultiplier?: number;
  /** Default 0.2. */
  readonly dropout?: number;
}

/**
 * MobileNetV2, 3.5 M parameters. torchvision's weights and names.
 *
 * Shapes: (N, inChannels, H, W) → logits (N, numClasses).
 *
 * @example new MobileNetV2({ widthMultiplier: 0.25, numClasses: 5 }).forward(zeros([1, 3, 32, 32])).shape // [1, 5]
 */
export class MobileNetV2 extends Module {
  readonly body: Sequential;
  readonly pool = new AdaptiveAvgPool2d(1);
  readonly head: Sequential;

  constructor(options: MobileNetV2Options = {}) {
    super();
    checkOptions("MobileNetV2", options, ["numClasses", "inChannels", "widthMultiplier", "dropout"]);
    const { numClasses = 1000, inChannels = 3, widthMultiplier = 1, dropout = 0.2 } = options;
    let channels = scaledChannels(32, widthMultiplier);
    const layers: ChainLink[] = [convNorm(inChannels, channels, 3, { stride: 2, activation: new ReLU6() })];
    for (const [expansion, width, count, firstStride] of stages) {
      const outChannels = scaledChannels(width, widthMultiplier);
      for (let i = 0; i < count; i++) {
        const stride = i === 0 ? firstStride : 1;
        layers.push(new InvertedResidual({ inChannels: channels, outChannels, stride, expansion }));
        channels = outChannels;
      }
    }
    const last = scaledChannels(1280, Math.max(1, widthMultiplier));
    layers.push(convNorm(channels, last, 1, { activation: new ReLU6() }));
    this.body = new Sequential(...layers);
    this.head = new Sequential(new Dropout(dropout), new Linear(last, numClasses));
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return renamed(super.fields(), { body: "features", head: "classifier" });
  }

  forward(x: Tensor): Tensor {
    const pooled = this.pool.forward(this.body.forward(x)); // (N, 1280, 1, 1)
    return this.head.forward(pooled.flatten(1) as Tensor);
  }
}
