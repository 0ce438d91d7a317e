/**
 * Page headers of Parquet files, looked at before anything is decoded: a size below 0 would send a reader back to where it came from, for ever.
 *
 * Headers are structs in Thrift's compact protocol: a byte of field number (as difference) and type before each value, 0 at the end.
 */
import { FormatError } from "../../base/errors.ts";

/** Bytes of a file, from a place on. */
export type ReadRange = (start: number, end: number) => Promise<Uint8Array>;

/** Where a column's pages are, and how many values they hold, by the file's own word. */
export interface ColumnChunk {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly values: number;
}

interface PageHeader {
  /** Of the header itself. */
  readonly bytes: number;
  readonly uncompressedSize: number;
  readonly compressedSize: number;
  /** 0 for a dictionary. */
  readonly values: number;
}

/** A page with values. */
export interface DataPage {
  /** Where its header begins. */
  readonly start: number;
  /** With its header. */
  readonly bytes: number;
  /** How many values of the chunk come before. */
  readonly first: number;
}

/** No page of a sound file is larger: writers make them about 1 MiB. */
const mostPageBytes = 2 ** 30;

/** Where a chunk's values are. @throws FormatError for pages that lie outside of their chunk, or hold other than as many values as the chunk says */
export async function checkPages(
  what: string,
  chunk: ColumnChunk,
  fileBytes: number,
  read: ReadRange,
): Promise<readonly DataPage[]> {
  const { name, start, end } = chunk;
  const fail = (why: string): never => {
    throw new FormatError(`${what} is damaged: column "${name}" ${why}`);
  };
  if (!(start >= 4 && start <= end && end <= fileBytes))
    fail(`has its pages at bytes ${start} to ${end} of ${fileBytes}`);
  const pages: DataPage[] = [];
  let values = 0;
  for (let at = start; at < end && values < chunk.values; ) {
    const header = await headerAt(read, at, end).catch(() =>
      fail(`has a page at byte ${at} without a header`),
    );
    const { compressedSize, uncompressedSize } = header;
    const next = at + header.bytes + compressedSize;
    const isSound = compressedSize >= 0 && uncompressedSize >= 0 && next <= end && header.values >= 0;
    if (!isSound || uncompressedSize > mostPageBytes) {
      fail(
        `has a page at byte ${at} of ${compressedSize} bytes, ${uncompressedSize} when unpacked, with ${header.values} values`,
      );
    }
    if (header.values > 0) pages.push({ start: at, bytes: next - at, first: values });
    values += header.values;
    at = next;
  }
  if (values !== chunk.values) fail(`has ${values} values in its pages, and should have ${chunk.values}`);
  return pages;
}

/** Most headers are short; statistics of long texts make some long. */
async function headerAt(read: ReadRange, at: number, end: number): Promise<PageHeader> {
  for (let size = 256; ; size *= 16) {
    const bytes = await read(at, Math.min(end, at + size));
    try {
      return parseHeader(bytes);
    } catch (error) {
      if (at + size >= end || size > 2 ** 24) throw error;
    }
  }
}

/** Numbers that a kind of page must have, by the header's field: those of a data page, a dictionary, a data page of version 2. */
const requiredFields: Readonly<Record<number, readonly number[]>> = {
  5: [1, 2, 3, 4],
  7: [1, 2],
  8: [1, 2, 3, 4, 5, 6],
};

function parseHeader(bytes: Uint8Array): PageHeader {
  const reader = new CompactReader(bytes);
  const found = { uncompressedSize: -1, compressedSize: -1, values: 0 };
  let kinds = 0;
  reader.struct((field, type) => {
    if (field === 2 && type === 5) found.uncompressedSize = reader.integer();
    else if (field === 3 && type === 5) found.compressedSize = reader.integer();
    else if (requiredFields[field] !== undefined && type === 12) {
      const numbers = numbersOf(reader);
      kinds++;
      if (requiredFields[field].some((id) => !(numbers.get(id)! >= 0)))
        throw new RangeError("a number is missing");
      if (field !== 7) found.values = numbers.get(1)!;
    } else reader.skip(type, 0);
  });
  if (kinds !== 1) throw new RangeError("no kind of page, or two");
  return { ...found, bytes: reader.at };
}

/** The 32-bit numbers of a struct by field. */
function numbersOf(reader: CompactReader): ReadonlyMap<number, number> {
  const numbers = new Map<number, number>();
  reader.struct((id, type) => {
    if (type === 5) numbers.set(id, reader.integer());
    else reader.skip(type, 1);
  });
  return numbers;
}

/** Values of Thrift's compact protocol, one after the other; a RangeError past the end. */
class CompactReader {
  at = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  #byte(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) throw new RangeError("the bytes end");
    return byte;
  }

  /** Seven bits a byte, the lowest first. */
  #varint(): number {
    let value = 0;
    for (let place = 1; place < 2 ** 64; place *= 128) {
      const byte = this.#byte();
      value += (byte & 127) * place;
      if (byte < 128) return value;
    }
    throw new RangeError("a number is too long");
  }

  /** Zigzag: 0, −1, 1, −2 … */
  integer(): number {
    const value = this.#varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  struct(field: (id: number, type: number) => void): void {
    for (let id = 0; ; ) {
      const head = this.#byte();
      if (head === 0) return;
      id = head >> 4 === 0 ? this.integer() : id + (head >> 4);
      field(id, head & 15);
    }
  }

  /** Passes over a value; structs and lists inside each other so deep are no header. */
  skip(type: number, depth: number): void {
    if (depth > 8) throw new RangeError("too deep");
    if (type === 1 || type === 2) return;
    if (type === 3) this.at += 1;
    else if (type <= 6) this.integer();
    else if (type === 7) this.at += 8;
    else if (type === 8) this.at += this.#varint();
    else if (type === 9 || type === 10) this.#skipList(depth);
    else if (type === 12) this.struct((_, inner) => this.skip(inner, depth + 1));
    else throw new RangeError(`type ${type}`);
    if (this.at > this.#bytes.length) throw new RangeError("the bytes end");
  }

  #skipList(depth: number): void {
    const head = this.#byte();
    const count = head >> 4 === 15 ? this.#varint() : head >> 4;
    // An element takes a byte at least, truths too when they stand in lists.
    for (let i = 0; i < count; i++) {
      if ((head & 15) <= 2) this.#byte();
      else this.skip(head & 15, depth + 1);
    }
  }
}
