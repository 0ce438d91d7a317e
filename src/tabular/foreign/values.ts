/** Columns of values that other programs give: what is a column here, exactly. */
import { FormatError } from "../../base/errors.ts";
import {
  type Cell,
  type ColumnKind,
  columnOfKind,
  narrowed,
  numberColumn,
  type TableColumn,
} from "../column.ts";
import { Table } from "../table.ts";

/**
 * A column of numbers, whole numbers of any length, strings, booleans or dates, null and undefined for missing. Whole numbers that a
 * double does not hold make the column one of strings.
 *
 * @throws FormatError naming column, row and value
 */
export function columnOfValues(what: string, name: string, values: ArrayLike<unknown>): TableColumn {
  if (values instanceof Float64Array || values instanceof Float32Array || values instanceof Int32Array)
    return numberColumn(values);
  let kind: ColumnKind | undefined;
  let isExact = true;
  for (let row = 0; row < values.length; row++) {
    const value = values[row];
    if (value === null || value === undefined) continue;
    const found = kindOf(value);
    if (found === undefined || (kind !== undefined && kind !== found)) {
      const shown = typeof value === "object" ? `a ${value.constructor?.name ?? "object"}` : String(value);
      const expected = kind === undefined ? "a number, string, boolean or date" : `a ${kind}, as before`;
      throw new FormatError(
        `${what}: column "${name}": row ${row} is ${shown.slice(0, 60)}; it must be ${expected}`,
      );
    }
    kind = found;
    if (typeof value === "bigint" && !isSafe(value)) isExact = false;
  }
  if (kind === "number") return isExact ? numbers(values) : texts(values);
  return columnOfKind(kind ?? "number", Array.from(values) as Cell[]);
}

const isSafe = (value: bigint): boolean =>
  value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER);

function kindOf(value: unknown): ColumnKind | undefined {
  if (value instanceof Date) return "date";
  const type = typeof value;
  if (type === "number" || type === "bigint") return "number";
  return type === "string" || type === "boolean" ? type : undefined;
}

function numbers(values: ArrayLike<unknown>): TableColumn {
  const data = new Float64Array(values.length);
  for (let row = 0; row < data.length; row++)
    data[row] = values[row] == null ? Number.NaN : Number(values[row]);
  return numberColumn(narrowed(data));
}

const texts = (values: ArrayLike<unknown>): TableColumn =>
  columnOfKind(
    "string",
    Array.from(values, (value) => (value == null ? null : String(value))),
  );

/** A table of rows as databases give them, with the names of the first one. */
export function tableOfRows(what: string, rows: readonly Readonly<Record<string, unknown>>[]): Table {
  const names = Object.keys(rows[0] ?? {});
  const columns = names.map((name): [string, TableColumn] => [
    name,
    columnOfValues(
      what,
      name,
      rows.map((row) => row[name]),
    ),
  ]);
  return new Table(new Map(columns), rows.length);
}

/** Values as other programs take them: null where missing. */
export function valuesOf(column: TableColumn): Cell[] {
  const { kind, data } = column;
  if (kind === "string") return Array.from(data, (code) => (code < 0 ? null : column.categories[code]!));
  if (kind === "boolean") return Array.from(data, (value) => (value > 1 ? null : value === 1));
  return Array.from(data, (value) =>
    Number.isNaN(value) ? null : kind === "date" ? new Date(value) : value,
  );
}
