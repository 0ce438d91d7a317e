/** The first convolutional network that read cheques. LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document recognition", 1998. */
import { checkOptions } from "../base/options.ts";
import { AvgPool2d, Conv2d, Flatten, Linear, Module, Sequential, Tanh } from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";

export interface LeNetOptions {
  /** Default 10. */
  readonly numClasses?: number;
  /** Default 1. */
  readonly inChannels?: number;
}

/**
 * LeNet-5 for images of 28×28: two convolutions with tanh, each followed by means of 2×2, then three dense layers.
 *
 * Shapes: (N, inChannels, 28, 28) → logits (N, numClasses).
 *
 * @example new LeNet().forward(zeros([2, 1, 28, 28])).shape // [2, 10]
 */
export class LeNet extends Module {
  readonly body: Sequential;
  readonly head: Sequential;

  constructor(options: LeNetOptions = {}) {
    super();
    checkOptions("LeNet", options, ["numClasses", "inChannels"]);
    const { numClasses = 10, inChannels = 1 } = options;
    this.body = new Sequential(
      new Conv2d(inChannels, 6, 5, { padding: 2 }),
      new Tanh(),
      new AvgPool2d(2), // (N, 6, 14, 14)
      new Conv2d(6, 16, 5),
      new Tanh(),
      new AvgPool2d(2), // (N, 16, 5, 5)
    );
    this.head = new Sequential(
      new Flatten(),
      new Linear(16 * 5 * 5, 120),
      new Tanh(),
      new Linear(120, 84),
      new Tanh(),
      new Linear(84, numClasses),
    );
  }

  forward(x: Tensor): Tensor {
    return this.head.forward(this.body.forward(x));
  }
}
