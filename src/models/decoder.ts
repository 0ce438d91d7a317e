/**
 * The decoder that Llama, Mistral, Qwen, Gemma and Phi are variants of: RMS norms before each part, rotary positions, heads that
 * share keys, a gated network. What a family does otherwise is an option here; its names and defaults are a file of its own.
 */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import {
  type AttentionCache,
  Embedding,
  KeyValueCache,
  Linear,
  Module,
  RMSNorm,
  RotaryEmbedding,
  type RotaryScaling,
  scaledDotProductAttention,
} from "../nn/index.ts";
import { rematerialize, type Tensor } from "../tensor/index.ts";
import { type DecodeOptions, type LanguageModel, outputLogits, sameDocument } from "./language-model.ts";
import { renamed } from "./names.ts";
import { promptOf, type WordEmbeddings } from "./prompt-embeddings.ts";

export interface DecoderOptions {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numLayers: number;
  readonly numHeads: number;
  /** Width of the gated network. */
  readonly intermediateSize: number;
  /** Heads of keys and values; default numHeads. */
  readonly numKeyValueHeads?: number;
  /** Features of a head; default hiddenSize / numHeads. */
  readonly headSize?: number;
  /** The longest text that the model was trained on; default 2048. */
  readonly maxPositions?: number;
  /** Default 1e-6. */
  readonly normEpsilon?: number;
  /** Default 10 000. */
  readonly rotaryBase?: number;
  readonly rotaryScaling?: RotaryScaling;
  /** Features of a head that turn with the position; default all. */
  readonly rotarySize?: number;
  /** Default false: the matrix of the output is one of its own. True: it is that of the embeddings. */
  readonly tieEmbeddings?: boolean;
  /** Learnt vectors are added to queries, keys and values; default false. */
  readonly attentionBias?: boolean;
  /** A learnt vector is added after attention; default false. */
  readonly outputBias?: boolean;
  /** Learnt vectors are added in the gated network; default false. */
  readonly mlpBias?: boolean;
  /** How many positions a layer's queries see before their own, themselves included; default all. */
  readonly slidingWindow?: number | ((layer: number) => number | undefined);
}

/** What families change that no configuration file says. */
export interface DecoderVariant {
  /** A norm over so many features; default RMSNorm. */
  readonly norm?: (size: number) => Module;
  /** Of the gate; default SiLU. */
  readonly activation?: (gate: Tensor) => Tensor;
  /** Heads of queries and keys are normed before they turn; default false. */
  readonly queryKeyNorm?: boolean;
  /** What comes out of attention and network is normed too; default false. */
  readonly postNorms?: boolean;
  /** Embeddings are multiplied by it; default 1. */
  readonly embeddingScale?: number;
  /** Scores are multiplied by it; default 1/√headSize. */
  readonly scoreScale?: number;
  /** Scores, and logits, are limited to cap·tanh(x / cap); default none. */
  readonly scoreCap?: number;
  readonly logitCap?: number;
  /** Queries, keys and values are one matrix, gate and up another, as in Phi-3; default false. */
  readonly isFused?: boolean;
  /** Rotary embeddings of a layer, where layers differ. */
  readonly rotaryOf?: (layer: number) => RotaryEmbedding;
}

type Settings = DecoderOptions & DecoderVariant;

const sizesOf = (x: Tensor): readonly number[] => x.shape as readonly number[];
const headSizeOf = ({ headSize, hiddenSize, numHeads }: DecoderOptions): number =>
  headSize ?? hiddenSize / numHeads;
const normOf = ({ norm, normEpsilon = 1e-6 }: Settings, size: number): Module =>
  norm?.(size) ?? new RMSNorm(size, { epsilon: normEpsilon });

class DecoderAttention extends Module {
  /** Queries, keys and values one below the other; or each by itself. */
  readonly qkvProj: Linear | undefined;
  readonly qProj: Linear | undefined;
  readonly kProj: Linear | undefined;
  readonly vProj: Linear | undefined;
  readonly oProj: Linear;
  readonly qNorm: Module | undefined;
  readonly kNorm: Module | undefined;
  private readonly settings: Settings;
  private readonly headSize: number;
  /** Of queries, keys and values. */
  private readonly widths: readonly [number, number, number];
  private readonly rotary: RotaryEmbedding;
  private readonly window: readonly [number, number] | undefined;

