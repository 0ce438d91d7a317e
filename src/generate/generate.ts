/** Going on with a text, token by token. */
import { nextKey } from "../base/default-key.ts";
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { type RandomKey, toRandomKey } from "../base/random.ts";
import type { TokenReader } from "../models/index.ts";
import { Decoding } from "./decoding.ts";
import { checkSampling, keyAt, type SamplingOptions, sampleToken } from "./sampling.ts";

export interface GenerateOptions extends SamplingOptions {
  /** Default 256. */
  readonly maxNewTokens?: number;
  /** Tokens that end the answer; they are not given. Default none. */
  readonly endTokens?: readonly number[];
  /** A key or a seed of what is drawn; by default the next key of the default stream. */
  readonly key?: RandomKey | number;
  /** Where the text is read; by default one that is made for it. What it has read already must be the prompt's beginning. */
  readonly decoding?: Decoding;
}

const optionNames = [
  ...["maxNewTokens", "endTokens", "key", "decoding", "temperature", "topK", "topP", "minP"],
  ...["repetitionPenalty", "logitBias"],
] as const satisfies readonly (keyof GenerateOptions)[];

/**
 * Tokens that follow a prompt, as they are chosen.
 *
 * @throws ArgumentError for an empty prompt, options that mean nothing, and a prompt that leaves no room
 * @example
 * const model = new Llama({ vocabSize: 50, hiddenSize: 16, numLayers: 1, numHeads: 2, intermediateSize: 32 });
 * const tokens: number[] = [];
 * for await (const token of generateTokens(model, [1, 2, 3], { maxNewTokens: 5, temperature: 0 })) tokens.push(token);
 * tokens.length; // 5
 */
export async function* generateTokens(
  model: TokenReader,
  prompt: ArrayLike<number>,
  options: GenerateOptions = {},
): AsyncGenerator<number, void, undefined> {
  checkOptions("generateTokens", options, optionNames);
  checkSampling(options);
  const { maxNewTokens = 256, endTokens = [], key = nextKey() } = options;
  if (!Number.isInteger(maxNewTokens) || maxNewTokens < 1)
    throw new ArgumentError(`generateTokens: maxNewTokens must be a positive integer, got ${maxNewTokens}`);
  const maxLength = Math.min(
    prompt.length + maxNewTokens,
    Math.max(prompt.length, model.maxTokens ?? Infinity),
  );
  const decoding = options.decoding ?? new Decoding(model, { maxLength });
  const root = toRandomKey(key);
  const seen = Array.from(prompt);
  let unread: readonly number[] = seen.slice(decoding.length);
  for (let made = 0; made < maxNewTokens && seen.length < decoding.maxLength; made++) {
    const logits = await decoding.read(unread);
    const token = sampleToken(logits.slice(), options, seen, keyAt(root, seen.length));
    if (endTokens.includes(token)) return;
    seen.push(token);
    unread = [token];
    yield token;
  }
}
