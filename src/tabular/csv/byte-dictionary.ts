/** Texts as bytes, each kept once, with a code: what a column of strings is while a file is read. */
import { missingCode } from "../column.ts";

const emptySlot = -1;
/** Words of a table from which on reading ahead pays: 128 KiB. */
const leastReadAhead = 2 ** 15;

/** Entries are numbered from 0 in order of appearance; `categories` tells which codes they get. */
export class ByteDictionary {
  /** Texts behind each other; text `i` ends where text `i + 1` begins. */
  #pool = new Uint8Array(1024);
  #starts = new Uint32Array(65);
  /** The line on which a text first stood. */
  #lines = new Float64Array(64);
  /** Two words a slot: entry and hash, side by side in a line of the cache. */
  #slots = new Int32Array(256).fill(emptySlot);
  #count = 0;
  /** Entries that stand for missing values: seldom more than two. */
  readonly #missing: number[] = [];
  /** What was read ahead: kept, so that no compiler leaves the reading out. */
  touched = 0;
  /** All bytes or-ed: below 128 the pool is ASCII. */
  #seen = 0;

  /** The entry of the text `bytes[from … to)`, whose hash is known. */
  entry(
    bytes: Uint8Array,
    from: number,
    to: number,
    hash: number,
    line: number,
    missing: MissingTexts,
  ): number {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = (mixed(hash) << 1) & mask; ; slot = (slot + 2) & mask) {
      const entry = slots[slot]!;
      if (entry === emptySlot) return this.#insert(bytes, from, to, hash, line, missing, slot);
      if (slots[slot + 1] === hash && this.#isAt(entry, bytes, from, to)) return entry;
    }
  }

  /**
   * Reads ahead what the texts of hashes `words[from], words[from + 3], …` will need of a table larger than the cache: their
   * misses then wait side by side and not each for the one before.
   */
  readAhead(words: Int32Array, from: number, to: number): void {
    const [slots, starts, pool] = [this.#slots, this.#starts, this.#pool];
    if (slots.length < leastReadAhead) return;
    const mask = slots.length - 1;
    let touched = 0;
    for (let at = from; at < to; at += 3) touched |= slots[(mixed(words[at]!) << 1) & mask]!;
    for (let at = from; at < to; at += 3) touched |= starts[slots[(mixed(words[at]!) << 1) & mask]! + 1]!;
    for (let at = from; at < to; at += 3)
      touched |= pool[starts[Math.max(0, slots[(mixed(words[at]!) << 1) & mask]!)]!]!;
    this.touched = touched;
  }

  #isAt(entry: number, bytes: Uint8Array, from: number, to: number): boolean {
    const pool = this.#pool;
    let at = this.#starts[entry]!;
    if (this.#starts[entry + 1]! - at !== to - from) return false;
    for (let p = from; p < to; p++) if (pool[at++] !== bytes[p]) return false;
    return true;
  }

  #insert(
    bytes: Uint8Array,
    from: number,
    to: number,
    hash: number,
    line: number,
    missing: MissingTexts,
    slot: number,
  ): number {
    const entry = this.#count++;
    const start = this.#starts[entry]!;
    const end = start + to - from;
    if (end > this.#pool.length) this.#pool = grown(this.#pool, Math.max(end, 2 * this.#pool.length));
    if (entry === this.#lines.length) this.#growEntries();
    for (let p = from, at = start; p < to; p++, at++) {
      this.#pool[at] = bytes[p]!;
      this.#seen |= bytes[p]!;
    }
    this.#starts[entry + 1] = end;
    this.#lines[entry] = line;
    if (missing.has(bytes, from, to)) this.#missing.push(entry);
    this.#slots[slot] = entry;
    this.#slots[slot + 1] = hash;
    if (4 * this.#count > this.#slots.length) this.#rehash();
    return entry;
  }

  #growEntries(): void {
    const size = 2 * this.#lines.length;
    this.#starts = grown(this.#starts, size + 1);
    this.#lines = grown(this.#lines, size);
  }

  #rehash(): void {
    const old = this.#slots;
    // Four times as many: each growth is a walk through memory in no order.
    const slots = new Int32Array(4 * old.length).fill(emptySlot);
    const mask = slots.length - 1;
    for (let from = 0; from < old.length; from += 2) {
      if (old[from] === emptySlot) continue;
      let slot = (mixed(old[from + 1]!) << 1) & mask;
      while (slots[slot] !== emptySlot) slot = (slot + 2) & mask;
      slots[slot] = old[from]!;
      slots[slot + 1] = old[from + 1]!;
    }
    this.#slots = slots;
  }

  /** Texts by code, the line on which each first stood, and the code of each entry: −1 for missing. `decode` may throw. */
  categories(decode: (bytes: Uint8Array, line: number) => string): {
    readonly texts: string[];
    readonly lineOf: (code: number) => number;
    readonly codes: Int32Array;
  } {
    const missing = new Set(this.#missing);
    const texts = new Array<string>(this.#count - missing.size);
    const codes = new Int32Array(this.#count);
    const end = this.#starts[this.#count]!;
    const whole = this.#seen < 128 ? new TextDecoder().decode(this.#pool.subarray(0, end)) : undefined;
    for (let entry = 0, code = 0; entry < codes.length; entry++) {
      if (missing.has(entry)) {
        codes[entry] = missingCode;
        continue;
      }
      const [from, to] = [this.#starts[entry]!, this.#starts[entry + 1]!];
      texts[code] =
        whole === undefined
          ? decode(this.#pool.subarray(from, to), this.#lines[entry]!)
          : whole.slice(from, to);
      codes[entry] = code++;
    }
    return { texts, lineOf: (code) => this.#lines[codes.indexOf(code)]!, codes };
  }
}

/** FNV-1a's start, from a number that a hostile file cannot know: its order of texts never shows. */
export const hashStart = (0x811c9dc5 ^ Math.floor(Math.random() * 2 ** 32)) | 0;
export const hashFactor = 0x01000193;

export function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = hashStart;
  for (let p = from; p < to; p++) hash = Math.imul(hash ^ bytes[p]!, hashFactor);
  return hash;
}

/** The upper bits matter too: the slot is taken from the lower ones. */
const mixed = (hash: number): number => Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 7;

function grown<A extends Uint8Array | Uint32Array | Int32Array | Float64Array>(array: A, length: number): A {
  const larger = new (array.constructor as new (length: number) => A)(length);
  larger.set(array as never);
  return larger;
}

/** Texts that stand for a missing value, as bytes. */
export class MissingTexts {
  readonly hasEmpty: boolean;
  readonly #texts: ReadonlySet<string>;
  readonly #longest: number;

  constructor(texts: readonly string[]) {
    // Bytes are compared as characters: of UTF-8, byte by byte.
    this.#texts = new Set(texts.map((text) => binaryText(new TextEncoder().encode(text))));
    this.#longest = Math.max(0, ...[...this.#texts].map((text) => text.length));
    this.hasEmpty = this.#texts.has("");
  }

  has(bytes: Uint8Array, from: number, to: number): boolean {
    return to - from <= this.#longest && this.#texts.has(binaryText(bytes.subarray(from, to)));
  }
}

/** A character for each byte. */
export function binaryText(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 4096) text += String.fromCharCode(...bytes.subarray(i, i + 4096));
  return text;
}
