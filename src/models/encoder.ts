/**
 * The encoder that BERT, RoBERTa and DistilBERT are variants of: embeddings of tokens and places, layers with norms behind the residuals;
 * and the heads that stand on it. What a family calls its weights is a file of its own.
 */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import { Dropout, Embedding, initializers, LayerNorm, Linear, Module, Parameter } from "../nn/index.ts";
import { arange, slice, type Tensor } from "../tensor/index.ts";
import { type ActivationName, activationName, activations } from "./activations.ts";
import type { PretrainedConfig } from "./config.ts";
import { type BlockNames, TransformerBlock } from "./transformer-block.ts";

export interface EncoderOptions {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** Width of the layers' networks; default 4 · hiddenSize. */
  readonly intermediateSize?: number;
  /** Default 512. */
  readonly maxPositions?: number;
  /** Kinds of texts that a pair of them has: 0 for none; default what the family has. */
  readonly typeVocabSize?: number;
  /** Default "gelu". */
  readonly activation?: ActivationName;
  /** Default 1e-12. */
  readonly normEpsilon?: number;
  /** While training: of embeddings and of what parts of layers give. Default 0.1. */
  readonly dropout?: number;
  /** Of the weights of attention; default 0.1. */
  readonly attentionDropout?: number;
  /** The token of padding, whose embedding takes no gradient; default none. */
  readonly padToken?: number;
  /** A matrix and tanh over the first token's features, for `pooled`; default false. */
  readonly pooler?: boolean;
}

/** What a family calls its parts, and what it does its own way. */
export interface EncoderVariant {
  readonly words: string;
  readonly positions: string;
  readonly types?: string;
  readonly norm: string;
  readonly layers: string;
  readonly block: BlockNames;
  /** Places are counted from behind the token of padding, which has the place of its own number; default from 0. */
  readonly countsFromPadding?: boolean;
}

export interface EncodeOptions {
  /** bool (N, T): true for tokens, false for padding. */
  readonly attentionMask?: Tensor | undefined;
  /** i32 (N, T): to which of the texts a token belongs; default all to the first, 0. */
  readonly typeIds?: Tensor | undefined;
}

const weightInit = initializers.normal(0, 0.02);
const sizesOf = (x: Tensor): readonly number[] => x.shape as readonly number[];

/**
 * Features of each token of a text, each seeing all others.
 *
 * Shapes: tokens i32 (N, T) → (N, T, hiddenSize).
 *
 * @throws ShapeError for other shapes, and for texts longer than maxPositions
 * @example
 * const model: TokenEncoder = new DistilBert({ vocabSize: 100, hiddenSize: 32, numLayers: 1, numHeads: 4, padToken: 0 });
 * const tokens = tensor([[5, 6, 7], [8, 0, 0]], { dtype: "i32" });
 * model.forward(tokens, { attentionMask: tokens.notEqual(0) }).shape; // [2, 3, 32]
 */
export class TokenEncoder extends Module {
  readonly options: EncoderOptions;
  readonly words: Embedding;
  private readonly variant: EncoderVariant;
  private readonly positions: Embedding;
  private readonly types: Embedding | undefined;
  private readonly norm: LayerNorm;
  private readonly drop: Dropout;
  private readonly layers: readonly TransformerBlock[];
  private readonly pooler: Linear | undefined;

  constructor(options: EncoderOptions, variant: EncoderVariant) {
    super();
    checkSizes(options);
    const { vocabSize, hiddenSize, numLayers, maxPositions = 512, typeVocabSize = 0, padToken } = options;
    const { dropout = 0.1, normEpsilon: epsilon = 1e-12 } = options;
    const table = (rows: number, paddingIndex?: number): Embedding =>
      new Embedding(rows, hiddenSize, {
        weightInit,
        ...(paddingIndex !== undefined && paddingIndex < rows && { paddingIndex }),
      });
    this.options = options;
    this.variant = variant;
    this.words = table(vocabSize, padToken);
    this.positions = table(maxPositions, variant.countsFromPadding ? padToken : undefined);
    this.types = typeVocabSize === 0 ? undefined : table(typeVocabSize);
    this.norm = new LayerNorm(hiddenSize, { epsilon });
    this.drop = new Dropout(dropout);
    this.layers = Array.from({ length: numLayers }, () => blockOf(options, variant));
    this.pooler = options.pooler ? new Linear(hiddenSize, hiddenSize, { weightInit }) : undefined;
  }

  protected override *fields(): Iterable<readonly [string, unknown]> {
    const { words, positions, types, norm, layers } = this.variant;
    yield [words, this.words];
    yield [positions, this.positions];
    if (this.types !== undefined) yield [types!, this.types];
    yield [norm, this.norm];
    yield ["dropout", this.drop];
    yield [layers, this.layers];
    if (this.pooler !== undefined) yield ["pooler.dense", this.pooler];
  }

