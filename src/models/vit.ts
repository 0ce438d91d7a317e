/** Images as sequences of patches. Dosovitskiy and others, "An image is worth 16×16 words", 2020. */

import { nextKey } from "../base/default-key.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import {
  Conv2d,
  Dropout,
  GELU,
  initializers,
  LayerNorm,
  Linear,
  Module,
  MultiheadAttention,
  Parameter,
  Sequential,
} from "../nn/index.ts";
import { concat, slice, type Tensor } from "../tensor/index.ts";
import type { PretrainedConfig } from "./config.ts";
import { classifierOptions } from "./encoder.ts";
import { renamed } from "./names.ts";

export interface ViTOptions {
  /** Height and width of the images. */
  readonly imageSize: number;
  readonly patchSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly hiddenSize: number;
  /** Width of the layers' small networks; default 4 · hiddenSize. */
  readonly mlpSize?: number;
  /** Default 1000. */
  readonly numClasses?: number;
  /** Default 3. */
  readonly inChannels?: number;
  /** Default 0. */
  readonly dropout?: number;
  /** Of the norms; default 1e-6. */
  readonly normEpsilon?: number;
}

/** x + attention(norm(x)), then x + network(norm(x)). */
class EncoderBlock extends Module {
  readonly norm1: LayerNorm;
  readonly attention: MultiheadAttention;
  readonly norm2: LayerNorm;
  readonly mlp: Sequential;
  private readonly drop: Dropout;

  constructor({ hiddenSize, numHeads, mlpSize, dropout, normEpsilon: epsilon }: Required<ViTOptions>) {
    super();
    this.norm1 = new LayerNorm(hiddenSize, { epsilon });
    this.attention = new MultiheadAttention(hiddenSize, numHeads, { batchFirst: true });
    this.norm2 = new LayerNorm(hiddenSize, { epsilon });
    this.mlp = new Sequential(
      new Linear(hiddenSize, mlpSize),
      new GELU(),
      new Dropout(dropout),
      new Linear(mlpSize, hiddenSize),
      new Dropout(dropout),
    );
    this.drop = new Dropout(dropout);
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return renamed(super.fields(), { norm1: "ln_1", attention: "self_attention", norm2: "ln_2" });
  }

  forward(x: Tensor): Tensor {
    const normed = this.norm1.forward(x) as Tensor;
    const seen = x.add(this.drop.forward(this.attention.forward(normed).output)) as Tensor;
    return seen.add(this.mlp.forward(this.norm2.forward(seen) as Tensor)) as Tensor;
  }
}

/** Positions, blocks, a last norm: torchvision's `encoder`. */
class Encoder extends Module {
  readonly positions: Parameter;
  readonly drop: Dropout;
  readonly layers: Readonly<Record<string, EncoderBlock>>;
  readonly norm: LayerNorm;

  constructor(length: number, options: Required<ViTOptions>) {
    super();
    const { hiddenSize, dropout, numLayers, normEpsilon: epsilon } = options;
    this.positions = smallNormal([1, length, hiddenSize]);
    this.drop = new Dropout(dropout);
    this.layers = Object.fromEntries(
      Array.from({ length: numLayers }, (_, i) => [`encoder_layer_${i}`, new EncoderBlock(options)]),
    );
    this.norm = new LayerNorm(hiddenSize, { epsilon });
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return renamed(super.fields(), { positions: "pos_embedding", drop: "dropout", norm: "ln" });
  }

  forward(x: Tensor): Tensor {
    let y = this.drop.forward(x.add(this.positions) as Tensor) as Tensor;
    for (const block of Object.values(this.layers)) y = block.forward(y);
    return this.norm.forward(y) as Tensor;
  }
}

/** N(0, 0.02²). */
function smallNormal(shape: readonly number[]): Parameter {
  const count = shape.reduce((n, size) => n * size, 1);
  const [fanIn, fanOut] = [count, count];
  const key = nextKey();
  const data = () => initializers.normal(0, 0.02)({ shape, fanIn, fanOut, key });
  return new Parameter({ dtype: "f32", shape, data });
}

