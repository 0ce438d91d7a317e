/** How good probabilities are, on the host. */
import { ArgumentError, ShapeError } from "../base/errors.ts";

/** Probabilities are kept this far from 0 and 1, as in scikit-learn for f64. */
const closest = Number.EPSILON;

/**
 * −log of the probability that was given to the label, the mean over samples: cross-entropy of probabilities.
 *
 * @param probabilities for each sample the positive class's probability, or a row of the classes' (a row is divided by its sum)
 * @param labels 0 or 1, or classes from 0
 * @throws ShapeError when there are not as many of both, ArgumentError for a label without a probability
 * @example
 * logLoss([0.9, 0.1, 0.8], [1, 0, 1]); // 0.14462152754328741
 */
export function logLoss(
  probabilities: readonly ArrayLike<number>[] | ArrayLike<number>,
  labels: ArrayLike<number>,
): number {
  if (probabilities.length !== labels.length || labels.length === 0)
    throw new ShapeError(`logLoss: ${probabilities.length} probabilities and ${labels.length} labels`);
  let sum = 0;
  for (let i = 0; i < labels.length; i++) sum -= Math.log(probabilityOf(probabilities[i]!, labels[i]!, i));
  return sum / labels.length;
}

function probabilityOf(given: number | ArrayLike<number>, label: number, sample: number): number {
  const row = typeof given === "number" ? [1 - given, given] : Array.from(given);
  const own = row[label];
  if (own === undefined)
    throw new ArgumentError(`logLoss: sample ${sample} has label ${label}, but ${row.length} probabilities`);
  const total = row.reduce((a, b) => a + b, 0);
  return Math.min(Math.max(own / total, closest), 1 - closest);
}

/**
 * The mean of (p − y)²: Brier's score of a two-class forecast, 0 at best.
 *
 * @throws ShapeError when there are not as many of both
 * @example
 * brierScore([0.75, 0.25], [1, 0]); // 0.0625
 */
export function brierScore(probabilities: ArrayLike<number>, labels: ArrayLike<number>): number {
  if (probabilities.length !== labels.length || labels.length === 0)
    throw new ShapeError(`brierScore: ${probabilities.length} probabilities and ${labels.length} labels`);
  return (
    Array.from(labels, (label, i) => (probabilities[i]! - label) ** 2).reduce((a, b) => a + b, 0) /
    labels.length
  );
}
