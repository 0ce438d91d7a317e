/** Parquet, through the packages `hyparquet` and `hyparquet-writer`. */
import { openFile, writeFileAtomic } from "#platform";
import { FormatError, NetwrightError } from "../../base/errors.ts";
import { optionalPackage } from "../../base/optional.ts";
import { checkOptions } from "../../base/options.ts";
import type { TableColumn } from "../column.ts";
import { Table } from "../table.ts";
import { checkPages } from "./parquet-pages.ts";
import { columnOfValues, valuesOf } from "./values.ts";

/** What is used of the packages. */
interface AsyncBuffer {
  readonly byteLength: number;
  slice(start: number, end?: number): Promise<ArrayBuffer>;
}
interface Metadata {
  readonly num_rows: bigint;
  readonly row_groups: readonly {
    readonly num_rows: bigint;
    readonly columns: readonly {
      readonly meta_data?: {
        readonly path_in_schema: readonly string[];
        readonly num_values: bigint;
        readonly total_compressed_size: bigint;
        readonly data_page_offset: bigint;
        readonly dictionary_page_offset?: bigint;
      };
    }[];
  }[];
}
interface Hyparquet {
  parquetMetadataAsync(file: AsyncBuffer): Promise<Metadata>;
  parquetSchema(metadata: Metadata): {
    readonly children: readonly { readonly element: { readonly name: string } }[];
  };
  parquetReadObjects(options: object): Promise<Record<string, unknown>[]>;
}
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
  const hyparquet = (await optionalPackage(
    "hyparquet",
    "readParquet",
    () => import("hyparquet"),
  )) as unknown as Hyparquet;
  const what = typeof source === "string" ? source : "readParquet";
  const opened = typeof source === "string" ? await openFile(source) : undefined;
  const file: AsyncBuffer = opened
    ? {
        byteLength: opened.sizeBytes,
        async slice(start, end = opened.sizeBytes) {
          const bytes = new Uint8Array(Math.max(0, end - start));
          await opened.readAt(start, bytes);
          return bytes.buffer;
        },
      }
    : inMemory(source as Uint8Array);
  try {
    const metadata = await hyparquet.parquetMetadataAsync(file);
    if (metadata.num_rows > maxRows)
      throw new FormatError(
        `${what} has ${metadata.num_rows} rows, more than the ${maxRows} allowed; raise maxRows`,
      );
    const names = columns ?? hyparquet.parquetSchema(metadata).children.map(({ element }) => element.name);
    await checkColumns(what, metadata, names, file);
    const rows = await hyparquet.parquetReadObjects({ file, metadata, columns: [...names] });
    const found = names.map((name): [string, TableColumn] => [
      name,
      columnOfValues(
        what,
        name,
        rows.map((row) => row[name]),
      ),
    ]);
    return new Table(new Map(found), rows.length);
  } catch (cause) {
    if (cause instanceof NetwrightError) throw cause;
    throw new FormatError(`${what} cannot be read as Parquet: ${(cause as Error).message}`, { cause });
  } finally {
    await opened?.close();
  }
}

/** Looks at where the columns' pages are, and how many values they hold, before the package follows them. */
async function checkColumns(
  what: string,
  { num_rows, row_groups }: Metadata,
  names: readonly string[],
  file: AsyncBuffer,
): Promise<void> {
  const read = async (start: number, end: number): Promise<Uint8Array> =>
    new Uint8Array(await file.slice(start, end));
  const total = row_groups.reduce((sum, group) => sum + Number(group.num_rows), 0);
  if (total !== Number(num_rows) || row_groups.some((group) => group.num_rows < 0n)) {
    throw new FormatError(`${what} is damaged: it has ${num_rows} rows, its row groups have ${total}`);
  }
  for (const { meta_data: column } of row_groups.flatMap(({ columns }) => columns)) {
    if (column === undefined) throw new FormatError(`${what} is damaged: a column says nothing of its pages`);
    const name = String(column.path_in_schema[0]);
    if (!names.includes(name)) continue;
    const data = Number(column.data_page_offset);
    const dictionary = Number(column.dictionary_page_offset ?? 0n);
    // Some writers say 0 where there is no dictionary.
    const start = dictionary > 0 ? Math.min(dictionary, data) : data;
    const end = start + Number(column.total_compressed_size);
    await checkPages(what, { name, start, end, values: Number(column.num_values) }, file.byteLength, read);
  }
}

function inMemory(bytes: Uint8Array): AsyncBuffer {
  return {
    byteLength: bytes.length,
    slice: async (start, end) => bytes.slice(start, end).buffer as ArrayBuffer,
  };
}

const types = { string: "STRING", boolean: "BOOLEAN", date: "TIMESTAMP", number: "DOUBLE" } as const;

/**
 * Writes a table as a Parquet file. Needs the package `hyparquet-writer`.
 *
 * @throws PlatformError when the package is missing, FileError when the file cannot be written
 * @example await writeParquet(table({ name: ["Tom"], age: [3] }), "pets.parquet");
 */
export async function writeParquet(table: Table<any>, path: string): Promise<void> {
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
