/**
 * Llama and what is built like it (SmolLM2, TinyLlama, Mistral). Touvron and others, "LLaMA: open and efficient foundation language
 * models", 2023; Jiang and others, "Mistral 7B", 2023.
 */
import type { PretrainedConfig } from "./config.ts";
import { CausalLanguageModel, type DecoderOptions } from "./decoder.ts";
import { decoderOptions } from "./decoder-config.ts";

/**
 * A causal language model: RMS norms, rotary positions, shared keys, a gated network with SiLU. Hugging Face's weights and names.
 *
 * Shapes: tokens i32 (N, T) → logits (N, T, vocabSize).
 *
 * @throws ArgumentError for sizes that do not fit each other
 * @example
 * const model = new Llama({ vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4, numKeyValueHeads: 2, intermediateSize: 64 });
 * model.forward(zeros([1, 5], { dtype: "i32" })).shape; // [1, 5, 100]
 */
export class Llama extends CausalLanguageModel {
  constructor(options: DecoderOptions) {
    super(options);
  }

  /** From Hugging Face's `config.json` of `LlamaForCausalLM` or `MistralForCausalLM`. */
  static fromConfig(config: PretrainedConfig): Llama {
    config.oneOf("hidden_act", ["silu"], "silu");
    const bias = config.boolean("attention_bias", false);
    const slidingWindow = config.has("sliding_window") ? config.size("sliding_window") : undefined;
    return new Llama({
      ...decoderOptions(config),
      attentionBias: bias,
      outputBias: bias,
      mlpBias: config.boolean("mlp_bias", false),
      slidingWindow,
    });
  }
}
