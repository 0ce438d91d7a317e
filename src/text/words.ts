/** Texts as words and as runs of words or characters. */
import { ArgumentError } from "../base/errors.ts";

/**
 * The words of a text: letters, digits and marks of any script, with apostrophes inside.
 *
 * @example words("Don't panic, 42 naïve Ωs!") // ["Don't", "panic", "42", "naïve", "Ωs"]
 */
export const words = (text: string): string[] =>
  text.match(/[\p{L}\p{N}\p{M}_]+(?:['’][\p{L}\p{M}]+)*/gu) ?? [];

/**
 * Runs of `from` up to `to` neighbours, joined: by a space for words.
 *
 * @throws ArgumentError unless 1 ≤ from ≤ to
 * @example ngrams(["to", "be", "or"], 1, 2) // ["to", "be", "or", "to be", "be or"]
 */
export function ngrams(tokens: readonly string[], from: number, to = from, separator = " "): string[] {
  if (!Number.isInteger(from) || !Number.isInteger(to) || from < 1 || to < from)
    throw new ArgumentError(`ngrams: lengths must be integers with 1 ≤ from ≤ to, got ${from} and ${to}`);
  const found: string[] = [];
  for (let length = from; length <= to; length++)
    for (let at = 0; at + length <= tokens.length; at++)
      found.push(length === 1 ? tokens[at]! : tokens.slice(at, at + length).join(separator));
  return found;
}

/** Runs of characters (code points). @example characterNgrams("naïve", 3) // ["naï", "aïv", "ïve"] */
export const characterNgrams = (text: string, from: number, to = from): string[] =>
  ngrams([...text], from, to, "");
