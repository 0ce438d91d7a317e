/** What all decoders' configurations say in the same words. */
import { ArgumentError } from "../base/errors.ts";
import { type PretrainedConfig, rotaryConfig } from "./config.ts";
import type { DecoderOptions } from "./decoder.ts";

/** Options from `hidden_size`, `num_hidden_layers` …; families add what is theirs. */
export function decoderOptions(config: PretrainedConfig, { tieEmbeddings = false } = {}): DecoderOptions {
  const numHeads = config.size("num_attention_heads");
  const hiddenSize = config.size("hidden_size");
  return {
    vocabSize: config.size("vocab_size"),
    hiddenSize,
    numLayers: config.size("num_hidden_layers"),
    numHeads,
    intermediateSize: config.size("intermediate_size"),
    numKeyValueHeads: config.size("num_key_value_heads", numHeads),
    headSize: config.size("head_dim", hiddenSize / numHeads),
    maxPositions: config.size("max_position_embeddings", 2048),
    normEpsilon: config.number("rms_norm_eps", 1e-6),
    tieEmbeddings: config.boolean("tie_word_embeddings", tieEmbeddings),
    ...rotaryConfig(config),
  };
}

/** Whether layer i slides a window: from `layer_types`, or `otherwise` where files do not have it. */
export function slidingLayers(
  config: PretrainedConfig,
  otherwise: (layer: number) => boolean,
): (layer: number) => number | undefined {
  if (!config.has("sliding_window")) return () => undefined;
  const window = config.size("sliding_window");
  const kinds = config.strings("layer_types");
  const layers = config.size("num_hidden_layers");
  if (kinds !== undefined && kinds.length !== layers)
    throw new ArgumentError(`${config.source}: layer_types has ${kinds.length} entries for ${layers} layers`);
  const isSliding = (layer: number): boolean =>
    kinds === undefined ? otherwise(layer) : kinds[layer] === "sliding_attention";
  return (layer) => (isSliding(layer) ? window : undefined);
}
