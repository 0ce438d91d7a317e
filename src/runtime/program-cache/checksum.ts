/**
 * 128 bits that tell contents apart (MurmurHash3 x86_128, Appleby): against torn and damaged files, and for names. It holds
 * nobody off who may write files; that is up to the folder's permissions.
 */
const multipliers = [0x239b961b, 0xab0e9789, 0x38b34ae5, 0xa1e38b93] as const;

export function checksum(bytes: Uint8Array): Uint32Array {
  const [c1, c2, c3, c4] = multipliers;
  const blocks = bytes.length >>> 4;
  const words = wordsOf(bytes, blocks * 4);
  let [h1, h2, h3, h4] = [0, 0, 0, 0];
  for (let i = 0; i < 4 * blocks; i += 4) {
    h1 ^= Math.imul(rotate(Math.imul(words[i]!, c1), 15), c2);
    h1 = (Math.imul(rotate(h1, 19) + h2, 5) + 0x561ccd1b) | 0;
    h2 ^= Math.imul(rotate(Math.imul(words[i + 1]!, c2), 16), c3);
    h2 = (Math.imul(rotate(h2, 17) + h3, 5) + 0x0bcaa747) | 0;
    h3 ^= Math.imul(rotate(Math.imul(words[i + 2]!, c3), 17), c4);
    h3 = (Math.imul(rotate(h3, 15) + h4, 5) + 0x96cd1c35) | 0;
    h4 ^= Math.imul(rotate(Math.imul(words[i + 3]!, c4), 18), c1);
    h4 = (Math.imul(rotate(h4, 13) + h1, 5) + 0x32ac3b17) | 0;
  }
  const tail = new Uint8Array(16);
  tail.set(bytes.subarray(16 * blocks));
  const rest = new Int32Array(tail.buffer);
  h4 ^= Math.imul(rotate(Math.imul(rest[3]!, c4), 18), c1);
  h3 ^= Math.imul(rotate(Math.imul(rest[2]!, c3), 17), c4);
  h2 ^= Math.imul(rotate(Math.imul(rest[1]!, c2), 16), c3);
  h1 ^= Math.imul(rotate(Math.imul(rest[0]!, c1), 15), c2);
  return finish(h1 ^ bytes.length, h2 ^ bytes.length, h3 ^ bytes.length, h4 ^ bytes.length);
}

function finish(h1: number, h2: number, h3: number, h4: number): Uint32Array {
  h1 = (h1 + h2 + h3 + h4) | 0;
  [h2, h3, h4] = [(h2 + h1) | 0, (h3 + h1) | 0, (h4 + h1) | 0];
  const mixed = [h1, h2, h3, h4].map(mix);
  const sum = mixed.reduce((a, b) => (a + b) | 0);
  return Uint32Array.of(sum, mixed[1]! + sum, mixed[2]! + sum, mixed[3]! + sum);
}

function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

const rotate = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

/** Little-endian, as the machines that run this; copied where they lie at no multiple of four. */
function wordsOf(bytes: Uint8Array, count: number): Int32Array {
  if (bytes.byteOffset % 4 === 0) return new Int32Array(bytes.buffer, bytes.byteOffset, count);
  return new Int32Array(bytes.slice(0, 4 * count).buffer);
}

export const checksumText = (bytes: Uint8Array): string =>
  [...checksum(bytes)].map((word) => word.toString(16).padStart(8, "0")).join("");
