/** Small pictures as PNG files: the bytes as they are, not compressed. ISO/IEC 15948. */
import { joinBytes } from "../../base/join-bytes.ts";

/** @param channels 1: grey, 3: red, green, blue; a byte each, pixel by pixel, row by row */
export function pngOf(pixels: Uint8Array, width: number, height: number, channels: 1 | 3): Uint8Array {
  const rowBytes = width * channels;
  // Each row begins with its filter: none.
  const raw = new Uint8Array(height * (rowBytes + 1));
  for (let row = 0; row < height; row++)
    raw.set(pixels.subarray(row * rowBytes, (row + 1) * rowBytes), row * (rowBytes + 1) + 1);
  const header = joinBytes([big32(width), big32(height), Uint8Array.of(8, channels === 1 ? 0 : 2, 0, 0, 0)]);
  return joinBytes([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", stored(raw)),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

function chunk(type: string, data: Uint8Array): Uint8Array {
  const named = joinBytes([new TextEncoder().encode(type), data]);
  return joinBytes([big32(data.length), named, big32(crc32(named))]);
}

function big32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

const largestBlock = 0xffff;

/** A zlib stream of stored blocks: RFC 1950 and 1951. */
function stored(data: Uint8Array): Uint8Array {
  const blocks: Uint8Array[] = [Uint8Array.of(0x78, 0x01)];
  for (let at = 0; at === 0 || at < data.length; at += largestBlock) {
    const block = data.subarray(at, at + largestBlock);
    const isLast = at + largestBlock >= data.length;
    const [low, high] = [block.length & 0xff, block.length >> 8];
    blocks.push(Uint8Array.of(isLast ? 1 : 0, low, high, ~low & 0xff, ~high & 0xff), block);
  }
  return joinBytes([...blocks, big32(adler32(data))]);
}

function adler32(data: Uint8Array): number {
  let [a, b] = [1, 0];
  for (const byte of data) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return b * 65536 + a;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(data: Uint8Array): number {
  let value = 0xffffffff;
  for (const byte of data) value = (value >>> 8) ^ crcTable[(value ^ byte) & 0xff]!;
  return (value ^ 0xffffffff) >>> 0;
}
