/** How many words or characters of a transcript are wrong. Levenshtein, 1966. */
import { ShapeError } from "../base/errors.ts";

/**
 * The least number of insertions, deletions and substitutions that make one sequence the other.
 *
 * @example editDistance([..."kitten"], [..."sitting"]) // 3
 */
export function editDistance<T>(a: readonly T[], b: readonly T[]): number {
  let row = Uint32Array.from({ length: b.length + 1 }, (_, i) => i);
  a.forEach((item, i) => {
    const next = new Uint32Array(b.length + 1);
    next[0] = i + 1;
    b.forEach((other, j) => {
      const replaced = row[j]! + (item === other ? 0 : 1);
      next[j + 1] = Math.min(replaced, row[j + 1]! + 1, next[j]! + 1);
    });
    row = next;
  });
  return row[b.length]!;
}

function errorRate(
  what: string,
  texts: readonly string[],
  references: readonly string[],
  partsOf: (text: string) => string[],
): number {
  if (texts.length !== references.length)
    throw new ShapeError(`${what}: ${texts.length} texts for ${references.length} references`);
  let [errors, length] = [0, 0];
  for (const [i, reference] of references.entries()) {
    const parts = partsOf(reference);
    errors += editDistance(partsOf(texts[i]!), parts);
    length += parts.length;
  }
  return length > 0 ? errors / length : errors > 0 ? Infinity : 0;
}

/**
 * WER: edits of words by the words of the references, over all texts. Above 1 where more is wrong than there should be; Infinity where
 * nothing should be.
 *
 * @throws ShapeError when there are not as many texts as references
 * @example wordErrorRate(["the cat sat down"], ["the cat was sat"]) // 0.5
 */
export const wordErrorRate = (texts: readonly string[], references: readonly string[]): number =>
  errorRate("wordErrorRate", texts, references, (text) => text.split(/\s+/u).filter((word) => word !== ""));

/**
 * CER: edits of characters by the characters of the references.
 *
 * @throws ShapeError when there are not as many texts as references
 * @example characterErrorRate(["kitten"], ["sitting"]).toFixed(3) // "0.429"
 */
export const characterErrorRate = (texts: readonly string[], references: readonly string[]): number =>
  errorRate("characterErrorRate", texts, references, (text) => [...text]);

/**
 * e to the mean negative log-likelihood of a token: among how many tokens a model is undecided.
 *
 * @param logProbabilities of the tokens that came
 * @example perplexity([Math.log(0.25), Math.log(0.25)]) // 4
 */
export const perplexity = (logProbabilities: ArrayLike<number>): number => {
  const sum = Array.from(logProbabilities).reduce((total, log) => total + log, 0);
  return Math.exp(-sum / logProbabilities.length);
};
