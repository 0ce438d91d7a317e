/** Steps that look at several columns of numbers at once: nearest neighbours, products. */
import { ArgumentError } from "../../base/errors.ts";
import { checkOptions } from "../../base/options.ts";
import { numberColumn, numbersOf, type TableColumn } from "../column.ts";
import { mean, presentOf } from "../statistics.ts";
import { checkChoice, checkNumber, type State } from "./operation.ts";
import type { StateShape } from "./state.ts";

/** As `Operation`, for columns of numbers together. */
export interface TableOperation<O, S extends State> {
  readonly name: string;
  fit(columns: readonly TableColumn[], options: O, names: readonly string[]): S;
  outputs(names: readonly string[], state: S): readonly string[];
  apply(columns: readonly TableColumn[], state: S): readonly TableColumn[];
  invert?(columns: readonly TableColumn[], state: S): readonly TableColumn[];
  readonly state: StateShape;
  problem?(state: S, columnCount: number): string | undefined;
}

/** A step for several columns, with options. */
export interface TableStep {
  readonly tableOperation: TableOperation<any, any>;
  readonly options: object;
  /** All columns of numbers unless told otherwise. */
  readonly columns: readonly string[] | undefined;
}

interface KnnOptions {
  readonly neighbors: number;
  readonly weights: "uniform" | "distance";
}

interface KnnState {
  readonly [field: string]: unknown;
  /** The training rows, null where missing. */
  readonly rows: readonly (readonly (number | null)[])[];
  readonly neighbors: number;
  readonly weights: string;
}

const weightings = ["uniform", "distance"] as const;

export const knnOperation: TableOperation<KnnOptions, KnnState> = {
  name: "knnImpute",
  state: { rows: "rows", neighbors: "integer", weights: "string" },
  fit(columns, { neighbors, weights }, names) {
    columns.forEach((column, c) => {
      if (presentOf(numbersOf(column)).length === 0)
        throw new ArgumentError(`knnImpute: column "${names[c]}" has no values to learn from; leave it out`);
    });
    const length = columns[0]?.data.length ?? 0;
    const rows = Array.from({ length }, (_, row) =>
      columns.map(({ data }) => (Number.isFinite(data[row]!) ? data[row]! : null)),
    );
    return { rows, neighbors, weights };
  },
  outputs: (names) => names,
  apply(columns, { rows, neighbors, weights }) {
    const training = rows.map((row) => Float64Array.from(row, (value) => value ?? Number.NaN));
    const filled = columns.map((column) => Float64Array.from(numbersOf(column)));
    const means = columns.map((_, c) => mean(presentOf(training.map((row) => row[c]!))));
    const length = filled[0]?.length ?? 0;
    for (let row = 0; row < length; row++) {
      const values = columns.map(({ data }) => data[row]!);
      if (!values.some(Number.isNaN)) continue;
      const distances = Float64Array.from(training, (other) => distance(values, other));
      values.forEach((value, c) => {
        if (Number.isNaN(value))
          filled[c]![row] = neighborMean(training, distances, c, {
            neighbors,
            weights,
            otherwise: means[c]!,
          });
      });
    }
    return filled.map((data) => numberColumn(data));
  },
  invert: (columns) => columns,
  problem({ rows, neighbors, weights }, columnCount) {
    if (rows.length === 0 || rows.some((row) => row.length !== columnCount))
      return "has rows of another width";
    return neighbors >= 1 && (weightings as readonly string[]).includes(weights)
      ? undefined
      : "has no such neighbours";
  },
};

/** Euclidean distance over the values that both rows have, scaled up for those that are missing; NaN when there are none. */
function distance(a: readonly number[], b: Float64Array): number {
  let sum = 0;
  let count = 0;
  for (let c = 0; c < b.length; c++) {
    const difference = a[c]! - b[c]!;
    if (Number.isNaN(difference)) continue;
    sum += difference * difference;
    count++;
  }
  return count === 0 ? Number.NaN : Math.sqrt((sum / count) * b.length);
}

function neighborMean(
  training: readonly Float64Array[],
  distances: Float64Array,
  c: number,
  { neighbors, weights, otherwise }: { neighbors: number; weights: string; otherwise: number },
): number {
  const donors = Array.from(distances.keys()).filter(
    (row) => !Number.isNaN(distances[row]!) && !Number.isNaN(training[row]![c]!),
  );
  if (donors.length === 0) return otherwise;
  donors.sort((a, b) => distances[a]! - distances[b]! || a - b);
  const nearest = donors.slice(0, neighbors);
  if (weights === "uniform") return mean(nearest.map((row) => training[row]![c]!));
  const same = nearest.filter((row) => distances[row] === 0);
  if (same.length > 0) return mean(same.map((row) => training[row]![c]!));
  let [sum, total] = [0, 0];
  for (const row of nearest) {
    sum += training[row]![c]! / distances[row]!;
    total += 1 / distances[row]!;
  }
  return sum / total;
}

