/** The beginning of a file: its header, and what kinds of columns its first rows have. */
import { ArgumentError, FormatError, nearestName } from "../../base/errors.ts";
import type { ColumnKind } from "../column.ts";
import { losesDigits, parseNumberText } from "./decimal.ts";
import type { Dialect } from "./dialect.ts";
import { type Field, fieldKinds, plainNumber } from "./rows.ts";

const quote = 34;
const lineFeed = 10;
const carriageReturn = 13;

interface Line {
  readonly fields: readonly string[];
  /** The position after its end. */
  readonly end: number;
  /** Lines it takes: more than one where a line break stands in quotes. */
  readonly lines: number;
}

/** The record at `at`, or undefined where it does not end before `to`. Written for clarity: only beginnings are read so. */
function lineAt(
  bytes: Uint8Array,
  at: number,
  to: number,
  { delimiter, isLatin }: Dialect,
): Line | undefined {
  const fields: string[] = [];
  let field: number[] = [];
  let lines = 1;
  const decoder = new TextDecoder("utf-8");
  const endField = (): void => {
    const isPlain = isLatin || field.every((byte) => byte < 128);
    const text = isPlain ? String.fromCharCode(...field) : decoder.decode(Uint8Array.from(field));
    fields.push(text);
    field = [];
  };
  for (let p = at; p < to; p++) {
    const byte = bytes[p]!;
    const isStart = field.length === 0 && (p === at || bytes[p - 1] === delimiter);
    if (byte === quote && isStart) {
      for (p++; p < to && (bytes[p] !== quote || bytes[p + 1] === quote); p++) {
        if (bytes[p] === quote) p++;
        if (bytes[p] === lineFeed) lines++;
        field.push(bytes[p]!);
      }
      if (p + 1 >= to) return undefined;
    } else if (byte === delimiter) endField();
    else if (byte === lineFeed || byte === carriageReturn) {
      endField();
      return { fields, lines, end: byte === carriageReturn && bytes[p + 1] === lineFeed ? p + 2 : p + 1 };
    } else field.push(byte);
  }
  return undefined;
}

/** Where rows begin, and what is in them. */
export interface Beginning {
  readonly fields: readonly Field[];
  /** What the schema says of each field; undefined where nothing. */
  readonly kinds: readonly (ColumnKind | undefined)[];
  readonly start: number;
  readonly line: number;
}

/**
 * Reads header and sample from the beginning of a file. Undefined when even the first line is not whole: more bytes are
 * needed. `bytes[to]` is 0.
 */
export function beginningOf(
  what: string,
  bytes: Uint8Array,
  to: number,
  dialect: Dialect,
): Beginning | undefined {
  let start = byteOrderMark(what, bytes);
  let line = 1;
  const skipped = skipBlank(bytes, start, to, dialect);
  start = skipped.at;
  line += skipped.lines;
  const first = lineAt(bytes, start, to, dialect);
  if (first === undefined) return undefined;
  let names: readonly string[];
  if (dialect.header === true) {
    names = first.fields;
    start = first.end;
    line += first.lines;
  } else names = dialect.header || first.fields.map((_, i) => `column${i}`);
  const unique = uniqueNames(names);
  checkNames(what, unique, dialect);
  const sample = sampleOf(bytes, start, to, dialect);
  const fields = unique.map((name, i): Field => fieldOf(name, i, sample, dialect));
  return { fields, kinds: unique.map((name) => schemaOf(dialect, name)), start, line };
}

/** Skips a mark of UTF-8. @throws FormatError for one of UTF-16 */
function byteOrderMark(what: string, bytes: Uint8Array): number {
  const [a, b, c] = bytes;
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) {
    throw new FormatError(`${what} is encoded in UTF-16; convert it to UTF-8 first, for example with iconv`);
  }
  return a === 0xef && b === 0xbb && c === 0xbf ? 3 : 0;
}

