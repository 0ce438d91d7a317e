/** Parquet, through the packages `hyparquet` and `hyparquet-writer`. */
import { writeFileAtomic } from "#platform";
import { ArgumentError, FormatError } from "../../base/errors.ts";
import { optionalPackage } from "../../base/optional.ts";
import { checkOptions } from "../../base/options.ts";
import type { TableColumn } from "../column.ts";
import { Table } from "../table.ts";
import { explained, openParquet, withPageIndex, withParquet } from "./parquet-file.ts";
import { columnOfValues, valuesOf } from "./values.ts";

interface HyparquetWriter {
  parquetWriteBuffer(options: object): ArrayBuffer;
}

export interface ParquetOptions {
  /** Only these columns are read. */
  readonly columns?: readonly string[];
  /** A file with more rows is an error, before any is read: 100 million. */
  readonly maxRows?: number;
}

/**
 * Reads a Parquet file; of a path only the parts that are needed. Needs the package `hyparquet`. Compression other than Snappy needs
 * files written without it. Where pages are and what their headers say is checked first; still, what is inside of them is that package's to
 * decode: `readDuckDb` reads files that you do not trust.
 *
 * @throws PlatformError when the package is missing, FormatError when the file is none, or holds nested values
 * @example
 * await writeParquet(table({ name: ["Tom", null], age: [3, 4.5] }), "pets.parquet");
 * (await readParquet("pets.parquet")).row(1); // { name: null, age: 4.5 }
 */
export async function readParquet(source: string | Uint8Array, options: ParquetOptions = {}): Promise<Table> {
  checkOptions("readParquet", options, ["columns", "maxRows"]);
  const { columns, maxRows = 1e8 } = options;
  return withParquet("readParquet", source, async (parquet) => {
    const { what, metadata } = parquet;
    if (metadata.num_rows > maxRows)
      throw new FormatError(
        `${what} has ${metadata.num_rows} rows, more than the ${maxRows} allowed; raise maxRows, or read it in parts: streamParquet`,
      );
    const names = columns ?? parquet.names;
    for (const group of metadata.row_groups) await parquet.checkColumns(group, names);
    const rows = await parquet.rows({ columns: [...names] });
    return tableOf(rows, names, (name, values) => columnOfValues(what, name, values));
  });
}

export interface ParquetStreamOptions extends Pick<ParquetOptions, "columns"> {
  /** Rows of each table: 10,000. */
  readonly batchRows?: number;
}

/**
 * Reads a Parquet file of any size as tables of `batchRows` rows, one after the other (the last of each row group may have fewer). In memory
 * are the rows of one table and the pages they lie in, however large the row groups are: writers make pages of about 1 MiB. Kinds are
 * those that the file states. Needs the package `hyparquet`; what is said of trust at `readParquet` holds here.
 *
 * @throws PlatformError when the package is missing, FormatError when the file is none, or holds nested values, or whole numbers that a
 * double does not hold
 * @example
 * await writeParquet(table({ x: [1, 2, 3] }), "numbers.parquet");
 * let sum = 0;
 * for await (const rows of streamParquet("numbers.parquet", { batchRows: 2 })) for (const x of rows.values("x")) sum += Number(x);
 * sum; // 6
 */
export async function* streamParquet(
  source: string | Uint8Array,
  options: ParquetStreamOptions = {},
): AsyncGenerator<Table, void> {
  checkOptions("streamParquet", options, ["columns", "batchRows"]);
  const { batchRows = 10_000 } = options;
  if (!Number.isSafeInteger(batchRows) || batchRows < 1)
    throw new ArgumentError(
      `streamParquet: batchRows must be a whole number of at least 1, got ${batchRows}`,
    );
  const parquet = await openParquet("streamParquet", source);
  try {
    const names = options.columns ?? parquet.names;
    let start = 0;
    for (const group of parquet.metadata.row_groups) {
      const pages = await explained(parquet.what, () => parquet.checkColumns(group, names));
      const indexed = withPageIndex(parquet, group, pages);
      const end = start + Number(group.num_rows);
      for (let at = start; at < end; at += batchRows) {
        const range = { rowStart: at - start, rowEnd: Math.min(end, at + batchRows) - start };
        yield explained(parquet.what, async () => {
          const rows = await parquet.rows({
            ...indexed,
            ...range,
            columns: [...names],
            useOffsetIndex: true,
          });
          return tableOf(rows, names, (name, values) => parquet.column(name, values));
        });
      }
      start = end;
    }
  } finally {
    await parquet.close();
  }
}

function tableOf(
  rows: readonly Readonly<Record<string, unknown>>[],
  names: readonly string[],
  columnOf: (name: string, values: readonly unknown[]) => TableColumn,
): Table {
  const values = (name: string): unknown[] => rows.map((row) => row[name]);
  const columns = names.map((name): [string, TableColumn] => [name, columnOf(name, values(name))]);
  return new Table(new Map(columns), rows.length);
}

const types = { string: "STRING", boolean: "BOOLEAN", date: "TIMESTAMP", number: "DOUBLE" } as const;

/**
 * Writes a table as a Parquet file. Needs the package `hyparquet-writer`.
 *
 * @throws PlatformError when the package is missing, FileError when the file cannot be written
 * @example await writeParquet(table({ name: ["Tom"], age: [3] }), "pets.parquet");
 */
export async function writeParquet(table: Table, path: string): Promise<void> {
  const load = (): Promise<unknown> => import("hyparquet-writer");
  const { parquetWriteBuffer } = (await optionalPackage(
    "hyparquet-writer",
    "writeParquet",
    load,
  )) as HyparquetWriter;
  const columnData = table.names.map((name) => {
    const column = table.column(name) as TableColumn;
    const isInteger = column.kind === "number" && column.data instanceof Int32Array;
    return { name, data: valuesOf(column), type: isInteger ? "INT32" : types[column.kind], nullable: true };
  });
  await writeFileAtomic(path, new Uint8Array(parquetWriteBuffer({ columnData })));
}
