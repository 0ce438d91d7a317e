/** Reading CSV and TSV: whole, or in tables of some rows each. */
import { openFile } from "#platform";
import { ArgumentError, FormatError } from "../../base/errors.ts";
import type { ColumnKind, Schema, TableColumn } from "../column.ts";
import { Table } from "../table.ts";
import { columnOfField } from "./columns.ts";
import type { Bytes } from "./decimal.ts";
import { type CsvOptions, type Dialect, dialectOf } from "./dialect.ts";
import { type Field, type FieldData, fieldKinds, RowReader } from "./rows.ts";
import { type Beginning, beginningOf } from "./sample.ts";

/** As much is looked at before the first row is read. */
const sampleBytes = 2 ** 18;
const chunkBytes = 2 ** 19;

/** Zeros behind the bytes that are read. */
const padding = 8;

function bytesOf(length: number): Bytes {
  const bytes = new Uint8Array(length);
  return { bytes, words: new DataView(bytes.buffer) };
}

/** Takes a file's bytes piece by piece and reads what is whole. */
class CsvReader {
  beginning: Beginning | undefined;
  rows: RowReader | undefined;
  #buffer = bytesOf(2 * chunkBytes);
  #from = 0;
  #to = 0;
  readonly #what: string;
  readonly #dialect: Dialect;
  /** In a second pass: the fields to read. */
  readonly #fields: readonly Field[] | undefined;

  readonly #canReadAgain: boolean;

  constructor(what: string, dialect: Dialect, fields?: readonly Field[], canReadAgain = true) {
    this.#what = what;
    this.#dialect = dialect;
    this.#fields = fields;
    this.#canReadAgain = canReadAgain;
  }

  push(chunk: Uint8Array): void {
    this.room(chunk.length).set(chunk);
  }

