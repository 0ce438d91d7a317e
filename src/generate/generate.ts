/** Going on with a text, token by token. */
import { nextKey } from "../base/default-key.ts";
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { type RandomKey, toRandomKey } from "../base/random.ts";
import type { TokenReader } from "../models/index.ts";
import { type BeamOptions, type BeamSearchOptions, beamOptionNames, beamSearch } from "./beam-search.ts";
import { type Decoding, decodingFor } from "./decoding.ts";
import type { OutputGrammar } from "./grammar/index.ts";
import { guessNext } from "./prompt-lookup.ts";
import { checkSampling, keyAt, type SamplingOptions, sampleToken } from "./sampling.ts";

export interface GenerateOptions extends SamplingOptions, BeamOptions {
  /** Default 256. */
  readonly maxNewTokens?: number;
  /** Tokens that end the answer; they are not given. Default none. */
  readonly endTokens?: readonly number[];
  /** A key or a seed of what is drawn; by default the next key of the default stream. */
  readonly key?: RandomKey | number;
  /**
   * How many tokens are guessed at a time, from where the last ones stood before in the text, and checked in one run; default 0.
   * The answer is the same, and comes sooner where it repeats the prompt. Leviathan and others, 2023; Saxena, 2023.
   */
  readonly promptLookup?: number;
  /** What form the answer has; default any. It ends where nothing can follow, or by an end token where it may end. */
  readonly grammar?: OutputGrammar;
  /** Where the text is read; by default one that is made for it. What it has read already must be the prompt's beginning. */
  readonly decoding?: Decoding;
}

export const optionNames = [
  ...["maxNewTokens", "endTokens", "key", "decoding", "temperature", "topK", "topP", "minP"],
  ...[
    "repetitionPenalty",
    "noRepeatNgramSize",
    "presencePenalty",
    "frequencyPenalty",
    "logitBias",
    "promptLookup",
    "grammar",
    ...beamOptionNames,
  ],
] as const satisfies readonly (keyof GenerateOptions)[];

/**
 * Tokens that follow a prompt, as they are chosen; with `numBeams` those of the best text that `beamSearch` finds.
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
  const { maxNewTokens = 256, endTokens = [], promptLookup = 0 } = options;
  requireCount("maxNewTokens", maxNewTokens, { least: 1 });
  requireCount("promptLookup", promptLookup, { least: 0, most: 63 });
  if ((options.numBeams ?? 1) > 1) {
    yield* (await beamSearch(model, prompt, searchOptions(options)))[0]!.tokens;
    return;
  }
  const root = toRandomKey(options.key ?? nextKey());
  const seen = [...(model.virtualTokens ?? []), ...Array.from(prompt)];
  const promptLength = seen.length;
  const decoding = options.decoding ?? decodingFor(model, promptLength, maxNewTokens);
  const grammar = options.grammar?.start();
  const end = Math.min(promptLength + maxNewTokens, decoding.maxLength);
  while (seen.length < end) {
    const guesses = guessNext(seen, Math.min(promptLookup, end - seen.length - 1));
    const unread = seen.slice(decoding.length);
    const rows = await readWithGuesses(decoding, unread, guesses);
    // How much of what was read is of the text.
    let sure = seen.length;
    try {
      for (const [i, logits] of rows.entries()) {
        const own = logits.slice();
        grammar?.restrict(own, endTokens);
        const token = sampleToken(own, options, seen, keyAt(root, seen.length), promptLength);
        if (endTokens.includes(token)) return;
        grammar?.accept(token);
        seen.push(token);
        yield token;
        if (grammar?.isOver) return;
        if (token !== guesses[i]) break;
        sure++;
      }
    } finally {
      if (sure < decoding.length) decoding.rewind(sure);
    }
  }
}

/** Logits behind the text, and behind each of the guesses. */
async function readWithGuesses(
  decoding: Decoding,
  unread: readonly number[],
  guesses: readonly number[],
): Promise<readonly Float32Array[]> {
  if (guesses.length === 0) return [await decoding.read(unread)];
  if (unread.length > 1) await decoding.read(unread.slice(0, -1));
  return decoding.readEach([...unread.slice(-1), ...guesses]);
}

/** What `beamSearch` takes; sampling has no part in it. */
function searchOptions(options: GenerateOptions): BeamSearchOptions {
  const { temperature = 0, topK, topP, minP, key: _, promptLookup, grammar, ...rest } = options;
  const chance = { temperature: temperature || undefined, topK, topP, minP, promptLookup, grammar };
  for (const [name, value] of Object.entries(chance))
    if (value !== undefined)
      throw new ArgumentError(
        `generateTokens: ${name} goes without numBeams, which takes the likeliest text`,
      );
  return rest;
}

function requireCount(name: string, value: number, { least = 0, most = Infinity }): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  const wanted =
    most < Infinity
      ? `an integer of ${least} to ${most}`
      : least === 1
        ? "a positive integer"
        : `at least ${least}`;
  throw new ArgumentError(`generateTokens: ${name} must be ${wanted}, got ${value}`);
}