function skipBlank(
  bytes: Uint8Array,
  at: number,
  to: number,
  { comment }: Dialect,
): { at: number; lines: number } {
  let lines = 0;
  while (at < to) {
    const byte = bytes[at]!;
    if (byte === comment) while (at < to && bytes[at] !== lineFeed && bytes[at] !== carriageReturn) at++;
    else if (byte !== lineFeed && byte !== carriageReturn) break;
    if (bytes[at] === lineFeed || bytes[at + 1] !== lineFeed) lines++;
    at++;
  }
  return { at, lines };
}

/** As pandas does: a second "x" is "x.1", one without a name is "Unnamed: 3" by its position. */
export function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  const repeats = new Map<string, number>();
  return names.map((name, i) => {
    let unique = name === "" ? `Unnamed: ${i}` : name;
    while (taken.has(unique)) {
      const count = (repeats.get(name) ?? 0) + 1;
      repeats.set(name, count);
      unique = `${name}.${count}`;
    }
    taken.add(unique);
    return unique;
  });
}

function checkNames(what: string, names: readonly string[], dialect: Dialect): void {
  if (names.length > dialect.maxColumns) {
    throw new FormatError(
      `${what}: the header has ${names.length} columns, more than the ${dialect.maxColumns} allowed; ` +
        "raise maxColumns if that is right",
    );
  }
  for (const [option, wanted] of [
    ["schema", Object.keys(dialect.schema)],
    ["columns", dialect.columns ?? []],
  ] as const) {
    const unknown = wanted.find((name) => !names.includes(name));
    if (unknown === undefined) continue;
    const near = nearestName(unknown, names);
    throw new ArgumentError(
      `${what}: ${option} names "${unknown}", which the header does not have; ` +
        (near === undefined ? `it has ${names.slice(0, 20).join(", ")}` : `did you mean "${near}"?`),
    );
  }
  for (const [name, kind] of Object.entries(dialect.schema)) {
    if (["number", "string", "boolean", "date"].includes(kind)) continue;
    throw new ArgumentError(
      `${what}: schema: "${name}" is ${JSON.stringify(kind)}; a kind is number, string, boolean or date`,
    );
  }
}

function sampleOf(bytes: Uint8Array, start: number, to: number, dialect: Dialect): (readonly string[])[] {
  const rows: (readonly string[])[] = [];
  for (let at = start; rows.length < dialect.sampleRows; ) {
    at = skipBlank(bytes, at, to, dialect).at;
    const line = lineAt(bytes, at, to, dialect);
    if (line === undefined) break;
    rows.push(line.fields);
    at = line.end;
  }
  return rows;
}

const schemaOf = ({ schema }: Dialect, name: string): ColumnKind | undefined =>
  Object.hasOwn(schema, name) ? schema[name] : undefined;

function fieldOf(name: string, at: number, sample: readonly (readonly string[])[], dialect: Dialect): Field {
  if (dialect.columns && !dialect.columns.includes(name))
    return { name, kind: fieldKinds.skip, isFixed: false };
  const texts = sample.map((fields) => fields[at]).filter((text) => text !== undefined);
  // A guess: a value that is none makes it a column of any numbers.
  const isWhole = texts.length > 0 && texts.every((text) => /^-?\d{1,9}$/.test(text));
  const numberKind = isWhole ? fieldKinds.whole : fieldKinds.number;
  const kind = schemaOf(dialect, name);
  if (kind !== undefined)
    return { name, kind: kind === "number" ? numberKind : fieldKinds.string, isFixed: true };
  const present = texts.filter((text) => !dialect.missing.includes(text));
  // A column without a value so far is read as strings, which can still become anything.
  const isNumber = present.length > 0 && present.every((text) => exactNumber(text, dialect) !== undefined);
  return { name, kind: isNumber ? numberKind : fieldKinds.string, isFixed: false };
}

/** The number that a text says without losing digits; undefined where it is none. */
export function exactNumber(text: string, dialect: Dialect): number | undefined {
  const plain = plainNumber(text, dialect);
  const value = plain === undefined ? undefined : parseNumberText(plain);
  return value === undefined || losesDigits(plain!, value) ? undefined : value;
}
