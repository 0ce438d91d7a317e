/**
 * The inner loop: bytes of a text table into columns, row after row.
 *
 * Fields are read where they stand. Numbers go into Float64Arrays digit by digit, strings into a dictionary by their bytes; no
 * JavaScript string is made for a field that is a plain number or a text seen before. Quoted fields and numbers that are not
 * plain take the slow way round.
 */
import { FormatError } from "../../base/errors.ts";
import {
  ByteDictionary,
  binaryText,
  hashFactor,
  hashOf,
  hashStart,
  MissingTexts,
} from "./byte-dictionary.ts";
import { type Bytes, losesDigits, noNumber, parseNumberText, powersOfTen, readDecimal } from "./decimal.ts";
import type { Dialect } from "./dialect.ts";
import { PlainRows } from "./plain-rows.ts";

const lineFeed = 10;
const carriageReturn = 13;
const quote = 34;
const minus = 45;

/** Less is read one row after the other: the kernel would first have to be made. */
const worthwhileBytes = 2 ** 14;

/**
 * What is done with a field. A column whose numbers turn out to be none is skipped and read again as strings; one of whole
 * numbers of 32 bits in which another value turns up holds any numbers from then on.
 */
export const fieldKinds = { skip: 0, number: 1, string: 2, whole: 3 } as const;
export type FieldKind = (typeof fieldKinds)[keyof typeof fieldKinds];

export interface Field {
  readonly name: string;
  readonly kind: FieldKind;
  /** The schema says what it is: a value that is no number is an error, not a reason to read strings. */
  readonly isFixed: boolean;
}

/** What one column holds so far. */
export type FieldData =
  | { readonly kind: "number"; readonly data: Float64Array | Int32Array }
  | { readonly kind: "string"; readonly entries: Int32Array; readonly dictionary: ByteDictionary }
  | { readonly kind: "skipped" };

/** Reads rows of known fields. */
export class RowReader {
  /** Rows read since `take`. */
  rowCount = 0;
  /** Lines begun so far: the number of the line that is read. */
  line: number;
  /** Columns whose values were no numbers, by position. */
  readonly failed = new Set<number>();
  readonly #what: string;
  readonly #fields: readonly Field[];
  readonly #kinds: Uint8Array;
  readonly #dialect: Dialect;
  readonly #canReadAgain: boolean;
  readonly #missing: MissingTexts;
  /** 1 for bytes that end a field without quotes. */
  readonly #ends = new Uint8Array(256);
  /** 1 for columns of numbers with more than nine digits. */
  readonly #hasLong: Uint8Array;
  /** Integers where the kind is whole. */
  readonly #numbers: (Float64Array | Int32Array)[] = [];
  /** One number before it is kept. */
  readonly #single = new Float64Array(1);
  readonly #entries: Int32Array[] = [];
  #dictionaries: ByteDictionary[] = [];
  /** Rows for which there is room; how many there will be room for when the next row comes. */
  #capacity = 0;
  #nextCapacity = 64;
  /** A quoted field without its quotes. */
  #unquoted = new Uint8Array(256);
  #unquotedLength = 0;
  /** Lines within the quotes of the row that is read. */
  #linesInRow = 0;
  /** Null where rows are read one by one: few of them are plain, or there is no WebAssembly. Made for the first large piece. */
  #plain: PlainRows | null | undefined;
  /** Calls of it, and the rows that came of them. */
  readonly #plainCounts = { calls: 0, rows: 0 };

  /** `canReadAgain`: whether the file can be read a second time for columns that failed; else they are errors. */
  constructor(
    what: string,
    {
      dialect,
      fields,
      line,
      canReadAgain,
    }: {
      readonly dialect: Dialect;
      readonly fields: readonly Field[];
      readonly line: number;
      readonly canReadAgain: boolean;
    },
  ) {
    this.#what = what;
    this.#canReadAgain = canReadAgain;
    this.#dialect = dialect;
    this.#fields = fields;
    this.#kinds = Uint8Array.from(fields, ({ kind }) => kind);
    this.#hasLong = new Uint8Array(fields.length);
    this.#missing = new MissingTexts(dialect.missing);
    this.line = line;
    for (const byte of [0, dialect.delimiter, lineFeed, carriageReturn]) this.#ends[byte] = 1;
    this.#clear();
  }

