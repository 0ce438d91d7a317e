/** Lines of text in images, read by convolutions and a recurrent network. Shi, Bai and Yao, "An end-to-end trainable neural network for image-based sequence recognition", 2015. */
import { ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import type { ChainLink } from "../base/shape-types.ts";
import { BatchNorm2d, Conv2d, Linear, LSTM, MaxPool2d, Module, ReLU, Sequential } from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { heFanOut } from "./names.ts";

export interface CRNNOptions {
  /** Classes of characters, with the blank of CTC. */
  readonly numClasses: number;
  /** Default 1. */
  readonly inChannels?: number;
  /** Channels of the first convolution; default 64. The last have eight times as many. */
  readonly width?: number;
  /** Default 256. */
  readonly hiddenSize?: number;
}

const height = 32;

/**
 * A column of features every four pixels, read from both ends by two LSTMs. Trained with `ctc`, read with `ctcGreedyDecode` or
 * `ctcBeamSearch`.
 *
 * Shapes: (N, inChannels, 32, W), W a multiple of 4 of at least 8 → logits (W/4 − 1, N, numClasses).
 *
 * @throws ShapeError for images of another height
 * @example
 * const model = new CRNN({ numClasses: 11, width: 4, hiddenSize: 8 });
 * model.forward(zeros([2, 1, 32, 40])).shape; // [9, 2, 11]
 */
export class CRNN extends Module {
  readonly body: Sequential;
  readonly lstm: LSTM;
  readonly output: Linear;

  constructor(options: CRNNOptions) {
    super();
    checkOptions("CRNN", options, ["numClasses", "inChannels", "width", "hiddenSize"]);
    const { numClasses, inChannels = 1, width = 64, hiddenSize = 256 } = options;
    this.body = bodyOf(inChannels, width);
    this.lstm = new LSTM(8 * width, hiddenSize, { numLayers: 2, bidirectional: true });
    this.output = new Linear(2 * hiddenSize, numClasses);
  }

  forward(images: Tensor): Tensor {
    const shape = images.shape as readonly number[];
    if (shape.length !== 4 || shape[2] !== height || shape[3]! < 8)
      throw new ShapeError(
        `CRNN: expects lines of text (N, C, ${height}, W) with W of at least 8, got ${shapeText(shape)}; resize the images`,
      );
    const columns = this.body.forward(images).squeeze(2).permute([2, 0, 1]) as Tensor; // (W/4 − 1, N, 8·width)
    return this.output.forward(this.lstm.forward(columns).output as never) as Tensor;
  }
}

/** (N, C, 32, W) → (N, 8·width, 1, W/4 − 1): the lower levels halve both sides, the upper ones the height alone. */
function bodyOf(inChannels: number, width: number): Sequential {
  const layers: ChainLink[] = [];
  let channels = inChannels;
  const convolution = (times: number, norm = false): void => {
    const kernel = { padding: 1, bias: !norm, weightInit: heFanOut };
    layers.push(new Conv2d(channels, times * width, 3, kernel));
    if (norm) layers.push(new BatchNorm2d(times * width));
    layers.push(new ReLU());
    channels = times * width;
  };
  const flatten = (): void => void layers.push(new MaxPool2d([2, 1]));
  convolution(1);
  layers.push(new MaxPool2d(2)); // (16, W/2)
  convolution(2);
  layers.push(new MaxPool2d(2)); // (8, W/4)
  convolution(4);
  convolution(4);
  flatten(); // (4, W/4)
  convolution(8, true);
  convolution(8, true);
  flatten(); // (2, W/4)
  layers.push(new Conv2d(channels, channels, 2, { weightInit: heFanOut }), new ReLU()); // (1, W/4 − 1)
  return new Sequential(...layers);
}
