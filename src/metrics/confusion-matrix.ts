/** Counting which label was predicted as which: the table from which precision, recall, F-score and reports follow. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { balancedAccuracyOf, cohenKappaOf, type KappaWeights, matthewsCorrelationOf } from "./agreement.ts";
import { ClassScores } from "./class-scores.ts";
import {
  type ClassCounts,
  type LikelihoodRatios,
  likelihoodRatiosOf,
  type Ratio,
  type ScoreOptions,
  score,
} from "./scores.ts";

export interface ConfusionMatrixOptions {
  /** Fixes the classes to 0 … numClasses − 1. Without it they are the ones that occur, as in scikit-learn. */
  readonly numClasses?: number;
}

/** What a matrix has counted. */
export interface ConfusionMatrixState {
  readonly capacity: number;
  readonly table: readonly number[];
  readonly seen: readonly number[];
}

/**
 * A confusion matrix that grows batch by batch.
 *
 * Rows are true labels, columns are predictions (scikit-learn's layout): `count(i, j)` samples of class i were taken
 * for class j. Classes are integers from 0.
 *
 * @example
 * const matrix = new ConfusionMatrix({ numClasses: 3 });
 * matrix.update([0, 2, 2], [0, 1, 2]);        // predictions, labels
 * matrix.count(1, 2);                         // 1: label 1 was taken for 2
 * matrix.f1Score({ average: "macro" });       // 0.5555555555555555
 */
export class ConfusionMatrix extends ClassScores<ScoreOptions> {
  /** The fixed number of classes, or undefined when the classes are the ones that occur. */
  readonly numClasses: number | undefined;
  /** capacity × capacity, row-major. */
  private table: Float64Array;
  private capacity: number;
  private readonly seen = new Set<number>();

  constructor(options: ConfusionMatrixOptions = {}) {
    super();
    checkOptions("ConfusionMatrix", options, ["numClasses"]);
    const { numClasses } = options;
    if (numClasses !== undefined && !(Number.isInteger(numClasses) && numClasses > 0)) {
      throw new ArgumentError(`ConfusionMatrix: numClasses must be a positive integer, got ${numClasses}`);
    }
    this.numClasses = numClasses;
    this.capacity = numClasses ?? 0;
    this.table = new Float64Array(this.capacity ** 2);
  }

  /**
   * Adds a batch of predicted and true classes; each sample counts 1, or its entry in `sampleWeights`.
   *
   * @throws ShapeError when the lengths differ, ArgumentError for an entry that is not a class. Nothing is counted then.
   */
  update(predictions: ArrayLike<number>, labels: ArrayLike<number>, sampleWeights?: ArrayLike<number>): this {
    checkLengths(predictions, labels, sampleWeights);
    const largest = Math.max(
      largestClass(predictions, "prediction", this.numClasses),
      largestClass(labels, "label", this.numClasses),
    );
    if (largest >= this.capacity) this.grow(largest + 1);
    for (let i = 0; i < labels.length; i++) {
      this.table[labels[i]! * this.capacity + predictions[i]!]! += sampleWeights?.[i] ?? 1;
      this.seen.add(labels[i]!).add(predictions[i]!);
    }
    return this;
  }

  /** Forgets all counts. */
  reset(): void {
    this.table.fill(0);
    this.seen.clear();
  }

  /** The counts, as plain numbers. */
  state(): ConfusionMatrixState {
    return { capacity: this.capacity, table: [...this.table], seen: [...this.seen] };
  }

  /** Goes on from counts of a matrix with the same options. */
  restore({ capacity, table, seen }: ConfusionMatrixState): void {
    this.capacity = capacity;
    this.table = Float64Array.from(table);
    this.seen.clear();
    for (const index of seen) this.seen.add(index);
  }

  /** How many samples with label `label` were predicted as `prediction`. */
  count(label: number, prediction: number): number {
    const inside = (index: number): boolean => Number.isInteger(index) && index >= 0 && index < this.capacity;
    return inside(label) && inside(prediction) ? this.table[label * this.capacity + prediction]! : 0;
  }

  /** The classes of the rows and columns, ascending. */
  get classes(): number[] {
    if (this.numClasses === undefined) return [...this.seen].sort((a, b) => a - b);
    return Array.from({ length: this.numClasses }, (_, index) => index);
  }

  /** The table as nested arrays, row and column i standing for `classes[i]`. */
  toArray(): number[][] {
    const { classes } = this;
    return classes.map((label) => classes.map((prediction) => this.count(label, prediction)));
  }

  /** Each class against all others. */
  perClass(): ClassCounts[] {
    const { classes, total } = this;
    return classes.map((classIndex) => {
      const truePositives = this.count(classIndex, classIndex);
      const predicted = classes.reduce((sum, label) => sum + this.count(label, classIndex), 0);
      const actual = classes.reduce((sum, prediction) => sum + this.count(classIndex, prediction), 0);
      return {
        classIndex,
        truePositives,
        falsePositives: predicted - truePositives,
        falseNegatives: actual - truePositives,
        trueNegatives: total - predicted - actual + truePositives,
      };
    });
  }

