/** Networks that learn to say an input again through a narrow place: plain and variational. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { ChainLink } from "../base/shape-types.ts";
import { Linear, Module, RandomStream, ReLU, Sequential } from "../nn/index.ts";
import { random, type Tensor } from "../tensor/index.ts";

/** Dense layers of these sizes with ReLU between. */
function denseChain(sizes: readonly number[]): Sequential {
  const layers: ChainLink[] = [];
  for (let i = 1; i < sizes.length; i++) {
    if (i > 1) layers.push(new ReLU());
    layers.push(new Linear(sizes[i - 1]!, sizes[i]!));
  }
  return new Sequential(...layers);
}

function requireSizes(what: string, sizes: readonly number[]): void {
  if (sizes.every((size) => Number.isInteger(size) && size > 0)) return;
  throw new ArgumentError(`${what}: sizes must be positive integers, got ${sizes.join(", ")}`);
}

export interface AutoencoderOptions {
  /** Features of an input. */
  readonly inputSize: number;
  /** Features of its code. */
  readonly latentSize: number;
  /** Widths of the layers between, from the input to the code; default [128]. The decoder has them in turn. */
  readonly hiddenSizes?: readonly number[];
}

/**
 * An autoencoder of dense layers. Hinton and Salakhutdinov, "Reducing the dimensionality of data with neural networks", 2006.
 *
 * Shapes: (N, inputSize) → logits of the reconstruction (N, inputSize): `binaryCrossEntropy` takes them for inputs in [0, 1], or
 * `meanSquaredError` as they are.
 *
 * @example
 * const model = new Autoencoder({ inputSize: 12, latentSize: 2, hiddenSizes: [6] });
 * model.encode(zeros([4, 12])).shape; // [4, 2]
 * model.forward(zeros([4, 12])).shape; // [4, 12]
 */
export class Autoencoder extends Module {
  readonly encoder: Sequential;
  readonly decoder: Sequential;

  constructor(options: AutoencoderOptions) {
    super();
    checkOptions("Autoencoder", options, ["inputSize", "latentSize", "hiddenSizes"]);
    const { inputSize, latentSize, hiddenSizes = [128] } = options;
    requireSizes("Autoencoder", [inputSize, ...hiddenSizes, latentSize]);
    this.encoder = denseChain([inputSize, ...hiddenSizes, latentSize]);
    this.decoder = denseChain([latentSize, ...[...hiddenSizes].reverse(), inputSize]);
  }

  /** (N, inputSize) → (N, latentSize) */
  encode(x: Tensor): Tensor {
    return this.encoder.forward(x);
  }
  /** (N, latentSize) → (N, inputSize) */
  decode(code: Tensor): Tensor {
    return this.decoder.forward(code);
  }
  forward(x: Tensor): Tensor {
    return this.decode(this.encode(x));
  }
}

/** What a variational autoencoder says of an input. */
export interface VAEResult {
  /** Logits of the reconstruction, (N, inputSize). */
  readonly reconstruction: Tensor;
  /** Of the code's distribution, (N, latentSize) each. */
  readonly mean: Tensor;
  readonly logVariance: Tensor;
}

/**
 * A variational autoencoder: the code of an input is a normal distribution, from which training draws. Kingma and Welling,
 * "Auto-encoding variational Bayes", 2013.
 *
 * Shapes: (N, inputSize) → `VAEResult`.
 *
 * @example
 * const model = new VAE({ inputSize: 12, latentSize: 2, hiddenSizes: [6] });
 * const x = zeros([4, 12]);
 * const { reconstruction, mean } = model.forward(x);
 * [reconstruction.shape, mean.shape]; // [[4, 12], [4, 2]]
 * model.loss(x).shape; // []
 * model.sample(3).shape; // [3, 12]
 */
export class VAE extends Module {
  readonly encoder: Sequential;
  readonly decoder: Sequential;
  readonly latentSize: number;
  readonly random = new RandomStream();

  constructor(options: AutoencoderOptions) {
    super();
    checkOptions("VAE", options, ["inputSize", "latentSize", "hiddenSizes"]);
    const { inputSize, latentSize, hiddenSizes = [128] } = options;
    requireSizes("VAE", [inputSize, ...hiddenSizes, latentSize]);
    this.latentSize = latentSize;
    this.encoder = denseChain([inputSize, ...hiddenSizes, 2 * latentSize]);
    this.decoder = denseChain([latentSize, ...[...hiddenSizes].reverse(), inputSize]);
  }

  /** Draws a code in training; in evaluation the code is the mean. */
  forward(x: Tensor): VAEResult {
    const [mean, logVariance] = this.encoder.forward(x).split(2, -1) as [Tensor, Tensor];
    const code = this.training ? this.draw(mean, logVariance) : mean;
    return { reconstruction: this.decoder.forward(code), mean, logVariance };
  }

  /** mean + σ·ε: gradients flow to both. */
  private draw(mean: Tensor, logVariance: Tensor): Tensor {
    const noise = random.normal(this.random.next(), mean.shape as number[]);
    return mean.add(logVariance.mul(0.5).exp().mul(noise)) as Tensor;
  }

  /** `vaeLoss` of what this model says of x. */
  loss(x: Tensor, options: { readonly beta?: number } = {}): Tensor {
    return vaeLoss(this.forward(x), x, options);
  }

  /** `count` new inputs, as logits: (count, inputSize). */
  sample(count: number): Tensor {
    return this.decoder.forward(random.normal(this.random.next(), [count, this.latentSize]) as Tensor);
  }
}

/**
 * The negative evidence lower bound, a mean over inputs in [0, 1]: the reconstruction's binary cross-entropy, summed over features, plus
 * `beta` times KL(N(mean, σ²) ‖ N(0, 1)) = ½ Σ (σ² + mean² − 1 − ln σ²). For `fit`, with the inputs as labels.
 *
 * @example
 * const result = { reconstruction: zeros([4, 12]), mean: zeros([4, 2]), logVariance: zeros([4, 2]) };
 * vaeLoss(result, zeros([4, 12])); // 12 · ln 2 ≈ 8.317766
 */
export function vaeLoss(
  { reconstruction, mean, logVariance }: VAEResult,
  x: Tensor,
  { beta = 1 }: { readonly beta?: number } = {},
): Tensor {
  // −x·ln σ(r) − (1 − x)·ln(1 − σ(r)) = softplus(r) − x·r
  const likelihood = reconstruction.softplus().sub(reconstruction.mul(x)).sum(-1);
  const divergence = logVariance.exp().add(mean.square()).sub(1).sub(logVariance).sum(-1).mul(0.5);
  return likelihood.add(divergence.mul(beta)).mean() as Tensor;
}
