/** Deep stacks of 3×3 convolutions. Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", 2014. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { ChainLink } from "../base/shape-types.ts";
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  Dropout,
  Linear,
  MaxPool2d,
  Module,
  ReLU,
  Sequential,
} from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { heFanOut, renamed } from "./names.ts";

/** Channels of the convolutions; "pool" halves the image. */
const plans = {
  11: [64, "pool", 128, "pool", 256, 256, "pool", 512, 512, "pool", 512, 512, "pool"],
  13: [64, 64, "pool", 128, 128, "pool", 256, 256, "pool", 512, 512, "pool", 512, 512, "pool"],
  16: [
    ...[64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool"],
    ...[512, 512, 512, "pool", 512, 512, 512, "pool"],
  ],
  19: [
    ...[64, 64, "pool", 128, 128, "pool", 256, 256, 256, 256, "pool"],
    ...[512, 512, 512, 512, "pool", 512, 512, 512, 512, "pool"],
  ],
} as const satisfies Record<number, readonly (number | "pool")[]>;

export interface VGGOptions {
  /** Default 1000. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** Default true: a batch norm behind each convolution, without which deep ones hardly start to learn. */
  readonly batchNorm?: boolean;
  /** Default 0.5. */
  readonly dropout?: number;
  /** Width of the two dense layers; default 4096. */
  readonly hiddenSize?: number;
}

/**
 * VGG with 11, 13, 16 or 19 layers that have weights. torchvision's weights and names (`vgg16_bn`; `vgg16` with `batchNorm: false`).
 *
 * Shapes: (N, inChannels, H, W), H and W at least 32 → logits (N, numClasses).
 *
 * @throws ArgumentError for another depth
 * @example new VGG(11, { numClasses: 5, hiddenSize: 16 }).forward(zeros([1, 3, 32, 32])).shape // [1, 5]
 */
export class VGG extends Module {
  readonly body: Sequential;
  readonly pool = new AdaptiveAvgPool2d(7);
  readonly head: Sequential;

  constructor(depth: 11 | 13 | 16 | 19, options: VGGOptions = {}) {
    super();
    checkOptions("VGG", options, ["numClasses", "inChannels", "batchNorm", "dropout", "hiddenSize"]);
    const plan = plans[depth];
    if (plan === undefined) throw new ArgumentError(`VGG: depth must be 11, 13, 16 or 19, got ${depth}`);
    const { numClasses = 1000, inChannels = 3, batchNorm = true, dropout = 0.5, hiddenSize = 4096 } = options;
    this.body = bodyOf(plan, inChannels, batchNorm);
    this.head = new Sequential(
      new Linear(512 * 7 * 7, hiddenSize),
      new ReLU(),
      new Dropout(dropout),
      new Linear(hiddenSize, hiddenSize),
      new ReLU(),
      new Dropout(dropout),
      new Linear(hiddenSize, numClasses),
    );
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return renamed(super.fields(), { body: "features", pool: "avgpool", head: "classifier" });
  }

  forward(x: Tensor): Tensor {
    const image = this.pool.forward(this.body.forward(x)); // (N, 512, 7, 7)
    return this.head.forward(image.flatten(1) as Tensor);
  }
}

function bodyOf(plan: readonly (number | "pool")[], inChannels: number, batchNorm: boolean): Sequential {
  const layers: ChainLink[] = [];
  let channels = inChannels;
  for (const entry of plan) {
    if (entry === "pool") {
      layers.push(new MaxPool2d(2));
      continue;
    }
    layers.push(new Conv2d(channels, entry, 3, { padding: 1, weightInit: heFanOut }));
    if (batchNorm) layers.push(new BatchNorm2d(entry));
    layers.push(new ReLU());
    channels = entry;
  }
  return new Sequential(...layers);
}
