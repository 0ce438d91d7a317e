/** Texts to classes: by convolutions, by a recurrent network, by a Transformer. Tokens come as (N, T) of i32, padded at the end. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import {
  Conv1d,
  Dropout,
  Embedding,
  Linear,
  LSTM,
  Module,
  TransformerEncoder,
  TransformerEncoderLayer,
} from "../nn/index.ts";
import { arange, concat, type Tensor, where } from "../tensor/index.ts";

export interface TextClassifierOptions {
  readonly vocabularySize: number;
  readonly numClasses: number;
  /** The token that stands where a text is over; default 0. What it fills never influences a result. */
  readonly paddingIndex?: number;
  /** Default 0.5 for `TextCNN` and `LSTMClassifier`, 0.1 for `TransformerClassifier`. */
  readonly dropout?: number;
}

const sharedNames = ["vocabularySize", "numClasses", "paddingIndex", "dropout"] as const;

/** (N, T): whether a token is one of the text. */
const isToken = (tokens: Tensor, paddingIndex: number): Tensor => tokens.notEqual(paddingIndex) as Tensor;

export interface TextCNNOptions extends TextClassifierOptions {
  /** Default 128. */
  readonly embeddingSize?: number;
  /** How many words a filter sees; default [3, 4, 5]. */
  readonly kernelSizes?: readonly number[];
  /** Filters of each size; default 100. */
  readonly filters?: number;
}

/**
 * Filters over neighbouring words, the largest answer of each in the text. Kim, "Convolutional neural networks for sentence
 * classification", 2014.
 *
 * Shapes: (N, T) of i32 → logits (N, numClasses).
 *
 * @example
 * const model = new TextCNN({ vocabularySize: 50, numClasses: 3, embeddingSize: 8, filters: 4 });
 * model.forward(zeros([2, 7], { dtype: "i32" })).shape; // [2, 3]
 */
export class TextCNN extends Module {
  readonly embedding: Embedding;
  readonly convolutions: Conv1d[];
  readonly dropout: Dropout;
  readonly output: Linear;
  readonly paddingIndex: number;

  constructor(options: TextCNNOptions) {
    super();
    checkOptions("TextCNN", options, [...sharedNames, "embeddingSize", "kernelSizes", "filters"]);
    const { embeddingSize = 128, kernelSizes = [3, 4, 5], filters = 100, paddingIndex = 0 } = options;
    this.paddingIndex = paddingIndex;
    this.embedding = new Embedding(options.vocabularySize, embeddingSize, { paddingIndex });
    this.convolutions = kernelSizes.map((size) => new Conv1d(embeddingSize, filters, size));
    this.dropout = new Dropout(options.dropout ?? 0.5);
    this.output = new Linear(filters * kernelSizes.length, options.numClasses);
  }

  forward(tokens: Tensor): Tensor {
    const vectors = this.embedding.forward(tokens).transpose(1, 2) as Tensor; // (N, embedding, T)
    const counts = this.counts(tokens);
    const answers = this.convolutions.map((convolution) => {
      // A window begins at each word, so that how much padding follows makes no difference.
      const whole = vectors.pad([
        [0, 0],
        [0, 0],
        [0, convolution.kernelSize[0]! - 1],
      ]) as Tensor;
      const y = convolution.forward(whole).relu() as Tensor; // (N, filters, T)
      return where(counts, y, -Infinity).max(2) as Tensor;
    });
    return this.output.forward(this.dropout.forward(concat(answers, 1) as Tensor) as never) as Tensor;
  }

  /** A window counts where it begins in the text; the first always does, so that an empty text has an answer. (N, 1, T) */
  private counts(tokens: Tensor): Tensor {
    const begins = isToken(tokens, this.paddingIndex).expandDims(1) as Tensor;
    return begins.or(arange(tokens.shape[1] as number).equal(0)) as Tensor;
  }
}

export interface LSTMClassifierOptions extends TextClassifierOptions {
  /** Default 128. */
  readonly embeddingSize?: number;
  /** Default 128. */
  readonly hiddenSize?: number;
  /** Default 1. */
  readonly numLayers?: number;
  /** Default true: reads from both ends. */
  readonly bidirectional?: boolean;
}

/**
 * Reads a text from both ends and classifies by the two last states (a BiLSTM; Graves and Schmidhuber, "Framewise phoneme
 * classification with bidirectional LSTM", 2005).
 *
 * Shapes: (N, T) of i32 → logits (N, numClasses).
 *
 * @example
 * const model = new LSTMClassifier({ vocabularySize: 50, numClasses: 3, embeddingSize: 8, hiddenSize: 8 });
 * model.forward(ones([2, 7], { dtype: "i32" })).shape; // [2, 3]
 */
export class LSTMClassifier extends Module {
  readonly embedding: Embedding;
  readonly lstm: LSTM;
  readonly dropout: Dropout;
  readonly output: Linear;
  readonly paddingIndex: number;

