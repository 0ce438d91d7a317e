/**
 * How well scores put the positives of a two-class problem before the negatives: curves over all thresholds, and the areas
 * below them. Equal scores are one threshold.
 */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { Rows, SampleOptions } from "./samples.ts";
import { type ClassCounts, weightedMean } from "./scores.ts";

/** From the highest threshold, above every score, to the lowest. */
export interface RocCurve {
  /** FP / N at each threshold. */
  readonly falsePositiveRate: readonly number[];
  /** TP / P at each threshold. */
  readonly truePositiveRate: readonly number[];
  /** A sample counts as positive from this score on; the first is Infinity. */
  readonly thresholds: readonly number[];
}

/** From the lowest threshold to the highest; a last point (1, 0) has none. */
export interface PrecisionRecallCurve {
  readonly precision: readonly number[];
  readonly recall: readonly number[];
  readonly thresholds: readonly number[];
}

/** Errors of both kinds against each other, from the lowest threshold that matters to the highest. */
export interface DetectionErrorCurve {
  /** FP / N at each threshold, falling. */
  readonly falsePositiveRate: readonly number[];
  /** FN / P at each threshold, rising. */
  readonly falseNegativeRate: readonly number[];
  readonly thresholds: readonly number[];
}

/** True and false positives when all samples from a score on count as positive. */
interface Step {
  readonly threshold: number;
  readonly truePositives: number;
  readonly falsePositives: number;
}

/** What is right and wrong when all samples from a score on count as positive. */
export interface ThresholdCounts extends Omit<ClassCounts, "classIndex"> {
  readonly threshold: number;
}

/** Every score that was added, with its label and weight. */
export interface RankingState {
  readonly scores: readonly number[];
  readonly labels: readonly number[];
  readonly weights: readonly number[];
}

/**
 * Scores and labels of two classes that grow batch by batch; every score is kept until `reset`.
 *
 * @example
 * const ranking = new RankingScores();
 * ranking.update([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]);
 * ranking.rocAuc();           // 0.75
 * ranking.averagePrecision(); // 0.8333333333333333
 */
export class RankingScores {
  private readonly scores: number[] = [];
  private readonly labels: number[] = [];
  private readonly weights: number[] = [];

  /**
   * Adds scores, larger for what is likelier positive, and labels, 0 or 1; each sample counts 1, or its entry in
   * `sampleWeights`.
   *
   * @throws ShapeError when the lengths differ, ArgumentError for a NaN or another label. Nothing is added then.
   */
  update(scores: ArrayLike<number>, labels: ArrayLike<number>, sampleWeights?: ArrayLike<number>): this {
    checkPairs(scores, labels, sampleWeights);
    for (let i = 0; i < scores.length; i++) {
      this.scores.push(scores[i]!);
      this.labels.push(labels[i]!);
      this.weights.push(sampleWeights?.[i] ?? 1);
    }
    return this;
  }

  /** All pairs, as plain numbers. */
  state(): RankingState {
    return { scores: [...this.scores], labels: [...this.labels], weights: [...this.weights] };
  }

  /** Goes on from pairs. */
  restore({ scores, labels, weights }: RankingState): void {
    this.reset();
    this.update(scores, labels, weights);
  }

  reset(): void {
    this.scores.length = this.labels.length = this.weights.length = 0;
  }

  /** @throws ArgumentError unless there are samples of both classes */
  rocCurve(): RocCurve {
    const steps = this.steps();
    const { truePositives: positives, falsePositives: negatives } = requireBoth("rocCurve", steps);
    const points = [{ threshold: Infinity, truePositives: 0, falsePositives: 0 }, ...steps];
    return {
      falsePositiveRate: points.map(({ falsePositives }) => falsePositives / negatives),
      truePositiveRate: points.map(({ truePositives }) => truePositives / positives),
      thresholds: points.map(({ threshold }) => threshold),
    };
  }

