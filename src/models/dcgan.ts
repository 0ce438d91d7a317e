/** Images out of noise, and a judge of them. Radford, Metz and Chintala, "Unsupervised representation learning with deep convolutional generative adversarial networks", 2015. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { ChainLink } from "../base/shape-types.ts";
import {
  BatchNorm2d,
  Conv2d,
  ConvTranspose2d,
  Flatten,
  initializers,
  LeakyReLU,
  Module,
  ReLU,
  Sequential,
  Tanh,
  Unflatten,
} from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";

export interface DCGANOptions {
  /** Height and width, a power of two of at least 16; default 64. */
  readonly imageSize?: number;
  /** Channels of images; default 3. */
  readonly channels?: number;
  /** Features next to the image; default 64. Each halving of the image doubles them. */
  readonly width?: number;
}
export interface DCGANGeneratorOptions extends DCGANOptions {
  /** Numbers that an image is made of; default 100. */
  readonly latentSize?: number;
}

const imageNames = ["imageSize", "channels", "width"] as const;
/** N(0, 0.02²), as the paper has it. */
const weights = { weightInit: initializers.normal(0, 0.02), bias: false } as const;

/** Kernels of 4 with these halve an image, or double it. */
const halving = { stride: 2, padding: 1, ...weights } as const;

/** How often an image of this size is halved down to 4×4. */
function halvings(what: string, imageSize: number): number {
  const count = Math.log2(imageSize / 4);
  if (Number.isInteger(count) && count >= 2) return count;
  throw new ArgumentError(`${what}: imageSize must be a power of two of at least 16, got ${imageSize}`);
}

/**
 * Noise to images: transposed convolutions, each doubling the image.
 *
 * Shapes: (N, latentSize) → (N, channels, imageSize, imageSize), in −1 … 1.
 *
 * @throws ArgumentError for other image sizes
 * @example
 * const generator = new DCGANGenerator({ imageSize: 16, channels: 1, width: 4, latentSize: 8 });
 * generator.forward(zeros([2, 8])).shape; // [2, 1, 16, 16]
 */
export class DCGANGenerator extends Module {
  readonly latentSize: number;
  readonly layers: Sequential;

  constructor(options: DCGANGeneratorOptions = {}) {
    super();
    checkOptions("DCGANGenerator", options, [...imageNames, "latentSize"]);
    const { imageSize = 64, channels = 3, width = 64, latentSize = 100 } = options;
    let features = width * 2 ** (halvings("DCGANGenerator", imageSize) - 1);
    this.latentSize = latentSize;
    const layers: ChainLink[] = [
      new Unflatten(1, [latentSize, 1, 1]),
      new ConvTranspose2d(latentSize, features, 4, weights), // (N, features, 4, 4)
    ];
    for (; features > width; features /= 2) {
      layers.push(new BatchNorm2d(features), new ReLU());
      layers.push(new ConvTranspose2d(features, features / 2, 4, halving));
    }
    layers.push(new BatchNorm2d(width), new ReLU());
    layers.push(new ConvTranspose2d(width, channels, 4, halving));
    layers.push(new Tanh());
    this.layers = new Sequential(...layers);
  }

  forward(noise: Tensor): Tensor {
    return this.layers.forward(noise);
  }
}

/**
 * Images to one number: how real they look.
 *
 * Shapes: (N, channels, imageSize, imageSize) → logits (N, 1).
 *
 * @throws ArgumentError for other image sizes
 * @example
 * const discriminator = new DCGANDiscriminator({ imageSize: 16, channels: 1, width: 4 });
 * discriminator.forward(zeros([2, 1, 16, 16])).shape; // [2, 1]
 */
export class DCGANDiscriminator extends Module {
  readonly layers: Sequential;

  constructor(options: DCGANOptions = {}) {
    super();
    checkOptions("DCGANDiscriminator", options, imageNames);
    const { imageSize = 64, channels = 3, width = 64 } = options;
    const last = width * 2 ** (halvings("DCGANDiscriminator", imageSize) - 1);
    const layers: ChainLink[] = [
      new Conv2d(channels, width, 4, halving),
      new LeakyReLU({ negativeSlope: 0.2 }),
    ];
    for (let features = width; features < last; features *= 2) {
      layers.push(new Conv2d(features, 2 * features, 4, halving));
      layers.push(new BatchNorm2d(2 * features), new LeakyReLU({ negativeSlope: 0.2 }));
    }
    layers.push(new Conv2d(last, 1, 4, weights), new Flatten()); // (N, 1)
    this.layers = new Sequential(...layers);
  }

  forward(images: Tensor): Tensor {
    return this.layers.forward(images);
  }
}