  constructor(options: LSTMClassifierOptions) {
    super();
    checkOptions("LSTMClassifier", options, [
      ...sharedNames,
      ...(["embeddingSize", "hiddenSize", "numLayers", "bidirectional"] as const),
    ]);
    const { embeddingSize = 128, hiddenSize = 128, numLayers = 1, bidirectional = true } = options;
    const { dropout = 0.5, paddingIndex = 0 } = options;
    this.paddingIndex = paddingIndex;
    this.embedding = new Embedding(options.vocabularySize, embeddingSize, { paddingIndex });
    this.lstm = new LSTM(embeddingSize, hiddenSize, {
      numLayers,
      bidirectional,
      batchFirst: true,
      dropout: numLayers > 1 ? dropout : 0,
    });
    this.dropout = new Dropout(dropout);
    this.output = new Linear(bidirectional ? 2 * hiddenSize : hiddenSize, options.numClasses);
  }

  forward(tokens: Tensor): Tensor {
    const lengths = isToken(tokens, this.paddingIndex).cast("i32").sum(1).maximum(1) as Tensor; // (N)
    const vectors = this.embedding.forward(tokens); // (N, T, embedding)
    const { hidden } = this.lstm.forward(vectors, undefined, { lengths }); // (layers · directions, N, hidden)
    const directions = this.lstm.bidirectional ? 2 : 1;
    const last = hidden.slice(0, (hidden.shape[0] as number) - directions, hidden.shape[0] as number);
    const states = last.transpose(0, 1).flatten(1) as Tensor; // (N, directions · hidden)
    return this.output.forward(this.dropout.forward(states) as never) as Tensor;
  }
}

export interface TransformerClassifierOptions extends TextClassifierOptions {
  /** Longest text; default 512. */
  readonly maxLength?: number;
  /** Default 128. */
  readonly hiddenSize?: number;
  /** Default 4. */
  readonly numHeads?: number;
  /** Default 2. */
  readonly numLayers?: number;
  /** Width of the layers' small networks; default 4 · hiddenSize. */
  readonly mlpSize?: number;
}

/**
 * A small Transformer encoder with learnt positions, and the mean over the text's tokens.
 *
 * Shapes: (N, T) of i32, T at most `maxLength` → logits (N, numClasses).
 *
 * @throws ArgumentError for longer texts
 * @example
 * const model = new TransformerClassifier({ vocabularySize: 50, numClasses: 3, hiddenSize: 8, numHeads: 2 });
 * model.forward(ones([2, 7], { dtype: "i32" })).shape; // [2, 3]
 */
export class TransformerClassifier extends Module {
  readonly embedding: Embedding;
  readonly positions: Embedding;
  readonly dropout: Dropout;
  readonly encoder: TransformerEncoder;
  readonly output: Linear;
  readonly paddingIndex: number;

  constructor(options: TransformerClassifierOptions) {
    super();
    checkOptions("TransformerClassifier", options, [
      ...sharedNames,
      ...(["maxLength", "hiddenSize", "numHeads", "numLayers", "mlpSize"] as const),
    ]);
    const { hiddenSize = 128, numHeads = 4, numLayers = 2, maxLength = 512 } = options;
    const { mlpSize: dimFeedforward = 4 * hiddenSize, dropout = 0.1, paddingIndex = 0 } = options;
    this.paddingIndex = paddingIndex;
    this.embedding = new Embedding(options.vocabularySize, hiddenSize, { paddingIndex });
    this.positions = new Embedding(maxLength, hiddenSize);
    this.dropout = new Dropout(dropout);
    const layer = { dimFeedforward, dropout, activation: "gelu", batchFirst: true, normFirst: true } as const;
    this.encoder = new TransformerEncoder(
      () => new TransformerEncoderLayer(hiddenSize, numHeads, layer),
      numLayers,
    );
    this.output = new Linear(hiddenSize, options.numClasses);
  }

  forward(tokens: Tensor): Tensor {
    const length = tokens.shape[1] as number;
    if (length > this.positions.numEmbeddings)
      throw new ArgumentError(
        `TransformerClassifier: texts of ${length} tokens, it was made for ${this.positions.numEmbeddings}; cut them or give a larger maxLength`,
      );
    const isText = isToken(tokens, this.paddingIndex); // (N, T)
    const placed = this.embedding.forward(tokens).add(this.positions.forward(arange(length))) as Tensor;
    const keyPaddingMask = isText.not() as Tensor;
    const seen = this.encoder.forward(this.dropout.forward(placed) as Tensor, { keyPaddingMask }); // (N, T, hidden)
    const kept = where(isText.expandDims(2), seen, 0).sum(1) as Tensor;
    const mean = kept.div(isText.cast("f32").sum(1, { keepDims: true }).maximum(1)) as Tensor; // (N, hidden)
    return this.output.forward(mean as never) as Tensor;
  }
}