  /** The number of samples counted (the sum of their weights). */
  get total(): number {
    return this.table.reduce((sum, count) => sum + count, 0);
  }

  /** The share of samples whose prediction is their label; NaN when nothing was counted. */
  accuracy(): number {
    let correct = 0;
    for (let i = 0; i < this.capacity; i++) correct += this.count(i, i);
    return correct / this.total;
  }

  protected averaged(ratio: Ratio, options: ScoreOptions = {}, what: string): number | number[] {
    return score(this.perClass(), ratio, options, what);
  }

  /** The share of samples whose prediction is not their label; of classes also the Hamming loss. */
  zeroOneLoss(): number {
    return 1 - this.accuracy();
  }

  /** The mean recall of the classes that have labels: right where some are rare. `adjusted`: 0 for guesses, 1 at best. */
  balancedAccuracy({ adjusted = false }: { adjusted?: boolean } = {}): number {
    return balancedAccuracyOf(this.perClass(), adjusted);
  }

  /**
   * What a prediction of two classes says whatever their shares: how much likelier a positive is predicted positive than a
   * negative is, recall / (1 − specificity), and how much likelier it is predicted negative, (1 − recall) / specificity.
   * NaN where 0 would divide.
   *
   * @example
   * confusionMatrix([1, 1, 0, 0, 0], [1, 1, 1, 0, 1]).likelihoodRatios().negative; // 0.5
   */
  likelihoodRatios({ positiveClass = 1 }: { positiveClass?: number } = {}): LikelihoodRatios {
    return likelihoodRatiosOf(this.perClass(), positiveClass);
  }

  /**
   * Cohen's κ: agreement beyond chance, 1 at best, 0 for independent answers; `weights` count far classes more. NaN where
   * chance alone agrees always.
   */
  cohenKappa({ weights }: { weights?: KappaWeights } = {}): number {
    return cohenKappaOf(this.toArray(), weights);
  }

  /** The correlation of labels and predictions (Matthews 1975), from −1 to 1; 0 where either is always the same. */
  matthewsCorrelation(): number {
    return matthewsCorrelationOf(this.toArray());
  }

  /** A table for people: rows are labels, columns predictions. `names` replaces class numbers. */
  toText({ names }: { names?: readonly string[] } = {}): string {
    const { classes } = this;
    const titles = classes.map((index) => names?.[index] ?? String(index));
    const cells = this.toArray().map((row) => row.map(String));
    const width = Math.max(...[...titles, ...cells.flat()].map((text) => text.length), 1);
    const stub = Math.max(...titles.map((title) => title.length), "label".length);
    const line = (head: string, row: readonly string[]): string =>
      [head.padEnd(stub), ...row.map((cell) => cell.padStart(width))].join("  ");
    return [line("label", titles), ...cells.map((row, i) => line(titles[i]!, row))].join("\n");
  }

  private grow(capacity: number): void {
    const table = new Float64Array(capacity ** 2);
    for (let i = 0; i < this.capacity; i++) {
      table.set(this.table.subarray(i * this.capacity, (i + 1) * this.capacity), i * capacity);
    }
    this.table = table;
    this.capacity = capacity;
  }
}

/**
 * The confusion matrix of one list of predictions against labels.
 *
 * @example
 * confusionMatrix([1, 0, 1], [1, 0, 0]).toArray();   // [[1, 1], [0, 1]]
 */
export function confusionMatrix(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
  options: ConfusionMatrixOptions & { sampleWeights?: ArrayLike<number> } = {},
): ConfusionMatrix {
  const { sampleWeights, ...rest } = options;
  return new ConfusionMatrix(rest).update(predictions, labels, sampleWeights);
}

function checkLengths(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
  sampleWeights: ArrayLike<number> | undefined,
): void {
  if (predictions.length !== labels.length) {
    throw new ShapeError(
      `ConfusionMatrix: ${predictions.length} predictions for ${labels.length} labels; give one of each for a sample`,
    );
  }
  if (sampleWeights && sampleWeights.length !== labels.length) {
    throw new ShapeError(
      `ConfusionMatrix: ${sampleWeights.length} sampleWeights for ${labels.length} labels`,
    );
  }
}

/** Without `numClasses`, larger numbers are surely no class index: the table would not fit. */
const mostClasses = 8192;

function largestClass(values: ArrayLike<number>, what: string, numClasses: number | undefined): number {
  const limit = numClasses ?? mostClasses;
  let largest = -1;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isInteger(value) || value < 0 || value >= limit) {
      throw new ArgumentError(
        `ConfusionMatrix: ${what} ${i} is ${value}, not a class 0 … ${limit - 1}; ` +
          "pass class indices (of scores, take argmax first)",
      );
    }
    if (value > largest) largest = value;
  }
  return largest;
}
