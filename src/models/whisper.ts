/** Whisper. Radford and others, "Robust speech recognition via large-scale weak supervision", 2022. */
import { melSpectrogram } from "../audio/index.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import {
  type AttentionCache,
  Conv1d,
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
import { EncoderDecoder, type Memory } from "./encoder-decoder.ts";
import type { DecodeOptions } from "./language-model.ts";
import { type BlockNames, TransformerBlock } from "./transformer-block.ts";

export interface WhisperOptions {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  /** Of the encoder. */
  readonly numLayers: number;
  readonly numHeads: number;
  /** Of the decoder; defaults those of the encoder. */
  readonly numDecoderLayers?: number;
  readonly numDecoderHeads?: number;
  /** Width of the layers' networks; default 4 · hiddenSize. */
  readonly intermediateSize?: number;
  readonly decoderIntermediateSize?: number;
  /** Mel bands of the features; default 80. */
  readonly melBands?: number;
  /** Frames of the encoder, half as many as the features have; default 1500, of 30 s. */
  readonly maxSourcePositions?: number;
  /** The longest text; default 448. */
  readonly maxPositions?: number;
  /** Default "gelu". */
  readonly activation?: ActivationName;
  /** While training: default 0. */
  readonly dropout?: number;
  readonly attentionDropout?: number;
  readonly networkDropout?: number;
  /** Embeddings are multiplied by √hiddenSize; default false. */
  readonly scaleEmbedding?: boolean;
  /** The token that texts begin with; default 50257. */
  readonly startToken?: number;
}

const weightInit = initializers.normal(0, 0.02);
const sizesOf = (x: Tensor): readonly number[] => x.shape as readonly number[];

const names: BlockNames = {
  ...{ attention: "self_attn", attentionNorm: "self_attn_layer_norm" },
  ...{ queries: "q_proj", keys: "k_proj", values: "v_proj", output: "out_proj" },
  ...{ memory: "encoder_attn", memoryNorm: "encoder_attn_layer_norm" },
  ...{ first: "fc1", second: "fc2", networkNorm: "final_layer_norm" },
};

interface Layers {
  readonly count: number;
  readonly numHeads: number;
  readonly intermediateSize: number;
  readonly hasMemory: boolean;
}

function layersOf(options: WhisperOptions, { count, hasMemory, ...sizes }: Layers): TransformerBlock[] {
  const { hiddenSize, activation = "gelu", dropout = 0, attentionDropout = 0, networkDropout = 0 } = options;
  return Array.from(
    { length: count },
    () =>
      new TransformerBlock({
        ...{ ...sizes, hiddenSize, dropout, attentionDropout, networkDropout, hasMemory, names },
        activation: activations[activation],
        norm: () => new LayerNorm(hiddenSize),
        normFirst: true,
        linear: (role, from, to) => new Linear(from, to, { bias: role !== "keys", weightInit }),
      }),
  );
}

/** Sines in the first half of the features, cosines in the second: where frames stand. */
function sinusoids(length: number, size: number): Float32Array {
  const half = size / 2;
  return Float32Array.from({ length: length * size }, (_, at) => {
    const [position, i] = [Math.floor(at / size), at % size];
    const angle = position * Math.exp((-Math.log(10_000) / (half - 1)) * (i % half));
    return i < half ? Math.sin(angle) : Math.cos(angle);
  });
}

/** Log-mel features to features of half as many frames. */
class AudioEncoder extends Module {
  private readonly conv1: Conv1d;
  private readonly conv2: Conv1d;
  private readonly positions: Parameter;
  private readonly drop: Dropout;
  private readonly layers: readonly TransformerBlock[];
  private readonly norm: LayerNorm;

  constructor(options: WhisperOptions) {
    super();
    const { hiddenSize, numLayers, numHeads, intermediateSize = 4 * hiddenSize, melBands = 80 } = options;
    const { maxSourcePositions = 1500, dropout = 0 } = options;
    this.conv1 = new Conv1d(melBands, hiddenSize, 3, { padding: 1 });
    this.conv2 = new Conv1d(hiddenSize, hiddenSize, 3, { stride: 2, padding: 1 });
    const shape = [maxSourcePositions, hiddenSize];
    const data = (): Float32Array => sinusoids(maxSourcePositions, hiddenSize);
    this.positions = new Parameter({ dtype: "f32", shape, data }, { name: "weight" });
    this.positions.trainable = false;
    this.drop = new Dropout(dropout);
    this.layers = layersOf(options, { count: numLayers, numHeads, intermediateSize, hasMemory: false });
    this.norm = new LayerNorm(hiddenSize);
  }

  protected override *fields(): Iterable<readonly [string, unknown]> {
    yield* [["conv1", this.conv1] as const, ["conv2", this.conv2] as const];
    yield ["embed_positions.weight", this.positions];
    yield* [["dropout", this.drop] as const, ["layers", this.layers] as const];
    yield ["layer_norm", this.norm];
  }

