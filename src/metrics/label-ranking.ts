/**
 * How well scores put a sample's own labels before the others, where it may have several: Tsoumakas, Katakis and Vlahavas,
 * "Mining multi-label data", 2010. Equal scores count as the worse order.
 */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { type Rows, type SampleOptions, sampleMean } from "./samples.ts";

/** Scores of a sample's own labels, and of the others. */
interface Parted {
  readonly own: readonly number[];
  readonly others: readonly number[];
}

function parted(what: string, scores: ArrayLike<number>, labels: ArrayLike<number>, sample: number): Parted {
  if (scores.length !== labels.length)
    throw new ShapeError(`${what}: sample ${sample} has ${scores.length} scores for ${labels.length} labels`);
  const [own, others]: [number[], number[]] = [[], []];
  for (let i = 0; i < labels.length; i++) {
    if (labels[i] !== 0 && labels[i] !== 1)
      throw new ArgumentError(`${what}: label ${i} of sample ${sample} is ${labels[i]}; labels are 0 or 1`);
    if (Number.isNaN(scores[i])) throw new ArgumentError(`${what}: score ${i} of sample ${sample} is NaN`);
    (labels[i] === 1 ? own : others).push(scores[i]!);
  }
  return { own, others };
}

const countFrom = (scores: readonly number[], least: number): number =>
  scores.filter((score) => score >= least).length;

/**
 * How many labels, from the highest score down, must be taken to have all of a sample's own: the mean over samples, at best
 * how many they have.
 *
 * @param scores a row of scores for each sample
 * @param labels rows of 0 and 1, as long
 * @throws ShapeError when lengths differ, ArgumentError for another label or a NaN
 * @example
 * coverageError([[0.75, 0.5, 1], [1, 0.2, 0.1]], [[1, 0, 0], [0, 0, 1]]); // 2.5
 */
export function coverageError(scores: Rows, labels: Rows, options: SampleOptions = {}): number {
  return sampleMean("coverageError", scores, labels, options, (i) => {
    const { own, others } = parted("coverageError", scores[i]!, labels[i]!, i);
    return own.length === 0 ? 0 : own.length + countFrom(others, Math.min(...own));
  });
}

/**
 * For each of a sample's labels, the share of own labels among those with at least its score; the mean over its labels, then
 * over samples. 1 at best, and where all or none are its own.
 *
 * @param scores a row of scores for each sample
 * @param labels rows of 0 and 1, as long
 * @throws ShapeError when lengths differ, ArgumentError for another label or a NaN
 * @example
 * labelRankingAveragePrecision([[0.75, 0.5, 1], [1, 0.2, 0.1]], [[1, 0, 0], [0, 0, 1]]).toFixed(4); // "0.4167"
 */
export function labelRankingAveragePrecision(
  scores: Rows,
  labels: Rows,
  options: SampleOptions = {},
): number {
  const what = "labelRankingAveragePrecision";
  return sampleMean(what, scores, labels, options, (i) => {
    const { own, others } = parted(what, scores[i]!, labels[i]!, i);
    if (own.length === 0 || others.length === 0) return 1;
    const shares = own.map((score) => {
      const before = countFrom(own, score);
      return before / (before + countFrom(others, score));
    });
    return shares.reduce((sum, share) => sum + share, 0) / own.length;
  });
}

/**
 * The share of pairs of an own and another label in which the other has the same score or a higher one; the mean over samples. 0
 * at best, and where all or none are its own.
 *
 * @param scores a row of scores for each sample
 * @param labels rows of 0 and 1, as long
 * @throws ShapeError when lengths differ, ArgumentError for another label or a NaN
 * @example
 * labelRankingLoss([[0.75, 0.5, 1], [1, 0.2, 0.1]], [[1, 0, 0], [0, 0, 1]]); // 0.75
 */
export function labelRankingLoss(scores: Rows, labels: Rows, options: SampleOptions = {}): number {
  return sampleMean("labelRankingLoss", scores, labels, options, (i) => {
    const { own, others } = parted("labelRankingLoss", scores[i]!, labels[i]!, i);
    if (own.length === 0 || others.length === 0) return 0;
    const wrong = own.reduce((sum, score) => sum + countFrom(others, score), 0);
    return wrong / (own.length * others.length);
  });
}
