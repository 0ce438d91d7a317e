/** SHA-256 (FIPS 180-4) in TypeScript, for platforms without a synchronous one. Arithmetic is modulo 2³². */
import type { Sha256 } from "./platform.ts";

const blockBytes = 64;

/** The first 32 bits of the fractional parts of the square roots of the first 8 primes, and cube roots of the first 64. */
const { initial, constants } = primeRoots();

function primeRoots(): { initial: Int32Array; constants: Int32Array } {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p !== 0)) primes.push(n);
  return {
    initial: Int32Array.from(primes.slice(0, 8), (p) => Number(BigInt.asIntN(32, rootBits(p, 2n)))),
    constants: Int32Array.from(primes, (p) => Number(BigInt.asIntN(32, rootBits(p, 3n)))),
  };
}

/** ⌊ⁿ√prime · 2³²⌋, by bisection in integers so that no engine's rounding matters. */
function rootBits(prime: number, degree: bigint): bigint {
  const target = BigInt(prime) << (32n * degree);
  let [low, high] = [0n, 1n << 40n];
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** degree <= target) low = middle;
    else high = middle;
  }
  return low;
}

const rotate = (x: number, by: number): number => (x >>> by) | (x << (32 - by));

/** Mixes one 64-byte block into `state`; `w` is the message schedule's scratch. */
function compress(state: Int32Array, w: Int32Array, block: DataView, offset: number): void {
  for (let t = 0; t < 16; t++) w[t] = block.getInt32(offset + 4 * t);
  for (let t = 16; t < 64; t++) {
    const x = w[t - 15]!;
    const y = w[t - 2]!;
    const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3);
    const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10);
    w[t] = s1 + w[t - 7]! + s0 + w[t - 16]!;
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (let t = 0; t < 64; t++) {
    const sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const t1 = (h + sum1 + ((e & f) ^ (~e & g)) + constants[t]! + w[t]!) | 0;
    const sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const t2 = (sum0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    h = g;
    g = f;
    f = e;
    e = (d + t1) | 0;
    d = c;
    c = b;
    b = a;
    a = (t1 + t2) | 0;
  }
  const mixed = [a, b, c, d, e, f, g, h];
  for (let i = 0; i < 8; i++) state[i]! += mixed[i]!;
}

/** A running SHA-256 that needs nothing from the platform. */
export function sha256(): Sha256 {
  const state = initial.slice();
  const schedule = new Int32Array(64);
  const pending = new Uint8Array(2 * blockBytes);
  const pendingView = new DataView(pending.buffer);
  let pendingBytes = 0;
  let totalBytes = 0;

  const update = (bytes: Uint8Array): void => {
    totalBytes += bytes.length;
    let at = 0;
    if (pendingBytes > 0) {
      at = Math.min(blockBytes - pendingBytes, bytes.length);
      pending.set(bytes.subarray(0, at), pendingBytes);
      pendingBytes += at;
      if (pendingBytes < blockBytes) return;
      compress(state, schedule, pendingView, 0);
      pendingBytes = 0;
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (; at + blockBytes <= bytes.length; at += blockBytes) compress(state, schedule, view, at);
    pending.set(bytes.subarray(at));
    pendingBytes = bytes.length - at;
  };

  /** The message ends in a 1 bit, zeros, and its length in bits as 64-bit big-endian. */
  const hex = (): string => {
    const paddedBytes = pendingBytes < blockBytes - 8 ? blockBytes : 2 * blockBytes;
    pending.fill(0, pendingBytes);
    pending[pendingBytes] = 0x80;
    pendingView.setBigUint64(paddedBytes - 8, BigInt(totalBytes) * 8n);
    for (let at = 0; at < paddedBytes; at += blockBytes) compress(state, schedule, pendingView, at);
    return Array.from(state, (word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
  };

  const running: Sha256 = {
    update: (bytes) => {
      update(bytes);
      return running;
    },
    hex,
  };
  return running;
}
