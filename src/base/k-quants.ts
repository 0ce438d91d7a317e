/** Where ggml's K-quants have their bits: 256 elements in blocks that share scales of few bits. */

/** Of Q4_K and Q5_K: blocks come in pairs, 32 bytes hold the even one in their low halves, the odd one in their high halves. */
export const fourBits = (bytes: Uint8Array, quants: number, block: number, i: number): number =>
  (bytes[quants + (block >> 1) * 32 + i]! >> ((block & 1) * 4)) & 15;

/** Of Q5_K: the fifth bit of element i of block b is bit b of byte i. */
export const fiveBits = (
  bytes: Uint8Array,
  { high, low }: { readonly high: number; readonly low: number },
  block: number,
  i: number,
): number => fourBits(bytes, low, block, i) | (((bytes[high + i]! >> block) & 1) << 4);

/** Eight scales and eight minimums of 6 bits in 12 bytes: the first four of each whole, the others in pieces. */
export const scaleOf = (bytes: Uint8Array, scales: number, block: number): number =>
  block < 4
    ? bytes[scales + block]! & 63
    : (bytes[scales + 4 + block]! & 15) | ((bytes[scales + block - 4]! >> 6) << 4);
export const minimumOf = (bytes: Uint8Array, scales: number, block: number): number =>
  block < 4
    ? bytes[scales + 4 + block]! & 63
    : (bytes[scales + 4 + block]! >> 4) | ((bytes[scales + block]! >> 6) << 4);

/** Element i of Q6_K's 256: 6 bits less 32, four in the first 128 bytes, two in the next 64. */
export function sixBits(bytes: Uint8Array, at: number, i: number): number {
  const [part, quarter, place] = [i >> 7, (i >> 5) & 3, i & 31];
  const low = bytes[at + part * 64 + (quarter & 1) * 32 + place]! >> ((quarter >> 1) * 4);
  const high = bytes[at + 128 + part * 32 + place]! >> (quarter * 2);
  return ((low & 15) | ((high & 3) << 4)) - 32;
}
