/** What was read of a file as columns of a table: strings that all say numbers, booleans or dates become these. */
import { FormatError } from "../../base/errors.ts";
import {
  booleanColumn,
  type ColumnKind,
  dateColumn,
  missingBoolean,
  narrowed,
  numberColumn,
  stringColumn,
  type TableColumn,
} from "../column.ts";
import { parseDate } from "../dates.ts";
import { binaryText } from "./byte-dictionary.ts";
import type { Dialect } from "./dialect.ts";
import type { FieldData } from "./rows.ts";
import { exactNumber } from "./sample.ts";

interface Context {
  readonly what: string;
  readonly name: string;
  readonly dialect: Dialect;
  /** The kind that was asked for. */
  readonly kind: ColumnKind | undefined;
}

/** @throws FormatError naming line, column and value of a text that is not what the schema says, or no valid UTF-8 */
export function columnOfField(
  field: FieldData & { kind: "number" | "string" },
  context: Context,
): TableColumn {
  if (field.kind === "number")
    return numberColumn(field.data instanceof Int32Array ? field.data : narrowed(field.data));
  const { texts, lineOf, codes } = field.dictionary.categories((bytes, line) =>
    decoded(bytes, line, context),
  );
  const { kind, dialect } = context;
  const strings = (): TableColumn => {
    const { entries } = field;
    // Without missing values entries are codes already.
    if (codes.length === texts.length) return stringColumn(entries, texts);
    for (let i = 0; i < entries.length; i++) entries[i] = codes[entries[i]!]!;
    return stringColumn(entries, texts);
  };
  if (kind === "string") return strings();
  if (kind === "boolean" || (kind === undefined && texts.length > 0 && texts.every(isBoolean))) {
    const values = texts.map((text, i) => Number(booleanOf(text) ?? fail(text, lineOf(i), context)));
    return booleanColumn(Uint8Array.from(byEntry(field.entries, codes, values, missingBoolean)));
  }
  if (kind === "date" || (kind === undefined && dialect.dates && texts.length > 0 && all(texts, parseDate))) {
    const times = texts.map((text, i) => parseDate(text) ?? fail(text, lineOf(i), context));
    return dateColumn(byEntry(field.entries, codes, times, Number.NaN));
  }
  if (kind !== "number" && !all(texts, (text) => exactNumber(text, dialect))) return strings();
  const numbers = texts.map((text, i) => exactNumber(text, dialect) ?? fail(text, lineOf(i), context));
  return numberColumn(narrowed(byEntry(field.entries, codes, numbers, Number.NaN)));
}

/** For each row the value of its entry's code. */
function byEntry(
  entries: Int32Array,
  codes: Int32Array,
  values: ArrayLike<number>,
  missing: number,
): Float64Array {
  const byEntry = Float64Array.from(codes, (code) => (code < 0 ? missing : values[code]!));
  const result = new Float64Array(entries.length);
  for (let i = 0; i < entries.length; i++) result[i] = byEntry[entries[i]!]!;
  return result;
}

const all = (texts: readonly string[], parse: (text: string) => number | undefined): boolean =>
  texts.every((text) => parse(text) !== undefined);

const isBoolean = (text: string): boolean => booleanOf(text) !== undefined;

/** The words that pandas takes for booleans. */
function booleanOf(text: string): boolean | undefined {
  if (text === "true" || text === "True" || text === "TRUE") return true;
  return text === "false" || text === "False" || text === "FALSE" ? false : undefined;
}

function fail(text: string, line: number, { what, name, kind }: Context): never {
  const expected =
    kind === "date" ? "an ISO date such as 2024-02-29" : kind === "number" ? "a number" : "true or false";
  throw new FormatError(
    `${what}: line ${line}, column "${name}": ${JSON.stringify(text.slice(0, 80))} is not ${expected}; ` +
      `say schema: { ${JSON.stringify(name)}: "string" }, or name it among the texts for missing values`,
  );
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decoded(bytes: Uint8Array, line: number, { what, name, dialect }: Context): string {
  if (dialect.isLatin) return binaryText(bytes);
  try {
    return decoder.decode(bytes);
  } catch {
    throw new FormatError(
      `${what}: line ${line}, column "${name}" is not valid UTF-8; if the file is in Latin-1, say encoding: "latin-1"`,
    );
  }
}
