/**
 * How well scores put the positives of a two-class problem before the negatives: curves over all thresholds, and the areas
 * below them. Equal scores are one threshold.
 */
import { ArgumentError, ShapeError } from "../base/errors.ts";

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

/** True and false positives when all samples from a score on count as positive. */
interface Step {
  readonly threshold: number;
  readonly truePositives: number;
  readonly falsePositives: number;
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
   * counting half.
   *
   * @throws ArgumentError unless there are samples of both classes
   */
  rocAuc(): number {
    const { falsePositiveRate: x, truePositiveRate: y } = this.rocCurve();
    let area = 0;
    for (let i = 1; i < x.length; i++) area += ((x[i]! - x[i - 1]!) * (y[i]! + y[i - 1]!)) / 2;
    return area;
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

export interface RankingOptions {
  readonly sampleWeights?: ArrayLike<number>;
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
  { sampleWeights }: RankingOptions = {},
): number => new RankingScores().update(scores, labels, sampleWeights).rocAuc();

/**
 * Average precision, the area below the precision–recall curve: see {@link RankingScores}.
 *
 * @example
 * averagePrecision([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]); // 0.8333333333333333
 */
export const averagePrecision = (
  scores: ArrayLike<number>,
  labels: ArrayLike<number>,
  { sampleWeights }: RankingOptions = {},
): number => new RankingScores().update(scores, labels, sampleWeights).averagePrecision();

export interface MulticlassAucOptions {
  /** How the classes' areas become one: the mean, or weighted by how many samples have the label. Default "macro". */
  readonly average?: "macro" | "weighted";
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
export function rocAucOneVsRest(
  scores: readonly ArrayLike<number>[],
  labels: ArrayLike<number>,
  { average = "macro" }: MulticlassAucOptions = {},
): number {
  const classes = scores[0]?.length ?? 0;
  const isOf = (index: number): number[] => Array.from(labels, (label) => Number(label === index));
  let [sum, weights] = [0, 0];
  for (let index = 0; index < classes; index++) {
    const own = isOf(index);
    const weight = average === "macro" ? 1 : own.filter((label) => label === 1).length;
    sum +=
      weight *
      rocAuc(
        scores.map((row) => row[index]!),
        own,
      );
    weights += weight;
  }
  return sum / weights;
}
