/** Going on with texts: sampling, caches, conversations. */
export { Decoding } from "./decoding.ts";
export { type GenerateOptions, generateTokens } from "./generate.ts";
export { type SamplingOptions, sampleToken } from "./sampling.ts";
export { type ChatMessage, chatPrompt, type GenerateTextOptions, generate } from "./text.ts";
