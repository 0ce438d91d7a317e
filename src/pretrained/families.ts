/** Which configuration makes which model. */
import { ArgumentError, nearestName } from "../base/errors.ts";
import {
  type CausalLanguageModel,
  Gemma2,
  Gemma3,
  Llama,
  Phi3,
  type PretrainedConfig,
  Qwen2,
  Qwen3,
} from "../models/index.ts";

type Make = (config: PretrainedConfig) => CausalLanguageModel;

/** By `model_type` of `config.json`. */
const families: ReadonlyMap<string, Make> = new Map<string, Make>([
  ["llama", Llama.fromConfig],
  ["mistral", Llama.fromConfig],
  ["qwen2", Qwen2.fromConfig],
  ["qwen3", Qwen3.fromConfig],
  ["gemma2", Gemma2.fromConfig],
  ["gemma3_text", Gemma3.fromConfig],
  ["phi3", Phi3.fromConfig],
]);

/**
 * The model that a configuration describes, with first values that are computed only if no others are loaded.
 *
 * @throws ArgumentError for a family that is not known, naming those that are, and for keys that do not fit
 * @example
 * const sizes = { vocab_size: 40, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 2, num_attention_heads: 4 };
 * const model = modelFromConfig(new PretrainedConfig({ model_type: "llama", ...sizes }));
 * model.namedParameters().size; // 21
 */
export function modelFromConfig(config: PretrainedConfig): CausalLanguageModel {
  const type = config.string("model_type");
  const make = families.get(type);
  if (make !== undefined) return make(config);
  const nearest = nearestName(type, families.keys());
  const hint = nearest === undefined ? "" : ` (did you mean "${nearest}"?)`;
  throw new ArgumentError(
    `${config.source}: model_type "${type}" is not known${hint}; known are ${[...families.keys()].join(", ")}`,
  );
}
