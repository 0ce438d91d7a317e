/** Rows that are plain, read many at a time by the kernel; the rest is for the loop of `rows.ts`. */
import type { Dialect } from "./dialect.ts";
import { columnBytes, kernelModule, maxOdd, type ReadRows, stringBytes } from "./kernel.ts";
import { writeTables } from "./kernel-number.ts";
import { layout } from "./kernel-writer.ts";

const pageBytes = 2 ** 16;
const maximumPages = 256;
/** Bytes of the file that one call sees. */
const inputBytes = 2 ** 19;
/** Behind the input: what is read there are zeros. */
const slack = 64;
/** What a call may give at most. */
const outputBytes = 2 ** 22;
const rowsInCall = 8192;

interface Kernel {
  readonly memory: WebAssembly.Memory;
  readonly readRows: ReadRows;
}

/** One for all readers: none leaves anything in its memory that is needed after `read` has returned. */
let shared: Kernel | "none" | undefined;

function kernelWith(bytes: number): Kernel | undefined {
  shared ??= instantiated();
  if (shared === "none") return undefined;
  const { memory } = shared;
  const missing = Math.ceil(bytes / pageBytes) - memory.buffer.byteLength / pageBytes;
  if (missing > 0) memory.grow(missing);
  return shared;
}

function instantiated(): Kernel | "none" {
  try {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: maximumPages });
    const bytes = kernelModule({ initialPages: 1, maximumPages }) as Uint8Array<ArrayBuffer>;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { netwright: { memory } });
    writeTables(memory.buffer);
    return { memory, readRows: instance.exports["readRows"] as ReadRows };
  } catch (error) {
    // A page may forbid it, a process may have no address space left; reading takes longer there.
    if (error instanceof WebAssembly.CompileError || error instanceof RangeError) return "none";
    throw error;
  }
}

export interface PlainRowsOptions {
  readonly dialect: Dialect;
  /** Whether nothing stands for a missing number. */
  readonly hasEmpty: boolean;
  readonly hashStart: number;
  readonly columnCount: number;
}

export class PlainRows {
  readonly #kernel: Kernel;
  readonly #options: PlainRowsOptions;
  /** Where the input lies, and each column's values. */
  readonly #input: number;
  readonly #outputs: readonly number[];
  readonly #maxRows: number;
  /** Which part of the caller's bytes is the input. */
  #from = 0;
  #to = 0;
  /** Rows the last call has read. */
  rowCount = 0;

  /** Undefined where there are too many columns, or no WebAssembly. */
  static make(options: PlainRowsOptions): PlainRows | undefined {
    const { columnCount } = options;
    const maxRows = Math.min(rowsInCall, Math.floor(outputBytes / (columnCount * stringBytes)));
    const input = aligned(layout.columns + columnCount * columnBytes);
    const outputs = aligned(input + inputBytes + slack);
    const bytesOfColumn = aligned(maxRows * stringBytes);
    const kernel = maxRows < 64 ? undefined : kernelWith(outputs + columnCount * bytesOfColumn);
    return kernel && new PlainRows(kernel, options, { input, outputs, maxRows, bytesOfColumn });
  }

  private constructor(
    kernel: Kernel,
    options: PlainRowsOptions,
    places: { input: number; outputs: number; maxRows: number; bytesOfColumn: number },
  ) {
    const { input, outputs, maxRows, bytesOfColumn } = places;
    this.#kernel = kernel;
    this.#options = options;
    this.#input = input;
    this.#maxRows = maxRows;
    this.#outputs = Array.from({ length: options.columnCount }, (_, c) => outputs + c * bytesOfColumn);
  }

  /** The bytes are others than before. */
  forget(): void {
    this.#from = 0;
    this.#to = 0;
  }

  /** Reads plain rows from `from` on, as many as there are up to `maxRows`; gives the position after them. */
  read(bytes: Uint8Array, from: number, to: number, kinds: Uint8Array, maxRows: number): number {
    if (from < this.#from || from >= this.#to || (this.#to < to && this.#to - from < inputBytes / 2))
      this.#load(bytes, from, Math.min(to, from + inputBytes));
    const moved = this.#from - this.#input;
    const words = new Int32Array(this.#kernel.memory.buffer);
    words[layout.rows >> 2] = 0;
    words[layout.oddCount >> 2] = 0;
    this.#outputs.forEach((output, c) => {
      words[(layout.columns + c * columnBytes) >> 2] = kinds[c]!;
      words[(layout.columns + c * columnBytes + 4) >> 2] = output;
    });
    const { dialect, hasEmpty, hashStart, columnCount } = this.#options;
    const end = this.#kernel.readRows(
      from - moved,
      this.#to - moved,
      Math.min(maxRows, this.#maxRows),
      layout.columns + columnCount * columnBytes,
      dialect.delimiter,
      dialect.decimalPoint,
      dialect.comment,
      Number(hasEmpty),
      hashStart,
    );
    this.rowCount = words[layout.rows >> 2]!;
    return end + moved;
  }

  #load(bytes: Uint8Array, from: number, to: number): void {
    const memory = new Uint8Array(this.#kernel.memory.buffer);
    const end = this.#input + to - from;
    memory.set(bytes.subarray(from, to), this.#input);
    memory.fill(0, end, end + slack);
    this.#from = from;
    this.#to = to;
  }

  /** A column of numbers as the last call has read it, in place. */
  numbers(column: number): Float64Array {
    return new Float64Array(this.#kernel.memory.buffer, this.#outputs[column]!, this.rowCount);
  }

  /** A column of whole numbers as the last call has read it, in place. */
  wholeNumbers(column: number): Int32Array {
    return new Int32Array(this.#kernel.memory.buffer, this.#outputs[column]!, this.rowCount);
  }

  /**
   * A column of strings: for each row three words, where it starts and ends in the caller's bytes (less `moved`), and its hash.
   * The end is negated for texts in quotes with doubled quotes within.
   */
  strings(column: number): { readonly words: Int32Array; readonly moved: number } {
    const words = new Int32Array(this.#kernel.memory.buffer, this.#outputs[column]!, 3 * this.rowCount);
    return { words, moved: this.#from - this.#input };
  }

  /** Fields of numbers that are not plain, in the order of rows. */
  odd(use: (row: number, column: number, from: number, to: number) => void): void {
    const words = new Int32Array(this.#kernel.memory.buffer);
    const moved = this.#from - this.#input;
    const count = Math.min(words[layout.oddCount >> 2]!, maxOdd);
    for (let i = 0, at = layout.odd >> 2; i < count; i++, at += 4) {
      const column = (words[at + 1]! - layout.columns) / columnBytes;
      use(words[at]!, column, words[at + 2]! + moved, words[at + 3]! + moved);
    }
  }
}

const aligned = (address: number): number => Math.ceil(address / 16) * 16;
