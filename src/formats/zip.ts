/**
 * Reading ZIP archives: PyTorch's `.pt` and Keras's `.keras` files are such. The directory at the end is read, then entries as
 * they are asked for; sizes and positions are checked before anything is read, and checksums after.
 *
 * Layout: APPNOTE.TXT of PKWARE, sections 4.3 and 4.5.3 (archives above 4 GiB).
 */
import { inflateRaw } from "#platform";
import { ArgumentError, FormatError, nearestName } from "../base/errors.ts";
import { crc32 } from "./crc32.ts";

/** Bytes that can be read at any position: an open file, or an array. */
export interface ByteReader {
  readonly path: string;
  readonly sizeBytes: number;
  readAt(position: number, into: Uint8Array): Promise<void>;
}

export interface ZipEntry {
  readonly name: string;
  /** Of its content. */
  readonly sizeBytes: number;
  readonly storedBytes: number;
  readonly isCompressed: boolean;
  readonly crc: number;
  /** Of its header in the archive. */
  readonly position: number;
}

export interface ZipArchive {
  readonly entries: ReadonlyMap<string, ZipEntry>;
  /** The whole content of an entry; an error above `maxBytes`. */
  read(name: string, maxBytes?: number): Promise<Uint8Array<ArrayBuffer>>;
}

const maxEntries = 2 ** 20;
const maxDirectoryBytes = 2 ** 27;
const endSignature = 0x06054b50;
const wideLocatorSignature = 0x07064b50;
const wideEndSignature = 0x06064b50;
const entrySignature = 0x02014b50;
const headerSignature = 0x04034b50;

/** The content of an array as an open file. */
export const readerOfBytes = (bytes: Uint8Array, path = "bytes"): ByteReader => ({
  path,
  sizeBytes: bytes.length,
  async readAt(position, into) {
    if (position + into.length > bytes.length)
      throw new FormatError(`${path}: ${into.length} bytes at ${position} end after its ${bytes.length}`);
    into.set(bytes.subarray(position, position + into.length));
  },
});

/** @throws FormatError when it is no archive, or a damaged one */
export async function openZip(reader: ByteReader): Promise<ZipArchive> {
  const wrong = (what: string): FormatError => new FormatError(`"${reader.path}" is no ZIP archive: ${what}`);
  const range = async (position: number, length: number): Promise<DataView> => {
    if (!(position >= 0 && length >= 0 && position + length <= reader.sizeBytes))
      throw wrong(
        `${length} bytes at ${position} lie outside its ${reader.sizeBytes}; it is damaged or cut short`,
      );
    const bytes = new Uint8Array(length);
    await reader.readAt(position, bytes);
    return new DataView(bytes.buffer);
  };
  const { count, position, length } = await directoryOf(reader, range, wrong);
  if (count > maxEntries || length > maxDirectoryBytes) throw wrong(`its directory has ${count} entries`);
  const entries = parseDirectory(await range(position, length), count, wrong);
  return {
    entries,
    async read(name, maxBytes = 2 ** 31) {
      const entry = entries.get(name);
      if (entry === undefined) {
        const near = nearestName(name, entries.keys());
        throw new ArgumentError(
          `"${reader.path}" has no entry "${name}"${near ? `; did you mean "${near}"?` : ""}`,
        );
      }
      const { sizeBytes, storedBytes } = entry;
      if (sizeBytes > maxBytes)
        throw new FormatError(
          `"${reader.path}": entry "${name}" has ${sizeBytes} bytes, ${maxBytes} are allowed`,
        );
      const header = await range(entry.position, 30);
      if (header.getUint32(0, true) !== headerSignature) throw wrong(`entry "${name}" has no header`);
      const begin = entry.position + 30 + header.getUint16(26, true) + header.getUint16(28, true);
      const stored = new Uint8Array((await range(begin, storedBytes)).buffer as ArrayBuffer);
      const bytes = entry.isCompressed ? await inflateRaw(stored, { maxBytes: sizeBytes }) : stored;
      if (bytes.length !== sizeBytes || crc32(bytes) !== entry.crc)
        throw new FormatError(`"${reader.path}": entry "${name}" is damaged: its checksum does not fit`);
      return bytes;
    },
  };
}

