/** What generation asks of a model, whatever it is made of. */
import {
  type AttentionCache,
  type Embedding,
  isQuantized,
  isStored,
  type KeyValueCache,
  type Linear,
  type Module,
} from "../nn/index.ts";
import { rematerialize, type Tensor } from "../tensor/index.ts";
import type { WordEmbeddings } from "./prompt-embeddings.ts";

export interface DecodeOptions {
  /** A cache a layer: the tokens come behind what those hold, and are kept there. See `LanguageModel.caches`. */
  readonly caches?: readonly AttentionCache[] | undefined;
  /** bool (N, S): true for tokens, false for padding; S counts what caches hold too. */
  readonly attentionMask?: Tensor | undefined;
  /** i32 (N, T) or (T): where tokens stand in their texts; default 0, 1, 2 … behind what caches hold. */
  readonly positions?: Tensor | undefined;
  /** i32 (N, T), without caches: numbers of texts that share a row; tokens see those of their own number alone. */
  readonly documents?: Tensor | undefined;
}

/** Reads tokens one behind the other and tells for each how likely each token of the vocabulary is to follow. */
export interface TokenReader {
  /** The most tokens of a text; undefined where the model knows no bound. */
  readonly maxTokens: number | undefined;
  /** What stands before each text: the tokens of a learnt prompt (`promptTuning`). */
  readonly virtualTokens?: readonly number[];
  /** What the last layer gives for each token: i32 (N, T) → (N, T, hiddenSize). */
  features(tokens: Tensor, options?: DecodeOptions): Tensor;
  /** Logits of features (…, hiddenSize): those of a text's last token, say. */
  logits(features: Tensor): Tensor;
  /** Empty caches for texts of up to `maxLength` tokens: what `features` takes. */
  caches(batchSize: number, maxLength: number): KeyValueCache[];
}

/** A causal language model: i32 (N, T) → logits (N, T, vocabSize). */
export interface LanguageModel extends Module, TokenReader {
  forward(tokens: Tensor, options?: DecodeOptions): Tensor;
  wordEmbeddings(): WordEmbeddings;
}

/** By the output layer, adapters and all, or where there is none by the matrix of the embeddings: (…, hiddenSize) → (…, vocabSize). */
export function outputLogits(features: Tensor, head: Linear | undefined, words: Embedding): Tensor {
  if (head !== undefined) return head.forward(features);
  const product = (x: Tensor): Tensor => x.matmul((words.weight as Tensor).transpose()) as Tensor;
  // Kept for the gradient, a weight of fewer bits would lie in memory in f32.
  return words.training && (isStored(words) || isQuantized(words))
    ? rematerialize(product)(features)
    : product(features);
}

/** (N, T) → (N, 1, T, T): whether two tokens are of one text. */
export const sameDocument = (documents: Tensor): Tensor =>
  documents.expandDims(-1).equal(documents.expandDims(-2)).expandDims(1) as Tensor;