  #clear(): void {
    this.rowCount = 0;
    this.#capacity = 0;
    for (let c = 0; c < this.#kinds.length; c++) {
      this.#numbers[c] = new Float64Array(0);
      this.#entries[c] = new Int32Array(0);
    }
    this.#dictionaries = this.#fields.map(() => new ByteDictionary());
  }

  /** The rows since the last `take`, in arrays of their own. */
  take(): FieldData[] {
    const count = this.rowCount;
    const taken = this.#fields.map((_, c): FieldData => {
      const kind = this.#kinds[c];
      if (isNumeric(kind!)) return { kind: "number", data: filled(this.#numbers[c]!, count) };
      if (kind === fieldKinds.skip) return { kind: "skipped" };
      return {
        kind: "string",
        entries: filled(this.#entries[c]!, count),
        dictionary: this.#dictionaries[c]!,
      };
    });
    // As many again: a stream takes equal numbers.
    this.#nextCapacity = Math.max(64, Math.min(this.#capacity, count));
    this.#clear();
    return taken;
  }

  /**
   * Reads rows that end before `to`, until there are `maxRows`; gives the position after the last one. The bytes from `to` on are
   * zeros, at least eight of them, so that no loop has to look for the end.
   */
  read(source: Bytes, from: number, to: number, maxRows: number): number {
    let p = from;
    if (this.#plain === undefined && to - from >= worthwhileBytes) this.#plain = this.#plainRows() ?? null;
    this.#plain?.forget();
    while (p < to && this.rowCount < maxRows && this.#plain) {
      p = this.#readPlain(this.#plain, source.bytes, p, to, maxRows);
      if (p === to || this.rowCount === maxRows) return p;
      // What stopped it: a row that is not plain, or the end of what is there.
      const rowEnd = this.#readEach(source, p, to, this.rowCount + 1);
      if (rowEnd === p) return p;
      p = rowEnd;
    }
    return this.#readEach(source, p, to, maxRows);
  }

  #plainRows(): PlainRows | undefined {
    const { hasEmpty } = this.#missing;
    return PlainRows.make({ dialect: this.#dialect, hasEmpty, hashStart, columnCount: this.#kinds.length });
  }

  /** Rows that are plain, many at a time. */
  #readPlain(plain: PlainRows, bytes: Uint8Array, from: number, to: number, maxRows: number): number {
    const first = this.rowCount;
    const end = plain.read(bytes, from, to, this.#kinds, maxRows - first);
    const { rowCount } = plain;
    const counts = this.#plainCounts;
    counts.rows += rowCount;
    if (++counts.calls >= 16 && counts.rows < 16 * counts.calls) this.#plain = null;
    if (rowCount === 0) return from;
    if (first + rowCount > this.#capacity) this.#grow(first + rowCount);
    const { line } = this;
    const at = (row: number): void => {
      this.rowCount = first + row;
      this.line = line + row;
    };
    for (let c = 0; c < this.#kinds.length; c++) {
      if (this.#kinds[c] === fieldKinds.number) this.#numbers[c]!.set(plain.numbers(c), first);
      else if (this.#kinds[c] === fieldKinds.whole) this.#numbers[c]!.set(plain.wholeNumbers(c), first);
      else if (this.#kinds[c] === fieldKinds.string) this.#storeTexts(plain, bytes, to, c);
    }
    plain.odd((row, c, start, end) => {
      at(row);
      if (isNumeric(this.#kinds[c]!)) this.#storeNumber(bytes, start, end, c);
    });
    at(rowCount);
    return end;
  }

  /** A column of strings of rows that are plain. */
  #storeTexts(plain: PlainRows, bytes: Uint8Array, to: number, c: number): void {
    const { rowCount: first, line } = this;
    const [entries, dictionary, missing] = [this.#entries[c]!, this.#dictionaries[c]!, this.#missing];
    const { words, moved } = plain.strings(c);
    for (let i = 0, at = 0; at < words.length; i++, at += 3) {
      if (i % 256 === 0) dictionary.readAhead(words, at + 2, Math.min(words.length, at + 3 * 256));
      const [start, end] = [words[at]! + moved, words[at + 1]!];
      if (end >= 0)
        entries[first + i] = dictionary.entry(bytes, start, end + moved, words[at + 2]!, line + i, missing);
      else {
        this.rowCount = first + i;
        this.line = line + i;
        this.#readEscaped(bytes, start - 1, to, c);
      }
    }
    this.rowCount = first;
    this.line = line;
  }

  /** Rows of any kind, one by one. */
  #readEach(source: Bytes, from: number, to: number, maxRows: number): number {
    const { bytes } = source;
    const ends = this.#ends;
    const kinds = this.#kinds;
    const fieldCount = kinds.length;
    const [numbers, entries, dictionaries, missing] = [
      this.#numbers,
      this.#entries,
      this.#dictionaries,
      this.#missing,
    ];
    const { delimiter, comment, decimalPoint } = this.#dialect;
    const { hasEmpty } = missing;
    const hasLong = this.#hasLong;
    let p = from;
    while (p < to && this.rowCount < maxRows) {
      const rowStart = p;
      const first = bytes[p]!;
      if (first === lineFeed || first === carriageReturn || first === comment) {
        p = first === comment ? this.#skipLine(bytes, p, to) : p + 1;
        // A carriage return at the very end: whether a line feed follows is not known yet.
        if (p < 0 || (p === to && bytes[p - 1] === carriageReturn)) return rowStart;
        if (bytes[p - 1] === lineFeed || bytes[p] !== lineFeed) this.line++;
        continue;
      }
      const row = this.rowCount;
      if (row === this.#capacity) this.#grow(row + 1);
      this.#linesInRow = 0;
      for (let c = 0; c < fieldCount; c++) {
        const kind = kinds[c]!;
        let byte = bytes[p]!;
        if (byte === quote) {
          p = this.#readQuoted(bytes, p, to, c);
          if (p < 0) return rowStart;
        } else if (isNumeric(kind)) {
          const isWhole = kind === fieldKinds.whole;
          const data = isWhole ? this.#single : (numbers[c] as Float64Array);
          const at = isWhole ? 0 : row;
          let isStored = false;
          // Numbers of up to nine digits are read here, unless the column has longer ones; everything else is worth a call.
          const start = byte === minus ? p + 1 : p;
          const limit = hasLong[c] === 1 ? start : start + 11;
          let end = start;
          let point = 0;
          let digits = 0;
          byte = bytes[end]!;
          while (end < limit) {
            const digit = byte - 48;
            if (digit >>> 0 < 10) digits = (digits * 10 + digit) | 0;
            else if (byte === decimalPoint && point === 0) point = end + 1;
            else break;
            byte = bytes[++end]!;
          }
          const length = point === 0 ? end - start : end - start - 1;
          if (length > 0 && length < 10 && (byte === delimiter || byte === lineFeed)) {
            const value = point === 0 ? digits : digits / powersOfTen[end - point]!;
            data[at] = start === p ? value : -value;
          } else if (end === p && hasEmpty && (byte === delimiter || byte === lineFeed)) {
            data[at] = Number.NaN;
          } else {
            hasLong[c] = length > 9 ? 1 : hasLong[c]!;
            end = readDecimal(source, p, decimalPoint, data, at);
            if (end === noNumber || ends[bytes[end]!] === 0 || bytes[end] === 0 || isLong(data[at]!)) {
              end = p;
              while (ends[bytes[end]!] === 0 || (bytes[end] === 0 && end < to)) end++;
              if (end === to) return rowStart;
              this.#storeNumber(bytes, p, end, c);
              isStored = true;
            }
          }
          if (isWhole && !isStored) this.#keep(c, data[0]!);
          p = end;
        } else {
          let hash = hashStart;
          const start = p;
          while (ends[byte] === 0 || (byte === 0 && p < to)) {
            hash = Math.imul(hash ^ byte, hashFactor);
            byte = bytes[++p]!;
          }
          if (p === to) return rowStart;
          if (kind === fieldKinds.string)
            entries[c]![row] = dictionaries[c]!.entry(bytes, start, p, hash, this.line, missing);
        }
        if (c < fieldCount - 1) {
          if (bytes[p] !== delimiter) this.#raggedRow(bytes, rowStart, to);
          p++;
        }
      }
      const end = bytes[p];
      if (end === delimiter) this.#raggedRow(bytes, rowStart, to);
      p++;
      if (end === carriageReturn) {
        if (p === to) return rowStart;
        if (bytes[p] === lineFeed) p++;
      }
      this.line += 1 + this.#linesInRow;
      this.rowCount++;
    }
    return p;
  }

  /** Makes room for this many rows at once, where it can be told how many will come. */
  expect(rowCount: number): void {
    if (rowCount > this.#capacity) this.#resize(rowCount);
  }

  /** Room for so many rows at least. */
  #grow(rowCount: number): void {
    this.#resize(Math.max(this.#nextCapacity, 2 * this.#capacity, rowCount));
  }

  #resize(capacity: number): void {
    this.#capacity = capacity;
    for (let c = 0; c < this.#kinds.length; c++) {
      const kind = this.#kinds[c]!;
      if (isNumeric(kind)) {
        const numbers = new (kind === fieldKinds.whole ? Int32Array : Float64Array)(this.#capacity);
        numbers.set(this.#numbers[c]!);
        this.#numbers[c] = numbers;
      } else if (this.#kinds[c] === fieldKinds.string) {
        const codes = new Int32Array(this.#capacity);
        codes.set(this.#entries[c]!);
        this.#entries[c] = codes;
      }
    }
  }

  /** The position after the line's end, −1 where that has not come. */
  #skipLine(bytes: Uint8Array, at: number, to: number): number {
    while (at < to && bytes[at] !== lineFeed && bytes[at] !== carriageReturn) at++;
    return at === to ? -1 : at + 1;
  }

  /** A field in quotes; gives the position after the closing quote, −1 where it has not come. */
  #readQuoted(bytes: Uint8Array, at: number, to: number, c: number): number {
    // Most have no quote within: they are read where they stand.
    let hash = hashStart;
    let lines = 0;
    let p = at + 1;
    for (let byte = bytes[p]!; byte !== quote && p < to; byte = bytes[++p]!) {
      if (byte === lineFeed || (byte === carriageReturn && bytes[p + 1] !== lineFeed)) lines++;
      hash = Math.imul(hash ^ byte, hashFactor);
    }
    if (p + 1 >= to) return -1;
    if (bytes[p + 1] === quote) return this.#readEscaped(bytes, at, to, c);
    this.#linesInRow += lines;
    this.#checkEnd(bytes, p + 1, c);
    this.#storeText(bytes, at + 1, p, hash, c);
    return p + 1;
  }

  #checkEnd(bytes: Uint8Array, end: number, c: number): void {
    if (this.#ends[bytes[end]!] === 0 || bytes[end] === 0)
      this.#fail(c, "has characters after the closing quote; a quote within quotes is written twice");
  }

  #storeText(bytes: Uint8Array, from: number, to: number, hash: number, c: number): void {
    const kind = this.#kinds[c];
    if (isNumeric(kind!)) this.#storeNumber(bytes, from, to, c);
    else if (kind === fieldKinds.string) {
      const entry = this.#dictionaries[c]!.entry(bytes, from, to, hash, this.line, this.#missing);
      this.#entries[c]![this.rowCount] = entry;
    }
  }

  /** A field in quotes with quotes in it, where two stand for one. */
  #readEscaped(bytes: Uint8Array, at: number, to: number, c: number): number {
    const end = this.#unquote(bytes, at, to);
    if (end < 0 || end === to) return -1;
    this.#checkEnd(bytes, end, c);
    const [text, length] = [this.#unquoted, this.#unquotedLength];
    this.#storeText(text, 0, length, hashOf(text, 0, length), c);
    return end;
  }

  #unquote(bytes: Uint8Array, at: number, to: number): number {
    let length = 0;
    let lines = 0;
    for (let p = at + 1; p < to; p++) {
      const byte = bytes[p]!;
      if (byte === quote) {
        if (bytes[p + 1] !== quote || p + 1 === to) {
          this.#unquotedLength = length;
          this.#linesInRow += lines;
          return p + 1;
        }
        p++;
      } else if (byte === lineFeed || (byte === carriageReturn && bytes[p + 1] !== lineFeed)) lines++;
      if (length === this.#unquoted.length) {
        const larger = new Uint8Array(2 * length);
        larger.set(this.#unquoted);
        this.#unquoted = larger;
      }
      this.#unquoted[length++] = byte;
    }
    return -1;
  }

  /** A number that is not plain: missing, spaced, grouped, long, or none. */
  #storeNumber(bytes: Uint8Array, from: number, to: number, c: number): void {
    if (this.#missing.has(bytes, from, to)) {
      this.#keep(c, Number.NaN);
      return;
    }
    const text = binaryText(bytes.subarray(from, to));
    const plain = plainNumber(text, this.#dialect);
    const value = plain === undefined ? undefined : parseNumberText(plain);
    const { isFixed, name } = this.#fields[c]!;
    if (value !== undefined && (isFixed || !losesDigits(plain!, value))) {
      this.#keep(c, value);
    } else if (isFixed || !this.#canReadAgain) {
      const shown = JSON.stringify(new TextDecoder().decode(bytes.subarray(from, Math.min(to, from + 80))));
      const problem = value === undefined ? "is not a number" : "has more digits than a number holds";
      const hint = /^-?\d+,\d+$/.test(text) ? '; for a decimal comma say decimal: ","' : "";
      throw new FormatError(
        `${this.#what}: line ${this.line}, column "${name}": ${shown} ${problem}; say schema: { ${JSON.stringify(name)}: "string" }, ` +
          `or name it among the texts for missing values${hint}`,
      );
    } else {
      this.failed.add(c);
      this.#kinds[c] = fieldKinds.skip;
    }
  }

  /** A number of the row that is read; a column of whole numbers is widened for one that is not. */
  #keep(c: number, value: number): void {
    if (this.#kinds[c] === fieldKinds.whole && !Object.is(value | 0, value)) {
      this.#numbers[c] = Float64Array.from(this.#numbers[c]!);
      this.#kinds[c] = fieldKinds.number;
    }
    this.#numbers[c]![this.rowCount] = value;
  }

  #fail(c: number, problem: string): never {
    const { name } = this.#fields[c]!;
    throw new FormatError(`${this.#what}: line ${this.line + this.#linesInRow}, column "${name}" ${problem}`);
  }

  #raggedRow(bytes: Uint8Array, rowStart: number, to: number): never {
    let found = 1;
    let isQuoted = false;
    for (let p = rowStart; p < to; p++) {
      const byte = bytes[p]!;
      if (byte === quote) isQuoted = !isQuoted;
      if (isQuoted) continue;
      if (byte === lineFeed || byte === carriageReturn) break;
      if (byte === this.#dialect.delimiter) found++;
    }
    const expected = this.#kinds.length;
    const { name } = this.#fields[Math.min(found, expected) - 1]!;
    const where = found < expected ? `the last one is "${name}"` : `the line goes on after column "${name}"`;
    throw new FormatError(
      `${this.#what}: line ${this.line} has ${found} fields, the header has ${expected}: ${where}; ` +
        "fields that contain the delimiter must stand in quotes",
    );
  }
}

const isNumeric = (kind: number): boolean => kind === fieldKinds.number || kind === fieldKinds.whole;

/** Whole numbers of 16 digits and more: whether they were kept exactly has to be looked at. */
const isLong = (value: number): boolean => value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER;

/** The values that are there: a copy, unless little room is left over. */
const filled = <A extends Float64Array | Int32Array>(array: A, count: number): A =>
  (count > 0.8 * array.length ? array.subarray(0, count) : array.slice(0, count)) as A;

/** The number as JavaScript writes it; undefined where grouped digits do not stand in threes. */
export function plainNumber(text: string, { decimal, thousands }: Dialect): string | undefined {
  let plain = text.trim();
  if (thousands !== undefined && plain.includes(thousands)) {
    const [whole = "", fraction] = plain.split(decimal, 2);
    const groups = whole.split(thousands);
    const isGrouped = groups.every((group, i) => (i === 0 ? /^[-+]?\d{1,3}$/ : /^\d{3}$/).test(group));
    if (!isGrouped) return undefined;
    plain = groups.join("") + (fraction === undefined ? "" : decimal + fraction);
  }
  if (decimal === ".") return plain;
  return plain.includes(".") ? undefined : plain.replace(",", ".");
}
