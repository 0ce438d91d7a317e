/** How good probabilities are, on the host. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { type Rows, type SampleOptions, sampleMean, shareExplained } from "./samples.ts";

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
  probabilities: Rows | ArrayLike<number>,
  labels: ArrayLike<number>,
  options: SampleOptions = {},
): number {
  checkCounts("logLoss", probabilities, labels);
  return sampleMean("logLoss", probabilities, labels, options, (i) => {
    const row = rowOf("logLoss", probabilities[i]!, labels[i]!, i);
    const total = row.reduce((a, b) => a + b, 0);
    return -Math.log(Math.min(Math.max(row[labels[i]!]! / total, closest), 1 - closest));
  });
}

/**
 * Brier's score, 0 at best: of the positive class's probabilities the mean of (p − y)²; of rows the mean of Σ(p − y)² over
 * classes, y being 1 at the label and 0 elsewhere.
 *
 * @throws ShapeError when there are not as many of both, ArgumentError for a label without a probability
 * @example
 * brierScore([0.75, 0.25], [1, 0]);                          // 0.0625
 * brierScore([[0.75, 0.25, 0], [0, 0.5, 0.5]], [0, 1]);      // 0.3125
 */
export function brierScore(
  probabilities: Rows | ArrayLike<number>,
  labels: ArrayLike<number>,
  options: SampleOptions = {},
): number {
  checkCounts("brierScore", probabilities, labels);
  return sampleMean("brierScore", probabilities, labels, options, (i) => {
    const [given, label] = [probabilities[i]!, labels[i]!];
    const row = rowOf("brierScore", given, label, i);
    const sum = row.reduce((total, p, index) => total + (p - Number(index === label)) ** 2, 0);
    return typeof given === "number" ? sum / 2 : sum;
  });
}

/**
 * D² of log loss: 1 − log loss / that of the classes' shares. 1 is perfect, 0 as good as always saying the shares.
 *
 * @throws as {@link logLoss}
 * @example d2LogLossScore([0.5, 0.5], [1, 0]) // 0
 */
export const d2LogLossScore = (
  probabilities: Rows | ArrayLike<number>,
  labels: ArrayLike<number>,
  options: SampleOptions = {},
): number =>
  shareExplained(
    logLoss(probabilities, labels, options),
    logLoss(sharesFor(probabilities, labels, options), labels, options),
  );

/**
 * D² of Brier's score: 1 − score / that of the classes' shares.
 *
 * @throws as {@link brierScore}
 * @example d2BrierScore([0.75, 0.25], [1, 0]) // 0.75
 */
export const d2BrierScore = (
  probabilities: Rows | ArrayLike<number>,
  labels: ArrayLike<number>,
  options: SampleOptions = {},
): number =>
  shareExplained(
    brierScore(probabilities, labels, options),
    brierScore(sharesFor(probabilities, labels, options), labels, options),
  );

/** The share of each class, for each sample: in rows, or the second's as a number. */
function sharesFor(
  probabilities: Rows | ArrayLike<number>,
  labels: ArrayLike<number>,
  { sampleWeights }: SampleOptions,
): Rows | number[] {
  const first = probabilities[0]!;
  const sums = new Float64Array(typeof first === "number" ? 2 : first.length);
  for (let i = 0; i < labels.length; i++) sums[labels[i]!]! += sampleWeights?.[i] ?? 1;
  const total = sums.reduce((a, b) => a + b, 0);
  const shares = sums.map((sum) => sum / total);
  return typeof first === "number" ? Array.from(labels, () => shares[1]!) : Array.from(labels, () => shares);
}

function checkCounts(what: string, probabilities: { length: number }, labels: { length: number }): void {
  if (probabilities.length !== labels.length || labels.length === 0)
    throw new ShapeError(`${what}: ${probabilities.length} probabilities and ${labels.length} labels`);
}

/** The probabilities of all classes. */
function rowOf(what: string, given: number | ArrayLike<number>, label: number, sample: number): number[] {
  const row = typeof given === "number" ? [1 - given, given] : Array.from(given);
  if (row[label] === undefined)
    throw new ArgumentError(`${what}: sample ${sample} has label ${label}, but ${row.length} probabilities`);
  const wrong = (typeof given === "number" ? [given] : row).findIndex((p) => !(p >= 0 && p <= 1));
  if (wrong >= 0)
    throw new ArgumentError(
      `${what}: sample ${sample} has the probability ${typeof given === "number" ? given : row[wrong]}, which is not from 0 to 1`,
    );
  return row;
}