  forward(sound: Tensor): Tensor {
    const near = (this.conv1.forward(sound as never) as Tensor).gelu() as Tensor;
    const frames = (this.conv2.forward(near as never) as Tensor).gelu().transpose(1, 2); // (N, frames, features)
    let x = this.drop.forward(frames.add(this.positions as Tensor) as Tensor) as Tensor;
    for (const layer of this.layers) x = layer.forward(x, {});
    return this.norm.forward(x);
  }
}

/** Tokens to features, with a sound in mind. */
class TextDecoder extends Module {
  readonly words: Embedding;
  readonly layers: readonly TransformerBlock[];
  private readonly positions: Embedding;
  private readonly drop: Dropout;
  private readonly norm: LayerNorm;
  private readonly scale: number;

  constructor(options: WhisperOptions) {
    super();
    const { vocabSize, hiddenSize, maxPositions = 448, dropout = 0, scaleEmbedding = false } = options;
    const { numLayers, numDecoderLayers: count = numLayers } = options;
    const { numDecoderHeads: numHeads = options.numHeads, intermediateSize = 4 * hiddenSize } = options;
    const wide = options.decoderIntermediateSize ?? intermediateSize;
    this.words = new Embedding(vocabSize, hiddenSize, { weightInit });
    this.positions = new Embedding(maxPositions, hiddenSize, { weightInit });
    this.drop = new Dropout(dropout);
    this.layers = layersOf(options, { count, numHeads, intermediateSize: wide, hasMemory: true });
    this.norm = new LayerNorm(hiddenSize);
    this.scale = scaleEmbedding ? Math.sqrt(hiddenSize) : 1;
  }

  protected override *fields(): Iterable<readonly [string, unknown]> {
    yield ["embed_tokens", this.words];
    yield ["embed_positions", this.positions];
    yield* [["dropout", this.drop] as const, ["layers", this.layers] as const];
    yield ["layer_norm", this.norm];
  }

  forward(tokens: Tensor, memory: Memory, { caches, attentionMask, positions }: DecodeOptions): Tensor {
    const places = positions ?? this.placesOf(tokens, caches?.[0]);
    const words = (this.words.forward(tokens) as Tensor).mul(this.scale);
    let x = this.drop.forward(words.add(this.positions.forward(places)) as Tensor) as Tensor;
    const keyPaddingMask = attentionMask?.not() as Tensor | undefined;
    for (const [i, layer] of this.layers.entries())
      x = layer.forward(x, {
        ...{ causal: true, keyPaddingMask, cache: caches?.[i], memory: memory.layers[i] },
      });
    return this.norm.forward(x);
  }

  /** What fills up a piece behind a text's end may lie beyond the last place; nobody looks at it. */
  private placesOf(tokens: Tensor, cache: AttentionCache | undefined): Tensor {
    const from = arange(sizesOf(tokens)[1]!) as Tensor;
    if (cache === undefined) return from;
    return from.add(cache.length as Tensor).minimum(this.positions.numEmbeddings - 1) as Tensor;
  }
}

/**
 * Speech to text: an encoder hears log-mel features (`whisperFeatures`), a decoder writes tokens. Hugging Face's weights and names.
 *
 * Shapes: features f32 (N, melBands, 2 · maxSourcePositions), tokens i32 (N, T) → logits (N, T, vocabSize).
 *
 * @throws ArgumentError for sizes that do not fit each other, ShapeError for other shapes
 * @example
 * const sizes = { vocabSize: 100, hiddenSize: 32, numLayers: 1, numHeads: 4, melBands: 8, maxSourcePositions: 10 };
 * const model = new Whisper({ ...sizes, startToken: 1 });
 * model.forward(zeros([2, 8, 20]), zeros([2, 5], { dtype: "i32" })).shape; // [2, 5, 100]
 */
export class Whisper extends EncoderDecoder {
  readonly options: WhisperOptions;
  readonly maxTokens: number;
  readonly startToken: number;
  private readonly encoder: AudioEncoder;
  private readonly decoder: TextDecoder;

  constructor(options: WhisperOptions) {
    super();
    checkSizes(options);
    this.options = options;
    this.maxTokens = options.maxPositions ?? 448;
    this.startToken = options.startToken ?? 50_257;
    this.encoder = new AudioEncoder(options);
    this.decoder = new TextDecoder(options);
  }

  protected override *fields(): Iterable<readonly [string, unknown]> {
    yield ["model.encoder", this.encoder];
    yield ["model.decoder", this.decoder];
    yield ["proj_out", this.decoder.words];
  }

