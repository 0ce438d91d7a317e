/** Samples that have several labels or none, as rows of 0 and 1: each label is a problem of two classes. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { ClassScores } from "./class-scores.ts";
import { checkSamples, type Rows, type SampleOptions } from "./samples.ts";
import { type Average, type ClassCounts, type Ratio, score } from "./scores.ts";

export interface MultilabelScoreOptions {
  /** `macro` unless told otherwise. `samples`: the score of each sample's labels, then the mean over samples. */
  readonly average?: Exclude<Average, "binary"> | "samples";
  /** The value of 0 ÷ 0, default 0. NaN leaves such labels or samples out of means. */
  readonly zeroDivision?: number;
}

/** What has been counted, as plain numbers. */
export interface MultilabelState {
  readonly labels: readonly (readonly number[])[];
  readonly samples: readonly (readonly [outcome: string, weight: number])[];
}

/**
 * How often each label was given rightly and wrongly; grows batch by batch.
 *
 * @example
 * const counts = new MultilabelCounts().update([[1, 0, 1], [0, 1, 0]], [[1, 0, 0], [0, 1, 1]]);
 * counts.perClass()[0].trueNegatives;      // 1
 * counts.f1Score({ average: "micro" });    // 0.6666666666666666
 * counts.hammingLoss();                    // 0.3333333333333333
 */
export class MultilabelCounts extends ClassScores<MultilabelScoreOptions> {
  /** TP, FP, FN, TN of each label. */
  private labels: number[][] = [];
  /** How many samples have so many TP, FP, FN, TN: all that means over samples need. */
  private readonly samples = new Map<string, number>();

  /**
   * Adds rows of predicted and true labels; each sample counts 1, or its entry in `sampleWeights`.
   *
   * @throws ShapeError when lengths differ, ArgumentError for an entry that is not 0 or 1. Nothing is counted then.
   */
  update(predictions: Rows, labels: Rows, sampleWeights?: ArrayLike<number>): this {
    checkSamples("MultilabelCounts", predictions, labels, sampleWeights);
    const width = this.labels[0] ? this.labels.length : (labels[0]?.length ?? 0);
    predictions.forEach((row, i) => void checkRow("prediction", row, width, i));
    labels.forEach((row, i) => void checkRow("label", row, width, i));
    while (this.labels.length < width) this.labels.push([0, 0, 0, 0]);
    labels.forEach((row, i) => void this.add(predictions[i]!, row, sampleWeights?.[i] ?? 1));
    return this;
  }

  private add(prediction: ArrayLike<number>, label: ArrayLike<number>, weight: number): void {
    const outcome = [0, 0, 0, 0];
    this.labels.forEach((counts, i) => {
      const kind = label[i] === 1 ? (prediction[i] === 1 ? 0 : 2) : prediction[i] === 1 ? 1 : 3;
      counts[kind]! += weight;
      outcome[kind]!++;
    });
    const key = outcome.join(" ");
    this.samples.set(key, (this.samples.get(key) ?? 0) + weight);
  }

  /** Forgets all counts. */
  reset(): void {
    this.labels = [];
    this.samples.clear();
  }

  /** The counts, as plain numbers. */
  state(): MultilabelState {
    return { labels: this.labels.map((counts) => [...counts]), samples: [...this.samples] };
  }

  /** Goes on from counts. */
  restore({ labels, samples }: MultilabelState): void {
    this.labels = labels.map((counts) => [...counts]);
    this.samples.clear();
    for (const [outcome, weight] of samples) this.samples.set(outcome, weight);
  }

  /** Each label against its absence: scikit-learn's `multilabel_confusion_matrix`. */
  perClass(): ClassCounts[] {
    return this.labels.map(countsOf);
  }

  /** The number of samples counted (the sum of their weights). */
  get total(): number {
    return [...this.samples.values()].reduce((sum, weight) => sum + weight, 0);
  }

  /** The share of samples whose labels are all right. */
  accuracy(): number {
    let right = 0;
    for (const [outcome, weight] of this.samples) if (wrongIn(outcome) === 0) right += weight;
    return right / this.total;
  }

  /** The share of samples with a wrong label. */
  zeroOneLoss(): number {
    return 1 - this.accuracy();
  }

  /** The share of labels that are wrong, of all labels of all samples. */
  hammingLoss(): number {
    let wrong = 0;
    for (const [outcome, weight] of this.samples) wrong += wrongIn(outcome) * weight;
    return wrong / (this.total * this.labels.length);
  }

  protected averaged(ratio: Ratio, options: MultilabelScoreOptions = {}, what: string): number | number[] {
    checkOptions(what, options, ["average", "zeroDivision"]);
    const { average = "macro", zeroDivision = 0 } = options;
    if (average !== "samples") return score(this.perClass(), ratio, { average, zeroDivision }, what);
    let [sum, weights] = [0, 0];
    for (const [outcome, weight] of this.samples) {
      const [numerator, denominator] = ratio(countsOf(numbersOf(outcome), 0));
      const value = denominator === 0 ? zeroDivision : numerator / denominator;
      if (Number.isNaN(value)) continue;
      sum += value * weight;
      weights += weight;
    }
    return sum / weights;
  }
}

const numbersOf = (outcome: string): number[] => outcome.split(" ").map(Number);

function wrongIn(outcome: string): number {
  const [, falsePositives, falseNegatives] = numbersOf(outcome);
  return falsePositives! + falseNegatives!;
}

function countsOf(counts: readonly number[], classIndex: number): ClassCounts {
  const [truePositives, falsePositives, falseNegatives, trueNegatives] = counts;
  return {
    classIndex,
    truePositives: truePositives!,
    falsePositives: falsePositives!,
    falseNegatives: falseNegatives!,
    trueNegatives: trueNegatives!,
  };
}

function checkRow(what: string, row: ArrayLike<number>, width: number, sample: number): void {
  if (row.length !== width)
    throw new ShapeError(`MultilabelCounts: ${what} ${sample} has ${row.length} labels, the first ${width}`);
  for (let i = 0; i < row.length; i++)
    if (row[i] !== 0 && row[i] !== 1)
      throw new ArgumentError(
        `MultilabelCounts: ${what} ${sample} has ${row[i]} at ${i}; give 0 or 1 (of scores, whether they pass a threshold)`,
      );
}

/**
 * Counts of one list of predicted against true labels.
 *
 * @param predictions rows of 0 and 1
 * @param labels rows of 0 and 1, as many and as long
 * @throws ShapeError when lengths differ, ArgumentError for an entry that is not 0 or 1
 * @example
 * multilabelCounts([[1, 0], [0, 1]], [[1, 0], [1, 1]]).recall({ average: "none" }); // [0.5, 1]
 */
export const multilabelCounts = (
  predictions: Rows,
  labels: Rows,
  options: SampleOptions = {},
): MultilabelCounts => {
  checkOptions("multilabelCounts", options, ["sampleWeights"]);
  return new MultilabelCounts().update(predictions, labels, options.sampleWeights);
};
