/** Writing CSV. */
import { writeFileAtomic } from "#platform";
import { ArgumentError } from "../../base/errors.ts";
import { checkOptions } from "../../base/options.ts";
import { isMissing, missingBoolean, type TableColumn } from "../column.ts";
import type { Table } from "../table.ts";

export interface CsvWriteOptions {
  /** Between fields: a comma; a tab for files named .tsv. */
  readonly delimiter?: string;
  /** What stands for a missing value: nothing. */
  readonly missing?: string;
  /** Whether the first line names the columns. */
  readonly header?: boolean;
}

const pieceRows = 4096;

/**
 * The CSV text of a table, in pieces of some rows: RFC 4180, with a line feed at each line's end. Fields with delimiters, quotes
 * or line breaks, or white space at an end, stand in quotes. Numbers are written with as many digits as it takes to read the
 * same ones again, dates as ISO.
 */
function* csvPieces(table: Table, options: CsvWriteOptions): Generator<string, void> {
  checkOptions("writeCsv", options, ["delimiter", "missing", "header"]);
  const { delimiter = ",", missing = "", header = true } = options;
  if (delimiter.length !== 1 || '"\r\n'.includes(delimiter)) {
    throw new ArgumentError(`writeCsv: delimiter must be one character, got ${JSON.stringify(delimiter)}`);
  }
  const quoted = quoting(delimiter);
  const names = table.names.map((name) => quoted(name));
  if (header) yield `${lineOf(names, delimiter)}\n`;
  const texts = table.names.map((name) => textOf(table.column(name) as TableColumn, quoted, missing));
  for (let from = 0; from < table.length; from += pieceRows) {
    let piece = "";
    for (let row = from; row < Math.min(from + pieceRows, table.length); row++) {
      piece += `${lineOf(
        texts.map((text) => text(row)),
        delimiter,
      )}\n`;
    }
    yield piece;
  }
}

/** A line with one empty field would be a blank line, which readers skip: it gets quotes. */
const lineOf = (fields: readonly string[], delimiter: string): string =>
  fields.length === 1 && fields[0] === "" ? '""' : fields.join(delimiter);

function quoting(delimiter: string): (text: string) => string {
  const special = new RegExp(`["\r\n\\${delimiter}\\0]|^\\s|\\s$`);
  return (text) => (special.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
}

function textOf(
  column: TableColumn,
  quoted: (text: string) => string,
  missing: string,
): (row: number) => string {
  const { kind, data } = column;
  if (kind === "string") {
    const texts = column.categories.map(quoted);
    return (row) => texts[data[row]!] ?? missing;
  }
  if (kind === "boolean")
    return (row) => (data[row] === missingBoolean ? missing : data[row] === 1 ? "true" : "false");
  if (kind === "date")
    return (row) => (isMissing(column, row) ? missing : new Date(data[row]!).toISOString());
  return (row) => (isMissing(column, row) ? missing : numberText(data[row]!));
}

const numberText = (value: number): string => {
  if (Object.is(value, -0)) return "-0.0";
  if (Number.isFinite(value)) return String(value);
  return value > 0 ? "inf" : "-inf";
};

/**
 * The CSV text of a table: what `writeCsv` writes.
 *
 * @example formatCsv(table({ name: ["Tom", 'a "cat"'], age: [3, null] })) // 'name,age\nTom,3\n"a ""cat""",\n'
 */
export function formatCsv(table: Table, options: CsvWriteOptions = {}): string {
  return [...csvPieces(table, options)].join("");
}

/**
 * Writes a table as CSV, which `readCsv` and every other program reads. The file replaces an old one only when it is complete.
 *
 * @throws FileError when the file cannot be written
 * @example await writeCsv(table({ name: ["Tom"], age: [3] }), "pets.csv");
 */
export async function writeCsv(table: Table, path: string, options: CsvWriteOptions = {}): Promise<void> {
  const isTabs = options.delimiter === undefined && /\.(tsv|tab)$/i.test(path);
  await writeFileAtomic(path, encoded(csvPieces(table, isTabs ? { ...options, delimiter: "\t" } : options)));
}

/** Texts as bytes, one piece at a time. */
export function* encoded(pieces: Iterable<string>): Generator<Uint8Array, void> {
  const encoder = new TextEncoder();
  for (const piece of pieces) yield encoder.encode(piece);
}