  encode(sound: Tensor): Tensor {
    const { melBands = 80, maxSourcePositions = 1500 } = this.options;
    const [, bands, frames] = sizesOf(sound);
    if (sizesOf(sound).length !== 3 || bands !== melBands || frames !== 2 * maxSourcePositions)
      throw new ShapeError(
        `features must be (N, ${melBands}, ${2 * maxSourcePositions}), got ${shapeText(sizesOf(sound))}; see whisperFeatures`,
      );
    return this.encoder.forward(sound);
  }

  remember(features: Tensor): Memory {
    return { layers: this.decoder.layers.map((layer) => layer.remember(features)) };
  }

  decode(tokens: Tensor, memory: Memory, options: DecodeOptions = {}): Tensor {
    const shape = sizesOf(tokens);
    if (shape.length !== 2 || (options.caches === undefined && shape[1]! > this.maxTokens))
      throw new ShapeError(`tokens must be (N, T) with T up to ${this.maxTokens}, got ${shapeText(shape)}`);
    return this.decoder.forward(tokens, memory, options);
  }

  logits(features: Tensor): Tensor {
    return features.matmul((this.decoder.words.weight as Tensor).transpose()) as Tensor;
  }

  caches(batchSize: number, maxLength: number): KeyValueCache[] {
    const { hiddenSize, numDecoderHeads: numHeads = this.options.numHeads } = this.options;
    const sizes = { batchSize, numHeads, headSize: hiddenSize / numHeads, maxLength };
    return this.decoder.layers.map(() => new KeyValueCache(sizes));
  }

  /** From Hugging Face's `config.json` of `WhisperForConditionalGeneration`. */
  static fromConfig(config: PretrainedConfig): Whisper {
    return new Whisper({
      vocabSize: config.size("vocab_size"),
      hiddenSize: config.size("d_model"),
      numLayers: config.size("encoder_layers"),
      numHeads: config.size("encoder_attention_heads"),
      numDecoderLayers: config.size("decoder_layers"),
      numDecoderHeads: config.size("decoder_attention_heads"),
      intermediateSize: config.size("encoder_ffn_dim"),
      decoderIntermediateSize: config.size("decoder_ffn_dim"),
      melBands: config.size("num_mel_bins", 80),
      maxSourcePositions: config.size("max_source_positions", 1500),
      maxPositions: config.size("max_target_positions", 448),
      activation: activationName(config, "activation_function", "gelu"),
      dropout: config.number("dropout", 0),
      attentionDropout: config.number("attention_dropout", 0),
      networkDropout: config.number("activation_dropout", 0),
      scaleEmbedding: config.boolean("scale_embedding", false),
      startToken: config.number("decoder_start_token_id", 50_257),
    });
  }
}

function checkSizes(options: WhisperOptions): void {
  const { vocabSize, hiddenSize, numLayers, numHeads } = options;
  for (const [name, size] of Object.entries({ vocabSize, hiddenSize, numLayers, numHeads }))
    if (!Number.isInteger(size) || size < 1)
      throw new ArgumentError(`${name} must be a positive integer, got ${size}`);
  if (hiddenSize % 2 !== 0 || hiddenSize < 4)
    throw new ArgumentError(`Whisper: hiddenSize must be even and 4 or more, got ${hiddenSize}`);
}

const [sampleRate, fftSize, hop] = [16_000, 400, 160];

/**
 * What Whisper hears: logarithms of mel bands' powers, 80 dB below the loudest at least, scaled to about −1 … 1; silence fills up the rest
 * of `seconds`, and what is longer is cut off. As `WhisperFeatureExtractor` of transformers.
 *
 * Shapes: samples (length) at 16 kHz → (1, bands, 100 · seconds).
 *
 * @throws ArgumentError for no whole number of seconds
 * @example whisperFeatures(zeros([8000]), { bands: 8, seconds: 2 }).shape // [1, 8, 200]
 */
export function whisperFeatures(
  samples: Tensor,
  { bands = 80, seconds = 30 }: { readonly bands?: number; readonly seconds?: number } = {},
): Tensor {
  const [length, ...more] = sizesOf(samples) as [number, ...number[]];
  if (length === undefined || more.length > 0)
    throw new ShapeError(`whisperFeatures: samples must be (length), got ${shapeText(sizesOf(samples))}`);
  if (!Number.isInteger(seconds) || seconds < 1)
    throw new ArgumentError(`whisperFeatures: seconds must be a positive integer, got ${seconds}`);
  const wanted = seconds * sampleRate;
  const filled = length >= wanted ? samples.slice(0, 0, wanted) : samples.pad([[0, wanted - length]]);
  const options = { fftSize, hop, sampleRate, bands, high: 8000, scale: "slaney", norm: "slaney" } as const;
  // The last frame lies half outside.
  const powers = melSpectrogram((filled as Tensor).expandDims(0) as Tensor, options).slice(
    2,
    0,
    wanted / hop,
  );
  const logs = powers.maximum(1e-10).log10() as Tensor;
  const floor = logs.max().sub(8) as Tensor;
  return logs.maximum(floor).add(4).div(4) as Tensor;
}
