/** How far predictions agree with labels beyond what chance would give: figures of a whole confusion matrix. */
import { ArgumentError } from "../base/errors.ts";
import type { ClassCounts } from "./scores.ts";

/** Rows are labels, columns predictions. */
type Table = readonly (readonly number[])[];

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);
const rowSums = (table: Table): number[] => table.map(sumOf);
const columnSums = (table: Table): number[] =>
  table.map((_, column) => sumOf(table.map((row) => row[column]!)));

/** The mean recall of the classes that have labels; adjusted, the part beyond what guessing would give. */
export function balancedAccuracyOf(classes: readonly ClassCounts[], adjusted: boolean): number {
  const present = classes.filter(({ truePositives, falseNegatives }) => truePositives + falseNegatives > 0);
  const recalls = present.map(
    ({ truePositives, falseNegatives }) => truePositives / (truePositives + falseNegatives),
  );
  const mean = sumOf(recalls) / recalls.length;
  const chance = 1 / recalls.length;
  return adjusted ? (mean - chance) / (1 - chance) : mean;
}

/** How much a disagreement of classes i and j counts: 1, |i − j| or (i − j)². */
export type KappaWeights = "none" | "linear" | "quadratic";

/** 1 − observed disagreement / disagreement of independent answers with the same totals. */
export function cohenKappaOf(table: Table, weights: KappaWeights = "none"): number {
  const weigh = {
    none: (i: number, j: number) => Number(i !== j),
    linear: (i: number, j: number) => Math.abs(i - j),
    quadratic: (i: number, j: number) => (i - j) ** 2,
  }[weights];
  if (weigh === undefined) {
    throw new ArgumentError(
      `cohenKappa: weights "${weights}" are unknown; use "none", "linear" or "quadratic"`,
    );
  }
  const [rows, columns] = [rowSums(table), columnSums(table)];
  const total = sumOf(rows);
  let [observed, expected] = [0, 0];
  table.forEach((row, i) => {
    row.forEach((count, j) => {
      observed += weigh(i, j) * count;
      expected += (weigh(i, j) * rows[i]! * columns[j]!) / total;
    });
  });
  return 1 - observed / expected;
}

/** The correlation of labels and predictions; 0 where either is always the same. */
export function matthewsCorrelationOf(table: Table): number {
  const [rows, columns] = [rowSums(table), columnSums(table)];
  const total = sumOf(rows);
  const right = sumOf(table.map((row, i) => row[i]!));
  const product = (a: readonly number[], b: readonly number[]): number => sumOf(a.map((x, i) => x * b[i]!));
  const covariance = right * total - product(rows, columns);
  const variances = (total ** 2 - product(rows, rows)) * (total ** 2 - product(columns, columns));
  return variances === 0 ? 0 : covariance / Math.sqrt(variances);
}
