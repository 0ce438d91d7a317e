/** Texts: cleaning, words, vocabularies, padding, counts of terms, tokenizers. */

export { type MaskedTokens, type MaskTokensOptions, maskTokens } from "./mask-tokens.ts";
export { type CleanOptions, cleanText, type NormalizeOptions, normalizeText } from "./normalize.ts";
export {
  type BucketOptions,
  bucketBatches,
  type PaddedSequences,
  type PaddingOptions,
  padSequences,
} from "./padding.ts";
export { type SparseRow, type TermOptions, TfIdf, type TfIdfOptions } from "./tf-idf.ts";
export {
  type AddedToken,
  type Encoded,
  type EncodeOptions,
  loadTokenizer,
  type Tokenizer,
  type TokenizerFile,
} from "./tokenizer.ts";
export {
  type TrainTokenizerOptions,
  type TrainWordPieceOptions,
  trainBpe,
  trainWordPiece,
} from "./train-bpe.ts";
export { type TrainUnigramOptions, trainUnigram } from "./train-unigram.ts";
export { Vocabulary, type VocabularyFile, type VocabularyOptions } from "./vocabulary.ts";
export { characterNgrams, ngrams, words } from "./words.ts";
