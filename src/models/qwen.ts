/** Qwen2 and Qwen3. Yang and others, "Qwen2 technical report", 2024; "Qwen3 technical report", 2025. */
import type { PretrainedConfig } from "./config.ts";
import { CausalLanguageModel, type DecoderOptions } from "./decoder.ts";
import { decoderOptions, slidingLayers } from "./decoder-config.ts";

const windowOf = (config: PretrainedConfig): DecoderOptions["slidingWindow"] =>
  config.boolean("use_sliding_window", false)
    ? slidingLayers(config, (layer) => layer >= config.number("max_window_layers", 28))
    : undefined;

/**
 * Qwen2 (and Qwen2.5): Llama with vectors added to queries, keys and values. Hugging Face's weights and names.
 *
 * Shapes: tokens i32 (N, T) → logits (N, T, vocabSize).
 *
 * @example
 * const model = new Qwen2({ vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4, intermediateSize: 64 });
 * model.stateDict().has("model.layers.0.self_attn.q_proj.bias"); // true
 */
export class Qwen2 extends CausalLanguageModel {
  constructor(options: DecoderOptions) {
    super({ attentionBias: true, ...options });
  }

  /** From Hugging Face's `config.json` of `Qwen2ForCausalLM`. */
  static fromConfig(config: PretrainedConfig): Qwen2 {
    config.oneOf("hidden_act", ["silu"], "silu");
    return new Qwen2({ ...decoderOptions(config), slidingWindow: windowOf(config) });
  }
}

/**
 * Qwen3: Llama with normed queries and keys. Hugging Face's weights and names.
 *
 * Shapes: tokens i32 (N, T) → logits (N, T, vocabSize).
 *
 * @example
 * const model = new Qwen3({ vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4, intermediateSize: 64 });
 * model.stateDict().has("model.layers.0.self_attn.q_norm.weight"); // true
 */
export class Qwen3 extends CausalLanguageModel {
  constructor(options: DecoderOptions) {
    super(options, { queryKeyNorm: true });
  }

  /** From Hugging Face's `config.json` of `Qwen3ForCausalLM`. */
  static fromConfig(config: PretrainedConfig): Qwen3 {
    config.oneOf("hidden_act", ["silu"], "silu");
    const bias = config.boolean("attention_bias", false);
    const options = { ...decoderOptions(config), slidingWindow: windowOf(config) };
    return new Qwen3({ ...options, attentionBias: bias, outputBias: bias });
  }
}