  forward(tokens: Tensor, { attentionMask, typeIds }: EncodeOptions = {}): Tensor {
    this.check(tokens);
    let x = this.words.forward(tokens) as Tensor; // (N, T, features)
    if (this.types !== undefined)
      x = x.add(typeIds === undefined ? this.types.weight.at(0) : this.types.forward(typeIds)) as Tensor;
    x = x.add(this.positions.forward(this.placesOf(tokens))) as Tensor;
    x = this.drop.forward(this.norm.forward(x)) as Tensor;
    const keyPaddingMask = attentionMask?.not() as Tensor | undefined;
    for (const layer of this.layers) x = layer.forward(x, { keyPaddingMask });
    return x;
  }

  /** tanh of a matrix times the first token's features: (N, hiddenSize). */
  pooled(features: Tensor): Tensor {
    if (this.pooler === undefined)
      throw new ArgumentError("the encoder has no pooler: make it with { pooler: true }");
    return (this.pooler.forward(features.at(slice(), 0) as Tensor) as Tensor).tanh() as Tensor;
  }

  /** Where each token stands: (T), or (N, T) where padding does not count. */
  private placesOf(tokens: Tensor): Tensor {
    const { padToken } = this.options;
    if (!this.variant.countsFromPadding || padToken === undefined)
      return arange(sizesOf(tokens)[1]!) as Tensor;
    const isToken = tokens.notEqual(padToken).cast("i32") as Tensor;
    return isToken.cumsum(1).mul(isToken).add(padToken) as Tensor;
  }

  private check(tokens: Tensor): void {
    const shape = sizesOf(tokens);
    const { maxPositions = 512, padToken = 0 } = this.options;
    const most = maxPositions - (this.variant.countsFromPadding ? padToken + 1 : 0);
    if (shape.length !== 2 || shape[1]! > most)
      throw new ShapeError(`tokens must be (N, T) with T up to ${most}, got ${shapeText(shape)}`);
  }
}

function blockOf(options: EncoderOptions, { block: names }: EncoderVariant): TransformerBlock {
  const { hiddenSize, numHeads, intermediateSize = 4 * hiddenSize, activation = "gelu" } = options;
  const { dropout = 0.1, attentionDropout = 0.1, normEpsilon: epsilon = 1e-12 } = options;
  return new TransformerBlock({
    ...{ hiddenSize, numHeads, intermediateSize, dropout, attentionDropout, names },
    activation: activations[activation],
    norm: () => new LayerNorm(hiddenSize, { epsilon }),
    normFirst: false,
  });
}

function checkSizes({
  vocabSize,
  hiddenSize,
  numLayers,
  numHeads,
  maxPositions = 512,
}: EncoderOptions): void {
  for (const [name, size] of Object.entries({ vocabSize, hiddenSize, numLayers, numHeads, maxPositions }))
    if (!Number.isInteger(size) || size < 1)
      throw new ArgumentError(`${name} must be a positive integer, got ${size}`);
}

// ---- heads ------------------------------------------------------------------------------------------------------------

/** What stands on an encoder: parts under the names that published weights have, and what they make of features. */
export interface EncoderHead {
  readonly parts: Readonly<Record<string, Module | Parameter>>;
  logits(features: Tensor, encoder: TokenEncoder): Tensor;
}

/**
 * An encoder with a head: of each token (masked language models, classes of tokens) or of the whole text (classes of texts).
 *
 * Shapes: tokens i32 (N, T) → logits (N, T, vocabSize or labels), or (N, labels).
 *
 * @example
 * const sizes = { vocabSize: 100, hiddenSize: 32, numLayers: 1, numHeads: 4 };
 * const model: EncoderForTask = new DistilBertForSequenceClassification({ ...sizes, labels: ["bad", "good"] });
 * model.labels; // ["bad", "good"]
 */
export class EncoderForTask extends Module {
  readonly encoder: TokenEncoder;
  /** Names of the classes; empty for masked language models. */
  readonly labels: readonly string[];
  private readonly prefix: string;
  private readonly head: EncoderHead;

  constructor(prefix: string, encoder: TokenEncoder, head: EncoderHead, labels: readonly string[] = []) {
    super();
    this.prefix = prefix;
    this.encoder = encoder;
    this.head = head;
    this.labels = labels;
  }

  protected override *fields(): Iterable<readonly [string, unknown]> {
    yield [this.prefix, this.encoder];
    yield* Object.entries(this.head.parts);
  }

  forward(tokens: Tensor, options: EncodeOptions = {}): Tensor {
    return this.head.logits(this.encoder.forward(tokens, options), this.encoder);
  }
}

