/**
 * Memory for images between two transforms, used again and again. Left to the garbage collector, a few images of 500 × 375 make it walk
 * through everything there is: that took as long as decoding them.
 */

/** More is left to the garbage collector, the oldest first. */
const maxFreeBytes = 2 ** 25;
const free: ArrayBuffer[] = [];
/** What was handed out since `withScratch` began; undefined outside. */
let lent: Uint8Array<ArrayBuffer>[] | undefined;

/** Where the result that is on its way is wanted; undefined where it may be anywhere. */
let wanted: Float32Array | undefined;

/** Floats for what may be the result: the ones it is wanted in, where these are as many and nobody has them yet. */
export function resultFloats(length: number): Float32Array {
  if (wanted?.length !== length) return new Float32Array(length);
  const floats = wanted;
  wanted = undefined;
  return floats;
}

/** Bytes that hold anything. Within `withScratch` they are taken back at its end. */
export function scratchBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = takeBytes(length);
  lent?.push(bytes);
  return bytes;
}

/** Zeros, as `scratchBytes`. */
export const scratchZeros = (length: number): Uint8Array<ArrayBuffer> =>
  lent === undefined ? new Uint8Array(length) : scratchBytes(length).fill(0);

/** Bytes that hold anything, until `giveBytes`; in a buffer of no more than `room` times as many. */
export function takeBytes(length: number, room = 1): Uint8Array<ArrayBuffer> {
  const found = free.findIndex(({ byteLength }) => byteLength >= length && byteLength <= room * length);
  return found < 0 ? new Uint8Array(length) : new Uint8Array(free.splice(found, 1)[0]!, 0, length);
}

/** Whoever gives bytes back has no more use for them, and nobody else. */
export function giveBytes(bytes: Uint8Array<ArrayBuffer>): void {
  free.push(bytes.buffer);
  let sum = free.reduce((total, { byteLength }) => total + byteLength, 0);
  while (sum > maxFreeBytes) sum -= free.shift()!.byteLength;
}

/** Runs what leaves nothing of its images but its result, which is best in `into`. */
export function withScratch<R>(
  run: () => R,
  isInResult: (bytes: Uint8Array, result: R) => boolean,
  into?: Float32Array,
): R {
  if (lent !== undefined) return run();
  const taken: Uint8Array<ArrayBuffer>[] = [];
  lent = taken;
  wanted = into;
  try {
    const result = run();
    for (const bytes of taken) if (!isInResult(bytes, result)) giveBytes(bytes);
    return result;
  } finally {
    lent = wanted = undefined;
  }
}
