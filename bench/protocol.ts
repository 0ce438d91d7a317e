/**
 * What the frame and a contender say to each other: one JSON object a line, requests on the contender's standard input,
 * one reply to each on its standard output, in order. Everything else a contender prints goes to standard error.
 */

/** One thing to time. Every contender gets the same description and builds its inputs from `data.ts`'s formula. */
export type Work =
  | {
      readonly kind: "mlp";
      /** Widths of the layers, input first; ReLU between them. */
      readonly sizes: readonly number[];
      readonly batchSize: number;
      readonly learningRate: number;
      /** How many different batches are taken in turn. */
      readonly batches: number;
    }
  /** A small convolutional network on 28×28 images, trained by Adam. */
  | {
      readonly kind: "cnn";
      /** Of the two convolutions. */
      readonly channels: readonly number[];
      readonly hidden: number;
      readonly classes: number;
      readonly batchSize: number;
      readonly learningRate: number;
      readonly batches: number;
    }
  /** A residual network (He et al., 2015) in training mode on square images, trained by Adam. */
  | {
      readonly kind: "resnet";
      readonly layers: 18 | 50;
      readonly imageSize: number;
      readonly classes: number;
      readonly batchSize: number;
      readonly learningRate: number;
      readonly batches: number;
    }
  /** The classifier's outputs for a batch, without training. */
  | { readonly kind: "mlp-forward"; readonly sizes: readonly number[]; readonly batchSize: number }
  | {
      readonly kind: "matmul";
      /**
       * How many products one call computes. Several are a chain of square ones: the result is the next one's first operand, the
       * second is another each time, of numbers that keep the results' size (at most √(3 / size)).
       */
      readonly products: number;
      /** How many matrices; 1 is a product without a batch axis. */
      readonly batch: number;
      readonly rows: number;
      readonly inner: number;
      readonly columns: number;
      readonly transposeA: boolean;
      readonly transposeB: boolean;
    }
  /** A (rows, inner) by the transpose of B (columns, inner), integers of eight bits with a sign, summed in 32 bits. */
  | {
      readonly kind: "matmul-bytes";
      readonly rows: number;
      readonly inner: number;
      readonly columns: number;
    }
  | { readonly kind: "softmax"; readonly rows: number; readonly columns: number }
  | { readonly kind: "layernorm"; readonly rows: number; readonly columns: number; readonly epsilon: number }
  /** The gradients of input, weight and bias for a given gradient of the output. */
  | {
      readonly kind: "layernorm-backward";
      readonly rows: number;
      readonly columns: number;
      readonly epsilon: number;
    }
  | { readonly kind: "gelu"; readonly elements: number }
  /** One elementary function of many numbers in [-limit, limit), or of their magnitudes. */
  | {
      readonly kind: "elementwise";
      readonly function: ElementaryFunction;
      readonly elements: number;
      readonly limit: number;
    }
  | {
      readonly kind: "adamw";
      readonly elements: number;
      readonly learningRate: number;
      readonly weightDecay: number;
    }
  /** One step of AdamW on the parameters of a model, their gradients given. */
  | {
      readonly kind: "adamw-model";
      readonly shapes: readonly (readonly number[])[];
      readonly learningRate: number;
      readonly weightDecay: number;
    }
  | GptWork
  /** The logits of a batch, without training. */
  | (Omit<GptWork, "kind"> & { readonly kind: "gpt-forward" })
  /** SGD's step of a layer of LSTM without biases, squared error. */
  | LstmWork
  /** The outputs of a batch of sequences. */
  | (Omit<LstmWork, "kind" | "learningRate"> & { readonly kind: "lstm-forward" })
  | TransformerWork
  | VitWork
  | AttentionWork
  /** The result and the gradients by queries, keys and values. */
  | (Omit<AttentionWork, "kind"> & { readonly kind: "attention-backward" })
  /** One compiled addition to so few numbers that what is timed is the call. */
  | { readonly kind: "call"; readonly elements: number }
  /** Register-only arithmetic: multiply then add, or fused; for an instruction set. */
  | { readonly kind: "peak"; readonly fused: boolean; readonly isa: "wasm" | "avx2" | "avx512" }
  /** a[i] = b[i] + s · c[i]. */
  | { readonly kind: "triad"; readonly elements: number };

/** `pow` is x to the power of 1.7. */
export type ElementaryFunction = "exp" | "log" | "tanh" | "erf" | "sin" | "cos" | "pow";

/**
 * The training step of a small GPT (pre-norm blocks, GELU by the error function, causal attention, learnt positions, the
 * head tied to the token table) with AdamW.
 */
export interface GptWork {
  readonly kind: "gpt";
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
  readonly context: number;
  readonly vocabulary: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** How many different batches are taken in turn. */
  readonly batches: number;
}

export interface LstmWork {
  readonly kind: "lstm";
  readonly inputSize: number;
  readonly hiddenSize: number;
  readonly length: number;
  readonly batchSize: number;
  readonly learningRate: number;
}

/** Pre-norm encoder layers with GELU by the error function, without dropout. */
export interface EncoderSizes {
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
  readonly hidden: number;
}

interface ClassifierTraining extends EncoderSizes {
  readonly classes: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** How many different batches are taken in turn. */
  readonly batches: number;
}

/** The training step of an encoder that classifies texts of so many tokens, with AdamW. */
export interface TransformerWork extends ClassifierTraining {
  readonly kind: "transformer";
  readonly length: number;
  readonly vocabulary: number;
}

/** The same of a vision transformer: patches are tokens. */
export interface VitWork extends ClassifierTraining {
  readonly kind: "vit";
  readonly imageSize: number;
  readonly patchSize: number;
  readonly channels: number;
}

/** softmax(q·kᵀ/√size)·v. */
export interface AttentionWork {
  readonly kind: "attention";
  readonly batch: number;
  readonly heads: number;
  readonly length: number;
  readonly size: number;
  readonly causal: boolean;
}

export type WorkKind = Work["kind"];
export type WorkOf<K extends WorkKind> = Extract<Work, { readonly kind: K }>;

export type Request =
  | { readonly command: "hello" }
  /** Build the inputs, do the work once and answer with numbers taken from its result. */
  | { readonly command: "prepare"; readonly work: Work }
  /** Do the prepared work `iterations` times; answer with the time it took, results ready. */
  | { readonly command: "run"; readonly iterations: number }
  /** Drop what was prepared. */
  | { readonly command: "release" };

export interface Hello {
  readonly framework: string;
  readonly version: string;
  readonly threads: number;
}

export interface Prepared {
  /** Why this contender does not do this work; then nothing is prepared. */
  readonly unsupported?: string;
  /** A few numbers of the result, the same in every contender up to rounding. */
  readonly check: readonly number[];
  /** Floating-point operations of one iteration, where only the contender knows them (`peak`). */
  readonly flop?: number;
}

export interface Ran {
  readonly seconds: number;
}

export type Reply = (Hello | Prepared | Ran | Record<string, never>) & { readonly error?: string };
