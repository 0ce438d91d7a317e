/** How a text table is written: options, their defaults, and what they mean for bytes. */
import { ArgumentError } from "../../base/errors.ts";
import { checkOptions } from "../../base/options.ts";
import type { Schema } from "../column.ts";

export interface CsvOptions<S extends Schema = Schema> {
  /** Between fields: one ASCII character. A comma; a tab for files named .tsv. */
  readonly delimiter?: string;
  /** Whether the first line names the columns (true), or the names themselves for a file without that line. */
  readonly header?: boolean | readonly string[];
  /** Kinds of columns that are known, by name. A value that does not fit is an error. All others are inferred. */
  readonly schema?: S;
  /** Only these columns are read. */
  readonly columns?: readonly string[];
  /** Lines that begin with this character are skipped. */
  readonly comment?: string;
  /** Texts that stand for a missing value: those of pandas unless told otherwise. */
  readonly missing?: readonly string[];
  /** "." unless told otherwise. */
  readonly decimal?: "." | ",";
  /** Between groups of three digits, as in 1,234,567: none unless told. */
  readonly thousands?: string;
  /** Columns of ISO dates (2024-02-29, 2024-02-29T12:30:00Z) become dates; true unless told otherwise. */
  readonly dates?: boolean;
  readonly encoding?: "utf-8" | "latin-1";
  /** Rows of the beginning from which kinds are inferred: 1,000. */
  readonly sampleRows?: number;
  /** A longer row is an error (an unclosed quote makes one of the rest of the file): 16 MiB. */
  readonly maxRowBytes?: number;
  /** A header with more columns is an error: 16,384. */
  readonly maxColumns?: number;
}

/** What pandas takes for a missing value. */
export const usualMissing: readonly string[] = [
  ..."| #N/A #N/A_N/A #NA -1.#IND -1.#QNAN -NaN -nan 1.#IND 1.#QNAN <NA> N/A NA NULL NaN None n/a nan null"
    .split(" ")
    .map((text) => (text === "|" ? "" : text.replace("_", " "))),
];

/** The options with their defaults, checked. */
export interface Dialect {
  readonly delimiter: number;
  readonly header: boolean | readonly string[];
  readonly schema: Schema;
  readonly columns: readonly string[] | undefined;
  /** A byte, −1 for none. */
  readonly comment: number;
  readonly missing: readonly string[];
  readonly decimalPoint: number;
  readonly decimal: "." | ",";
  readonly thousands: string | undefined;
  readonly dates: boolean;
  readonly isLatin: boolean;
  readonly sampleRows: number;
  readonly maxRowBytes: number;
  readonly maxColumns: number;
}

const optionNames = [
  ...["delimiter", "header", "schema", "columns", "comment", "missing", "decimal", "thousands", "dates"],
  ...["encoding", "sampleRows", "maxRowBytes", "maxColumns"],
];

/** @throws ArgumentError naming the option that means nothing */
export function dialectOf(what: string, options: CsvOptions, extra: readonly string[] = []): Dialect {
  checkOptions(what, options, [...optionNames, ...extra]);
  const { delimiter = ",", header = true, schema = {}, decimal = ".", encoding = "utf-8" } = options;
  const { missing = usualMissing, dates = true, comment, thousands, columns } = options;
  const { sampleRows = 1000, maxRowBytes = 2 ** 24, maxColumns = 16384 } = options;
  if (encoding !== "utf-8" && encoding !== "latin-1") {
    throw new ArgumentError(
      `${what}: encoding must be "utf-8" or "latin-1", got ${JSON.stringify(encoding)}; convert the file first`,
    );
  }
  if (decimal !== "." && decimal !== ",") {
    throw new ArgumentError(`${what}: decimal must be "." or ",", got ${JSON.stringify(decimal)}`);
  }
  const dialect: Dialect = {
    ...{ header, schema, columns, missing, decimal, thousands, dates, sampleRows, maxRowBytes, maxColumns },
    delimiter: asciiByte(what, "delimiter", delimiter),
    comment: comment === undefined ? -1 : asciiByte(what, "comment", comment),
    decimalPoint: decimal.charCodeAt(0),
    isLatin: encoding === "latin-1",
  };
  if (
    thousands !== undefined &&
    (thousands.length !== 1 || thousands === decimal || /[\d+\-eE]/.test(thousands))
  ) {
    throw new ArgumentError(
      `${what}: thousands must be one character that numbers do not have, got ${JSON.stringify(thousands)}`,
    );
  }
  const counts = { sampleRows, maxRowBytes, maxColumns };
  for (const [name, value] of Object.entries(counts)) {
    if (Number.isSafeInteger(value) && value >= 1) continue;
    throw new ArgumentError(`${what}: ${name} must be a whole number of at least 1, got ${value}`);
  }
  return dialect;
}

function asciiByte(what: string, option: string, text: string): number {
  const byte = typeof text === "string" && text.length === 1 ? text.charCodeAt(0) : -1;
  if (byte > 0 && byte < 128 && !'"\r\n'.includes(text)) return byte;
  throw new ArgumentError(
    `${what}: ${option} must be one ASCII character other than a quote or a line break, got ${JSON.stringify(text)}`,
  );
}
