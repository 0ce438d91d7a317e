/** GPT-2. Radford and others, "Language models are unsupervised multitask learners", 2019. */

import { nextKey } from "../base/default-key.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import {
  type AttentionCache,
  Dropout,
  Embedding,
  initializers,
  KeyValueCache,
  LayerNorm,
  Linear,
  Module,
  Parameter,
} from "../nn/index.ts";
import { arange, type Tensor } from "../tensor/index.ts";
import { type ActivationName, activationName, activations } from "./activations.ts";
import type { PretrainedConfig } from "./config.ts";
import { type DecodeOptions, type LanguageModel, outputLogits, sameDocument } from "./language-model.ts";
import { promptOf, type WordEmbeddings } from "./prompt-embeddings.ts";
import { type BlockNames, type MatrixRole, TransformerBlock } from "./transformer-block.ts";

export interface GPT2Options {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** Width of the layers' networks; default 4 · hiddenSize. */
  readonly intermediateSize?: number;
  /** The longest text; default 1024. */
  readonly maxPositions?: number;
  /** Default "gelu_new". */
  readonly activation?: ActivationName;
  /** Default 1e-5. */
  readonly normEpsilon?: number;
  /** While training: of embeddings, of what parts of layers give. Default 0.1. */
  readonly dropout?: number;
  /** Of the weights of attention; default 0.1. */
  readonly attentionDropout?: number;
  /** Default true: the output's matrix is that of the embeddings. */
  readonly tieEmbeddings?: boolean;
  /** Scores of layer i are divided by i + 1 too; default false. */
  readonly scaleByLayer?: boolean;
}

const names: BlockNames = {
  attention: "attn",
  fused: "c_attn",
  output: "c_proj",
  attentionNorm: "ln_1",
  first: "mlp.c_fc",
  second: "mlp.c_proj",
  networkNorm: "ln_2",
};

const weightInit = initializers.normal(0, 0.02);

/** x·W + b: a `Linear` whose matrix lies the other way round, (in, out), as GPT-2's files have it. */
class TurnedLinear extends Module {
  readonly outFeatures: number;
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(inFeatures: number, outFeatures: number, deviation: number) {
    super();
    this.outFeatures = outFeatures;
    const shape = [inFeatures, outFeatures];
    const key = nextKey();
    const data = (): Float32Array =>
      initializers.normal(0, deviation)({ shape, fanIn: inFeatures, fanOut: outFeatures, key });
    this.weight = new Parameter({ dtype: "f32", shape, data }, { name: "weight" });
    this.bias = new Parameter(new Float32Array(outFeatures), { name: "bias" });
  }
  forward(x: Tensor): Tensor {
    return x.matmul(this.weight as Tensor).add(this.bias as Tensor) as Tensor;
  }
}

/** Tokens to features: embeddings, layers, a last norm. */
class Transformer extends Module {
  readonly words: Embedding;
  readonly positions: Embedding;
  readonly drop: Dropout;
  readonly layers: readonly TransformerBlock[];
  readonly norm: LayerNorm;

  constructor(options: GPT2Options) {
    super();
    const { vocabSize, hiddenSize, numLayers, maxPositions = 1024, dropout = 0.1 } = options;
    const { normEpsilon: epsilon = 1e-5 } = options;
    this.words = new Embedding(vocabSize, hiddenSize, { weightInit });
    this.positions = new Embedding(maxPositions, hiddenSize, { weightInit });
    this.drop = new Dropout(dropout);
    this.layers = Array.from({ length: numLayers }, (_, layer) => blockOf(options, layer));
    this.norm = new LayerNorm(hiddenSize, { epsilon });
  }

  protected override *fields(): Iterable<readonly [string, unknown]> {
    yield* [["wte", this.words] as const, ["wpe", this.positions] as const, ["drop", this.drop] as const];
    yield* [["h", this.layers] as const, ["ln_f", this.norm] as const];
  }

  forward(tokens: Tensor, { caches, attentionMask, positions, documents }: DecodeOptions): Tensor {
    const places = positions ?? this.placesOf(tokens, caches?.[0]);
    const embedded = this.words.forward(tokens).add(this.positions.forward(places)); // (N, T, features)
    let x = this.drop.forward(embedded) as Tensor;
    const keyPaddingMask = attentionMask?.not() as Tensor | undefined;
    const mask = documents && sameDocument(documents);
    for (const [i, layer] of this.layers.entries())
      x = layer.forward(x, { cache: caches?.[i], keyPaddingMask, causal: true, mask });
    return this.norm.forward(x);
  }

  /** What fills up a piece behind a text's end may lie beyond the last place; nobody looks at it. */
  private placesOf(tokens: Tensor, cache: AttentionCache | undefined): Tensor {
    const from = arange((tokens.shape as readonly number[])[1]!) as Tensor;
    if (cache === undefined) return from;
    return from.add(cache.length as Tensor).minimum(this.positions.numEmbeddings - 1) as Tensor;
  }
}