  constructor(settings: Settings, layer: number, rotary: RotaryEmbedding) {
    super();
    const { hiddenSize, numHeads, numKeyValueHeads = numHeads, attentionBias: bias = false } = settings;
    const { outputBias = false, queryKeyNorm = false, slidingWindow, isFused = false } = settings;
    const headSize = headSizeOf(settings);
    const keyWidth = numKeyValueHeads * headSize;
    const project = (width: number): Linear => new Linear(hiddenSize, width, { bias });
    this.settings = settings;
    this.headSize = headSize;
    this.rotary = rotary;
    this.widths = [numHeads * headSize, keyWidth, keyWidth];
    this.qkvProj = isFused ? project(numHeads * headSize + 2 * keyWidth) : undefined;
    this.qProj = isFused ? undefined : project(numHeads * headSize);
    this.kProj = isFused ? undefined : project(keyWidth);
    this.vProj = isFused ? undefined : project(keyWidth);
    this.oProj = new Linear(numHeads * headSize, hiddenSize, { bias: outputBias });
    this.qNorm = queryKeyNorm ? normOf(settings, headSize) : undefined;
    this.kNorm = queryKeyNorm ? normOf(settings, headSize) : undefined;
    const seen = typeof slidingWindow === "function" ? slidingWindow(layer) : slidingWindow;
    this.window = seen === undefined ? undefined : [seen - 1, 0];
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    const names = { qkvProj: "qkv_proj", qProj: "q_proj", kProj: "k_proj", vProj: "v_proj", oProj: "o_proj" };
    return renamed(super.fields(), { ...names, qNorm: "q_norm", kNorm: "k_norm" });
  }

  forward(x: Tensor, { cache, attentionMask, positions, documents }: LayerOptions): Tensor {
    const start = cache && (cache.length as Tensor | undefined);
    const own = positions?.shape.length === 2 ? (positions.expandDims(1) as Tensor) : positions;
    const place = { offset: start, positions: own, length: cache?.maxLength ?? sizesOf(x)[1] };
    const turned = (heads: Tensor, norm: Module | undefined): Tensor =>
      this.rotary.forward(norm === undefined ? heads : norm.forward(heads), place);
    const [queries, keys, values] = this.projected(x);
    const q = turned(this.heads(queries), this.qNorm); // (N, heads, T, size)
    const k = turned(this.heads(keys), this.kNorm);
    const v = this.heads(values);
    const asked = {
      causal: true,
      window: this.window,
      mask: documents && sameDocument(documents),
      keyPaddingMask: attentionMask?.not() as Tensor | undefined,
      scale: this.settings.scoreScale,
      softCap: this.settings.scoreCap,
    };
    const attended = cache?.attend(q, k, v, asked) ?? scaledDotProductAttention(q, k, v, asked);
    const [batch, steps] = sizesOf(x) as [number, number];
    const joined = attended.permute([0, 2, 1, 3]).reshape([batch, steps, -1]);
    return this.oProj.forward(joined as Tensor) as Tensor;
  }

  /** Queries, keys and values: (N, T, heads · size). */
  private projected(x: Tensor): readonly [Tensor, Tensor, Tensor] {
    if (this.qkvProj !== undefined) return this.qkvProj.forward(x).split(this.widths, -1) as never;
    return [this.qProj!.forward(x), this.kProj!.forward(x), this.vProj!.forward(x)] as never;
  }

  /** (N, T, heads · size) → (N, heads, T, size) */
  private heads(x: Tensor): Tensor {
    const [batch, steps] = sizesOf(x) as [number, number];
    return x.reshape([batch, steps, -1, this.headSize]).permute([0, 2, 1, 3]) as Tensor;
  }
}

/** down(activation(gate x) · up x). Shazeer, "GLU variants improve Transformer", 2020. */
class GatedNetwork extends Module {
  /** The gate's matrix above the other; or each by itself. */
  readonly gateUpProj: Linear | undefined;
  readonly gateProj: Linear | undefined;
  readonly upProj: Linear | undefined;
  readonly downProj: Linear;
  private readonly activation: (gate: Tensor) => Tensor;

  constructor(settings: Settings) {
    super();
    const { hiddenSize, intermediateSize, mlpBias: bias = false, activation, isFused = false } = settings;
    this.gateUpProj = isFused ? new Linear(hiddenSize, 2 * intermediateSize, { bias }) : undefined;
    this.gateProj = isFused ? undefined : new Linear(hiddenSize, intermediateSize, { bias });
    this.upProj = isFused ? undefined : new Linear(hiddenSize, intermediateSize, { bias });
    this.downProj = new Linear(intermediateSize, hiddenSize, { bias });
    this.activation = activation ?? ((gate) => gate.silu() as Tensor);
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    const names = { gateProj: "gate_proj", upProj: "up_proj", downProj: "down_proj" };
    return renamed(super.fields(), { ...names, gateUpProj: "gate_up_proj" });
  }