  /**
   * The area below the ROC curve: the probability that a random positive has a higher score than a random negative, ties
   * counting half. With `maxFalsePositiveRate` of the curve up to there alone, stretched so that guessing has 0.5 and the best
   * 1 (McClish 1989).
   *
   * @throws ArgumentError unless there are samples of both classes
   */
  rocAuc({ maxFalsePositiveRate: end = 1 }: PartialAucOptions = {}): number {
    if (!(end > 0 && end <= 1))
      throw new ArgumentError(`rocAuc: maxFalsePositiveRate must be above 0 and at most 1, got ${end}`);
    const { falsePositiveRate: x, truePositiveRate: y } = this.rocCurve();
    if (end === 1) return auc(x, y);
    const after = x.findIndex((rate) => rate > end);
    const share = (end - x[after - 1]!) / (x[after]! - x[after - 1]!);
    const last = y[after - 1]! + share * (y[after]! - y[after - 1]!);
    const area = auc([...x.slice(0, after), end], [...y.slice(0, after), last]);
    const guessed = end ** 2 / 2;
    return (1 + (area - guessed) / (end - guessed)) / 2;
  }

  /**
   * The curve of detection errors (DET): from the last threshold with every positive found to the first with no more than the
   * least false positives. Martin and others, "The DET curve in assessment of detection task performance", 1997.
   *
   * @throws ArgumentError unless there are samples of both classes
   */
  detCurve(): DetectionErrorCurve {
    const steps = this.steps();
    const { truePositives: positives, falsePositives: negatives } = requireBoth("detCurve", steps);
    const last = steps.findIndex(({ truePositives }) => truePositives === positives);
    const first = steps.findLastIndex(({ falsePositives }) => falsePositives === steps[0]!.falsePositives);
    const points = steps.slice(first, last + 1).reverse();
    return {
      falsePositiveRate: points.map(({ falsePositives }) => falsePositives / negatives),
      falseNegativeRate: points.map(({ truePositives }) => (positives - truePositives) / positives),
      thresholds: points.map(({ threshold }) => threshold),
    };
  }

  /** @throws ArgumentError when no sample is positive */
  precisionRecallCurve(): PrecisionRecallCurve {
    const points = this.pointsOfPrecision().reverse();
    return {
      precision: [...points.map(({ precision }) => precision), 1],
      recall: [...points.map(({ recall }) => recall), 0],
      thresholds: points.map(({ threshold }) => threshold),
    };
  }

  /**
   * Σ (Rₙ − Rₙ₋₁)·Pₙ over thresholds: the area below the precision–recall curve, without interpolation.
   *
   * @throws ArgumentError when no sample is positive
   */
  averagePrecision(): number {
    let [area, last] = [0, 0];
    for (const { precision, recall } of this.pointsOfPrecision()) {
      area += (recall - last) * precision;
      last = recall;
    }
    return area;
  }

  /**
   * What is right and wrong at each distinct score as threshold, the highest first: to choose one by any figure.
   *
   * @example
   * const counts = new RankingScores().update([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]).countsAtThresholds();
   * counts.find(({ falseNegatives }) => falseNegatives === 0)?.threshold; // 0.35
   */
  countsAtThresholds(): ThresholdCounts[] {
    const steps = this.steps();
    const all = steps.at(-1);
    return steps.map((step) => ({
      ...step,
      falseNegatives: all!.truePositives - step.truePositives,
      trueNegatives: all!.falsePositives - step.falsePositives,
    }));
  }

  private pointsOfPrecision(): { threshold: number; precision: number; recall: number }[] {
    const steps = this.steps();
    const positives = steps.at(-1)?.truePositives ?? 0;
    if (positives === 0)
      throw new ArgumentError("precisionRecallCurve: no sample is positive (label 1); recall is not defined");
    return steps.map(({ threshold, truePositives, falsePositives }) => ({
      threshold,
      precision: truePositives / (truePositives + falsePositives),
      recall: truePositives / positives,
    }));
  }