interface Directory {
  readonly count: number;
  readonly position: number;
  readonly length: number;
}

type Range = (position: number, length: number) => Promise<DataView>;
type Wrong = (what: string) => FormatError;

/** Where the directory is: told by the last record, behind which a comment may stand. */
async function directoryOf({ sizeBytes }: ByteReader, range: Range, wrong: Wrong): Promise<Directory> {
  const tailBytes = Math.min(sizeBytes, 22 + 65535);
  const tail = await range(sizeBytes - tailBytes, tailBytes);
  let at = tailBytes - 22;
  while (at >= 0 && tail.getUint32(at, true) !== endSignature) at--;
  if (at < 0) throw wrong("it does not end as one");
  const narrow = {
    count: tail.getUint16(at + 10, true),
    length: tail.getUint32(at + 12, true),
    position: tail.getUint32(at + 16, true),
  };
  const isWide = narrow.count === 0xffff || narrow.length === 0xffffffff || narrow.position === 0xffffffff;
  if (!isWide) return narrow;
  if (at < 20 || tail.getUint32(at - 20, true) !== wideLocatorSignature) return narrow;
  const record = await range(sizeOf(tail, at - 12), 56);
  if (record.getUint32(0, true) !== wideEndSignature)
    throw wrong("its 64-bit directory is not where it should be");
  return { count: sizeOf(record, 32), length: sizeOf(record, 40), position: sizeOf(record, 48) };
}

const sizeOf = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

function parseDirectory(view: DataView, count: number, wrong: Wrong): Map<string, ZipEntry> {
  const entries = new Map<string, ZipEntry>();
  const decoder = new TextDecoder();
  for (let i = 0, at = 0; i < count; i++) {
    if (at + 46 > view.byteLength || view.getUint32(at, true) !== entrySignature)
      throw wrong(`entry ${i} of its directory is damaged`);
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((o) => view.getUint16(at + o, true)) as [
      number,
      number,
      number,
    ];
    const end = at + 46 + nameBytes + extraBytes + commentBytes;
    if (end > view.byteLength) throw wrong(`entry ${i} of its directory is damaged`);
    const name = decoder.decode(new Uint8Array(view.buffer, view.byteOffset + at + 46, nameBytes));
    const method = view.getUint16(at + 10, true);
    if ((view.getUint16(at + 8, true) & 1) !== 0) throw wrong(`entry "${name}" is encrypted`);
    if (method !== 0 && method !== 8)
      throw wrong(`entry "${name}" is compressed by method ${method}; stored and deflated ones are read`);
    if (entries.has(name)) throw wrong(`it has two entries "${name}"`);
    const sizes = {
      sizeBytes: view.getUint32(at + 24, true),
      storedBytes: view.getUint32(at + 20, true),
      position: view.getUint32(at + 42, true),
    };
    widen(sizes, view, at + 46 + nameBytes, extraBytes);
    if (method === 0 && sizes.sizeBytes !== sizes.storedBytes) throw wrong(`entry "${name}" has two sizes`);
    entries.set(name, { name, ...sizes, isCompressed: method === 8, crc: view.getUint32(at + 16, true) });
    at = end;
  }
  return entries;
}

/** Sizes that do not fit into 32 bits stand in an extra field, in this order. */
function widen(sizes: Record<string, number>, view: DataView, from: number, length: number): void {
  for (let at = from; at + 4 <= from + length; at += 4 + view.getUint16(at + 2, true)) {
    if (view.getUint16(at, true) !== 1) continue;
    let value = at + 4;
    for (const name of ["sizeBytes", "storedBytes", "position"]) {
      if (sizes[name] !== 0xffffffff || value + 8 > from + length) continue;
      sizes[name] = sizeOf(view, value);
      value += 8;
    }
    return;
  }
}
