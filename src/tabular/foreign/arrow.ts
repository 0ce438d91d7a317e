/** Arrow: its tables in memory from any of its libraries, its files through the package `apache-arrow`. */
import { readFile, writeFileAtomic } from "#platform";
import { FormatError } from "../../base/errors.ts";
import { optionalPackage } from "../../base/optional.ts";
import type { TableColumn } from "../column.ts";
import { Table } from "../table.ts";
import { columnOfValues, valuesOf } from "./values.ts";

/** What a table of Arrow is: of `apache-arrow`, or of another library with the same methods. */
export interface ArrowTable {
  readonly numRows: number;
  readonly schema: { readonly fields: readonly { readonly name: string; readonly type?: unknown }[] };
  getChild(name: any): Iterable<unknown> | null | undefined;
}

interface ApacheArrow {
  tableFromIPC(bytes: Uint8Array): ArrowTable;
  tableToIPC(table: unknown, kind: "file" | "stream"): Uint8Array;
  vectorFromArray(values: readonly unknown[], type?: unknown): unknown;
  readonly Table: new (columns: Record<string, unknown>) => unknown;
  readonly Int32: new () => unknown;
  readonly Float64: new () => unknown;
  readonly Bool: new () => unknown;
  readonly Utf8: new () => unknown;
  readonly TimestampMillisecond: new () => unknown;
}

const apacheArrow = async (purpose: string): Promise<ApacheArrow> =>
  (await optionalPackage("apache-arrow", purpose, () => import("apache-arrow"))) as unknown as ApacheArrow;

/**
 * A table from one of Arrow: what DuckDB, Polars or a web service hands over.
 *
 * @throws FormatError for nested values
 * @example
 * const { tableFromArrays } = await import("apache-arrow");
 * tableFromArrow(tableFromArrays({ age: Float64Array.of(20, 40) }) as never).values("age"); // [20, 40]
 */
export function tableFromArrow(arrow: ArrowTable, what = "tableFromArrow"): Table {
  const columns = arrow.schema.fields.map(({ name, type }): [string, TableColumn] => {
    const values = Array.from(arrow.getChild(name) ?? []);
    // Times come as milliseconds: their type alone tells them from numbers.
    const isTime = /^(Date|Timestamp)/.test(String(type));
    const cells = isTime ? values.map((value) => (value == null ? null : new Date(Number(value)))) : values;
    return [name, columnOfValues(what, name, cells)];
  });
  return new Table(new Map(columns), arrow.numRows);
}

/**
 * Reads a file or stream of Arrow IPC (.arrow, .feather). Needs the package `apache-arrow`.
 *
 * @throws PlatformError when the package is missing, FormatError when the file is none
 * @example
 * await writeArrow(table({ name: ["Tom", null], age: [3, 4.5] }), "pets.arrow");
 * (await readArrow("pets.arrow")).row(1); // { name: null, age: 4.5 }
 */
export async function readArrow(source: string | Uint8Array): Promise<Table> {
  const { tableFromIPC } = await apacheArrow("readArrow");
  const what = typeof source === "string" ? source : "readArrow";
  const bytes = typeof source === "string" ? await readFile(source) : source;
  let arrow: ArrowTable;
  try {
    arrow = tableFromIPC(bytes);
  } catch (cause) {
    throw new FormatError(`${what} cannot be read as Arrow: ${(cause as Error).message}`, { cause });
  }
  if (arrow.schema.fields.length === 0)
    throw new FormatError(`${what} cannot be read as Arrow: it has no columns`);
  return tableFromArrow(arrow, what);
}

/**
 * Writes a table as a file of Arrow IPC. Needs the package `apache-arrow`.
 *
 * @throws PlatformError when the package is missing, FileError when the file cannot be written
 * @example await writeArrow(table({ name: ["Tom"], age: [3] }), "pets.arrow");
 */
export async function writeArrow(table: Table, path: string): Promise<void> {
  const arrow = await apacheArrow("writeArrow");
  const typeOf = (column: TableColumn): unknown => {
    if (column.kind === "string") return new arrow.Utf8();
    if (column.kind === "boolean") return new arrow.Bool();
    if (column.kind === "date") return new arrow.TimestampMillisecond();
    return column.data instanceof Int32Array ? new arrow.Int32() : new arrow.Float64();
  };
  const vectors = table.names.map((name) => {
    const column = table.column(name) as TableColumn;
    return [name, arrow.vectorFromArray(valuesOf(column), typeOf(column))] as const;
  });
  await writeFileAtomic(path, arrow.tableToIPC(new arrow.Table(Object.fromEntries(vectors)), "file"));
}