  /** One for each distinct score, the highest first. */
  private steps(): Step[] {
    const { scores, labels, weights } = this;
    const order = scores.map((_, i) => i).sort((a, b) => scores[b]! - scores[a]!);
    const steps: Step[] = [];
    let [truePositives, falsePositives] = [0, 0];
    order.forEach((sample, rank) => {
      if (labels[sample] === 1) truePositives += weights[sample]!;
      else falsePositives += weights[sample]!;
      const next = order[rank + 1];
      if (next !== undefined && scores[next] === scores[sample]) return;
      steps.push({ threshold: scores[sample]!, truePositives, falsePositives });
    });
    return steps;
  }
}

function requireBoth(what: string, steps: readonly Step[]): Step {
  const all = steps.at(-1);
  if (all !== undefined && all.truePositives > 0 && all.falsePositives > 0) return all;
  throw new ArgumentError(
    `${what}: needs samples of both classes, got ${all?.truePositives ?? 0} positive and ${all?.falsePositives ?? 0} negative`,
  );
}

function checkPairs(
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
  sampleWeights: ArrayLike<number> | undefined,
): void {
  const lengths = [scores.length, labels.length, sampleWeights?.length ?? scores.length];
  if (new Set(lengths).size > 1) {
    throw new ShapeError(
      `RankingScores: scores, labels and weights must be as many as each other, got ${lengths.join(", ")}`,
    );
  }
  for (let i = 0; i < scores.length; i++) {
    if (Number.isNaN(scores[i])) throw new ArgumentError(`RankingScores: score ${i} is NaN`);
    if (labels[i] !== 0 && labels[i] !== 1)
      throw new ArgumentError(`RankingScores: label ${i} is ${labels[i]}; labels are 0 or 1`);
  }
}

export interface PartialAucOptions {
  /** Where the curve ends; 1 unless told otherwise. */
  readonly maxFalsePositiveRate?: number;
}

export interface RankingOptions extends SampleOptions {}

/**
 * The area below a curve of straight lines, by trapezoids.
 *
 * @param x ascending, or all descending
 * @param y as many
 * @throws ShapeError when lengths differ, ArgumentError for fewer than two points or x that turns
 * @example auc([0, 0.5, 1], [0, 1, 1]) // 0.75
 */
export function auc(x: ArrayLike<number>, y: ArrayLike<number>): number {
  if (x.length !== y.length) throw new ShapeError(`auc: ${x.length} places for ${y.length} heights`);
  if (x.length < 2) throw new ArgumentError(`auc: needs two points or more, got ${x.length}`);
  const direction = Math.sign(x[x.length - 1]! - x[0]!) || 1;
  let area = 0;
  for (let i = 1; i < x.length; i++) {
    const width = (x[i]! - x[i - 1]!) * direction;
    if (width < 0)
      throw new ArgumentError(`auc: x turns at ${i}, from ${x[i - 1]} to ${x[i]}; sort the points by x`);
    area += (width * (y[i]! + y[i - 1]!)) / 2;
  }
  return area;
}

/**
 * The area below the ROC curve of two classes: see {@link RankingScores}.
 *
 * @param scores larger for what is likelier positive: logits or probabilities
 * @param labels 0 or 1, as many
 * @throws ArgumentError unless there are samples of both classes
 * @example
 * rocAuc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]); // 0.75
 */
export const rocAuc = (
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
  options: RankingOptions & PartialAucOptions = {},
): number => {
  checkOptions("rocAuc", options, ["sampleWeights", "maxFalsePositiveRate"]);
  const { sampleWeights, ...partial } = options;
  return new RankingScores().update(scores, labels, sampleWeights).rocAuc(partial);
};

/**
 * Average precision, the area below the precision–recall curve: see {@link RankingScores}.
 *
 * @example
 * averagePrecision([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]); // 0.8333333333333333
 */
