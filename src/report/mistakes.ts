/** Which samples a classifier got most wrong. */
import { ShapeError } from "../base/errors.ts";

export interface Mistake {
  /** Which sample. */
  readonly index: number;
  readonly actual: number;
  readonly predicted: number;
  /** The probability given to the wrong class. */
  readonly confidence: number;
}

/**
 * The samples that a classifier got most confidently wrong, the worst first.
 *
 * @param probabilities one row of class probabilities for each sample, one after another
 * @param labels the actual class of each sample
 * @throws ShapeError when the probabilities are not a whole number of rows
 * @example worstMistakes([0.9, 0.1, 0.2, 0.8], [1, 1]).map(({ index }) => index); // [0]
 */
export function worstMistakes(
  probabilities: ArrayLike<number>,
  labels: ArrayLike<number>,
  { count = 5 }: { readonly count?: number } = {},
): Mistake[] {
  const classes = probabilities.length / labels.length;
  if (labels.length > 0 && !Number.isInteger(classes)) {
    throw new ShapeError(
      `worstMistakes: ${probabilities.length} probabilities do not divide into rows for ${labels.length} labels`,
    );
  }
  const mistakes: Mistake[] = [];
  for (let index = 0; index < labels.length; index++) {
    let predicted = 0;
    for (let c = 1; c < classes; c++) {
      if (probabilities[index * classes + c]! > probabilities[index * classes + predicted]!) predicted = c;
    }
    const actual = Number(labels[index]);
    const confidence = probabilities[index * classes + predicted]!;
    if (predicted !== actual) mistakes.push({ index, actual, predicted, confidence });
  }
  return mistakes.sort((a, b) => b.confidence - a.confidence).slice(0, count);
}
