/** DistilBERT. Sanh and others, "DistilBERT, a distilled version of BERT: smaller, faster, cheaper and lighter", 2019. */
import { slice, type Tensor } from "../tensor/index.ts";
import { activationName } from "./activations.ts";
import type { PretrainedConfig } from "./config.ts";
import {
  type ClassifierOptions,
  classifierDrop,
  classifierOptions,
  EncoderForTask,
  type EncoderHead,
  type EncoderOptions,
  type EncoderVariant,
  labelNames,
  maskedHead,
  matrix,
  TokenEncoder,
  tokenHead,
  tokenOf,
} from "./encoder.ts";

const names: EncoderVariant = {
  words: "embeddings.word_embeddings",
  positions: "embeddings.position_embeddings",
  norm: "embeddings.LayerNorm",
  layers: "transformer.layer",
  block: {
    attention: "attention",
    queries: "q_lin",
    keys: "k_lin",
    values: "v_lin",
    output: "out_lin",
    attentionNorm: "sa_layer_norm",
    first: "ffn.lin1",
    second: "ffn.lin2",
    networkNorm: "output_layer_norm",
  },
};

/**
 * DistilBERT without a head: BERT of half the layers, without types of texts. Hugging Face's weights and names.
 *
 * Shapes: tokens i32 (N, T) → (N, T, hiddenSize).
 *
 * @example
 * const model = new DistilBert({ vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4 });
 * model.stateDict().has("transformer.layer.1.attention.q_lin.weight"); // true
 */
export class DistilBert extends TokenEncoder {
  constructor(options: EncoderOptions) {
    super(options, names);
  }

  /** From Hugging Face's `config.json`. */
  static fromConfig(config: PretrainedConfig): DistilBert {
    return new DistilBert(optionsOf(config));
  }
}

function optionsOf(config: PretrainedConfig): EncoderOptions {
  const padToken = tokenOf(config, "pad_token_id");
  return {
    vocabSize: config.size("vocab_size"),
    hiddenSize: config.size("dim"),
    numLayers: config.size("n_layers"),
    numHeads: config.size("n_heads"),
    intermediateSize: config.size("hidden_dim"),
    maxPositions: config.size("max_position_embeddings", 512),
    activation: activationName(config, "activation", "gelu"),
    dropout: config.number("dropout", 0.1),
    attentionDropout: config.number("attention_dropout", 0.1),
    ...(padToken !== undefined && { padToken }),
  };
}

const classesOf = (config: PretrainedConfig): ClassifierOptions => ({
  ...optionsOf(config),
  ...classifierOptions(config, "seq_classif_dropout"),
});

/**
 * DistilBERT that fills in masked tokens.
 *
 * Shapes: tokens i32 (N, T) → logits (N, T, vocabSize).
 *
 * @example
 * const model = new DistilBertForMaskedLM({ vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4 });
 * model.stateDict().has("vocab_layer_norm.weight"); // true
 */
export class DistilBertForMaskedLM extends EncoderForTask {
  constructor(options: EncoderOptions) {
    const encoder = new DistilBert(options);
    const [dense, norm, output] = ["vocab_transform", "vocab_layer_norm", "vocab_projector"];
    super("distilbert", encoder, maskedHead(encoder, { dense, norm, bias: `${output}.bias`, output }));
  }

  static fromConfig(config: PretrainedConfig): DistilBertForMaskedLM {
    return new DistilBertForMaskedLM(optionsOf(config));
  }
}

/**
 * DistilBERT that tells the class of a text.
 *
 * Shapes: tokens i32 (N, T) → logits (N, labels).
 *
 * @example
 * const sizes = { vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4 };
 * new DistilBertForSequenceClassification({ ...sizes, labels: 3 }).forward(zeros([2, 7], { dtype: "i32" })).shape; // [2, 3]
 */
export class DistilBertForSequenceClassification extends EncoderForTask {
  constructor(options: ClassifierOptions) {
    super("distilbert", new DistilBert(options), firstTokenHead(options), labelNames(options));
  }

  static fromConfig(config: PretrainedConfig): DistilBertForSequenceClassification {
    return new DistilBertForSequenceClassification(classesOf(config));
  }
}

/**
 * DistilBERT that tells the class of each token.
 *
 * Shapes: tokens i32 (N, T) → logits (N, T, labels).
 *
 * @example
 * const sizes = { vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4 };
 * new DistilBertForTokenClassification({ ...sizes, labels: 3 }).forward(zeros([2, 7], { dtype: "i32" })).shape; // [2, 7, 3]
 */
export class DistilBertForTokenClassification extends EncoderForTask {
  constructor(options: ClassifierOptions) {
    super("distilbert", new DistilBert(options), tokenHead(options), labelNames(options));
  }

  static fromConfig(config: PretrainedConfig): DistilBertForTokenClassification {
    // `seq_classif_dropout` is for texts alone.
    return new DistilBertForTokenClassification({
      ...optionsOf(config),
      labels: classifierOptions(config).labels,
    });
  }
}

/** Of the first token: matrix, relu, matrix. */
function firstTokenHead(options: ClassifierOptions): EncoderHead {
  const { hiddenSize } = options;
  const [dense, output] = [matrix(hiddenSize, hiddenSize), matrix(hiddenSize, labelNames(options).length)];
  const dropout = classifierDrop(options);
  return {
    parts: { pre_classifier: dense, classifier: output, dropout },
    logits(features) {
      const hidden = (dense.forward(features.at(slice(), 0) as Tensor) as Tensor).relu() as Tensor;
      return output.forward(dropout.forward(hidden) as Tensor) as Tensor;
    },
  };
}
