/**
 * The columns of a table: typed arrays, one value a row.
 *
 * A missing value stands in the array itself, as in pandas and scikit-learn: NaN in numbers and dates, −1 among the codes of
 * strings, 255 among booleans. There is no second array to keep in step, and a float column is an input of a network as it
 * is. Int32Array columns have no missing values; one that gets some becomes Float64Array, which holds every i32 exactly.
 */
import { ArgumentError } from "../base/errors.ts";

export type ColumnKind = "number" | "string" | "boolean" | "date";

/** The kinds of columns by name: what is known of a table. */
export type Schema = Readonly<Record<string, ColumnKind>>;

/** Numbers; NaN is missing. */
export interface NumberColumn {
  readonly kind: "number";
  readonly data: Float64Array | Float32Array | Int32Array;
}

/** Text, dictionary encoded: `categories[data[row]]`; code −1 is missing. No category stands twice. */
export interface StringColumn {
  readonly kind: "string";
  readonly data: Int32Array;
  readonly categories: readonly string[];
}

/** 0 and 1; 255 is missing. */
export interface BooleanColumn {
  readonly kind: "boolean";
  readonly data: Uint8Array;
}

/** Milliseconds since 1970-01-01T00:00Z; NaN is missing. */
export interface DateColumn {
  readonly kind: "date";
  readonly data: Float64Array;
}

export type TableColumn = NumberColumn | StringColumn | BooleanColumn | DateColumn;

export interface ColumnOfKind {
  readonly number: NumberColumn;
  readonly string: StringColumn;
  readonly boolean: BooleanColumn;
  readonly date: DateColumn;
}

/** One value as JavaScript has it; null is missing. */
export type Cell = number | string | boolean | Date | null;

export interface CellOfKind {
  readonly number: number;
  readonly string: string;
  readonly boolean: boolean;
  readonly date: Date;
}

export const missingCode = -1;
export const missingBoolean = 255;

export const numberColumn = (data: NumberColumn["data"]): NumberColumn => ({ kind: "number", data });
export const dateColumn = (data: Float64Array): DateColumn => ({ kind: "date", data });
export const booleanColumn = (data: Uint8Array): BooleanColumn => ({ kind: "boolean", data });
export const stringColumn = (data: Int32Array, categories: readonly string[]): StringColumn => ({
  kind: "string",
  data,
  categories,
});

/**
 * Whether the value of a row is missing.
 *
 * @example isMissing(numberColumn(Float64Array.of(1, Number.NaN)), 1); // true
 */
export function isMissing({ kind, data }: TableColumn, row: number): boolean {
  const value = data[row]!;
  if (kind === "string") return value < 0;
  return kind === "boolean" ? value === missingBoolean : Number.isNaN(value);
}

/**
 * How many values of a column are missing.
 *
 * @example countMissing(numberColumn(Float64Array.of(1, Number.NaN))); // 1
 */
export function countMissing(column: TableColumn): number {
  if (column.data instanceof Int32Array && column.kind === "number") return 0;
  let count = 0;
  for (let i = 0; i < column.data.length; i++) if (isMissing(column, i)) count++;
  return count;
}

/** The value of a row, as JavaScript has it. */
export function cellAt(column: TableColumn, row: number): Cell {
  if (isMissing(column, row)) return null;
  const value = column.data[row]!;
  if (column.kind === "number") return value;
  if (column.kind === "string") return column.categories[value]!;
  return column.kind === "boolean" ? value === 1 : new Date(value);
}

/** What a value is for messages: text in quotes, dates as ISO. */
export function cellText(cell: Cell): string {
  if (cell === null) return "missing";
  if (typeof cell === "string") return JSON.stringify(cell);
  return cell instanceof Date ? dateText(cell.getTime()) : String(cell);
}

/** A date without its time where that is midnight: 2024-02-29, else 2024-02-29T12:30:00.000Z. */
export function dateText(time: number): string {
  const text = new Date(time).toISOString();
  return text.endsWith("T00:00:00.000Z") ? text.slice(0, -14) : text;
}

/** The rows at these positions, which are in range. */
export function gatherColumn<C extends TableColumn>(column: C, rows: Uint32Array): C {
  const from = column.data;
  const data = new (from.constructor as Float64ArrayConstructor)(rows.length);
  for (let i = 0; i < rows.length; i++) data[i] = from[rows[i]!]!;
  return { ...column, data };
}

/** Row `rows[i]`, or missing where it is negative. */
export function gatherOrMissing(column: TableColumn, rows: Int32Array): TableColumn {
  const isInteger = column.kind === "number" && column.data instanceof Int32Array;
  const from = isInteger ? Float64Array.from(column.data) : column.data;
  const data = new (from.constructor as Float64ArrayConstructor)(rows.length);
  const absent = missingValueOf(column.kind);
  for (let i = 0; i < rows.length; i++) data[i] = rows[i]! < 0 ? absent : from[rows[i]!]!;
  return { ...column, data } as TableColumn;
}

const missingValueOf = (kind: ColumnKind): number =>
  kind === "string" ? missingCode : kind === "boolean" ? missingBoolean : Number.NaN;

/** A column of nothing but missing values. */
export function missingColumn(kind: ColumnKind, length: number): TableColumn {
  if (kind === "string") return stringColumn(new Int32Array(length).fill(missingCode), []);
  if (kind === "boolean") return booleanColumn(new Uint8Array(length).fill(missingBoolean));
  return { kind, data: new Float64Array(length).fill(Number.NaN) };
}