/**
 * Puts the mean of the nearest training rows (5) where a number is missing, as scikit-learn's `KNNImputer`: near by the Euclidean
 * distance over the values that both rows have. Scale the columns first, or large ones decide alone. The training rows become part of
 * the pipeline.
 *
 * @example
 * const t = table({ a: [1, 2, 10], b: [3, 4, 30] });
 * const filled = pipeline(knnImpute({ neighbors: 2 })).fit(t).transform(table({ a: [1.5], b: [null] as (number | null)[] }));
 * filled.values("b"); // [3.5]
 */
export function knnImpute(
  options: Partial<KnnOptions> & { readonly columns?: readonly string[] } = {},
): TableStep {
  checkOptions("knnImpute", options, ["neighbors", "weights", "columns"]);
  const { neighbors = 5, weights = "uniform", columns } = options;
  checkNumber("knnImpute", "neighbors", neighbors, { min: 1, isInteger: true });
  checkChoice("knnImpute", "weights", weights, weightings);
  return { tableOperation: knnOperation, options: { neighbors, weights }, columns };
}

interface PolynomialOptions {
  readonly degree: number;
  readonly interactionOnly: boolean;
}

interface PolynomialState {
  readonly [field: string]: unknown;
  readonly degree: number;
  readonly interactionOnly: boolean;
}

const maxProducts = 100_000;

export const polynomialOperation: TableOperation<PolynomialOptions, PolynomialState> = {
  name: "polynomial",
  state: { degree: "integer", interactionOnly: "boolean" },
  fit(columns, options) {
    const count = products(columns.length, options).length;
    if (count <= maxProducts) return { ...options };
    throw new ArgumentError(
      `polynomial: degree ${options.degree} of ${columns.length} columns gives more than ${maxProducts} columns; ` +
        "lower the degree, or name fewer columns",
    );
  },
  outputs: (names, state) => products(names.length, state).map((factors) => productName(factors, names)),
  apply(columns, state) {
    const values = columns.map(numbersOf);
    return products(columns.length, state).map((factors) => {
      const data = Float64Array.from(values[factors[0]!]!);
      for (const factor of factors.slice(1))
        for (let i = 0; i < data.length; i++) data[i]! *= values[factor]![i]!;
      return numberColumn(data);
    });
  },
  invert: (columns, state) => {
    // The first products are the columns themselves.
    const width = columnsOf(columns.length, state);
    return columns.slice(0, width);
  },
  problem: ({ degree }, columnCount) => {
    if (degree < 1 || degree > 20) return `has degree ${degree}`;
    return products(columnCount, { degree, interactionOnly: false }).length <= maxProducts
      ? undefined
      : "gives too many columns";
  },
};

function columnsOf(outputs: number, state: PolynomialState): number {
  let width = 1;
  while (products(width, state).length < outputs) width++;
  return width;
}

/** Combinations of column positions, shorter ones first, in order: the order of scikit-learn. */
function products(count: number, { degree, interactionOnly }: PolynomialOptions): number[][] {
  const all: number[][] = [];
  let last: number[][] = [[]];
  for (let size = 1; size <= degree; size++) {
    const next: number[][] = [];
    for (const factors of last) {
      const from = factors.length === 0 ? 0 : factors.at(-1)! + Number(interactionOnly);
      for (let c = from; c < count; c++) next.push([...factors, c]);
      if (all.length + next.length > maxProducts) return [...all, ...next];
    }
    all.push(...next);
    last = next;
  }
  return all;
}

function productName(factors: readonly number[], names: readonly string[]): string {
  const powers = new Map<number, number>();
  for (const factor of factors) powers.set(factor, (powers.get(factor) ?? 0) + 1);
  return [...powers].map(([c, power]) => (power === 1 ? names[c]! : `${names[c]}^${power}`)).join(" ");
}

/**
 * Products of columns up to a degree (2), as scikit-learn's `PolynomialFeatures` without its column of ones: a, b, a^2, a b, b^2;
 * with `interactionOnly` only those of different columns.
 *
 * @example
 * const t = table({ a: [2], b: [3] });
 * pipeline(polynomial()).fit(t).transform(t).row(0); // { a: 2, b: 3, "a^2": 4, "a b": 6, "b^2": 9 }
 */
export function polynomial(
  options: Partial<PolynomialOptions> & { readonly columns?: readonly string[] } = {},
): TableStep {
  checkOptions("polynomial", options, ["degree", "interactionOnly", "columns"]);
  const { degree = 2, interactionOnly = false, columns } = options;
  checkNumber("polynomial", "degree", degree, { min: 1, max: 20, isInteger: true });
  return { tableOperation: polynomialOperation, options: { degree, interactionOnly }, columns };
}
