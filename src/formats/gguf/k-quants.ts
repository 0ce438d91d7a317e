/**
 * The "K" types of GGUF: 256 elements with 8 or 16 small scales, which are whole numbers themselves under one f16 scale.
 *
 * Every product here is exact in f64 and nearly all in f32, so elements are the f32 nearest to scale · q − minimum.
 */
import { fiveBits, fourBits, minimumOf, scaleOf, sixBits } from "../../base/k-quants.ts";
import { half, signed } from "./bits.ts";

/** 16 scales of 4 bits with 16 minimums of 4 bits, then 2 bits an element, `d`, `dmin`. */
export function dequantizeQ2K(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const d = half(bytes, at + 80);
  const dmin = half(bytes, at + 82);
  for (let i = 0; i < 256; i++) {
    const scale = bytes[at + (i >> 4)]!;
    const q = twoBits(bytes, at + 16, i);
    out[to + i] = d * (scale & 15) * q - dmin * (scale >> 4);
  }
}

/** Element i of 128: two bits of byte i mod 32, the higher the later; the next 128 have 32 bytes of their own. */
const twoBits = (bytes: Uint8Array, qs: number, i: number): number =>
  (bytes[qs + (i >> 7) * 32 + (i & 31)]! >> (((i >> 5) & 3) * 2)) & 3;

/** 3 bits an element, the third (set: 0, clear: −4) in `hmask`; 16 scales of 6 bits less 32. */
export function dequantizeQ3K(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const d = half(bytes, at + 108);
  for (let i = 0; i < 256; i++) {
    const isHigh = (bytes[at + (i & 31)]! >> (i >> 5)) & 1;
    const q = twoBits(bytes, at + 32, i) - (isHigh ? 0 : 4);
    out[to + i] = d * (sixBitScale(bytes, at + 96, i >> 4) - 32) * q;
  }
}

/** 16 numbers of 6 bits in 12 bytes: four low bits in the halves of the first eight bytes, two high bits in the last four. */
function sixBitScale(bytes: Uint8Array, scales: number, i: number): number {
  const low = (bytes[scales + (i & 7)]! >> (i < 8 ? 0 : 4)) & 15;
  const high = (bytes[scales + 8 + (i & 3)]! >> ((i >> 2) * 2)) & 3;
  return low | (high << 4);
}

/** 4 bits an element; each 32 with a scale and a minimum of 6 bits. */
export function dequantizeQ4K(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const [d, dmin] = [half(bytes, at), half(bytes, at + 2)];
  for (let block = 0; block < 8; block++) {
    const scale = d * scaleOf(bytes, at + 4, block);
    const minimum = dmin * minimumOf(bytes, at + 4, block);
    for (let i = 0; i < 32; i++) {
      const q = fourBits(bytes, at + 16, block, i);
      out[to + block * 32 + i] = scale * q - minimum;
    }
  }
}

/** As Q4_K, with the fifth bit of element i of block b in bit b of `qh[i]`. */
export function dequantizeQ5K(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const [d, dmin] = [half(bytes, at), half(bytes, at + 2)];
  for (let block = 0; block < 8; block++) {
    const scale = d * scaleOf(bytes, at + 4, block);
    const minimum = dmin * minimumOf(bytes, at + 4, block);
    for (let i = 0; i < 32; i++) {
      const q = fiveBits(bytes, { high: at + 16, low: at + 48 }, block, i);
      out[to + block * 32 + i] = scale * q - minimum;
    }
  }
}

/** 6 bits an element less 32: four in `ql`, two in `qh`; 16 scales of 8 bits. */
export function dequantizeQ6K(bytes: Uint8Array, at: number, out: Float32Array, to: number): void {
  const d = half(bytes, at + 208);
  for (let i = 0; i < 256; i++) {
    out[to + i] = d * signed(bytes[at + 192 + (i >> 4)]!) * sixBits(bytes, at, i);
  }
}
