/** A step that makes of each category the mean of what is to be predicted, without showing a row its own answer. */
import { permutation } from "../../base/random.ts";
import { foldParts, stratifiedFoldParts } from "../../data/stratify.ts";
import { numberColumn, type TableColumn } from "../column.ts";
import { mean, variance } from "../statistics.ts";
import { categoryTexts, sortedCategories } from "./encode.ts";
import {
  type ColumnStep,
  checkNumber,
  columnStep,
  type Operation,
  refuse,
  type Target,
} from "./operation.ts";

interface TargetOptions {
  readonly smooth: "auto" | number;
  readonly folds: number;
  readonly shuffle: boolean;
}

interface TargetState {
  readonly [field: string]: unknown;
  readonly categories: readonly string[];
  /** Whether missing values were a category, the last one. */
  readonly hasMissing: boolean;
  /** For each column (a class, or the one number) the encodings of the categories. */
  readonly encodings: readonly (readonly number[])[];
  /** What categories become that no training row had: the mean of all. */
  readonly means: readonly number[];
}

/** For each column of the encoding what is averaged: the number itself, or whether the row is of a class. */
function targetColumns({ values, classCount }: Target): Float64Array[] {
  if (classCount === undefined) return [values];
  // Two classes are one column: the second one's share.
  const classes = classCount === 2 ? [1] : Array.from({ length: classCount }, (_, c) => c);
  return classes.map((wanted) => values.map((value) => Number(value === wanted)));
}

export const targetOperation: Operation<TargetOptions, TargetState> = {
  name: "targetEncode",
  kinds: ["string", "boolean", "number"],
  state: { categories: "strings", hasMissing: "boolean", encodings: "rows", means: "numbers" },
  fit(column, options, { name, target }) {
    return learn(column, options, required(target, name), rowsOf(column));
  },
  fitApply(column, options, { name, target, key }) {
    const all = required(target, name);
    const state = learn(column, options, all, rowsOf(column));
    const results = state.encodings.map(() => new Float64Array(column.data.length));
    const order = options.shuffle ? permutation(key, column.data.length) : rowsOf(column);
    for (const fold of foldsOf(order, all, options.folds)) {
      const isHere = new Set(fold);
      const others = rowsOf(column).filter((row) => !isHere.has(row));
      const encoded = apply(column, learn(column, options, all, others, state));
      encoded.forEach(({ data }, c) => {
        for (const row of fold) results[c]![row] = data[row]!;
      });
    }
    return { state, columns: results.map((data) => numberColumn(data)) };
  },
  outputs: (name, { encodings }) =>
    encodings.length === 1 ? [name] : encodings.map((_, c) => `${name}_${c}`),
  apply: (column, state) => apply(column, state),
  problem({ categories, hasMissing, encodings, means }) {
    const length = categories.length + Number(hasMissing);
    const fits = encodings.every((row) => row.length === length && !row.includes(null as never));
    return fits && means.length === encodings.length && means.length > 0
      ? undefined
      : "has lists of unequal length";
  },
};

const rowsOf = ({ data }: TableColumn): Uint32Array => Uint32Array.from(data, (_, row) => row);

function required(target: Target | undefined, name: string): Target {
  if (target) return target;
  throw refuse("targetEncode", name, 'needs to know what is predicted: fit(rows, { target: "…" })');
}

/** Parts of the rows; of classes each part has its share. */
const foldsOf = (order: Uint32Array, { values, classCount }: Target, folds: number): Uint32Array[] =>
  classCount === undefined ? foldParts(order, folds) : stratifiedFoldParts(order, values, folds);

