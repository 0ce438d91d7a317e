/** Parquet files as the package `hyparquet` reads them, looked at before it follows what they say. */
import { openFile } from "#platform";
import { FormatError, NetwrightError } from "../../base/errors.ts";
import { optionalPackage } from "../../base/optional.ts";
import { type ColumnKind, columnOfKind, type TableColumn } from "../column.ts";
import { checkPages, type DataPage } from "./parquet-pages.ts";
import { columnOfValues } from "./values.ts";

/** What is used of the package. */
interface AsyncBuffer {
  readonly byteLength: number;
  slice(start: number, end?: number): Promise<ArrayBuffer>;
}
interface ColumnChunk {
  readonly meta_data?: {
    readonly path_in_schema: readonly string[];
    readonly num_values: bigint;
    readonly total_compressed_size: bigint;
    readonly data_page_offset: bigint;
    readonly dictionary_page_offset?: bigint;
  };
  readonly offset_index_offset?: bigint;
  readonly offset_index_length?: number;
}
export interface RowGroup {
  readonly num_rows: bigint;
  readonly columns: readonly ColumnChunk[];
}
interface Metadata {
  readonly num_rows: bigint;
  readonly row_groups: readonly RowGroup[];
}
interface SchemaElement {
  readonly name: string;
  readonly type?: string;
  readonly converted_type?: string;
  readonly logical_type?: { readonly type?: string };
}
interface Hyparquet {
  parquetMetadataAsync(file: AsyncBuffer): Promise<Metadata>;
  parquetSchema(metadata: Metadata): { readonly children: readonly { readonly element: SchemaElement }[] };
  parquetReadObjects(options: object): Promise<Record<string, unknown>[]>;
}

/** Where a group's columns are, by their names. */
export type GroupPages = ReadonlyMap<string, readonly DataPage[]>;

class ParquetFile {
  /** The file, for errors. */
  readonly what: string;
  readonly file: AsyncBuffer;
  readonly metadata: Metadata;
  readonly close: () => Promise<void>;
  readonly #package: Hyparquet;
  readonly #elements: ReadonlyMap<string, SchemaElement>;

  constructor(
    what: string,
    { file, close }: { readonly file: AsyncBuffer; close(): Promise<void> },
    metadata: Metadata,
    hyparquet: Hyparquet,
  ) {
    this.what = what;
    this.file = file;
    this.close = close;
    this.metadata = metadata;
    this.#package = hyparquet;
    const { children } = hyparquet.parquetSchema(metadata);
    this.#elements = new Map(children.map(({ element }) => [element.name, element]));
    const { num_rows, row_groups } = metadata;
    const total = row_groups.reduce((sum, group) => sum + Number(group.num_rows), 0);
    if (total !== Number(num_rows) || row_groups.some((group) => group.num_rows < 0n))
      throw new FormatError(`${what} is damaged: it has ${num_rows} rows, its row groups have ${total}`);
  }