/** The columns of several tables under each other; they are of one kind. */
export function concatColumns(columns: readonly TableColumn[]): TableColumn {
  const [first] = columns as [TableColumn];
  if (first.kind === "string") return concatStrings(columns as readonly StringColumn[]);
  const length = columns.reduce((sum, { data }) => sum + data.length, 0);
  const isSame = columns.every(({ data }) => data.constructor === first.data.constructor);
  const data = new (isSame ? (first.data.constructor as Float64ArrayConstructor) : Float64Array)(length);
  let at = 0;
  for (const column of columns) {
    data.set(column.data, at);
    at += column.data.length;
  }
  return { kind: first.kind, data } as TableColumn;
}

function concatStrings(columns: readonly StringColumn[]): StringColumn {
  const dictionary = new Dictionary();
  const data = new Int32Array(columns.reduce((sum, column) => sum + column.data.length, 0));
  let at = 0;
  for (const { data: codes, categories } of columns) {
    const renamed = Int32Array.from(categories, (text) => dictionary.code(text));
    for (let i = 0; i < codes.length; i++) data[at++] = codes[i]! < 0 ? missingCode : renamed[codes[i]!]!;
  }
  return stringColumn(data, dictionary.categories);
}

/** Texts and the codes they got, in order of appearance. */
export class Dictionary {
  readonly categories: string[] = [];
  readonly #codes = new Map<string, number>();

  constructor(categories: readonly string[] = []) {
    for (const text of categories) this.code(text);
  }

  code(text: string): number {
    const known = this.#codes.get(text);
    if (known !== undefined) return known;
    this.#codes.set(text, this.categories.length);
    return this.categories.push(text) - 1;
  }

  /** The code of a text, −1 where it has none. */
  find(text: string): number {
    return this.#codes.get(text) ?? missingCode;
  }
}

/** What a column can be made from. */
export type ColumnValues =
  | TableColumn
  | Float64Array
  | Float32Array
  | Int32Array
  | readonly (number | null | undefined)[]
  | readonly (string | null | undefined)[]
  | readonly (boolean | null | undefined)[]
  | readonly (Date | null | undefined)[];

/** A column of values as a user has them. Typed arrays are used in place. @throws ArgumentError naming the value that differs */
export function columnFrom(name: string, values: ColumnValues): TableColumn {
  if (values instanceof Float64Array || values instanceof Float32Array || values instanceof Int32Array)
    return numberColumn(values);
  if (!Array.isArray(values)) {
    if (typeof values === "object" && values !== null && "kind" in values) return values;
    throw new ArgumentError(
      `column "${name}" is ${describeValue(values)}; it must be an array of numbers, strings, booleans or dates, ` +
        "or a Float64Array, Float32Array or Int32Array",
    );
  }
  const kind = kindOf(values.find((value) => value !== null && value !== undefined) ?? Number.NaN);
  if (kind === undefined) throw wrongValue(name, values, "a number, string, boolean or Date", () => true);
  const isWrong = (value: unknown): boolean =>
    value !== null && value !== undefined && kindOf(value as Cell) !== kind;
  if (values.some(isWrong)) throw wrongValue(name, values, `a ${kind}, as before`, isWrong);
  return columnOfKind(kind, values as readonly Cell[]);
}

/** Cells of one kind, with null or undefined for missing. */
export function columnOfKind(kind: ColumnKind, values: readonly (Cell | undefined)[]): TableColumn {
  if (kind === "string") {
    const dictionary = new Dictionary();
    const codes = Int32Array.from(values, (text) =>
      typeof text === "string" ? dictionary.code(text) : missingCode,
    );
    return stringColumn(codes, dictionary.categories);
  }
  if (kind === "boolean") {
    return booleanColumn(
      Uint8Array.from(values, (value) => (typeof value === "boolean" ? Number(value) : missingBoolean)),
    );
  }
  return {
    kind,
    data: Float64Array.from(values, (value) =>
      value === null || value === undefined ? Number.NaN : Number(value),
    ),
  };
}

function kindOf(value: Cell): ColumnKind | undefined {
  if (value instanceof Date) return "date";
  const type = typeof value;
  return type === "number" || type === "string" || type === "boolean" ? type : undefined;
}

function wrongValue(
  name: string,
  values: readonly unknown[],
  expected: string,
  isWrong: (value: unknown) => boolean,
): ArgumentError {
  const row = values.findIndex(isWrong);
  return new ArgumentError(
    `column "${name}": row ${row} is ${describeValue(values[row])}; expected ${expected}, or null where it is missing`,
  );
}

const describeValue = (value: unknown): string =>
  typeof value === "string" ? JSON.stringify(value) : `${typeof value} ${String(value)}`;

/** The numbers of a column, NaN where missing: booleans are 0 and 1, dates milliseconds. */
export function numbersOf(column: TableColumn): Float64Array | Float32Array | Int32Array {
  if (column.kind !== "boolean") return column.data;
  return Float64Array.from(column.data, (value) => (value === missingBoolean ? Number.NaN : value));
}

/** Int32Array where every number is one (and none is missing), else as it is. */
export function narrowed(data: Float64Array): Float64Array | Int32Array {
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    if ((value | 0) !== value || (value === 0 && 1 / value < 0)) return data;
  }
  if (data.length === 0) return data;
  const integers = new Int32Array(data.length);
  for (let i = 0; i < data.length; i++) integers[i] = data[i]!;
  return integers;
}
