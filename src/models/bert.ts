/** BERT. Devlin and others, "BERT: pre-training of deep bidirectional transformers for language understanding", 2018. */
import type { Dropout } from "../nn/index.ts";
import type { Tensor } from "../tensor/index.ts";
import type { PretrainedConfig } from "./config.ts";
import {
  type ClassifierOptions,
  classifierDrop,
  classifierOptions,
  EncoderForTask,
  type EncoderHead,
  type EncoderOptions,
  type EncoderVariant,
  encoderOptions,
  labelNames,
  maskedHead,
  matrix,
  TokenEncoder,
  tokenHead,
} from "./encoder.ts";
import type { BlockNames } from "./transformer-block.ts";

/** Of a layer, in BERT and RoBERTa. */
export const bertBlock: BlockNames = {
  attention: "attention",
  queries: "self.query",
  keys: "self.key",
  values: "self.value",
  output: "output.dense",
  attentionNorm: "attention.output.LayerNorm",
  first: "intermediate.dense",
  second: "output.dense",
  networkNorm: "output.LayerNorm",
};

/** Of embeddings and layers, in BERT and RoBERTa. */
export const bertNames: EncoderVariant = {
  words: "embeddings.word_embeddings",
  positions: "embeddings.position_embeddings",
  types: "embeddings.token_type_embeddings",
  norm: "embeddings.LayerNorm",
  layers: "encoder.layer",
  block: bertBlock,
};

/**
 * BERT without a head: features of each token. Hugging Face's weights and names.
 *
 * Shapes: tokens i32 (N, T) → (N, T, hiddenSize).
 *
 * @throws ArgumentError for sizes that do not fit each other, ShapeError for texts that are too long
 * @example
 * const model = new Bert({ vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4 });
 * model.forward(zeros([2, 7], { dtype: "i32" })).shape; // [2, 7, 32]
 */
export class Bert extends TokenEncoder {
  constructor(options: EncoderOptions) {
    super({ typeVocabSize: 2, pooler: true, ...options }, bertNames);
  }

  /** From Hugging Face's `config.json`. */
  static fromConfig(config: PretrainedConfig): Bert {
    return new Bert(encoderOptions(config));
  }
}

/**
 * BERT that fills in masked tokens: logits of the vocabulary for each.
 *
 * Shapes: tokens i32 (N, T) → logits (N, T, vocabSize).
 *
 * @example
 * const model = new BertForMaskedLM({ vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4 });
 * model.forward(zeros([2, 7], { dtype: "i32" })).shape; // [2, 7, 100]
 */
export class BertForMaskedLM extends EncoderForTask {
  constructor(options: EncoderOptions) {
    const encoder = new Bert({ pooler: false, ...options });
    const [dense, norm] = ["cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm"];
    const names = { dense, norm, bias: "cls.predictions.bias", output: "cls.predictions.decoder" };
    super("bert", encoder, maskedHead(encoder, names));
  }

  static fromConfig(config: PretrainedConfig): BertForMaskedLM {
    return new BertForMaskedLM(encoderOptions(config));
  }
}

/**
 * BERT that tells the class of a text, or of a pair of texts.
 *
 * Shapes: tokens i32 (N, T) → logits (N, labels).
 *
 * @example
 * const sizes = { vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4 };
 * const model = new BertForSequenceClassification({ ...sizes, labels: ["bad", "good"] });
 * model.forward(zeros([2, 7], { dtype: "i32" })).shape; // [2, 2]
 */
export class BertForSequenceClassification extends EncoderForTask {
  constructor(options: ClassifierOptions) {
    super("bert", new Bert({ ...options, pooler: true }), pooledHead(options), labelNames(options));
  }

  static fromConfig(config: PretrainedConfig): BertForSequenceClassification {
    return new BertForSequenceClassification({ ...encoderOptions(config), ...classifierOptions(config) });
  }
}

/**
 * BERT that tells the class of each token: names in a text, say.
 *
 * Shapes: tokens i32 (N, T) → logits (N, T, labels).
 *
 * @example
 * const sizes = { vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4 };
 * const model = new BertForTokenClassification({ ...sizes, labels: ["O", "B-PER", "I-PER"] });
 * model.forward(zeros([2, 7], { dtype: "i32" })).shape; // [2, 7, 3]
 */
export class BertForTokenClassification extends EncoderForTask {
  constructor(options: ClassifierOptions) {
    super("bert", new Bert({ pooler: false, ...options }), tokenHead(options), labelNames(options));
  }

  static fromConfig(config: PretrainedConfig): BertForTokenClassification {
    return new BertForTokenClassification({ ...encoderOptions(config), ...classifierOptions(config) });
  }
}

function pooledHead(options: ClassifierOptions): EncoderHead {
  const classifier = matrix(options.hiddenSize, labelNames(options).length);
  const dropout: Dropout = classifierDrop(options);
  return {
    parts: { classifier, dropout },
    logits: (features, encoder) => classifier.forward(dropout.forward(encoder.pooled(features))) as Tensor,
  };
}
