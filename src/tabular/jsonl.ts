/** JSON Lines: an object a line, a row each. */
import { readChunks, writeFileAtomic } from "#platform";
import { ArgumentError, FormatError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import {
  type Cell,
  type ColumnKind,
  columnOfKind,
  narrowed,
  numberColumn,
  type Schema,
  type TableColumn,
} from "./column.ts";
import type { ReadTable } from "./csv/read.ts";
import { encoded } from "./csv/write.ts";
import { parseDate } from "./dates.ts";
import { Table } from "./table.ts";

export interface JsonlOptions<S extends Schema = Schema> {
  /** Kinds of columns that are known; a value that does not fit is an error. All others are inferred from all rows. */
  readonly schema?: S;
  /** Columns of ISO dates become dates; true unless told otherwise. */
  readonly dates?: boolean;
  /** A longer line is an error: 16 MiB. */
  readonly maxLineBytes?: number;
  /** More names than this are an error: 16,384. */
  readonly maxColumns?: number;
}

interface Collected {
  readonly values: (string | number | boolean | null)[];
  kind: "number" | "string" | "boolean" | undefined;
}

/** Takes lines, keeps columns. */
class JsonlRows {
  readonly #columns = new Map<string, Collected>();
  #rows = 0;
  #line = 0;
  readonly #what: string;
  readonly #options: JsonlOptions;

  constructor(what: string, options: JsonlOptions) {
    checkOptions(what, options, ["schema", "dates", "maxLineBytes", "maxColumns", "batchRows"]);
    this.#what = what;
    this.#options = options;
  }

  get rowCount(): number {
    return this.#rows;
  }

  add(text: string): void {
    this.#line++;
    if (text.trim() === "") return;
    for (const [name, value] of Object.entries(this.#parsed(text))) this.#addValue(name, value);
    this.#rows++;
  }

  #parsed(text: string): object {
    let row: unknown;
    try {
      row = JSON.parse(text);
    } catch (cause) {
      throw new FormatError(
        `${this.#what}: line ${this.#line} is not valid JSON: ${(cause as Error).message}`,
      );
    }
    if (typeof row === "object" && row !== null && !Array.isArray(row)) return row;
    throw new FormatError(
      `${this.#what}: line ${this.#line} is ${JSON.stringify(row).slice(0, 60)}; every line must be an object, ` +
        'for example {"age": 3}',
    );
  }

  #addValue(name: string, value: unknown): void {
    const isNested = typeof value === "object" && value !== null;
    if (isNested) {
      throw new FormatError(
        `${this.#what}: line ${this.#line}, column "${name}" holds ${JSON.stringify(value).slice(0, 60)}; ` +
          "a value must be a number, a string, true, false or null",
      );
    }
    let column = this.#columns.get(name);
    if (!column) {
      if (this.#columns.size >= (this.#options.maxColumns ?? 16384)) {
        throw new FormatError(
          `${this.#what}: line ${this.#line}: too many columns; raise maxColumns if that is right`,
        );
      }
      this.#columns.set(name, (column = { values: [], kind: undefined }));
    }
    if (value !== null) {
      const kind = typeof value as "number" | "string" | "boolean";
      column.kind ??= kind;
      if (column.kind !== kind) {
        throw new FormatError(
          `${this.#what}: line ${this.#line}, column "${name}" holds ${JSON.stringify(value).slice(0, 60)}, a ${kind}; ` +
            `before it held ${column.kind}s`,
        );
      }
    }
    while (column.values.length < this.#rows) column.values.push(null);
    column.values.push(value as string | number | boolean | null);
  }

  /** The rows since the last `take`. */
  take(): Table {
    const columns = new Map<string, TableColumn>();
    for (const [name, column] of this.#columns) {
      while (column.values.length < this.#rows) column.values.push(null);
      columns.set(name, this.#column(name, column));
      column.values.length = 0;
    }
    const rows = this.#rows;
    this.#rows = 0;
    return new Table(columns, rows);
  }

  #column(name: string, { values, kind }: Collected): TableColumn {
    const { schema = {}, dates = true } = this.#options;
    const wanted: ColumnKind | undefined = Object.hasOwn(schema, name) ? schema[name] : undefined;
    if (
      wanted === "date" ||
      (wanted === undefined && dates && kind === "string" && values.every(isDateOrMissing))
    ) {
      const times = values.map((value) => {
        const time = value === null ? Number.NaN : parseDate(String(value));
        if (time === undefined) throw this.#misfit(name, value, "an ISO date");
        return new Date(time);
      });
      return columnOfKind("date", times);
    }
    if (wanted !== undefined && kind !== undefined && wanted !== kind)
      throw this.#misfit(name, values.find((value) => value !== null)!, `a ${wanted}`);
    const column = columnOfKind(wanted ?? kind ?? "number", values as Cell[]);
    return column.kind === "number" ? numberColumn(narrowed(column.data as Float64Array)) : column;
  }

  #misfit(name: string, value: unknown, expected: string): FormatError {
    return new FormatError(
      `${this.#what}: column "${name}" holds ${JSON.stringify(value)}, which is not ${expected} as the schema says`,
    );
  }
}

const isDateOrMissing = (value: unknown): boolean =>
  value === null || parseDate(value as string) !== undefined;

/**
 * The table that JSON Lines say.
 *
 * @throws FormatError naming the line
 * @example parseJsonl('{"name": "Tom", "age": 3}\n{"name": "Rex"}\n').values("age") // [3, null]
 */
export function parseJsonl<const S extends Schema = Schema>(
  text: string,
  options: JsonlOptions<S> = {},
): ReadTable<S> {
  const rows = new JsonlRows("parseJsonl", options);
  for (const line of text.replace(/^\uFEFF/, "").split("\n")) rows.add(line);
  return rows.take();
}

/**
 * Reads a file of JSON Lines. Every name that some line has becomes a column; a line that lacks it has a missing value there.
 *
 * @throws FormatError naming file, line and column: no JSON, no object, a nested value, another kind than before
 * @example
 * await writeJsonl(table({ name: ["Tom"], age: [3] }), "pets.jsonl");
 * (await readJsonl("pets.jsonl")).row(0); // { name: "Tom", age: 3 }
 */
export async function readJsonl<const S extends Schema = Schema>(
  path: string,
  options: JsonlOptions<S> = {},
): Promise<ReadTable<S>> {
  const rows = new JsonlRows(path, options);
  for await (const line of linesOf(path, readChunks(path), options.maxLineBytes)) rows.add(line);
  return rows.take();
}

/**
 * Reads a file of JSON Lines as tables of `batchRows` rows (10,000), one after the other, in memory for one of them.
 *
 * @example
 * await writeJsonl(table({ x: [1, 2, 3] }), "numbers.jsonl");
 * const lengths = [];
 * for await (const rows of streamJsonl("numbers.jsonl", { batchRows: 2 })) lengths.push(rows.length);
 * lengths; // [2, 1]
 */
export async function* streamJsonl<const S extends Schema = Schema>(
  path: string,
  options: JsonlOptions<S> & { readonly batchRows?: number } = {},
): AsyncGenerator<ReadTable<S>, void> {
  const { batchRows = 10_000 } = options;
  if (!Number.isSafeInteger(batchRows) || batchRows < 1) {
    throw new ArgumentError(`streamJsonl: batchRows must be a whole number of at least 1, got ${batchRows}`);
  }
  const rows = new JsonlRows(path, options);
  for await (const line of linesOf(path, readChunks(path), options.maxLineBytes)) {
    rows.add(line);
    if (rows.rowCount === batchRows) yield rows.take();
  }
  if (rows.rowCount > 0) yield rows.take();
}

async function* linesOf(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  maxLineBytes = 2 ** 24,
): AsyncGenerator<string, void> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let rest = "";
  const decoded = (chunk?: Uint8Array): string => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch {
      throw new FormatError(`${path} is not valid UTF-8, which JSON must be`);
    }
  };
  for await (const chunk of chunks) {
    const lines = (rest + decoded(chunk)).split("\n");
    rest = lines.pop()!;
    yield* lines;
    if (rest.length > maxLineBytes) {
      throw new FormatError(
        `${path}: a line is longer than ${maxLineBytes} bytes; raise maxLineBytes if that is right`,
      );
    }
  }
  yield rest + decoded();
}

function* jsonlPieces(table: Table): Generator<string, void> {
  for (const row of table.rows()) {
    yield `${JSON.stringify(row, (_, value) => (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY ? null : value))}\n`;
  }
}

/**
 * Writes a table as JSON Lines: null where a value is missing, dates as ISO.
 *
 * @throws FileError when the file cannot be written
 * @example await writeJsonl(table({ name: ["Tom"], age: [3] }), "pets.jsonl");
 */
export async function writeJsonl(table: Table, path: string): Promise<void> {
  await writeFileAtomic(path, encoded(jsonlPieces(table)));
}
