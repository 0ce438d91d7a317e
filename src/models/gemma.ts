/** Gemma 2 and 3, of text. Gemma Team, "Gemma 2: improving open language models at a practical size", 2024; "Gemma 3", 2025. */
import { Module, Parameter, RotaryEmbedding } from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";
import { type PretrainedConfig, rotaryConfig } from "./config.ts";
import { CausalLanguageModel, type DecoderOptions, type DecoderVariant } from "./decoder.ts";
import { decoderOptions, slidingLayers } from "./decoder-config.ts";

/** x / √(mean x² + ε) · (1 + weight): the weight is what the scale differs from 1 by. */
class OffsetNorm extends Module {
  readonly weight: Parameter;
  private readonly epsilon: number;

  constructor(size: number, epsilon: number) {
    super();
    this.weight = new Parameter({ dtype: "f32", shape: [size], data: new Float32Array(size) });
    this.epsilon = epsilon;
  }
  forward(x: Tensor): Tensor {
    const square = x.mul(x).mean(-1, { keepDims: true }) as Tensor;
    return x.mul(square.add(this.epsilon).rsqrt()).mul((this.weight as Tensor).add(1)) as Tensor;
  }
}

/** Embeddings are scaled by √hiddenSize, which checkpoints of bf16 know in bf16 alone: Hugging Face rounds it to the weights' dtype. */
const gemmaVariant = (options: DecoderOptions, queryScalar: number): DecoderVariant => ({
  norm: (size) => new OffsetNorm(size, options.normEpsilon ?? 1e-6),
  activation: (gate) => gate.gelu({ approximate: "tanh" }) as Tensor,
  postNorms: true,
  embeddingScale: Math.sqrt(options.hiddenSize),
  scoreScale: queryScalar ** -0.5,
});

export interface Gemma2Options extends DecoderOptions {
  /** Scores are divided by its root; default headSize. */
  readonly queryScalar?: number;
  /** Default 50, of scores. */
  readonly scoreCap?: number;
  /** Default 30, of logits. */
  readonly logitCap?: number;
}

const queryScalarOf = ({ queryScalar, headSize, hiddenSize, numHeads }: Gemma2Options): number =>
  queryScalar ?? headSize ?? hiddenSize / numHeads;

/**
 * Gemma 2: norms before and after each part, limited scores and logits, windows in every other layer. Hugging Face's weights and names.
 *
 * Shapes: tokens i32 (N, T) → logits (N, T, vocabSize).
 *
 * @example
 * const model = new Gemma2({ vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4, headSize: 8, intermediateSize: 64 });
 * model.forward(zeros([1, 5], { dtype: "i32" })).shape; // [1, 5, 100]
 */
export class Gemma2 extends CausalLanguageModel {
  constructor(options: Gemma2Options) {
    const { scoreCap = 50, logitCap = 30 } = options;
    super(
      { tieEmbeddings: true, ...options },
      { ...gemmaVariant(options, queryScalarOf(options)), scoreCap, logitCap },
    );
  }

  /** From Hugging Face's `config.json` of `Gemma2ForCausalLM`. */
  static fromConfig(config: PretrainedConfig): Gemma2 {
    config.oneOf("hidden_activation", ["gelu_pytorch_tanh"], "gelu_pytorch_tanh");
    const bias = config.boolean("attention_bias", false);
    return new Gemma2({
      ...decoderOptions(config, { tieEmbeddings: true }),
      attentionBias: bias,
      outputBias: bias,
      queryScalar: config.number("query_pre_attn_scalar", 256),
      scoreCap: config.has("attn_logit_softcapping") ? config.number("attn_logit_softcapping") : undefined,
      logitCap: config.has("final_logit_softcapping") ? config.number("final_logit_softcapping") : undefined,
      slidingWindow: slidingLayers(config, (layer) => layer % 2 === 0),
    });
  }
}

export interface Gemma3Options extends DecoderOptions {
  /** Scores are divided by its root; default headSize. */
  readonly queryScalar?: number;
  /** Rotary base of layers with windows; default 10 000. `rotaryBase` is that of the others. */
  readonly localRotaryBase?: number;
}

/**
 * Gemma 3, its language model: normed queries and keys, windows in five of six layers with rotary angles of their own. Hugging Face's
 * weights and names.
 *
 * Shapes: tokens i32 (N, T) → logits (N, T, vocabSize).
 *
 * @example
 * const model = new Gemma3({ vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4, headSize: 8, intermediateSize: 64 });
 * model.stateDict().has("model.layers.1.pre_feedforward_layernorm.weight"); // true
 */
export class Gemma3 extends CausalLanguageModel {
  constructor(options: Gemma3Options) {
    const { slidingWindow, rotaryScaling, rotaryBase = 1e6, localRotaryBase = 1e4 } = options;
    const size = options.headSize ?? options.hiddenSize / options.numHeads;
    const [local, global] = [
      new RotaryEmbedding(size, { base: localRotaryBase }),
      new RotaryEmbedding(size, { base: rotaryBase, scaling: rotaryScaling }),
    ];
    const isLocal = (layer: number): boolean =>
      typeof slidingWindow === "function" ? slidingWindow(layer) !== undefined : slidingWindow !== undefined;
    super(
      { tieEmbeddings: true, ...options },
      {
        ...gemmaVariant(options, queryScalarOf(options)),
        queryKeyNorm: true,
        rotaryOf: (layer) => (isLocal(layer) ? local : global),
      },
    );
  }

  /** From Hugging Face's `config.json` of `Gemma3ForCausalLM`. */
  static fromConfig(config: PretrainedConfig): Gemma3 {
    config.oneOf("hidden_activation", ["gelu_pytorch_tanh"], "gelu_pytorch_tanh");
    const bias = config.boolean("attention_bias", false);
    const pattern = config.size("sliding_window_pattern", 6);
    const local = rotaryConfig(config, "sliding_attention");
    return new Gemma3({
      ...decoderOptions(config, { tieEmbeddings: true }),
      ...rotaryConfig(config, "full_attention"),
      attentionBias: bias,
      outputBias: bias,
      queryScalar: config.number("query_pre_attn_scalar", 256),
      localRotaryBase: config.has("rope_local_base_freq")
        ? config.number("rope_local_base_freq")
        : local.rotaryBase,
      slidingWindow: slidingLayers(config, (layer) => (layer + 1) % pattern !== 0),
    });
  }
}
