/**
 * T5. Raffel and others, "Exploring the limits of transfer learning with a unified text-to-text transformer", 2019; with a gated network,
 * version 1.1: Shazeer, "GLU variants improve Transformer", 2020.
 */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import {
  type AttentionCache,
  Dropout,
  Embedding,
  initializers,
  KeyValueCache,
  Linear,
  Module,
  RelativePositionBias,
  RMSNorm,
} from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { type ActivationName, activations } from "./activations.ts";
import type { PretrainedConfig } from "./config.ts";
import { EncoderDecoder, type Memory, type SourceOptions } from "./encoder-decoder.ts";
import { type DecodeOptions, outputLogits } from "./language-model.ts";
import { type BlockNames, type MatrixRole, TransformerBlock } from "./transformer-block.ts";

export interface T5Options {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly intermediateSize: number;
  /** Layers of the decoder; default numLayers. */
  readonly numDecoderLayers?: number;
  /** Features of a head; default hiddenSize / numHeads. */
  readonly headSize?: number;
  /** Default "relu". */
  readonly activation?: ActivationName;
  /** The network has a gate, as in version 1.1; default false. */
  readonly isGated?: boolean;
  /** Default 1e-6. */
  readonly normEpsilon?: number;
  /** Default 0.1. */
  readonly dropout?: number;
  /** Of distances; default 32. */
  readonly numBuckets?: number;
  /** From this distance on all are one bucket; default 128. */
  readonly maxDistance?: number;
  /** Default true: the output's matrix is that of the embeddings. */
  readonly tieEmbeddings?: boolean;
  /** Features are divided by √hiddenSize before the output's matrix; default `tieEmbeddings`. */
  readonly scaleOutputs?: boolean;
  /** The token that answers begin with; default 0. */
  readonly startToken?: number;
}

const sizesOf = (x: Tensor): readonly number[] => x.shape as readonly number[];
const headSizeOf = ({ headSize, hiddenSize, numHeads }: T5Options): number =>
  headSize ?? hiddenSize / numHeads;

function namesOf(hasMemory: boolean, isGated: boolean): BlockNames {
  const network = hasMemory ? "layer.2" : "layer.1";
  const part = (name: string): string => `${network}.DenseReluDense.${name}`;
  return {
    ...{ queries: "q", keys: "k", values: "v", output: "o" },
    ...{ attention: "layer.0.SelfAttention", attentionNorm: "layer.0.layer_norm" },
    ...{ memory: "layer.1.EncDecAttention", memoryNorm: "layer.1.layer_norm" },
    ...(isGated ? { gate: part("wi_0"), first: part("wi_1") } : { first: part("wi") }),
    ...{ second: part("wo"), networkNorm: `${network}.layer_norm` },
  };
}

/** The paper's first values: what comes out of each product keeps the size of what goes in. */
function deviationOf(options: T5Options, role: MatrixRole): number {
  const { hiddenSize, intermediateSize, numHeads } = options;
  const size = headSizeOf(options);
  if (role === "queries") return (hiddenSize * size) ** -0.5;
  if (role === "output") return (numHeads * size) ** -0.5;
  return role === "second" ? intermediateSize ** -0.5 : hiddenSize ** -0.5;
}

/** Layers, and the bias of distances that all share. */
class Stack extends Module {
  private readonly bias: RelativePositionBias;
  private readonly layers: readonly TransformerBlock[];
  private readonly norm: RMSNorm;
  private readonly drop: Dropout;
  private readonly isDecoder: boolean;

