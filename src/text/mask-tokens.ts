/** Masked language modelling: which tokens of a text are to be guessed. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fillUniform, fold, type RandomKey, toRandomKey } from "../base/random.ts";

export interface MaskTokensOptions {
  /** What stands for a token that is hidden. */
  readonly maskToken: number;
  /** How many tokens there are. */
  readonly vocabularySize: number;
  /** Tokens that are never to be guessed: those that begin, end and fill up a text. */
  readonly specialTokens: readonly number[];
  /** Of a token to be guessed, default 0.15. */
  readonly probability?: number;
  /** Default 0.8 and 0.1: how many of these are hidden, and how many replaced by any token. The others stay as they are. */
  readonly maskShare?: number;
  readonly randomShare?: number;
  /** What is drawn follows from it: the key that `Dataset.map` gives for each sample and epoch, or a seed. */
  readonly key: RandomKey | number;
}

export interface MaskedTokens {
  readonly tokens: Int32Array;
  /** The tokens that are to be guessed, −100 elsewhere. */
  readonly labels: Int32Array;
}

/**
 * Chooses tokens to be guessed, each with a probability of 15 %, and hides 80 % of them, replaces 10 % by any token, leaves 10 %: as
 * BERT was trained (Devlin and others, 2018), and as transformers' `DataCollatorForLanguageModeling` does it. In a `map` of a dataset each epoch has
 * other tokens.
 *
 * @throws ArgumentError for probabilities and tokens that mean nothing
 * @example
 * const options = { maskToken: 4, vocabularySize: 100, specialTokens: [0, 2, 3], probability: 0.5, key: 1 };
 * const { tokens, labels } = maskTokens([2, 17, 18, 19, 3, 0], options);
 * labels.length === tokens.length; // true
 */
export function maskTokens(ids: ArrayLike<number>, options: MaskTokensOptions): MaskedTokens {
  checkOptions("maskTokens", options, [
    ...(["maskToken", "vocabularySize", "specialTokens", "probability", "maskShare"] as const),
    ...(["randomShare", "key"] as const),
  ]);
  const { maskToken, vocabularySize, probability = 0.15, maskShare = 0.8, randomShare = 0.1 } = options;
  for (const [name, value] of Object.entries({
    ...{ probability, maskShare, randomShare },
    "maskShare + randomShare": maskShare + randomShare,
  }))
    if (!(value >= 0 && value <= 1 + 1e-9))
      throw new ArgumentError(`maskTokens: ${name} must be in [0, 1], got ${value}`);
  if (!Number.isInteger(maskToken) || maskToken < 0 || maskToken >= vocabularySize)
    throw new ArgumentError(
      `maskTokens: maskToken must be one of the ${vocabularySize} tokens, got ${maskToken}`,
    );
  const special = new Set(options.specialTokens);
  const root = toRandomKey(options.key);
  const [chosen, fate, other] = [0, 1, 2].map((i) => {
    const numbers = new Float32Array(ids.length);
    fillUniform(fold(root, i), numbers, 0, 1);
    return numbers;
  }) as [Float32Array, Float32Array, Float32Array];
  const tokens = Int32Array.from(ids);
  const labels = new Int32Array(ids.length).fill(-100);
  for (const [i, id] of tokens.entries()) {
    if (special.has(id) || chosen[i]! >= probability) continue;
    labels[i] = id;
    if (fate[i]! < maskShare) tokens[i] = maskToken;
    else if (fate[i]! < maskShare + randomShare) tokens[i] = Math.floor(other[i]! * vocabularySize);
  }
  return { tokens, labels };
}