  /** Where the next `length` bytes go: whoever calls writes them there. */
  room(length: number): Uint8Array {
    const rest = this.#to - this.#from;
    // Room for a line feed at the very end of the file and for the zeros behind it.
    const needed = rest + length + 1 + padding;
    const { bytes: old } = this.#buffer;
    if (needed > old.length) {
      this.#buffer = bytesOf(Math.max(needed, 2 * old.length));
      this.#buffer.bytes.set(old.subarray(this.#from, this.#to));
    } else old.copyWithin(0, this.#from, this.#to);
    const { bytes } = this.#buffer;
    this.#from = 0;
    this.#to = rest + length;
    bytes.fill(0, this.#to, this.#to + padding);
    return bytes.subarray(rest, this.#to);
  }

  /** No more bytes come: a last line without a line break gets one. */
  end(): void {
    if (this.#to === this.#from || this.#buffer.bytes[this.#to - 1] === 10) return;
    this.push(Uint8Array.of(10));
  }

  /** From the rows so far: as many as all bytes of the file will give. */
  expect(bytesRead: number, bytesInAll: number): void {
    if (this.rows && bytesRead > 0)
      this.rows.expect(Math.ceil((1.02 * this.rows.rowCount * bytesInAll) / bytesRead));
  }

  /** Reads rows until there are `maxRows`, or no further one is whole; whether more are. */
  read(isLast: boolean, maxRows = Number.POSITIVE_INFINITY): boolean {
    if (!this.rows && !this.#begin(isLast)) return false;
    this.#from = this.rows!.read(this.#buffer, this.#from, this.#to, maxRows);
    const rest = this.#to - this.#from;
    if (this.rows!.rowCount === maxRows) return rest > 0;
    if (rest > this.#dialect.maxRowBytes || (isLast && rest > 0)) throw this.#unending(rest);
    return false;
  }

  #begin(isLast: boolean): boolean {
    const available = this.#to - this.#from;
    if (available < sampleBytes && !isLast) return false;
    const found = beginningOf(this.#what, this.#buffer.bytes, this.#to, this.#dialect);
    if (found === undefined) {
      if (!isLast && available <= this.#dialect.maxRowBytes) return false;
      if (available > 0 && this.#buffer.bytes.subarray(0, this.#to).some((byte) => byte > 32))
        throw this.#unending(available);
      throw new FormatError(`${this.#what} is empty: there is no line that names the columns`);
    }
    this.beginning = found;
    this.#from = found.start;
    this.rows = new RowReader(this.#what, {
      dialect: this.#dialect,
      fields: this.#fields ?? found.fields,
      line: found.line,
      canReadAgain: this.#canReadAgain,
    });
    return true;
  }

  #unending(bytes: number): FormatError {
    const line = this.rows?.line ?? 1;
    return new FormatError(
      `${this.#what}: the row that begins on line ${line} does not end within ${bytes} bytes: a quote is opened there ` +
        `and not closed, or the file is no table of text; maxRowBytes is ${this.#dialect.maxRowBytes}`,
    );
  }

  /** The second pass: strings where numbers were expected, nothing of the other columns. */
  fieldsToReadAgain(): readonly Field[] | undefined {
    const { failed } = this.rows!;
    if (failed.size === 0) return undefined;
    return this.beginning!.fields.map(({ name }, c) => ({
      name,
      kind: failed.has(c) ? fieldKinds.string : fieldKinds.skip,
      isFixed: false,
    }));
  }
}

/** Reads a file's bytes straight to where the reader wants them, a piece at a time: after each how far it is, and of how much. */
async function* piecesOf(
  path: string,
  reader: CsvReader,
): AsyncGenerator<{ readonly bytesRead: number; readonly sizeBytes: number }, void> {
  const file = await openFile(path);
  try {
    const { sizeBytes } = file;
    for (let at = 0; at < sizeBytes; at += chunkBytes) {
      const room = reader.room(Math.min(chunkBytes, sizeBytes - at));
      await file.readAt(at, room);
      yield { bytesRead: at + room.length, sizeBytes };
    }
  } finally {
    await file.close();
  }
}

function tableOf(what: string, dialect: Dialect, beginning: Beginning, fields: readonly FieldData[]): Table {
  const columns = new Map<string, TableColumn>();
  fields.forEach((field, c) => {
    const { name } = beginning.fields[c]!;
    if (field.kind !== "skipped")
      columns.set(name, columnOfField(field, { what, name, dialect, kind: beginning.kinds[c] }));
  });
  return new Table(inOrder(columns, dialect.columns));
}

/** Columns that were asked for by name come in that order. */
const inOrder = (
  columns: Map<string, TableColumn>,
  names: readonly string[] | undefined,
): Map<string, TableColumn> => (names ? new Map(names.map((name) => [name, columns.get(name)!])) : columns);

/** What is read, with the kinds that were told; all other columns are of any kind. */
export type ReadTable<S extends Schema> = Table<string extends keyof S ? Schema : S & Schema>;

/**
 * The table that a text says, as `readCsv` reads it from a file.
 *
 * @throws FormatError naming line and column, ArgumentError for an option that means nothing
 * @example
 * const pets = parseCsv("name,age\nTom,3\nRex,\n");
 * pets.values("age"); // [3, null]
 */
export function parseCsv<const S extends Schema = Schema>(
  source: string | Uint8Array,
  options: CsvOptions<S> = {},
): ReadTable<S> {
  const dialect = dialectOf("parseCsv", options);
  const bytes = typeof source === "string" ? new TextEncoder().encode(source) : source;
  const isLatin = dialect.isLatin && typeof source !== "string";
  const pass = (fields?: readonly Field[]): CsvReader => {
    const reader = new CsvReader("parseCsv", { ...dialect, isLatin }, fields);
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      reader.push(bytes.subarray(at, at + chunkBytes));
      reader.read(false);
      if (at === 0) reader.expect(chunkBytes, bytes.length);
    }
    reader.end();
    reader.read(true);
    return reader;
  };
  const first = pass();
  const again = first.fieldsToReadAgain();
  return merged("parseCsv", { ...dialect, isLatin }, first, again && pass(again));
}

function merged(what: string, dialect: Dialect, first: CsvReader, second: CsvReader | undefined): Table {
  const fields = first.rows!.take();
  const again = second?.rows?.take() ?? [];
  const all = fields.map((field, c) => (field.kind === "skipped" ? (again[c] ?? field) : field));
  return tableOf(what, dialect, first.beginning!, all);
}

/** A tab for .tsv and .tab, where nothing else is said. */
const withDelimiter = <O extends CsvOptions>(path: string, options: O): O =>
  options.delimiter === undefined && /\.(tsv|tab)$/i.test(path) ? { ...options, delimiter: "\t" } : options;

/**
 * Reads a CSV or TSV file (RFC 4180): quoted fields with delimiters, quotes and line breaks in them, any line ends, a mark of
 * UTF-8. Columns become numbers, booleans, dates or strings by what is in them; a column of numbers in which a text turns up
 * later is read again as strings, exactly as they stand there, and so is one of whole numbers too long for a double. Missing
 * values are those that pandas knows; blank lines are skipped.
 *
 * The file is read in pieces: only the table itself has to fit into memory.
 *
 * @throws FormatError naming file, line and column: a row with another number of fields, a value that the schema does not
 *   allow, a quote that is not closed; FileError when the file cannot be read
 * @example
 * await writeCsv(table({ name: ["Tom", "Rex"], age: [3, null] }), "pets.csv");
 * const pets = await readCsv("pets.csv", { schema: { name: "string", age: "number" } });
 * pets.row(0); // { name: "Tom", age: 3 }
 */
export async function readCsv<const S extends Schema = Schema>(
  path: string,
  options: CsvOptions<S> = {},
): Promise<ReadTable<S>> {
  const dialect = dialectOf("readCsv", withDelimiter(path, options));
  const pass = async (fields?: readonly Field[]): Promise<CsvReader> => {
    const reader = new CsvReader(path, dialect, fields);
    for await (const { bytesRead, sizeBytes } of piecesOf(path, reader)) {
      reader.read(false);
      if (bytesRead <= chunkBytes) reader.expect(bytesRead, sizeBytes);
    }
    reader.end();
    reader.read(true);
    return reader;
  };
  const first = await pass();
  const again = first.fieldsToReadAgain();
  return merged(path, dialect, first, again && (await pass(again)));
}

export interface CsvStreamOptions<S extends Schema = Schema> extends CsvOptions<S> {
  /** Rows of each table: 10,000. */
  readonly batchRows?: number;
}

/**
 * Reads a CSV or TSV file of any size as tables of `batchRows` rows, one after the other, in memory for one of them. Kinds come
 * from the schema, or from the first `sampleRows` rows; a later value that does not fit is an error that names it, since the
 * tables before it are gone.
 *
 * `source` may also be the bytes themselves as they arrive, from a network for example.
 *
 * @throws FormatError as readCsv does
 * @example
 * await writeCsv(table({ x: [1, 2, 3] }), "numbers.csv");
 * let sum = 0;
 * for await (const rows of streamCsv("numbers.csv", { batchRows: 2 })) for (const x of rows.values("x")) sum += Number(x);
 * sum; // 6
 */
export async function* streamCsv<const S extends Schema = Schema>(
  source: string | AsyncIterable<Uint8Array>,
  options: CsvStreamOptions<S> = {},
): AsyncGenerator<ReadTable<S>, void> {
  const { batchRows = 10_000, ...rest } = options;
  const isPath = typeof source === "string";
  const what = isPath ? source : "streamCsv";
  const dialect = dialectOf("streamCsv", isPath ? withDelimiter(source, rest) : rest);
  if (!Number.isSafeInteger(batchRows) || batchRows < 1) {
    throw new ArgumentError(`streamCsv: batchRows must be a whole number of at least 1, got ${batchRows}`);
  }
  const reader = new StreamReader(what, dialect, batchRows);
  if (isPath) for await (const _ of piecesOf(source, reader.bytes)) yield* reader.batches(false);
  else for await (const chunk of source) yield* reader.push(chunk);
  yield* reader.end();
}

class StreamReader {
  readonly #what: string;
  readonly #dialect: Dialect;
  readonly #batchRows: number;
  /** What takes the bytes. */
  readonly bytes: CsvReader;
  #kinds: readonly (ColumnKind | undefined)[] | undefined;
  #isAnyGiven = false;

  constructor(what: string, dialect: Dialect, batchRows: number) {
    this.#what = what;
    this.#dialect = dialect;
    this.#batchRows = batchRows;
    this.bytes = new CsvReader(what, dialect, undefined, false);
  }

  *push(chunk: Uint8Array): Generator<Table, void> {
    // Pieces of a source that gives large ones are read as files are.
    for (let at = 0; at < chunk.length; at += chunkBytes) {
      this.bytes.push(chunk.subarray(at, at + chunkBytes));
      yield* this.batches(false);
    }
  }

  *end(): Generator<Table, void> {
    this.bytes.end();
    yield* this.batches(true);
    if (this.bytes.rows!.rowCount > 0 || !this.#isAnyGiven) yield this.#take();
  }

  /** Tables that are whole by now. */
  *batches(isLast: boolean): Generator<Table, void> {
    for (let isMore = true; isMore; ) {
      isMore = this.bytes.read(isLast, this.#batchRows);
      if (this.bytes.rows?.rowCount === this.#batchRows) yield this.#take();
    }
  }

  /** Kinds that the first table found hold for all: the fields that may not be anything else are known then. */
  #take(): Table {
    const { rows, beginning } = this.bytes;
    this.#isAnyGiven = true;
    const fields = rows!.take();
    const kinds = this.#kinds ?? beginning!.kinds;
    const table = tableOf(this.#what, this.#dialect, { ...beginning!, kinds }, fields);
    this.#kinds ??= beginning!.fields.map(({ name }) => (table.has(name) ? table.schema[name] : undefined));
    return table;
  }
}