  constructor(options: T5Options, isDecoder: boolean) {
    super();
    const { hiddenSize, numHeads, intermediateSize, numLayers, numDecoderLayers = numLayers } = options;
    const { activation = "relu", isGated = false, normEpsilon: epsilon = 1e-6, dropout = 0.1 } = options;
    const { numBuckets = 32, maxDistance = 128 } = options;
    const names = namesOf(isDecoder, isGated);
    this.bias = new RelativePositionBias(numHeads, {
      ...{ numBuckets, maxDistance, bidirectional: !isDecoder },
      weightInit: initializers.normal(0, hiddenSize ** -0.5),
    });
    const block = (): TransformerBlock =>
      new TransformerBlock({
        ...{ hiddenSize, numHeads, headSize: headSizeOf(options), intermediateSize, names },
        ...{ dropout, attentionDropout: dropout, networkDropout: dropout },
        activation: activations[activation],
        norm: () => new RMSNorm(hiddenSize, { epsilon }),
        normFirst: true,
        hasMemory: isDecoder,
        scoreScale: 1,
        linear: (role, from, to) =>
          new Linear(from, to, {
            bias: false,
            weightInit: initializers.normal(0, deviationOf(options, role)),
          }),
      });
    this.layers = Array.from({ length: isDecoder ? numDecoderLayers : numLayers }, block);
    this.norm = new RMSNorm(hiddenSize, { epsilon });
    this.drop = new Dropout(dropout);
    this.isDecoder = isDecoder;
  }

  protected override *fields(): Iterable<readonly [string, unknown]> {
    yield ["block", this.layers];
    yield ["block.0.layer.0.SelfAttention.relative_attention_bias", this.bias];
    yield ["final_layer_norm", this.norm];
    yield ["dropout", this.drop];
  }

  forward(embedded: Tensor, { attentionMask, memory, caches }: StackOptions): Tensor {
    const steps = sizesOf(embedded)[1]!;
    const [cache] = caches ?? [];
    const distanceBias =
      cache === undefined
        ? this.bias.forward(steps, steps)
        : this.bias.forward(steps, cache.maxLength, cache.length?.value as Tensor | undefined);
    const keyPaddingMask = attentionMask?.not() as Tensor | undefined;
    const memoryPaddingMask = memory?.attentionMask?.not() as Tensor | undefined;
    let x = this.drop.forward(embedded) as Tensor;
    for (const [i, layer] of this.layers.entries())
      x = layer.forward(x, {
        ...{ distanceBias, keyPaddingMask, memoryPaddingMask, causal: this.isDecoder },
        ...{ cache: caches?.[i], memory: memory?.layers[i] },
      });
    return this.drop.forward(this.norm.forward(x)) as Tensor;
  }

  remember(features: Tensor, { attentionMask }: SourceOptions): Memory {
    return { layers: this.layers.map((layer) => layer.remember(features)), attentionMask };
  }
}

interface StackOptions extends SourceOptions {
  readonly memory?: Memory;
  readonly caches?: readonly AttentionCache[] | undefined;
}

/**
 * Texts to texts: an encoder reads, a decoder writes; where things stand is known by learnt biases of distances. Hugging Face's weights
 * and names.
 *
 * Shapes: source i32 (N, S), tokens i32 (N, T) → logits (N, T, vocabSize).
 *
 * @throws ArgumentError for sizes that do not fit each other, ShapeError for other shapes
 * @example
 * const model = new T5({ vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4, intermediateSize: 64 });
 * model.forward(zeros([2, 7], { dtype: "i32" }), zeros([2, 5], { dtype: "i32" })).shape; // [2, 5, 100]
 */
export class T5 extends EncoderDecoder {
  readonly options: T5Options;
  readonly maxTokens = undefined;
  readonly startToken: number;
  private readonly shared: Embedding;
  private readonly encoder: Stack;
  private readonly decoder: Stack;
  private readonly lmHead: Linear | undefined;

  constructor(options: T5Options) {
    super();
    checkSizes(options);
    const { vocabSize, hiddenSize, tieEmbeddings = true, startToken = 0 } = options;
    this.options = options;
    this.startToken = startToken;
    this.shared = new Embedding(vocabSize, hiddenSize);
    this.encoder = new Stack(options, false);
    this.decoder = new Stack(options, true);
    this.lmHead = tieEmbeddings
      ? undefined
      : new Linear(hiddenSize, vocabSize, {
          bias: false,
          weightInit: initializers.normal(0, hiddenSize ** -0.5),
        });
  }