/** Encodings from some of the rows. `like` keeps the categories of a state that is already there. */
function learn(
  column: TableColumn,
  { smooth }: TargetOptions,
  target: Target,
  rows: Uint32Array,
  like?: TargetState,
): TargetState {
  const found = like ?? sortedCategories(column);
  const hasMissing = like ? like.hasMissing : (found as { missing: number }).missing > 0;
  const categories = found.categories;
  const places = placesOf(column, { categories, hasMissing });
  const columns = targetColumns(target).map((values) => {
    const picked = Float64Array.from(rows, (row) => values[row]!);
    const center = mean(picked);
    const count = categories.length + Number(hasMissing);
    return {
      center,
      encodings: encodingsOf(places, values, rows, { count, center, smooth, spread: variance(picked, 0) }),
    };
  });
  return {
    categories,
    hasMissing,
    encodings: columns.map(({ encodings }) => encodings),
    means: columns.map(({ center }) => center),
  };
}

/** The category's number of each row; −1 for those that are none. */
function placesOf(
  column: TableColumn,
  { categories, hasMissing }: { readonly categories: readonly string[]; readonly hasMissing: boolean },
): Int32Array {
  const places = new Map<string | null, number>(categories.map((text, i) => [text, i]));
  if (hasMissing) places.set(null, categories.length);
  return Int32Array.from(categoryTexts(column), (text) => places.get(text) ?? -1);
}

function encodingsOf(
  places: Int32Array,
  values: Float64Array,
  rows: Uint32Array,
  {
    count,
    center,
    smooth,
    spread,
  }: { count: number; center: number; smooth: "auto" | number; spread: number },
): number[] {
  const sums = new Float64Array(count);
  const counts = new Float64Array(count);
  for (const row of rows) {
    if (places[row]! < 0) continue;
    sums[places[row]!]! += values[row]!;
    counts[places[row]!]!++;
  }
  if (smooth !== "auto") {
    return Array.from(sums, (sum, c) =>
      counts[c]! + smooth === 0 ? center : (sum + smooth * center) / (counts[c]! + smooth),
    );
  }
  const means = sums.map((sum, c) => sum / counts[c]!);
  const squares = new Float64Array(count);
  for (const row of rows)
    if (places[row]! >= 0) squares[places[row]!]! += (values[row]! - means[places[row]!]!) ** 2;
  return Array.from(means, (own, c) => {
    // The weight of the category's own mean: large where categories differ more than rows within them do.
    const weight = (spread * counts[c]!) / (spread * counts[c]! + squares[c]! / counts[c]!);
    return Number.isNaN(weight) ? center : weight * own + (1 - weight) * center;
  });
}

function apply(column: TableColumn, state: TargetState): TableColumn[] {
  const places = placesOf(column, state);
  return state.encodings.map((row, c) =>
    numberColumn(Float64Array.from(places, (place) => (place < 0 ? state.means[c]! : row[place]!))),
  );
}

/**
 * Each category becomes the mean of the target over its training rows, drawn towards the mean of all (Micci-Barreca 2001), as
 * scikit-learn's `TargetEncoder`. Of classes it is the share of each (of two, of the second). Categories that no training row had
 * become the mean of all; missing values are a category.
 *
 * A row must not see its own answer: `fitTransform` encodes each fold of the training rows (5) by what the others say, so it gives
 * something else than `fit` and then `transform`, which is for all other rows. Use `fitTransform` for the rows you train with.
 *
 * @example
 * const t = table({ city: ["a", "a", "b", "b"], price: [1, 3, 10, 30] });
 * pipeline(targetEncode({ smooth: 0 })).fit(t, { target: "price" }).transform(t).values("city"); // [2, 2, 20, 20]
 */
export function targetEncode(options?: {
  /** How many rows the mean of all counts for; "auto" is the empirical Bayes estimate. */
  readonly smooth?: "auto" | number;
  readonly folds?: number;
  readonly shuffle?: boolean;
}): ColumnStep {
  const { smooth = "auto", folds = 5 } = options ?? {};
  if (smooth !== "auto") checkNumber("targetEncode", "smooth", smooth, { min: 0 });
  checkNumber("targetEncode", "folds", folds, { min: 2, max: 1000, isInteger: true });
  return columnStep<TargetOptions>(targetOperation, options, { smooth: "auto", folds: 5, shuffle: true });
}
