/**
 * Memory for images between two transforms, used again and again. Left to the garbage collector, a few images of 500 × 375 make it walk
 * through everything there is: that took as long as decoding them.
 */

/** More is left to the garbage collector, the oldest first. */
const maxFreeBytes = 2 ** 25;
const free: Uint8Array<ArrayBuffer>[] = [];
/** What was handed out since `withScratch` began; undefined outside. */
let lent: Uint8Array<ArrayBuffer>[] | undefined;

/** Bytes that hold anything. Within `withScratch` they are taken back at its end. */
export function scratchBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = takeBytes(length);
  lent?.push(bytes);
  return bytes;
}

/** Zeros, as `scratchBytes`. */
export const scratchZeros = (length: number): Uint8Array<ArrayBuffer> =>
  lent === undefined ? new Uint8Array(length) : scratchBytes(length).fill(0);

/** Bytes that hold anything, until `giveBytes`. */
export function takeBytes(length: number): Uint8Array<ArrayBuffer> {
  const found = free.findIndex((bytes) => bytes.length === length);
  return found < 0 ? new Uint8Array(length) : free.splice(found, 1)[0]!;
}

/** Whoever gives bytes back has no more use for them, and nobody else. */
export function giveBytes(bytes: Uint8Array<ArrayBuffer>): void {
  free.push(bytes);
  let sum = free.reduce((total, { length }) => total + length, 0);
  while (sum > maxFreeBytes) sum -= free.shift()!.length;
}

/** Runs what leaves nothing of its images but its result. */
export function withScratch<R>(run: () => R, isInResult: (bytes: Uint8Array, result: R) => boolean): R {
  if (lent !== undefined) return run();
  const taken: Uint8Array<ArrayBuffer>[] = [];
  lent = taken;
  try {
    const result = run();
    for (const bytes of taken) if (!isInResult(bytes, result)) giveBytes(bytes);
    return result;
  } finally {
    lent = undefined;
  }
}
