/** Going on with texts: sampling, caches, conversations. */
export { AnswerText } from "./answer-text.ts";
export {
  Batching,
  type BatchingOptions,
  type BatchRequest,
  type BatchStatistics,
  type MadeToken,
} from "./batching.ts";
export { type BeamOptions, type BeamSearchOptions, beamSearch, type FoundText } from "./beam-search.ts";
export { Decoding } from "./decoding.ts";
export { type GenerateOptions, generateTokens } from "./generate.ts";
export { type GrammarRun, OutputGrammar } from "./grammar/index.ts";
export { type SamplingOptions, type ScoreOptions, sampleToken } from "./sampling.ts";
export { type ChatMessage, chatPrompt, type GenerateTextOptions, generate } from "./text.ts";
