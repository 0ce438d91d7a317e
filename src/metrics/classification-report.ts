/** Precision, recall, F1 and support of every class with their averages: scikit-learn's report. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { type ConfusionMatrix, type ConfusionMatrixOptions, confusionMatrix } from "./confusion-matrix.ts";
import { supportOf } from "./scores.ts";

export interface ReportRow {
  readonly name: string;
  readonly precision: number;
  readonly recall: number;
  readonly f1Score: number;
  /** Samples with this label. */
  readonly support: number;
}

export interface ReportOptions {
  /** Names by class index; class numbers without it. */
  readonly names?: readonly string[];
  /** The value of 0 ÷ 0, default 0. */
  readonly zeroDivision?: number;
}

/**
 * The figures; `toString()` is the table.
 *
 * @example new ClassificationReport(confusionMatrix([0, 1, 1], [0, 1, 0])).accuracy; // 0.6666666666666666
 */
export class ClassificationReport {
  readonly perClass: readonly ReportRow[];
  readonly accuracy: number;
  readonly macroAverage: ReportRow;
  readonly weightedAverage: ReportRow;
  readonly matrix: ConfusionMatrix;

  constructor(matrix: ConfusionMatrix, options: ReportOptions = {}) {
    checkOptions("ClassificationReport", options, ["names", "zeroDivision"]);
    const { names, zeroDivision } = options;
    const { classes } = matrix;
    const missing = names === undefined ? undefined : classes.find((index) => names[index] === undefined);
    if (missing !== undefined) {
      throw new ArgumentError(
        `classificationReport: class ${missing} has no name; names lists ${names!.length}`,
      );
    }
    const each = { average: "none", zeroDivision } as const;
    const [precision, recall, f1] = [matrix.precision(each), matrix.recall(each), matrix.f1Score(each)];
    const support = matrix.perClass().map(supportOf);
    this.matrix = matrix;
    this.accuracy = matrix.accuracy();
    this.perClass = classes.map((index, i) => ({
      name: names?.[index] ?? String(index),
      precision: precision[i]!,
      recall: recall[i]!,
      f1Score: f1[i]!,
      support: support[i]!,
    }));
    this.macroAverage = averageRow(matrix, "macro", zeroDivision);
    this.weightedAverage = averageRow(matrix, "weighted", zeroDivision);
  }

  /** The table as text, with `digits` decimals. */
  toText({ digits = 3 }: { digits?: number } = {}): string {
    const titles = ["", "precision", "recall", "f1-score", "support"];
    const number = (value: number): string => value.toFixed(digits);
    const cells = ({ name, precision, recall, f1Score, support }: ReportRow): string[] => [
      name,
      number(precision),
      number(recall),
      number(f1Score),
      String(support),
    ];
    const { support } = this.macroAverage;
    const summary = [
      ["accuracy", "", "", number(this.accuracy), String(support)],
      cells(this.macroAverage),
      cells(this.weightedAverage),
    ];
    const rows = [titles, [], ...this.perClass.map(cells), [], ...summary];
    const widths = titles.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
    return rows.map((row) => row.map((cell, column) => cell.padStart(widths[column]!)).join("  ")).join("\n");
  }

  toString(): string {
    return this.toText();
  }
}

/**
 * The report of predicted against true classes.
 *
 * @example
 * const report = classificationReport([0, 2, 1, 2], [0, 1, 1, 2], { names: ["cat", "dog", "owl"] });
 * console.log(report.toText());
 * report.perClass[1].recall;   // 0.5
 */
export function classificationReport(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
  options: ReportOptions & ConfusionMatrixOptions & { sampleWeights?: ArrayLike<number> } = {},
): ClassificationReport {
  const { numClasses, sampleWeights, ...shown } = options;
  const counting = {
    ...(numClasses !== undefined && { numClasses }),
    ...(sampleWeights && { sampleWeights }),
  };
  return new ClassificationReport(confusionMatrix(predictions, labels, counting), shown);
}

function averageRow(
  matrix: ConfusionMatrix,
  average: "macro" | "weighted",
  zeroDivision: number | undefined,
): ReportRow {
  const options = { average, zeroDivision };
  return {
    name: `${average} avg`,
    precision: matrix.precision(options),
    recall: matrix.recall(options),
    f1Score: matrix.f1Score(options),
    support: matrix.total,
  };
}
