/** Steps for missing values: what stands in their place, and columns that tell where they were. */
import {
  booleanColumn,
  type Cell,
  type ColumnKind,
  cellAt,
  columnOfKind,
  countMissing,
  Dictionary,
  isMissing,
  missingBoolean,
  numberColumn,
  numbersOf,
  stringColumn,
  type TableColumn,
} from "../column.ts";
import { mean, median, mode, presentOf } from "../statistics.ts";
import { type ColumnStep, checkChoice, columnStep, type Operation, refuse } from "./operation.ts";

const strategies = ["mean", "median", "mostFrequent", "constant"] as const;

interface ImputeOptions {
  readonly strategy: (typeof strategies)[number];
  readonly value: Cell | undefined;
  readonly indicator: boolean;
}

interface ImputeState {
  readonly [field: string]: unknown;
  readonly kind: string;
  /** The number (0 or 1 of booleans, milliseconds of dates), or null for strings. */
  readonly number: number | null;
  readonly text: string;
  readonly indicator: boolean;
}

export const imputeOperation: Operation<ImputeOptions, ImputeState> = {
  name: "imputeMissing",
  kinds: ["number", "string", "boolean", "date"],
  state: { kind: "string", number: "number?", text: "string", indicator: "boolean" },
  fit(column, options, { name }) {
    const isMeasured = options.strategy === "mean" || options.strategy === "median";
    const isNumber = column.kind === "number" || column.kind === "date";
    // Of text and booleans there is no mean: the most frequent value stands for it.
    const strategy = isMeasured && !isNumber ? "mostFrequent" : options.strategy;
    const value =
      strategy === "constant" ? constantOf(column.kind, options.value, name) : learnt(column, strategy, name);
    const isText = typeof value === "string";
    return {
      kind: column.kind,
      number: isText ? null : value,
      text: isText ? value : "",
      // As scikit-learn's: a column without missing values gets no indicator.
      indicator: options.indicator && countMissing(column) > 0,
    };
  },
  outputs: (name, { indicator }) => (indicator ? [name, `${name}_missing`] : [name]),
  apply(column, state) {
    const filled = fillWith(column, state.number ?? state.text);
    if (!state.indicator) return [filled];
    return [filled, booleanColumn(Uint8Array.from(column.data, (_, row) => Number(isMissing(column, row))))];
  },
  invert([filled, indicator]) {
    if (!indicator) return filled!;
    const cells = Array.from(filled!.data, (_, row) =>
      indicator.data[row] === 1 ? null : cellAt(filled!, row),
    );
    return columnOfKind(filled!.kind, cells);
  },
  problem({ kind, number }) {
    if (!["number", "string", "boolean", "date"].includes(kind))
      return `has the kind ${JSON.stringify(kind)}`;
    if ((number === null) !== (kind === "string")) return "has a value of another kind";
    return kind === "boolean" && number !== 0 && number !== 1
      ? "has a boolean that is neither 0 nor 1"
      : undefined;
  },
};

function learnt(
  column: TableColumn,
  strategy: "mean" | "median" | "mostFrequent",
  name: string,
): number | string {
  if (countMissing(column) === column.data.length) {
    throw refuse(
      "imputeMissing",
      name,
      'has no values to learn from; use strategy: "constant", or leave it out',
    );
  }
  if (column.kind === "string") return mostFrequentText(column.data, column.categories);
  const present = presentOf(numbersOf(column));
  if (strategy === "mean") return mean(present);
  return strategy === "median" ? median(present) : mode(present);
}

/** Of several the first in the order of text, as in scikit-learn. */
function mostFrequentText(codes: Int32Array, categories: readonly string[]): string {
  const counts = new Uint32Array(categories.length);
  for (const code of codes) if (code >= 0) counts[code]!++;
  let best = -1;
  counts.forEach((count, code) => {
    if (count === 0) return;
    const isBetter =
      best < 0 || count > counts[best]! || (count === counts[best] && categories[code]! < categories[best]!);
    if (isBetter) best = code;
  });
  return categories[best]!;
}

function constantOf(kind: ColumnKind, value: Cell | undefined, name: string): number | string {
  if (kind === "number" && typeof value === "number" && Number.isFinite(value)) return value;
  if (kind === "string" && typeof value === "string") return value;
  if (kind === "boolean" && typeof value === "boolean") return Number(value);
  if (kind === "date" && value instanceof Date && Number.isFinite(value.getTime())) return value.getTime();
  throw refuse(
    "imputeMissing",
    name,
    `holds ${kind}s; strategy "constant" needs a value of that kind, got ${String(value)}`,
  );
}

/** The column with a value (dates in milliseconds, booleans as 0 or 1) where one is missing. */
export function fillWith(column: TableColumn, value: number | string): TableColumn {
  if (countMissing(column) === 0) return column;
  if (column.kind === "string") {
    const dictionary = new Dictionary(column.categories);
    const code = dictionary.code(String(value));
    return stringColumn(
      column.data.map((found) => (found < 0 ? code : found)),
      dictionary.categories,
    );
  }
  const number = Number(value);
  if (column.kind === "boolean")
    return booleanColumn(column.data.map((found) => (found === missingBoolean ? number : found)));
  const data = Float64Array.from(column.data, (found) => (Number.isNaN(found) ? number : found));
  return column.kind === "date" ? { kind: "date", data } : numberColumn(data);
}

/**
 * Puts a value where one is missing: the mean, median or most frequent value of the training rows, or a constant, as
 * scikit-learn's `SimpleImputer`. Of text and booleans it is the most frequent one, whatever the strategy (of several the
 * smallest). With `indicator` a column `name_missing` tells where values were missing, for columns that lacked some when fitted.
 *
 * @example
 * const t = table({ age: [20, null, 40], kind: ["cat", "cat", null] });
 * pipeline(imputeMissing()).fit(t).transform(t).row(1); // { age: 30, kind: "cat" }
 */
export function imputeMissing(options?: {
  readonly strategy?: ImputeOptions["strategy"];
  /** For the strategy "constant". */
  readonly value?: Cell;
  readonly indicator?: boolean;
}): ColumnStep {
  const defaults: ImputeOptions = { strategy: "mean", value: undefined, indicator: false };
  if (options?.strategy !== undefined) checkChoice("imputeMissing", "strategy", options.strategy, strategies);
  return columnStep(imputeOperation, options, defaults);
}
