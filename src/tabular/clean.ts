/** Cleaning before anything is fitted: rows and columns that are dropped, values carried along. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import {
  countMissing,
  gatherOrMissing,
  isMissing,
  numbersOf,
  type Schema,
  type TableColumn,
} from "./column.ts";
import { rowKeys } from "./keys.ts";
import { type OutlierOptions, outlierBounds, outlierOptions } from "./pipeline/clip.ts";
import { presentOf } from "./statistics.ts";
import { Table } from "./table.ts";

type Names<S> = keyof S & string;

interface ColumnsOption<Name> {
  /** Only these columns are looked at: all unless told otherwise. */
  readonly columns?: readonly Name[];
}

/**
 * The rows without missing values, or with `how: "all"` those that have some value.
 *
 * @example dropMissing(table({ a: [1, null, 3], b: ["x", "y", null] }), { columns: ["a"] }).values("b") // ["x", null]
 */
export function dropMissing<S extends Schema>(
  table: Table<S>,
  options: ColumnsOption<Names<S>> & { readonly how?: "any" | "all" } = {},
): Table<S> {
  checkOptions("dropMissing", options, ["columns", "how"]);
  const { how = "any" } = options;
  const columns = columnsOf(table, options.columns);
  if (columns.length === 0) return table;
  const isDropped = (row: number): boolean =>
    how === "any"
      ? columns.some((column) => isMissing(column, row))
      : columns.every((column) => isMissing(column, row));
  return table.subset(rowsWhere(table.length, (row) => !isDropped(row)));
}

/**
 * The columns of which at most the fraction `maxMissing` (0) of the values is missing.
 *
 * @example dropMissingColumns(table({ a: [1, null], b: [1, 2] })).names // ["b"]
 */
export function dropMissingColumns<S extends Schema>(
  table: Table<S>,
  options: { readonly maxMissing?: number } = {},
): Table {
  checkOptions("dropMissingColumns", options, ["maxMissing"]);
  const { maxMissing = 0 } = options;
  const kept = table.names.filter((name) => countMissing(table.column(name)) <= maxMissing * table.length);
  return table.select(...kept);
}

/**
 * The rows that are not equal to one before them (or behind them, with `keep: "last"`); missing values equal each other.
 *
 * @example dropDuplicates(table({ a: [1, 1, 2], b: ["x", "y", "z"] }), { columns: ["a"] }).values("b") // ["x", "z"]
 */
export function dropDuplicates<S extends Schema>(
  table: Table<S>,
  options: ColumnsOption<Names<S>> & { readonly keep?: "first" | "last" } = {},
): Table<S> {
  checkOptions("dropDuplicates", options, ["columns", "keep"]);
  const columns = columnsOf(table, options.columns);
  if (columns.length === 0) return table;
  const { codes } = rowKeys(columns, "keep");
  const chosen = new Map<number, number>();
  codes.forEach((code, row) => {
    if (options.keep === "last" || !chosen.has(code)) chosen.set(code, row);
  });
  return table.subset(rowsWhere(table.length, (row) => chosen.get(codes[row]!) === row));
}

/**
 * The rows whose numbers are no outliers, by bounds found in the table itself; missing values are none. Before training only: rows
 * to predict must not be dropped, so a pipeline has `clipOutliers` instead.
 *
 * @example dropOutliers(table({ x: [1, 2, 3, 4, 1000] })).values("x") // [1, 2, 3, 4]
 */
export function dropOutliers<S extends Schema>(
  table: Table<S>,
  options: ColumnsOption<Names<S>> & OutlierOptions = {},
): Table<S> {
  const { columns: names, ...rest } = options;
  checkOptions("dropOutliers", rest, ["method", "threshold"]);
  const checked = outlierOptions("dropOutliers", rest);
  const isOutlier = new Uint8Array(table.length);
  for (const name of names ?? table.names) {
    const column: TableColumn = table.column(name);
    if (column.kind !== "number") {
      if (names === undefined) continue;
      throw new ArgumentError(
        `dropOutliers: column "${name}" holds ${column.kind}s; outliers are among numbers`,
      );
    }
    const values = numbersOf(column);
    const [low, high] = outlierBounds(presentOf(values).filter(Number.isFinite), checked);
    for (let row = 0; row < values.length; row++)
      if (values[row]! < low || values[row]! > high || Math.abs(values[row]!) === Infinity)
        isOutlier[row] = 1;
  }
  return table.subset(rowsWhere(table.length, (row) => isOutlier[row] === 0));
}

/**
 * The last value before a missing one in its place, or with `from: "next"` the next one after it: for rows in the order of time. What
 * has no such neighbour stays missing. With `within`, values are carried only among rows of equal values there.
 *
 * @example fillFrom(table({ x: [null, 1, null, 3] as (number | null)[] }), { from: "previous" }).values("x") // [null, 1, 1, 3]
 */
export function fillFrom<S extends Schema>(
  table: Table<S>,
  options: ColumnsOption<Names<S>> & {
    readonly from?: "previous" | "next";
    readonly within?: readonly Names<S>[];
  } = {},
): Table<S> {
  checkOptions("fillFrom", options, ["columns", "from", "within"]);
  const { columns: names = table.names, from = "previous", within = [] } = options;
  const groups =
    within.length === 0 ? new Int32Array(table.length) : rowKeys(columnsOf(table, within), "keep").codes;
  const filled = new Map(table.names.map((name) => [name, table.column(name) as TableColumn]));
  for (const name of names) {
    const column: TableColumn = table.column(name);
    if (countMissing(column) > 0) filled.set(name, carried(column, groups, from));
  }
  return new Table(filled, table.length);
}

function carried(column: TableColumn, groups: Int32Array, from: "previous" | "next"): TableColumn {
  const { length } = column.data;
  const rows = new Int32Array(length);
  const last = new Map<number, number>();
  for (let step = 0; step < length; step++) {
    const row = from === "previous" ? step : length - 1 - step;
    if (!isMissing(column, row)) last.set(groups[row]!, row);
    rows[row] = last.get(groups[row]!) ?? -1;
  }
  return gatherOrMissing(column, rows);
}

const columnsOf = (table: Table, names: readonly string[] = table.names): TableColumn[] =>
  names.map((name) => table.column(name));

const rowsWhere = (length: number, keep: (row: number) => boolean): Uint32Array =>
  Uint32Array.from({ length }, (_, row) => row).filter(keep);
