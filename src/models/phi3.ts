/** Phi-3. Abdin and others, "Phi-3 technical report", 2024. */
import type { PretrainedConfig } from "./config.ts";
import { CausalLanguageModel, type DecoderOptions } from "./decoder.ts";
import { decoderOptions } from "./decoder-config.ts";

/**
 * Phi-3 (and Phi-3.5, Phi-4 mini): Llama whose projections lie in one matrix. Hugging Face's weights and names.
 *
 * Shapes: tokens i32 (N, T) → logits (N, T, vocabSize).
 *
 * @example
 * const model = new Phi3({ vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4, intermediateSize: 64 });
 * model.stateDict().get("model.layers.0.self_attn.qkv_proj.weight")!.shape; // [96, 32]
 */
export class Phi3 extends CausalLanguageModel {
  constructor(options: DecoderOptions) {
    super(options, { isFused: true });
  }

  /** From Hugging Face's `config.json` of `Phi3ForCausalLM`, without LongRoPE. */
  static fromConfig(config: PretrainedConfig): Phi3 {
    config.oneOf("hidden_act", ["silu"], "silu");
    const options = decoderOptions(config);
    const turning =
      config.part("rope_parameters")?.number("partial_rotary_factor", 1) ??
      config.number("partial_rotary_factor", 1);
    return new Phi3({
      ...options,
      rotarySize: Math.floor(options.headSize! * turning),
      slidingWindow: config.has("sliding_window") ? config.size("sliding_window") : undefined,
    });
  }
}
