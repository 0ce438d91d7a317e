/**
 * ggml's K-quants taken apart: 256 elements share scales of 16 bits, and each 32 of them (Q6_K: 16) have a scale, and a minimum, of few bits
 * by which those are multiplied. The products have 17 and 19 significant bits, so they are kept in f32, and nothing is rounded.
 */
import { f16ToNumber } from "../base/dtype.ts";
import { fiveBits, fourBits, minimumOf, scaleOf, sixBits } from "../base/k-quants.ts";

/** Elements that share their scales of 16 bits. */
export const superSize = 256;

export type KType = "Q4_K" | "Q5_K" | "Q6_K";

/** Bytes of 256 elements in a file, and of `elements` of them taken apart: scales of f32, then whole numbers. */
export const kForms = {
  Q4_K: { superBytes: 144, elements: 32, blockBytes: 24 },
  Q5_K: { superBytes: 176, elements: 32, blockBytes: 40 },
  Q6_K: { superBytes: 210, elements: 16, blockBytes: 20 },
} as const satisfies Readonly<Record<KType, object>>;

type Take = (bytes: Uint8Array, at: number, out: DataView, to: number) => void;

/** Blocks as those of other types lie, of the blocks of 256 of a file. */
export function plainBlocks(type: KType, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const { superBytes, elements, blockBytes } = kForms[type];
  const count = bytes.length / superBytes;
  const perSuper = (superSize / elements) * blockBytes;
  const out = new DataView(new ArrayBuffer(count * perSuper));
  const take = takes[type];
  for (let i = 0; i < count; i++) take(bytes, i * superBytes, out, i * perSuper);
  return new Uint8Array(out.buffer);
}

const half = (bytes: Uint8Array, at: number): number => f16ToNumber(bytes[at]! | (bytes[at + 1]! << 8));

function setScales(bytes: Uint8Array, at: number, out: DataView, to: number, block: number): void {
  out.setFloat32(to, half(bytes, at) * scaleOf(bytes, at + 4, block), true);
  out.setFloat32(to + 4, -half(bytes, at + 2) * minimumOf(bytes, at + 4, block), true);
}

const takeQ4K: Take = (bytes, at, out, to) => {
  for (let block = 0; block < 8; block++) {
    const first = to + block * 24;
    setScales(bytes, at, out, first, block);
    for (let i = 0; i < 16; i++) {
      const [low, high] = [fourBits(bytes, at + 16, block, i), fourBits(bytes, at + 16, block, i + 16)];
      out.setUint8(first + 8 + i, low | (high << 4));
    }
  }
};

const takeQ5K: Take = (bytes, at, out, to) => {
  for (let block = 0; block < 8; block++) {
    const first = to + block * 40;
    setScales(bytes, at, out, first, block);
    for (let i = 0; i < 32; i++)
      out.setUint8(first + 8 + i, fiveBits(bytes, { high: at + 16, low: at + 48 }, block, i));
  }
};

const takeQ6K: Take = (bytes, at, out, to) => {
  const d = half(bytes, at + 208);
  for (let block = 0; block < 16; block++) {
    const first = to + block * 20;
    out.setFloat32(first, d * ((bytes[at + 192 + block]! << 24) >> 24), true);
    for (let i = 0; i < 16; i++) out.setInt8(first + 4 + i, sixBits(bytes, at, block * 16 + i));
  }
};

const takes: Readonly<Record<KType, Take>> = { Q4_K: takeQ4K, Q5_K: takeQ5K, Q6_K: takeQ6K };