/**
 * A Vision Transformer: each patch is a token, a token of its own is read for the class. torchvision's weights and names.
 *
 * Shapes: (N, inChannels, imageSize, imageSize) → logits (N, numClasses).
 *
 * @throws ArgumentError when patches do not divide the image, ShapeError for other images
 * @example
 * const model = new ViT({ imageSize: 32, patchSize: 8, numLayers: 2, numHeads: 2, hiddenSize: 16, numClasses: 5 });
 * model.forward(zeros([2, 3, 32, 32])).shape; // [2, 5]
 */
export class ViT extends Module {
  readonly imageSize: number;
  readonly classToken: Parameter;
  readonly patches: Conv2d;
  readonly encoder: Encoder;
  readonly head: Linear;

  constructor(options: ViTOptions) {
    super();
    checkOptions("ViT", options, [
      ...(["imageSize", "patchSize", "numLayers", "numHeads", "hiddenSize"] as const),
      ...(["mlpSize", "numClasses", "inChannels", "dropout", "normEpsilon"] as const),
    ]);
    const { imageSize, patchSize, hiddenSize } = options;
    if (!Number.isInteger(imageSize / patchSize))
      throw new ArgumentError(`ViT: patches of ${patchSize} do not divide images of ${imageSize}`);
    const { mlpSize = 4 * hiddenSize, numClasses = 1000, inChannels = 3, dropout = 0 } = options;
    const { normEpsilon = 1e-6 } = options;
    this.imageSize = imageSize;
    this.classToken = smallNormal([1, 1, hiddenSize]);
    this.patches = new Conv2d(inChannels, hiddenSize, patchSize, { stride: patchSize });
    const length = (imageSize / patchSize) ** 2 + 1;
    const sizes = { mlpSize, numClasses, inChannels, dropout, normEpsilon };
    this.encoder = new Encoder(length, { ...options, ...sizes });
    this.head = new Linear(hiddenSize, numClasses);
  }

  protected override *fields(): Iterable<readonly [string, unknown]> {
    const names = { classToken: "class_token", patches: "conv_proj", head: "heads.head" };
    yield* renamed(super.fields(), names);
  }

  /** The tokens after the last norm, the class's first: (N, 1 + patches, hiddenSize). */
  tokens(x: Tensor): Tensor {
    const shape = x.shape as readonly number[];
    if (shape.length !== 4 || shape[2] !== this.imageSize || shape[3] !== this.imageSize)
      throw new ShapeError(
        `ViT: expects (N, C, ${this.imageSize}, ${this.imageSize}), got ${shapeText(shape)}; resize the images`,
      );
    const seen = this.patches.forward(x).flatten(2).transpose(1, 2) as Tensor; // (N, patches, hiddenSize)
    const token = this.classToken.broadcastTo([shape[0]!, 1, seen.shape[2] as number]);
    return this.encoder.forward(concat([token as Tensor, seen], 1) as Tensor);
  }

  forward(x: Tensor): Tensor {
    return this.head.forward(this.tokens(x).at(slice(), 0) as never) as Tensor;
  }

  /** From Hugging Face's `config.json` of `ViTForImageClassification`; `loadPretrained` gives weights these names. */
  static fromConfig(config: PretrainedConfig): ViT {
    config.oneOf("hidden_act", ["gelu"], "gelu");
    if (!config.boolean("qkv_bias", true))
      throw new ArgumentError(`${config.source}: qkv_bias is false; a ViT with it is known`);
    const { labels = 2 } = classifierOptions(config);
    return new ViT({
      imageSize: config.size("image_size", 224),
      patchSize: config.size("patch_size", 16),
      numLayers: config.size("num_hidden_layers"),
      numHeads: config.size("num_attention_heads"),
      hiddenSize: config.size("hidden_size"),
      mlpSize: config.size("intermediate_size"),
      numClasses: typeof labels === "number" ? labels : labels.length,
      inChannels: config.size("num_channels", 3),
      dropout: config.number("hidden_dropout_prob", 0),
      normEpsilon: config.number("layer_norm_eps", 1e-12),
    });
  }
}