  forward(x: Tensor): Tensor {
    const [gate, up] =
      this.gateUpProj === undefined
        ? [this.gateProj!.forward(x), this.upProj!.forward(x)]
        : this.gateUpProj.forward(x).split(2, -1);
    if (!this.training) return this.down(gate as Tensor, up as Tensor);
    // The widest tensors of a layer: of six, two are kept for the gradient, the others are elementwise maps of them.
    return rematerialize((g: Tensor, u: Tensor) => this.down(g, u))(gate as Tensor, up as Tensor);
  }

  private down(gate: Tensor, up: Tensor): Tensor {
    return this.downProj.forward(this.activation(gate).mul(up) as Tensor) as Tensor;
  }
}

interface LayerOptions extends Omit<DecodeOptions, "caches"> {
  readonly cache: AttentionCache | undefined;
}

class DecoderLayer extends Module {
  readonly selfAttn: DecoderAttention;
  readonly mlp: GatedNetwork;
  readonly inputNorm: Module;
  readonly postAttentionNorm: Module;
  readonly preFeedforwardNorm: Module | undefined;
  readonly postFeedforwardNorm: Module | undefined;

  constructor(settings: Settings, layer: number, rotary: RotaryEmbedding) {
    super();
    const { hiddenSize, postNorms = false } = settings;
    this.selfAttn = new DecoderAttention(settings, layer, rotary);
    this.mlp = new GatedNetwork(settings);
    this.inputNorm = normOf(settings, hiddenSize);
    this.postAttentionNorm = normOf(settings, hiddenSize);
    this.preFeedforwardNorm = postNorms ? normOf(settings, hiddenSize) : undefined;
    this.postFeedforwardNorm = postNorms ? normOf(settings, hiddenSize) : undefined;
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return renamed(super.fields(), {
      selfAttn: "self_attn",
      inputNorm: "input_layernorm",
      postAttentionNorm: "post_attention_layernorm",
      preFeedforwardNorm: "pre_feedforward_layernorm",
      postFeedforwardNorm: "post_feedforward_layernorm",
    });
  }

  forward(x: Tensor, options: LayerOptions): Tensor {
    const attended = this.selfAttn.forward(this.inputNorm.forward(x), options);
    if (this.preFeedforwardNorm === undefined || this.postFeedforwardNorm === undefined) {
      const y = x.add(attended) as Tensor;
      return y.add(this.mlp.forward(this.postAttentionNorm.forward(y))) as Tensor;
    }
    const y = x.add(this.postAttentionNorm.forward(attended)) as Tensor;
    const made = this.mlp.forward(this.preFeedforwardNorm.forward(y));
    return y.add(this.postFeedforwardNorm.forward(made)) as Tensor;
  }
}

/** Tokens to features: embeddings, layers, a last norm. */
class Decoder extends Module {
  readonly embedTokens: Embedding;
  readonly layers: readonly DecoderLayer[];
  readonly norm: Module;
  readonly scale: number;

  constructor(settings: Settings) {
    super();
    const { vocabSize, hiddenSize, numLayers, rotaryBase, rotaryScaling, embeddingScale = 1 } = settings;
    const { rotarySize = headSizeOf(settings), rotaryOf } = settings;
    const shared = new RotaryEmbedding(rotarySize, { base: rotaryBase, scaling: rotaryScaling });
    this.embedTokens = new Embedding(vocabSize, hiddenSize);
    this.layers = Array.from(
      { length: numLayers },
      (_, layer) => new DecoderLayer(settings, layer, rotaryOf?.(layer) ?? shared),
    );
    this.norm = normOf(settings, hiddenSize);
    this.scale = embeddingScale;
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return renamed(super.fields(), { embedTokens: "embed_tokens" });
  }

  forward(tokens: Tensor, { caches, ...options }: DecodeOptions): Tensor {
    const embedded = this.embedTokens.forward(tokens) as Tensor; // (N, T, features)
    let x = this.scale === 1 ? embedded : (embedded.mul(this.scale) as Tensor);
    for (const [i, layer] of this.layers.entries()) x = layer.forward(x, { ...options, cache: caches?.[i] });
    return this.norm.forward(x);
  }
}

