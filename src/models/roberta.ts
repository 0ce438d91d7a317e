/** RoBERTa. Liu and others, "RoBERTa: a robustly optimized BERT pretraining approach", 2019. */
import { slice, type Tensor } from "../tensor/index.ts";
import { bertNames } from "./bert.ts";
import type { PretrainedConfig } from "./config.ts";
import {
  type ClassifierOptions,
  classifierDrop,
  classifierOptions,
  EncoderForTask,
  type EncoderHead,
  type EncoderOptions,
  encoderOptions,
  labelNames,
  maskedHead,
  matrix,
  TokenEncoder,
  tokenHead,
} from "./encoder.ts";

const defaults = { typeVocabSize: 1, padToken: 1, normEpsilon: 1e-5, maxPositions: 514 };
const optionsOf = (config: PretrainedConfig): EncoderOptions => ({ ...defaults, ...encoderOptions(config) });

/**
 * RoBERTa without a head: BERT whose places are counted from behind the token of padding. Hugging Face's weights and names.
 *
 * Shapes: tokens i32 (N, T) → (N, T, hiddenSize), T up to maxPositions − padToken − 1.
 *
 * @example
 * const model = new Roberta({ vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4 });
 * model.forward(zeros([2, 7], { dtype: "i32" })).shape; // [2, 7, 32]
 */
export class Roberta extends TokenEncoder {
  constructor(options: EncoderOptions) {
    super({ ...defaults, pooler: true, ...options }, { ...bertNames, countsFromPadding: true });
  }

  /** From Hugging Face's `config.json`. */
  static fromConfig(config: PretrainedConfig): Roberta {
    return new Roberta(optionsOf(config));
  }
}

/**
 * RoBERTa that fills in masked tokens.
 *
 * Shapes: tokens i32 (N, T) → logits (N, T, vocabSize).
 *
 * @example
 * const model = new RobertaForMaskedLM({ vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4 });
 * model.stateDict().has("lm_head.layer_norm.weight"); // true
 */
export class RobertaForMaskedLM extends EncoderForTask {
  constructor(options: EncoderOptions) {
    // Its head has gelu whatever the layers have.
    const encoder = new Roberta({ pooler: false, ...options });
    const [dense, norm] = ["lm_head.dense", "lm_head.layer_norm"];
    super(
      "roberta",
      encoder,
      maskedHead(encoder, { dense, norm, bias: "lm_head.bias", output: "lm_head.decoder" }, "gelu"),
    );
  }

  static fromConfig(config: PretrainedConfig): RobertaForMaskedLM {
    return new RobertaForMaskedLM(optionsOf(config));
  }
}

/**
 * RoBERTa that tells the class of a text.
 *
 * Shapes: tokens i32 (N, T) → logits (N, labels).
 *
 * @example
 * const sizes = { vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4 };
 * new RobertaForSequenceClassification({ ...sizes, labels: 3 }).forward(zeros([2, 7], { dtype: "i32" })).shape; // [2, 3]
 */
export class RobertaForSequenceClassification extends EncoderForTask {
  constructor(options: ClassifierOptions) {
    super(
      "roberta",
      new Roberta({ pooler: false, ...options }),
      firstTokenHead(options),
      labelNames(options),
    );
  }

  static fromConfig(config: PretrainedConfig): RobertaForSequenceClassification {
    return new RobertaForSequenceClassification({ ...optionsOf(config), ...classifierOptions(config) });
  }
}

/**
 * RoBERTa that tells the class of each token.
 *
 * Shapes: tokens i32 (N, T) → logits (N, T, labels).
 *
 * @example
 * const sizes = { vocabSize: 100, hiddenSize: 32, numLayers: 2, numHeads: 4 };
 * new RobertaForTokenClassification({ ...sizes, labels: 3 }).forward(zeros([2, 7], { dtype: "i32" })).shape; // [2, 7, 3]
 */
export class RobertaForTokenClassification extends EncoderForTask {
  constructor(options: ClassifierOptions) {
    super("roberta", new Roberta({ pooler: false, ...options }), tokenHead(options), labelNames(options));
  }

  static fromConfig(config: PretrainedConfig): RobertaForTokenClassification {
    return new RobertaForTokenClassification({ ...optionsOf(config), ...classifierOptions(config) });
  }
}

/** Of the first token: matrix, tanh, matrix. */
function firstTokenHead(options: ClassifierOptions): EncoderHead {
  const { hiddenSize } = options;
  const [dense, output] = [matrix(hiddenSize, hiddenSize), matrix(hiddenSize, labelNames(options).length)];
  const dropout = classifierDrop(options);
  return {
    parts: { "classifier.dense": dense, "classifier.out_proj": output, dropout },
    logits(features) {
      const first = dropout.forward(features.at(slice(), 0) as Tensor) as Tensor;
      return output.forward(
        dropout.forward((dense.forward(first) as Tensor).tanh() as Tensor) as Tensor,
      ) as Tensor;
    },
  };
}
