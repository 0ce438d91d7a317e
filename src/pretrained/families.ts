/** Which configuration makes which model, for which task. */
import { ArgumentError, nearestName } from "../base/errors.ts";
import {
  Bert,
  BertForMaskedLM,
  BertForSequenceClassification,
  BertForTokenClassification,
  DistilBert,
  DistilBertForMaskedLM,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
  type EncoderForTask,
  Gemma2,
  Gemma3,
  GPT2,
  type LanguageModel,
  Llama,
  Phi3,
  type PretrainedConfig,
  Qwen2,
  Qwen3,
  Roberta,
  RobertaForMaskedLM,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
  T5,
  type TokenEncoder,
  ViT,
  Whisper,
} from "../models/index.ts";

/** What a published model is opened for, under the names of Hugging Face's pipelines, and what it is then. */
export interface TaskModels {
  readonly "text-generation": LanguageModel;
  readonly "feature-extraction": TokenEncoder;
  readonly "fill-mask": EncoderForTask;
  readonly "text-classification": EncoderForTask;
  readonly "token-classification": EncoderForTask;
  readonly "text2text-generation": T5;
  readonly "automatic-speech-recognition": Whisper;
  readonly "image-classification": ViT;
}
export type Task = keyof TaskModels;

type Families = {
  readonly [T in Task]: Readonly<Record<string, (config: PretrainedConfig) => TaskModels[T]>>;
};

/** By `model_type` of `config.json`. */
const families: Families = {
  "text-generation": {
    llama: Llama.fromConfig,
    mistral: Llama.fromConfig,
    qwen2: Qwen2.fromConfig,
    qwen3: Qwen3.fromConfig,
    gemma2: Gemma2.fromConfig,
    gemma3_text: Gemma3.fromConfig,
    phi3: Phi3.fromConfig,
    gpt2: GPT2.fromConfig,
  },
  "feature-extraction": {
    bert: Bert.fromConfig,
    roberta: Roberta.fromConfig,
    distilbert: DistilBert.fromConfig,
  },
  "fill-mask": {
    bert: BertForMaskedLM.fromConfig,
    roberta: RobertaForMaskedLM.fromConfig,
    distilbert: DistilBertForMaskedLM.fromConfig,
  },
  "text-classification": {
    bert: BertForSequenceClassification.fromConfig,
    roberta: RobertaForSequenceClassification.fromConfig,
    distilbert: DistilBertForSequenceClassification.fromConfig,
  },
  "token-classification": {
    bert: BertForTokenClassification.fromConfig,
    roberta: RobertaForTokenClassification.fromConfig,
    distilbert: DistilBertForTokenClassification.fromConfig,
  },
  "text2text-generation": { t5: T5.fromConfig },
  "automatic-speech-recognition": { whisper: Whisper.fromConfig },
  "image-classification": { vit: ViT.fromConfig },
};

/** Whether models of a `model_type` are opened for a task. */
export const isFamilyOf = (task: Task, type: string): boolean => Object.hasOwn(families[task], type);

/**
 * The model that a configuration describes, with first values that are computed only if no others are loaded.
 *
 * @param task default "text-generation"
 * @throws ArgumentError for a family that is not known, naming those that are, and for keys that do not fit
 * @example
 * const sizes = { vocab_size: 40, hidden_size: 16, intermediate_size: 24, num_hidden_layers: 2, num_attention_heads: 4 };
 * const model = modelFromConfig(new PretrainedConfig({ model_type: "llama", ...sizes }));
 * model.namedParameters().size; // 21
 */
export function modelFromConfig<T extends Task = "text-generation">(
  config: PretrainedConfig,
  task: T = "text-generation" as T,
): TaskModels[T] {
  const known = families[task];
  if (known === undefined)
    throw new ArgumentError(`task "${task}" is not known; known are ${Object.keys(families).join(", ")}`);
  const type = config.string("model_type");
  if (Object.hasOwn(known, type)) return known[type]!(config);
  const others = Object.entries(families).filter(([, models]) => Object.hasOwn(models, type));
  if (others.length > 0)
    throw new ArgumentError(
      `${config.source}: "${type}" is no model for "${task}"; pass { task: ${others.map(([name]) => `"${name}"`).join(" | ")} }`,
    );
  const names = [...new Set(Object.values(families).flatMap((models) => Object.keys(models)))];
  const nearest = nearestName(type, names);
  const hint = nearest === undefined ? "" : ` (did you mean "${nearest}"?)`;
  throw new ArgumentError(
    `${config.source}: model_type "${type}" is not known${hint}; known are ${names.join(", ")}`,
  );
}