  get names(): readonly string[] {
    return [...this.#elements.keys()];
  }

  rows(options: object): Promise<Record<string, unknown>[]> {
    const { file, metadata } = this;
    return this.#package.parquetReadObjects({ file, metadata, ...options });
  }

  /** Looks at where the columns' pages are, and how many values they hold, before the package follows them. */
  async checkColumns({ columns }: RowGroup, names: readonly string[]): Promise<GroupPages> {
    const { what, file } = this;
    const read = async (start: number, end: number): Promise<Uint8Array> =>
      new Uint8Array(await file.slice(start, end));
    const found = new Map<string, readonly DataPage[]>();
    for (const { meta_data: column } of columns) {
      if (column === undefined)
        throw new FormatError(`${what} is damaged: a column says nothing of its pages`);
      const name = String(column.path_in_schema[0]);
      if (!names.includes(name)) continue;
      const data = Number(column.data_page_offset);
      const dictionary = Number(column.dictionary_page_offset ?? 0n);
      // Some writers say 0 where there is no dictionary.
      const start = dictionary > 0 ? Math.min(dictionary, data) : data;
      const end = start + Number(column.total_compressed_size);
      const chunk = { name, start, end, values: Number(column.num_values) };
      found.set(name, await checkPages(what, chunk, file.byteLength, read));
    }
    return found;
  }

  /** A column of the kind that the file states, where it states one of ours. */
  column(name: string, values: readonly unknown[]): TableColumn {
    const found = columnOfValues(this.what, name, values);
    const element = this.#elements.get(name);
    const stated = element && kindOf(element);
    if (stated === undefined || found.kind === stated) return found;
    if (values.every((value) => value == null))
      return columnOfKind(
        stated,
        values.map(() => null),
      );
    throw new FormatError(
      `${this.what}: column "${name}" holds whole numbers that a double does not hold; readParquet gives them as texts`,
    );
  }
}

function kindOf({
  type,
  converted_type: converted = "",
  logical_type: logical,
}: SchemaElement): ColumnKind | undefined {
  const meaning = `${converted} ${logical?.type ?? ""}`;
  if (/TIMESTAMP|DATE/.test(meaning)) return "date";
  if (/UTF8|STRING|ENUM/.test(meaning)) return "string";
  if (type === "BOOLEAN") return "boolean";
  return ["INT32", "INT64", "FLOAT", "DOUBLE"].includes(type ?? "") && !/TIME/.test(meaning)
    ? "number"
    : undefined;
}

export async function openParquet(reader: string, source: string | Uint8Array): Promise<ParquetFile> {
  const load = (): Promise<unknown> => import("hyparquet");
  const hyparquet = (await optionalPackage("hyparquet", reader, load)) as Hyparquet;
  const what = typeof source === "string" ? source : reader;
  const opened = typeof source === "string" ? await onDisk(source) : inMemory(source);
  try {
    return await explained(what, async () => {
      const metadata = await hyparquet.parquetMetadataAsync(opened.file);
      return new ParquetFile(what, opened, metadata, hyparquet);
    });
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** Opens it for `use` alone. */
export async function withParquet<Result>(
  reader: string,
  source: string | Uint8Array,
  use: (parquet: ParquetFile) => Promise<Result>,
): Promise<Result> {
  const parquet = await openParquet(reader, source);
  try {
    return await explained(parquet.what, () => use(parquet));
  } finally {
    await parquet.close();
  }
}

/** Errors of the package are those of the file. */
export async function explained<Result>(what: string, read: () => Promise<Result>): Promise<Result> {
  try {
    return await read();
  } catch (cause) {
    if (cause instanceof NetwrightError) throw cause;
    throw new FormatError(`${what} cannot be read as Parquet: ${(cause as Error).message}`, { cause });
  }
}

async function onDisk(path: string) {
  const opened = await openFile(path);
  const file: AsyncBuffer = {
    byteLength: opened.sizeBytes,
    async slice(start, end = opened.sizeBytes) {
      const bytes = new Uint8Array(Math.max(0, end - start));
      await opened.readAt(start, bytes);
      return bytes.buffer;
    },
  };
  return { file, close: () => opened.close() };
}

function inMemory(bytes: Uint8Array) {
  const file: AsyncBuffer = {
    byteLength: bytes.length,
    slice: async (start, end) => bytes.slice(start, end).buffer as ArrayBuffer,
  };
  return { file, close: async () => {} };
}

/**
 * Options that show the package one row group as a whole file, with an index of its pages behind the file's end: it then reads the pages of
 * the rows that are asked for, where it would read the whole group. The index is made of the headers, whether the file has one or not.
 */
export function withPageIndex({ what, file, metadata }: ParquetFile, group: RowGroup, pages: GroupPages) {
  const rows = Number(group.num_rows);
  const parts: Uint8Array[] = [];
  let at = file.byteLength;
  const columns = group.columns.map((column): ColumnChunk => {
    const { path_in_schema: path, num_values: values } = column.meta_data!;
    const own = pages.get(String(path[0]));
    if (own === undefined) return column;
    if (path.length > 1 || Number(values) !== rows)
      throw new FormatError(
        `${what}: column "${path[0]}" holds nested values; a table has one value in a cell`,
      );
    const index = pageIndex(own);
    parts.push(index);
    const offset = at;
    at += index.length;
    return { ...column, offset_index_offset: BigInt(offset), offset_index_length: index.length };
  });
  const indexes = new Uint8Array(at - file.byteLength);
  let filled = 0;
  for (const part of parts) {
    indexes.set(part, filled);
    filled += part.length;
  }
  const longer: AsyncBuffer = {
    byteLength: at,
    slice: async (start, end = at) =>
      start >= file.byteLength
        ? (indexes.slice(start - file.byteLength, end - file.byteLength).buffer as ArrayBuffer)
        : file.slice(start, end),
  };
  return {
    file: longer,
    metadata: { ...metadata, num_rows: group.num_rows, row_groups: [{ ...group, columns }] },
  };
}

/** Parquet's OffsetIndex in Thrift's compact protocol: field 1, a list of structs of (1) offset, (2) bytes, (3) first row. */
function pageIndex(pages: readonly DataPage[]): Uint8Array {
  const bytes: number[] = [0x19, 0xfc];
  const varint = (value: number): void => {
    for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
    bytes.push(value);
  };
  varint(pages.length);
  for (const { start, bytes: size, first } of pages) {
    // A field's head: one more than the field before, and its type (6: i64, 5: i32). Numbers are zigzag, so twice.
    for (const [head, value] of [
      [0x16, start],
      [0x15, size],
      [0x16, first],
    ] as const) {
      bytes.push(head);
      varint(2 * value);
    }
    bytes.push(0);
  }
  bytes.push(0);
  return Uint8Array.from(bytes);
}
