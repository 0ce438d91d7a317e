/** Groups of rows, and one row of statistics for each. */
import { ArgumentError } from "../base/errors.ts";
import {
  type ColumnValues,
  gatherColumn,
  isMissing,
  numberColumn,
  type Schema,
  type TableColumn,
} from "./column.ts";
import { rowKeys, rowsByKey } from "./keys.ts";
import { sortedRows } from "./order.ts";
import { extent, mean, median, presentOf, quantileOfSorted, sum, variance } from "./statistics.ts";

/** What is computed of a group's values that are there. `std` and `var` are those of a sample (n − 1), as in pandas. */
export type Aggregation =
  | "count"
  | "unique"
  | "sum"
  | "mean"
  | "median"
  | "std"
  | "var"
  | "min"
  | "max"
  | "first"
  | "last";

const ofNumbers: Readonly<Record<string, (values: Float64Array) => number>> = {
  sum,
  mean,
  median,
  std: (values) => Math.sqrt(variance(values, 1)),
  var: (values) => variance(values, 1),
};

/** New columns by name: of which column, which statistic. */
export type Aggregations<Name extends string> = Readonly<
  Record<string, readonly [column: Name, aggregation: Aggregation]>
>;

/**
 * One row a group: the keys, then the aggregations. Groups stand in the order of their keys; rows whose key is missing are in
 * none, as in pandas.
 */
export function aggregateGroups(
  columns: ReadonlyMap<string, TableColumn>,
  by: readonly string[],
  aggregations: Aggregations<string>,
): Map<string, TableColumn> {
  const keyColumns = by.map((name) => columns.get(name)!);
  const keys = rowKeys(keyColumns);
  const { rows, starts } = rowsByKey(keys);
  const firsts = Uint32Array.from({ length: keys.count }, (_, key) => rows[starts[key]!]!);
  const firstRows = keyColumns.map((column) => gatherColumn(column, firsts));
  const order = sortedRows(
    firstRows.map((column) => ({ column, isDescending: false })),
    keys.count,
  );
  const groups = Array.from(order, (key) => rows.subarray(starts[key]!, starts[key + 1]!));
  const result = new Map(by.map((name, i) => [name, gatherColumn(firstRows[i]!, order)]));
  for (const [name, [of, aggregation]] of Object.entries(aggregations)) {
    if (result.has(name))
      throw new ArgumentError(`aggregate: two columns would be called "${name}"; rename one`);
    result.set(name, aggregated(of, columns.get(of)!, aggregation, groups));
  }
  return result;
}

function aggregated(
  name: string,
  column: TableColumn,
  aggregation: Aggregation,
  groups: readonly Uint32Array[],
): TableColumn {
  const numeric = Object.hasOwn(ofNumbers, aggregation) ? ofNumbers[aggregation] : undefined;
  if (numeric) {
    if (column.kind === "string" || column.kind === "date") {
      throw new ArgumentError(
        `aggregate: ${aggregation} needs numbers, column "${name}" holds ${column.kind}s; ` +
          "use count, unique, min, max, first or last",
      );
    }
    const { data } = column;
    const values = groups.map((rows) => {
      const present = rows.filter((row) => !isMissing(column, row));
      return numeric(Float64Array.from(present, (row) => data[row]!));
    });
    return numberColumn(Float64Array.from(values));
  }
  if (aggregation === "count")
    return numberColumn(Int32Array.from(groups, (rows) => presentRows(column, rows).length));
  if (aggregation === "unique") {
    return numberColumn(
      Int32Array.from(
        groups,
        (rows) => new Set(presentRows(column, rows).map((row) => column.data[row]!)).size,
      ),
    );
  }
  const order = sortedRows([{ column, isDescending: false }], column.data.length);
  const rank = new Uint32Array(order.length);
  order.forEach((row, place) => void (rank[row] = place));
  const chosen = groups.map((rows) => {
    const present = presentRows(column, rows);
    if (present.length === 0) return rows[0]!;
    if (aggregation === "first") return present[0]!;
    if (aggregation === "last") return present.at(-1)!;
    const isBetter =
      aggregation === "min" ? (a: number, b: number) => a < b : (a: number, b: number) => a > b;
    if (aggregation !== "min" && aggregation !== "max") throw unknownAggregation(aggregation);
    return present.reduce((best, row) => (isBetter(rank[row]!, rank[best]!) ? row : best));
  });
  return gatherColumn(column, Uint32Array.from(chosen));
}

const presentRows = (column: TableColumn, rows: Uint32Array): Uint32Array =>
  rows.filter((row) => !isMissing(column, row));

const unknownAggregation = (name: string): ArgumentError =>
  new ArgumentError(
    `aggregate: there is no "${name}"; take count, unique, sum, mean, median, std, var, min, max, first or last`,
  );

/** Count, missing, mean, deviation and quartiles of each column, a row each; numbers alone have moments. */
export function described(columns: ReadonlyMap<string, TableColumn>): Record<string, ColumnValues> {
  const rows = [...columns].map(([name, column]) => {
    const isNumber = column.kind === "number" || column.kind === "boolean";
    const all = Array.from(column.data, (value, row) => (isMissing(column, row) ? Number.NaN : value));
    const present = presentOf(all).slice().sort();
    const of = (value: () => number): number | null => (isNumber && present.length > 0 ? value() : null);
    const at = (q: number): number | null => of(() => quantileOfSorted(present, q));
    return {
      column: name,
      kind: column.kind,
      count: present.length,
      missing: column.data.length - present.length,
      unique: new Set(present).size,
      mean: of(() => mean(present)),
      std: of(() => Math.sqrt(variance(present, 1))),
      ...{ min: of(() => extent(present)[0]), "25%": at(0.25), "50%": at(0.5), "75%": at(0.75) },
      max: of(() => extent(present)[1]),
    };
  });
  const names = [..."column kind count missing unique mean std min 25% 50% 75% max".split(" ")];
  const valuesOf = (name: string): ColumnValues =>
    rows.map((row) => (row as Record<string, string | number | null>)[name]!) as (string | null)[];
  return Object.fromEntries(names.map((name) => [name, valuesOf(name)]));
}

/** Types of what aggregate gives. */
export type AggregatedSchema<S extends Schema, By extends string, A> = {
  readonly [N in By | (keyof A & string)]: N extends keyof A
    ? A[N] extends readonly [infer C, infer Kind]
      ? Kind extends "min" | "max" | "first" | "last"
        ? S[C & keyof S]
        : "number"
      : never
    : S[N];
};