export const averagePrecision = (
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
  options: RankingOptions = {},
): number => {
  checkOptions("averagePrecision", options, ["sampleWeights"]);
  return new RankingScores().update(scores, labels, options.sampleWeights).averagePrecision();
};

export interface MulticlassAucOptions {
  /** How the classes' areas become one: the mean, or weighted by how many samples have the label. Default "macro". */
  readonly average?: "macro" | "weighted";
}

const columnOf = (scores: Rows, index: number): number[] => scores.map((row) => row[index]!);
const isOf = (labels: ArrayLike<number>, index: number): number[] =>
  Array.from(labels, (label) => Number(label === index));

/** A score of two classes, of each class against all others. */
function oneVsRest(
  what: string,
  score: (scores: ArrayLike<number>, labels: ArrayLike<number>) => number,
  scores: Rows,
  labels: ArrayLike<number>,
  options: MulticlassAucOptions,
): number {
  checkOptions(what, options, ["average"]);
  const { average = "macro" } = options;
  const classes = Array.from({ length: scores[0]?.length ?? 0 }, (_, index) => isOf(labels, index));
  return weightedMean(
    classes.map((own, index) => score(columnOf(scores, index), own)),
    classes.map((own) => (average === "macro" ? 1 : own.reduce((sum, one) => sum + one, 0))),
  );
}

/**
 * The area below the ROC curve of several classes, each against all others.
 *
 * @param scores a row of scores for each sample
 * @param labels classes, integers from 0
 * @throws ArgumentError when a class has no sample, or all of them
 * @example
 * rocAucOneVsRest([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]], [0, 1, 2]); // 1
 */
export const rocAucOneVsRest = (
  scores: Rows,
  labels: ArrayLike<number>,
  options: MulticlassAucOptions = {},
): number => oneVsRest("rocAucOneVsRest", rocAuc, scores, labels, options);

/**
 * Average precision of several classes, each against all others. Arguments as for {@link rocAucOneVsRest}.
 *
 * @throws ArgumentError when a class has no sample
 * @example
 * averagePrecisionOneVsRest([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]], [0, 1, 2]); // 1
 */
export const averagePrecisionOneVsRest = (
  scores: Rows,
  labels: ArrayLike<number>,
  options: MulticlassAucOptions = {},
): number => oneVsRest("averagePrecisionOneVsRest", averagePrecision, scores, labels, options);

/**
 * The area below the ROC curve of several classes, the mean over all pairs of them, whatever their shares: Hand and Till, "A simple
 * generalisation of the area under the ROC curve for multiple class classification problems", 2001. `weighted` weighs a pair by
 * how many samples it has. Arguments as for {@link rocAucOneVsRest}.
 *
 * @throws ArgumentError when a class has no sample
 * @example
 * rocAucOneVsOne([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4]], [0, 1, 2]); // 1
 */
export function rocAucOneVsOne(
  scores: Rows,
  labels: ArrayLike<number>,
  options: MulticlassAucOptions = {},
): number {
  checkOptions("rocAucOneVsOne", options, ["average"]);
  const { average = "macro" } = options;
  const classes = Array.from({ length: scores[0]?.length ?? 0 }, (_, index) => index);
  const pairs = classes.flatMap((a) =>
    classes.slice(a + 1).map((b) => {
      const samples = Array.from(labels, (_, i) => i).filter((i) => labels[i] === a || labels[i] === b);
      const [rows, own] = [samples.map((i) => scores[i]!), samples.map((i) => labels[i]!)];
      const area = (index: number): number => rocAuc(columnOf(rows, index), isOf(own, index));
      return { area: (area(a) + area(b)) / 2, weight: average === "macro" ? 1 : samples.length };
    }),
  );
  return weightedMean(
    pairs.map(({ area }) => area),
    pairs.map(({ weight }) => weight),
  );
}