function blockOf(options: GPT2Options, layer: number): TransformerBlock {
  const { hiddenSize, numHeads, numLayers, intermediateSize = 4 * hiddenSize } = options;
  const {
    activation = "gelu_new",
    normEpsilon: epsilon = 1e-5,
    dropout = 0.1,
    attentionDropout = 0.1,
  } = options;
  // What goes into residuals is smaller the more layers add to them.
  const deviationOf = (role: MatrixRole): number =>
    role === "output" || role === "second" ? 0.02 / Math.sqrt(2 * numLayers) : 0.02;
  return new TransformerBlock({
    ...{ hiddenSize, numHeads, intermediateSize, dropout, attentionDropout, names },
    activation: activations[activation],
    norm: () => new LayerNorm(hiddenSize, { epsilon }),
    normFirst: true,
    linear: (role, from, to) => new TurnedLinear(from, to, deviationOf(role)),
    scoreScale: options.scaleByLayer ? 1 / (Math.sqrt(hiddenSize / numHeads) * (layer + 1)) : undefined,
  });
}

/**
 * A causal language model: learnt positions, norms before each part, a network with GELU. Hugging Face's weights and names.
 *
 * Shapes: tokens i32 (N, T) → logits (N, T, vocabSize).
 *
 * @throws ArgumentError for sizes that do not fit each other, ShapeError for other tokens and for texts longer than maxPositions
 * @example
 * const model = new GPT2({ vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4, maxPositions: 64 });
 * model.forward(zeros([1, 5], { dtype: "i32" })).shape; // [1, 5, 100]
 */
export class GPT2 extends Module implements LanguageModel {
  readonly options: GPT2Options;
  readonly maxTokens: number;
  readonly transformer: Transformer;
  /** Undefined where the output's matrix is that of the embeddings. */
  readonly lmHead: Linear | undefined;

  constructor(options: GPT2Options) {
    super();
    checkSizes(options);
    const { hiddenSize, vocabSize, maxPositions = 1024, tieEmbeddings = true } = options;
    this.options = options;
    this.maxTokens = maxPositions;
    this.transformer = new Transformer(options);
    this.lmHead = tieEmbeddings ? undefined : new Linear(hiddenSize, vocabSize, { bias: false, weightInit });
  }

  protected override *fields(): Iterable<readonly [string, unknown]> {
    yield ["transformer", this.transformer];
    yield this.lmHead === undefined
      ? ["lm_head.weight", this.transformer.words.weight]
      : ["lm_head", this.lmHead];
  }

  forward(tokens: Tensor, options: DecodeOptions = {}): Tensor {
    return this.logits(this.features(tokens, options));
  }

  /** What the last layer gives for each token: (N, T, hiddenSize). */
  features(tokens: Tensor, options: DecodeOptions = {}): Tensor {
    const shape = tokens.shape as readonly number[];
    if (shape.length !== 2 || (options.caches === undefined && shape[1]! > this.maxTokens))
      throw new ShapeError(`tokens must be (N, T) with T up to ${this.maxTokens}, got ${shapeText(shape)}`);
    return this.transformer.forward(tokens, options);
  }

  logits(features: Tensor): Tensor {
    return outputLogits(features, this.lmHead, this.transformer.words);
  }

  /** The vectors of tokens, and what the model multiplies them by. */
  wordEmbeddings(): WordEmbeddings {
    return { table: this.transformer.words, scale: 1 };
  }

  /** What stands before each text: the tokens of a learnt prompt (`promptTuning`). */
  get virtualTokens(): readonly number[] {
    return promptOf(this.transformer.words)?.tokens ?? [];
  }

  caches(batchSize: number, maxLength: number): KeyValueCache[] {
    const { numLayers, numHeads, hiddenSize } = this.options;
    const sizes = { batchSize, numHeads, headSize: hiddenSize / numHeads, maxLength };
    return Array.from({ length: numLayers }, () => new KeyValueCache(sizes));
  }

  /** From Hugging Face's `config.json`. */
  static fromConfig(config: PretrainedConfig): GPT2 {
    const hiddenSize = config.size("n_embd");
    return new GPT2({
      vocabSize: config.size("vocab_size"),
      hiddenSize,
      numLayers: config.size("n_layer"),
      numHeads: config.size("n_head"),
      intermediateSize: config.size("n_inner", 4 * hiddenSize),
      maxPositions: config.size("n_positions", 1024),
      activation: activationName(config, "activation_function", "gelu_new"),
      normEpsilon: config.number("layer_norm_epsilon", 1e-5),
      dropout: config.number("resid_pdrop", 0.1),
      attentionDropout: config.number("attn_pdrop", 0.1),
      tieEmbeddings: config.boolean("tie_word_embeddings", true),
      scaleByLayer: config.boolean("scale_attn_by_inverse_layer_idx", false),
    });
  }
}

function checkSizes({ vocabSize, hiddenSize, numLayers, numHeads }: GPT2Options): void {
  for (const [name, size] of Object.entries({ vocabSize, hiddenSize, numLayers, numHeads }))
    if (!Number.isInteger(size) || size < 1)
      throw new ArgumentError(`${name} must be a positive integer, got ${size}`);
}
