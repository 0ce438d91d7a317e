/** The network that began it: Krizhevsky, Sutskever and Hinton, "ImageNet classification with deep convolutional neural networks", 2012, in the form of "One weird trick for parallelizing convolutional neural networks", 2014. */
import { checkOptions } from "../base/options.ts";
import {
  AdaptiveAvgPool2d,
  Conv2d,
  Dropout,
  Flatten,
  Linear,
  MaxPool2d,
  Module,
  ReLU,
  Sequential,
} from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { renamed } from "./names.ts";

export interface AlexNetOptions {
  /** Default 1000. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** Default 0.5. */
  readonly dropout?: number;
  /** Width of the two dense layers; default 4096. */
  readonly hiddenSize?: number;
}

/**
 * AlexNet. torchvision's weights and names.
 *
 * Shapes: (N, inChannels, H, W), H and W at least 63 → logits (N, numClasses).
 *
 * @example new AlexNet({ numClasses: 5, hiddenSize: 32 }).forward(zeros([1, 3, 64, 64])).shape // [1, 5]
 */
export class AlexNet extends Module {
  readonly body: Sequential;
  readonly pool = new AdaptiveAvgPool2d(6);
  readonly head: Sequential;

  constructor(options: AlexNetOptions = {}) {
    super();
    checkOptions("AlexNet", options, ["numClasses", "inChannels", "dropout", "hiddenSize"]);
    const { numClasses = 1000, inChannels = 3, dropout = 0.5, hiddenSize = 4096 } = options;
    this.body = new Sequential(
      new Conv2d(inChannels, 64, 11, { stride: 4, padding: 2 }),
      new ReLU(),
      new MaxPool2d(3, { stride: 2 }),
      new Conv2d(64, 192, 5, { padding: 2 }),
      new ReLU(),
      new MaxPool2d(3, { stride: 2 }),
      new Conv2d(192, 384, 3, { padding: 1 }),
      new ReLU(),
      new Conv2d(384, 256, 3, { padding: 1 }),
      new ReLU(),
      new Conv2d(256, 256, 3, { padding: 1 }),
      new ReLU(),
      new MaxPool2d(3, { stride: 2 }),
    );
    this.head = new Sequential(
      new Dropout(dropout),
      new Linear(256 * 6 * 6, hiddenSize),
      new ReLU(),
      new Dropout(dropout),
      new Linear(hiddenSize, hiddenSize),
      new ReLU(),
      new Linear(hiddenSize, numClasses),
    );
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return renamed(super.fields(), { body: "features", pool: "avgpool", head: "classifier" });
  }

  forward(x: Tensor): Tensor {
    const image = this.pool.forward(this.body.forward(x)); // (N, 256, 6, 6)
    return this.head.forward(new Flatten().forward(image));
  }
}