/**
 * A model that tells for each token of a text how likely each token of the vocabulary is to follow.
 *
 * Shapes: tokens i32 (N, T) → logits (N, T, vocabSize). State dicts have Hugging Face's names.
 *
 * @throws ArgumentError for sizes that do not fit each other, and for as many caches as there are no layers
 * @example
 * const model = new CausalLanguageModel({ vocabSize: 100, hiddenSize: 32, numLayers: 1, numHeads: 4, intermediateSize: 64 });
 * const caches = model.caches(1, 64);
 * model.forward(zeros([1, 5], { dtype: "i32" }), { caches }).shape; // [1, 5, 100]
 */
export class CausalLanguageModel extends Module implements LanguageModel {
  readonly model: Decoder;
  /** Undefined where the output's matrix is that of the embeddings. */
  readonly lmHead: Linear | undefined;
  readonly options: DecoderOptions;
  /** Rotary positions have no end. */
  readonly maxTokens = undefined;
  private readonly logitCap: number | undefined;

  constructor(options: DecoderOptions, variant: DecoderVariant = {}) {
    super();
    checkDecoder(options);
    this.options = options;
    this.model = new Decoder({ ...options, ...variant });
    const { hiddenSize, vocabSize, tieEmbeddings = false } = options;
    this.lmHead = tieEmbeddings ? undefined : new Linear(hiddenSize, vocabSize, { bias: false });
    this.logitCap = variant.logitCap;
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return renamed(super.fields(), { lmHead: "lm_head" });
  }

  forward(tokens: Tensor, options: DecodeOptions = {}): Tensor {
    return this.logits(this.features(tokens, options));
  }

  /** What the last layer gives for each token: (N, T, hiddenSize). */
  features(tokens: Tensor, options: DecodeOptions = {}): Tensor {
    if (sizesOf(tokens).length !== 2)
      throw new ShapeError(`tokens must be (N, T), got ${shapeText(sizesOf(tokens))}`);
    const { caches, documents } = options;
    if (caches !== undefined && documents !== undefined)
      throw new ArgumentError("texts that share a row have no caches: give documents or caches");
    if (caches !== undefined && caches.length !== this.options.numLayers)
      throw new ArgumentError(`a model of ${this.options.numLayers} layers got ${caches.length} caches`);
    return this.model.forward(tokens, options);
  }

  /** Logits of features (…, hiddenSize): those of a text's last token, say. */
  logits(features: Tensor): Tensor {
    const logits = outputLogits(features, this.lmHead, this.model.embedTokens);
    const cap = this.logitCap;
    return cap === undefined ? logits : (logits.div(cap).tanh().mul(cap) as Tensor);
  }

  /** The vectors of tokens, and what the model multiplies them by. */
  wordEmbeddings(): WordEmbeddings {
    return { table: this.model.embedTokens, scale: this.model.scale };
  }

  /** What stands before each text: the tokens of a learnt prompt (`promptTuning`). */
  get virtualTokens(): readonly number[] {
    return promptOf(this.model.embedTokens)?.tokens ?? [];
  }

  /** Empty caches for texts of up to `maxLength` tokens: what `forward` takes. */
  caches(batchSize: number, maxLength: number): KeyValueCache[] {
    const { numLayers, numHeads, numKeyValueHeads = numHeads } = this.options;
    const sizes = { batchSize, numHeads: numKeyValueHeads, headSize: headSizeOf(this.options), maxLength };
    return Array.from({ length: numLayers }, () => new KeyValueCache(sizes));
  }
}

function checkDecoder(options: DecoderOptions): void {
  const { vocabSize, hiddenSize, numLayers, numHeads, intermediateSize } = options;
  const { numKeyValueHeads = numHeads, headSize = hiddenSize / numHeads } = options;
  const sizes = { vocabSize, hiddenSize, numLayers, numHeads, intermediateSize, numKeyValueHeads, headSize };
  for (const [name, size] of Object.entries(sizes)) {
    if (Number.isInteger(size) && size >= 1) continue;
    const hint = name === "headSize" ? `; hiddenSize ${hiddenSize} is shared by ${numHeads} heads` : "";
    throw new ArgumentError(`${name} must be a positive integer, got ${size}${hint}`);
  }
  if (numHeads % numKeyValueHeads !== 0)
    throw new ArgumentError(
      `${numKeyValueHeads} heads of keys and values must divide ${numHeads} of queries`,
    );
}
