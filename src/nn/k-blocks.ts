/**
 * ggml's K-quants taken apart: 256 elements share scales of 16 bits, and each 32 of them (Q6_K: 16) have a scale, and a minimum, of few bits
 * by which those are multiplied. The products have 17 and 19 significant bits, so they are kept in f32, and nothing is rounded.
 */
import { f16ToNumber } from "../base/dtype.ts";

/** Elements that share their scales of 16 bits. */
export const superSize = 256;

export type KType = "Q4_K" | "Q5_K" | "Q6_K";

/** Bytes of 256 elements in a file, and of `elements` of them taken apart: scales of f32, then whole numbers. */
export const kForms = {
  Q4_K: { superBytes: 144, elements: 32, blockBytes: 24 },
  Q5_K: { superBytes: 176, elements: 32, blockBytes: 40 },
  Q6_K: { superBytes: 210, elements: 16, blockBytes: 20 },
} as const satisfies Readonly<Record<KType, object>>;

type Take = (source: DataView, at: number, out: DataView, to: number) => void;

/** Blocks as those of other types lie, of the blocks of 256 of a file. */
export function plainBlocks(type: KType, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { superBytes, elements, blockBytes } = kForms[type];
  const count = bytes.length / superBytes;
  const perSuper = (superSize / elements) * blockBytes;
  const source = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const out = new DataView(new ArrayBuffer(count * perSuper));
  const take = takes[type];
  for (let i = 0; i < count; i++) take(source, i * superBytes, out, i * perSuper);
  return new Uint8Array(out.buffer);
}

const half = (source: DataView, at: number): number => f16ToNumber(source.getUint16(at, true));

/** Eight scales and eight minimums of 6 bits in 12 bytes: the first four of each whole, the others in pieces. */
function setScales(source: DataView, at: number, out: DataView, to: number, block: number): void {
  const byte = (i: number): number => source.getUint8(at + 4 + i);
  const isWhole = block < 4;
  const scale = isWhole ? byte(block) & 63 : (byte(block + 4) & 15) | ((byte(block - 4) >> 6) << 4);
  const minimum = isWhole ? byte(block + 4) & 63 : (byte(block + 4) >> 4) | ((byte(block) >> 6) << 4);
  out.setFloat32(to, half(source, at) * scale, true);
  out.setFloat32(to + 4, -half(source, at + 2) * minimum, true);
}

/** Blocks come in pairs: 32 bytes hold the even one in their low halves, the odd one in their high halves. */
const fourBits = (source: DataView, at: number, block: number, i: number): number =>
  (source.getUint8(at + (block >> 1) * 32 + i) >> ((block & 1) * 4)) & 15;

const takeQ4K: Take = (source, at, out, to) => {
  for (let block = 0; block < 8; block++) {
    const first = to + block * 24;
    setScales(source, at, out, first, block);
    for (let i = 0; i < 16; i++) {
      const [low, high] = [fourBits(source, at + 16, block, i), fourBits(source, at + 16, block, i + 16)];
      out.setUint8(first + 8 + i, low | (high << 4));
    }
  }
};

/** The fifth bit of element i of block b is bit b of byte i. */
const takeQ5K: Take = (source, at, out, to) => {
  for (let block = 0; block < 8; block++) {
    const first = to + block * 40;
    setScales(source, at, out, first, block);
    for (let i = 0; i < 32; i++) {
      const fifth = (source.getUint8(at + 16 + i) >> block) & 1;
      out.setUint8(first + 8 + i, fourBits(source, at + 48, block, i) | (fifth << 4));
    }
  }
};

/** 6 bits an element less 32: four in the first 128 bytes, two in the next 64. */
const takeQ6K: Take = (source, at, out, to) => {
  const d = half(source, at + 208);
  for (let block = 0; block < 16; block++) {
    const first = to + block * 20;
    out.setFloat32(first, d * source.getInt8(at + 192 + block), true);
    for (let j = 0; j < 16; j++) {
      const i = block * 16 + j;
      const [part, quarter, place] = [i >> 7, (i >> 5) & 3, i & 31];
      const low = source.getUint8(at + part * 64 + (quarter & 1) * 32 + place) >> ((quarter >> 1) * 4);
      const high = source.getUint8(at + 128 + part * 32 + place) >> (quarter * 2);
      out.setInt8(first + 4 + j, ((low & 15) | ((high & 3) << 4)) - 32);
    }
  }
};

const takes: Readonly<Record<KType, Take>> = { Q4_K: takeQ4K, Q5_K: takeQ5K, Q6_K: takeQ6K };