  protected override *fields(): Iterable<readonly [string, unknown]> {
    yield ["shared", this.shared];
    yield ["encoder.embed_tokens", this.shared];
    yield ["decoder.embed_tokens", this.shared];
    yield ["encoder", this.encoder];
    yield ["decoder", this.decoder];
    yield ["lm_head", this.lmHead ?? this.shared];
  }

  encode(source: Tensor, { attentionMask }: SourceOptions = {}): Tensor {
    return this.encoder.forward(this.embedded("source", source), { attentionMask });
  }

  remember(features: Tensor, options: SourceOptions = {}): Memory {
    return this.decoder.remember(features, options);
  }

  decode(tokens: Tensor, memory: Memory, { caches, attentionMask }: DecodeOptions = {}): Tensor {
    return this.decoder.forward(this.embedded("tokens", tokens), { memory, caches, attentionMask });
  }

  logits(features: Tensor): Tensor {
    const { hiddenSize, scaleOutputs = this.lmHead === undefined } = this.options;
    const scaled = scaleOutputs ? features.mul(hiddenSize ** -0.5) : features;
    return outputLogits(scaled as Tensor, this.lmHead, this.shared);
  }

  caches(batchSize: number, maxLength: number): KeyValueCache[] {
    const { numHeads, numLayers, numDecoderLayers = numLayers } = this.options;
    const sizes = { batchSize, numHeads, headSize: headSizeOf(this.options), maxLength };
    return Array.from({ length: numDecoderLayers }, () => new KeyValueCache(sizes));
  }

  private embedded(what: string, tokens: Tensor): Tensor {
    if (sizesOf(tokens).length !== 2)
      throw new ShapeError(`${what} must be (N, T), got ${shapeText(sizesOf(tokens))}`);
    return this.shared.forward(tokens) as Tensor;
  }

  /** From Hugging Face's `config.json` of `T5ForConditionalGeneration`. */
  static fromConfig(config: PretrainedConfig): T5 {
    const numLayers = config.size("num_layers");
    const tieEmbeddings = config.boolean("tie_word_embeddings", true);
    const network = config.oneOf("feed_forward_proj", Object.keys(networks), "relu") as keyof typeof networks;
    return new T5({
      vocabSize: config.size("vocab_size"),
      hiddenSize: config.size("d_model"),
      numLayers,
      numDecoderLayers: config.size("num_decoder_layers", numLayers),
      numHeads: config.size("num_heads"),
      headSize: config.size("d_kv"),
      intermediateSize: config.size("d_ff"),
      ...networks[network],
      normEpsilon: config.number("layer_norm_epsilon", 1e-6),
      dropout: config.number("dropout_rate", 0.1),
      numBuckets: config.size("relative_attention_num_buckets", 32),
      maxDistance: config.size("relative_attention_max_distance", 128),
      tieEmbeddings,
      scaleOutputs: config.boolean("scale_decoder_outputs", tieEmbeddings),
      startToken: config.number("decoder_start_token_id", 0),
    });
  }
}

const networks = {
  relu: { activation: "relu", isGated: false },
  "gated-gelu": { activation: "gelu_new", isGated: true },
  "gated-silu": { activation: "silu", isGated: true },
} as const;

function checkSizes(options: T5Options): void {
  const { vocabSize, hiddenSize, numLayers, numHeads, intermediateSize } = options;
  const sizes = {
    vocabSize,
    hiddenSize,
    numLayers,
    numHeads,
    intermediateSize,
    headSize: headSizeOf(options),
  };
  for (const [name, size] of Object.entries(sizes))
    if (!Number.isInteger(size) || size < 1)
      throw new ArgumentError(`${name} must be a positive integer, got ${size}`);
}
