/**
 * Precision, recall and F-score from the counts of each class, with scikit-learn's averages and its rule for 0 ÷ 0.
 *
 * With TP, FP, FN, TN the true positives, false positives, false negatives and true negatives of a class:
 *
 *     precision = TP / (TP + FP)      recall = TP / (TP + FN)      specificity = TN / (TN + FP)
 *     Fβ = (1 + β²)·TP / ((1 + β²)·TP + β²·FN + FP)
 */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";

/** The outcomes of one class against all others; with sample weights these are sums of weights. */
export interface ClassCounts {
  readonly classIndex: number;
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly falseNegatives: number;
  readonly trueNegatives: number;
}

/**
 * How the scores of several classes become one number:
 * - `binary`: the score of `positiveClass` alone; needs a two-class problem.
 * - `macro`: the mean over classes, each counting the same.
 * - `micro`: counts of all classes are added first, then the score is taken once.
 * - `weighted`: the mean over classes, weighted by how many samples have that label.
 * - `none`: no average, the list of scores, a class each.
 */
export type Average = "binary" | "macro" | "micro" | "weighted" | "none";

export interface ScoreOptions {
  /** Default `binary`, as in scikit-learn; an error when there are more than two classes. */
  readonly average?: Average;
  /** The value of 0 ÷ 0, default 0. NaN leaves such classes out of `macro` and `weighted` means. */
  readonly zeroDivision?: number;
  /** The class that `binary` scores, default 1. */
  readonly positiveClass?: number;
}

/** Numerator and denominator of a score of one class. */
export type Ratio = (counts: ClassCounts) => readonly [numerator: number, denominator: number];

export const precisionRatio: Ratio = ({ truePositives, falsePositives }) => [
  truePositives,
  truePositives + falsePositives,
];

export const recallRatio: Ratio = ({ truePositives, falseNegatives }) => [
  truePositives,
  truePositives + falseNegatives,
];

export const specificityRatio: Ratio = ({ trueNegatives, falsePositives }) => [
  trueNegatives,
  trueNegatives + falsePositives,
];

export const jaccardRatio: Ratio = ({ truePositives, falsePositives, falseNegatives }) => [
  truePositives,
  truePositives + falsePositives + falseNegatives,
];

export function fBetaRatio(beta: number): Ratio {
  if (!(beta >= 0)) throw new ArgumentError(`fBeta: beta must be 0 or more, got ${beta}`);
  if (beta === Infinity) return recallRatio;
  const squared = beta * beta;
  return ({ truePositives, falsePositives, falseNegatives }) => [
    (1 + squared) * truePositives,
    (1 + squared) * truePositives + squared * falseNegatives + falsePositives,
  ];
}

export const supportOf = (counts: ClassCounts): number => counts.truePositives + counts.falseNegatives;

/** The score of each class, or their average. `what` names the score in errors. */
export function score(
  classes: readonly ClassCounts[],
  ratio: Ratio,
  options: ScoreOptions,
  what: string,
): number | number[] {
  checkOptions(what, options, ["average", "zeroDivision", "positiveClass"]);
  const { average = "binary", zeroDivision = 0, positiveClass = 1 } = options;
  const divide = ([numerator, denominator]: readonly [number, number]): number =>
    denominator === 0 ? zeroDivision : numerator / denominator;
  const scores = (): number[] => classes.map((counts) => divide(ratio(counts)));
  switch (average) {
    case "none":
      return scores();
    case "macro":
      return weightedMean(scores());
    case "weighted":
      return weightedMean(scores(), classes.map(supportOf));
    case "micro":
      return divide(ratio(total(classes)));
    case "binary":
      return divide(ratio(positiveCounts(classes, positiveClass, what)));
    default:
      average satisfies never;
      throw new ArgumentError(
        `${what}: average "${average}" is unknown; use "binary", "macro", "micro", "weighted" or "none"`,
      );
  }
}

function positiveCounts(classes: readonly ClassCounts[], positiveClass: number, what: string): ClassCounts {
  const present = classes.map((counts) => counts.classIndex);
  if (present.length > 2 || (present.length === 2 && !present.includes(positiveClass))) {
    throw new ArgumentError(
      `${what}: average "binary" scores class ${positiveClass} of a two-class problem, but the classes are ` +
        `${present.join(", ")}; choose average: "macro", "micro", "weighted" or "none", or another positiveClass`,
    );
  }
  const found = classes.find((counts) => counts.classIndex === positiveClass);
  return (
    found ?? { ...total([]), trueNegatives: classes.reduce((sum, counts) => sum + supportOf(counts), 0) }
  );
}

/** Of a test for one of two classes. */
export interface LikelihoodRatios {
  readonly positive: number;
  readonly negative: number;
}

export function likelihoodRatiosOf(classes: readonly ClassCounts[], positiveClass: number): LikelihoodRatios {
  const counts = positiveCounts(classes, positiveClass, "likelihoodRatios");
  const { truePositives, falsePositives, falseNegatives, trueNegatives } = counts;
  const [positives, negatives] = [truePositives + falseNegatives, trueNegatives + falsePositives];
  const ratio = (numerator: number, denominator: number): number =>
    denominator === 0 || positives === 0 ? Number.NaN : numerator / denominator;
  return {
    positive: ratio(truePositives * negatives, falsePositives * positives),
    negative: ratio(falseNegatives * negatives, trueNegatives * positives),
  };
}

/** NaN scores are left out; all weights zero is the plain mean. */
export function weightedMean(
  scores: readonly number[],
  weights: readonly number[] = scores.map(() => 1),
): number {
  const kept = scores
    .map((value, i) => ({ value, weight: weights[i]! }))
    .filter(({ value }) => !Number.isNaN(value));
  const weightSum = kept.reduce((sum, { weight }) => sum + weight, 0);
  if (weightSum === 0) return kept.reduce((sum, { value }) => sum + value, 0) / kept.length;
  return kept.reduce((sum, { value, weight }) => sum + value * weight, 0) / weightSum;
}

function total(classes: readonly ClassCounts[]): ClassCounts {
  const sum = (of: (counts: ClassCounts) => number): number =>
    classes.reduce((n, counts) => n + of(counts), 0);
  return {
    classIndex: -1,
    truePositives: sum((c) => c.truePositives),
    falsePositives: sum((c) => c.falsePositives),
    falseNegatives: sum((c) => c.falseNegatives),
    trueNegatives: sum((c) => c.trueNegatives),
  };
}