/** Options of heads that tell classes. */
export interface ClassifierOptions extends EncoderOptions {
  /** Names of the classes, or how many there are; default 2. */
  readonly labels?: readonly string[] | number;
  /** Before the last matrix, while training; default `dropout`. */
  readonly classifierDropout?: number;
}

export const labelNames = ({ labels = 2 }: ClassifierOptions): readonly string[] =>
  typeof labels === "number" ? Array.from({ length: labels }, (_, i) => `LABEL_${i}`) : labels;

export const matrix = (from: number, to: number): Linear => new Linear(from, to, { weightInit });

export const classifierDrop = ({ classifierDropout, dropout = 0.1 }: ClassifierOptions): Dropout =>
  new Dropout(classifierDropout ?? dropout);

/** A class for each token: dropout and a matrix. */
export function tokenHead(options: ClassifierOptions): EncoderHead {
  const [classifier, dropout] = [
    matrix(options.hiddenSize, labelNames(options).length),
    classifierDrop(options),
  ];
  return {
    parts: { classifier, dropout },
    logits: (features) => classifier.forward(dropout.forward(features)) as Tensor,
  };
}

/** Names of a masked language model's parts. */
export interface MaskedHeadNames {
  readonly dense: string;
  readonly norm: string;
  readonly bias: string;
  /** The matrix over the vocabulary, which is that of the embeddings. */
  readonly output: string;
}

/** Logits of the vocabulary for each token: matrix, activation, norm, the embeddings' matrix. */
export function maskedHead(
  encoder: TokenEncoder,
  names: MaskedHeadNames,
  activation: ActivationName = encoder.options.activation ?? "gelu",
): EncoderHead {
  const { hiddenSize, vocabSize, normEpsilon: epsilon = 1e-12 } = encoder.options;
  const [dense, norm] = [matrix(hiddenSize, hiddenSize), new LayerNorm(hiddenSize, { epsilon })];
  const bias = new Parameter(new Float32Array(vocabSize), { name: "bias" });
  const { weight } = encoder.words;
  return {
    parts: {
      ...{ [names.dense]: dense, [names.norm]: norm, [names.bias]: bias },
      ...{ [`${names.output}.weight`]: weight, [`${names.output}.bias`]: bias },
    },
    logits(features) {
      const hidden = norm.forward(activations[activation](dense.forward(features) as Tensor));
      return hidden.matmul((weight as Tensor).transpose()).add(bias as Tensor) as Tensor;
    },
  };
}

// ---- configurations ---------------------------------------------------------------------------------------------------

/** What BERT's and RoBERTa's configurations say in the same words. */
export function encoderOptions(config: PretrainedConfig): EncoderOptions {
  config.oneOf("position_embedding_type", ["absolute"], "absolute");
  const padToken = tokenOf(config, "pad_token_id");
  return {
    vocabSize: config.size("vocab_size"),
    hiddenSize: config.size("hidden_size"),
    numLayers: config.size("num_hidden_layers"),
    numHeads: config.size("num_attention_heads"),
    intermediateSize: config.size("intermediate_size"),
    maxPositions: config.size("max_position_embeddings", 512),
    typeVocabSize: config.size("type_vocab_size", 2),
    activation: activationName(config, "hidden_act", "gelu"),
    normEpsilon: config.number("layer_norm_eps", 1e-12),
    dropout: config.number("hidden_dropout_prob", 0.1),
    attentionDropout: config.number("attention_probs_dropout_prob", 0.1),
    ...(padToken !== undefined && { padToken }),
  };
}

export function tokenOf(config: PretrainedConfig, key: string): number | undefined {
  if (!config.has(key)) return undefined;
  const token = config.number(key);
  if (Number.isInteger(token) && token >= 0) return token;
  throw new ArgumentError(`${config.source}: ${key} must be a token's number, got ${token}`);
}

/** Names of the classes and what else a configuration says of a head; `dropoutKey` is where the family has its dropout. */
export function classifierOptions(
  config: PretrainedConfig,
  dropoutKey = "classifier_dropout",
): Pick<ClassifierOptions, "labels" | "classifierDropout"> {
  const names = config.part("id2label")?.values;
  const labels = names === undefined ? config.size("num_labels", 2) : orderedLabels(config, names);
  return { labels, ...(config.has(dropoutKey) && { classifierDropout: config.number(dropoutKey) }) };
}

/** { "0": …, "1": … } as a list. */
function orderedLabels(config: PretrainedConfig, names: Readonly<Record<string, unknown>>): string[] {
  const count = Object.keys(names).length;
  return Array.from({ length: count }, (_, i) => {
    const name = names[i];
    if (typeof name === "string") return name;
    throw new ArgumentError(`${config.source}: id2label names ${count} classes, but has no "${i}"`);
  });
}
