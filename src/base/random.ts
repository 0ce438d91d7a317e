/**
 * Counter-based random numbers: a draw is a pure function of a key and a position, so that any thread, target or
 * resumed run gets the same numbers.
 *
 * Threefry-2x32 with 20 rounds (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011), the
 * generator of JAX. Word i of a key is output i mod 2 of the hash of counter (0, ⌊i / 2⌋): a shorter draw is the start of
 * a longer one. Splitting and folding hash counters with the top bits set, which no draw reaches, so that a key that was
 * drawn from and split as well gives no number twice.
 *
 * Only + − × ÷, square roots and integer operations: the bits are the same in every JavaScript engine.
 */
import { ArgumentError } from "./errors.ts";

/** Two unsigned 32-bit words. */
export type RandomKey = readonly [number, number];

/** The first word of the counters from which splitting takes its keys. */
export const splitCounter = 0x80000000;
const foldCounter = 0x40000000;

/**
 * The hash itself: two words from a key and a counter of two words each.
 *
 * @example threefry2x32(0, 0, 0, 0) // [0x6b200159, 0x99ba4efe]
 */
export function threefry2x32(
  key0: number,
  key1: number,
  counter0: number,
  counter1: number,
): [number, number] {
  const out = new Uint32Array(2);
  hashInto(out, 0, key0, key1, counter0, counter1);
  return [out[0]!, out[1]!];
}

/** Writes the two words of one hash at `at`: five groups of four rounds, a rotated key added after each. */
function hashInto(
  out: Uint32Array,
  at: number,
  key0: number,
  key1: number,
  counter0: number,
  counter1: number,
): void {
  let a = key0 | 0;
  let b = key1 | 0;
  let c = a ^ b ^ 0x1bd11bda;
  let x = (counter0 + a) | 0;
  let y = (counter1 + b) | 0;
  for (let group = 1; group <= 5; group++) {
    if (group & 1) {
      x = (x + y) | 0;
      y = ((y << 13) | (y >>> 19)) ^ x;
      x = (x + y) | 0;
      y = ((y << 15) | (y >>> 17)) ^ x;
      x = (x + y) | 0;
      y = ((y << 26) | (y >>> 6)) ^ x;
      x = (x + y) | 0;
      y = ((y << 6) | (y >>> 26)) ^ x;
    } else {
      x = (x + y) | 0;
      y = ((y << 17) | (y >>> 15)) ^ x;
      x = (x + y) | 0;
      y = ((y << 29) | (y >>> 3)) ^ x;
      x = (x + y) | 0;
      y = ((y << 16) | (y >>> 16)) ^ x;
      x = (x + y) | 0;
      y = ((y << 24) | (y >>> 8)) ^ x;
    }
    x = (x + b) | 0;
    y = (y + c + group) | 0;
    const first = a;
    a = b;
    b = c;
    c = first;
  }
  out[at] = x;
  out[at + 1] = y;
}

/**
 * A key from a seed: the seed's 64 bits, high word first (as in JAX).
 *
 * @throws ArgumentError unless the seed is an integer from 0 to 2⁵³ − 1
 */
export function randomKey(seed: number): RandomKey {
  return wordsOf(seed, "seed");
}

/** A key as options give it: itself, or the one of a seed. */
export const toRandomKey = (key: RandomKey | number): RandomKey =>
  typeof key === "number" ? randomKey(key) : key;

/** `count` keys whose draws are independent of each other and of the key's own. */
export function split(key: RandomKey, count = 2): RandomKey[] {
  checkCount(count, "split");
  return Array.from({ length: count }, (_, i) => threefry2x32(key[0], key[1], splitCounter, i));
}

/** A key for the number `data` under this one: an epoch, a step, a layer. @throws ArgumentError as randomKey does */
export function fold(key: RandomKey, data: number): RandomKey {
  const [high, low] = wordsOf(data, "folded number");
  return threefry2x32(key[0], key[1], foldCounter | high, low);
}

function wordsOf(value: number, what: string): [number, number] {
  if (Number.isSafeInteger(value) && value >= 0) return [Math.floor(value / 2 ** 32), value >>> 0];
  throw new ArgumentError(`the ${what} must be an integer from 0 to 2^53 - 1, got ${value}`);
}

function checkCount(count: number, what: string): void {
  if (Number.isInteger(count) && count >= 0 && count < 2 ** 32) return;
  throw new ArgumentError(`${what}: the count must be an integer from 0 to 2^32 - 1, got ${count}`);
}

/** Fills `out` with the words of a key from word `start` (even) on. */
export function fillBits(key: RandomKey, out: Uint32Array, start = 0): void {
  if (start % 2 !== 0) throw new ArgumentError(`fillBits: words come in pairs, start ${start} is odd`);
  const [key0, key1] = key;
  const even = out.length & ~1;
  for (let i = 0; i < even; i += 2) hashAt(out, i, key0, key1, (start + i) / 2);
  if (even === out.length) return;
  hashAt(pair, 0, key0, key1, (start + even) / 2);
  out[even] = pair[0]!;
}

const pair = new Uint32Array(2);

function hashAt(out: Uint32Array, at: number, key0: number, key1: number, position: number): void {
  hashInto(out, at, key0, key1, position >= 2 ** 32 ? Math.floor(position / 2 ** 32) : 0, position);
}

/** Words are made this many at a time, in a buffer that stays in the first cache. */
const blockWords = 2048;

/** Calls `use(words, start, count)` for the first `length` words of a key, in blocks. */
function forBlocks(
  key: RandomKey,
  length: number,
  use: (words: Uint32Array, start: number, count: number) => void,
): void {
  const words = new Uint32Array(Math.min(blockWords, length + (length & 1)));
  for (let start = 0; start < length; start += blockWords) {
    const count = Math.min(blockWords, length - start);
    fillBits(key, words.subarray(0, count + (count & 1)), start);
    use(words, start, count);
  }
}

const top24 = 2 ** -24;

/**
 * Fills `out` with uniform numbers from [low, high): low + (high − low) · u, u the top 24 bits of a word as a fraction.
 *
 * @throws ArgumentError unless low < high and both are finite
 * @example fillUniform(randomKey(0), new Float32Array(10), -1, 1)
 */
export function fillUniform(key: RandomKey, out: Float32Array, low = 0, high = 1): void {
  if (!(low < high && Number.isFinite(high - low))) {
    throw new ArgumentError(`fillUniform: needs finite bounds low < high, got [${low}, ${high})`);
  }
  const width = high - low;
  const start32 = Math.fround(low);
  forBlocks(key, out.length, (words, start, count) => {
    for (let i = 0; i < count; i++) {
      const value = Math.fround(low + width * ((words[i]! >>> 8) * top24));
      // Rounding to f32 may reach the open end; such a draw becomes the closed one.
      out[start + i] = value < high ? value : start32;
    }
  });
}

/** `length` uniform f32 numbers from [0, 1). */
export function uniform(key: RandomKey, length: number): Float32Array {
  checkCount(length, "uniform");
  const out = new Float32Array(length);
  fillUniform(key, out);
  return out;
}

/**
 * Fills `out` with normal numbers of the given mean and standard deviation, by Box and Muller (1958): from two uniform u, v
 * come r·cos 2πv and r·sin 2πv with r = √(−2 ln u). Computed in f64; the largest distance from the mean is 6.66 deviations.
 */
export function fillNormal(key: RandomKey, out: Float32Array, mean = 0, standardDeviation = 1): void {
  forBlocks(key, out.length, (words, start, count) => {
    for (let i = 0; i < count; i += 2) {
      const radius = standardDeviation * Math.sqrt(-2 * logOfFraction(words[i]! + 1));
      const turn = words[i + 1]!;
      // Quarter turns to the nearest axis and the rest, from −1/8 to 1/8 of a turn; all exact.
      const quarter = Math.floor((turn + 2 ** 29) / 2 ** 30);
      const angle = (turn - quarter * 2 ** 30) * (Math.PI / 2 ** 31);
      const c = cosNearZero(angle);
      const s = sinNearZero(angle);
      const x = quarter & 1 ? -s : c;
      const y = quarter & 1 ? c : s;
      const sign = quarter & 2 ? -radius : radius;
      out[start + i] = mean + sign * x;
      // Past the end of an array of odd length this writes nothing.
      out[start + i + 1] = mean + sign * y;
    }
  });
}

/** `length` standard normal f32 numbers. */
export function normal(key: RandomKey, length: number): Float32Array {
  checkCount(length, "normal");
  const out = new Float32Array(length);
  fillNormal(key, out);
  return out;
}

const powersOfHalf = Float64Array.from({ length: 34 }, (_, i) => 1 / 2 ** i);

/** ln(m / 2³²) for an integer m from 1 to 2³², by fdlibm's e_log: within 1 ulp of f64. */
function logOfFraction(m: number): number {
  let exponent = m === 2 ** 32 ? 33 : 32 - Math.clz32(m);
  let x = m * powersOfHalf[exponent]!;
  if (x < Math.SQRT1_2) {
    x *= 2;
    exponent--;
  }
  const k = exponent - 32;
  const f = x - 1;
  const s = f / (2 + f);
  const z = s * s;
  const w = z * z;
  const t1 = w * (0.3999999999940942 + w * (0.22222198432149784 + w * 0.15313837699209373));
  const t2 =
    z * (0.6666666666666735 + w * (0.2857142874366239 + w * (0.1818357216161805 + w * 0.14798198605116586)));
  const halfSquare = 0.5 * f * f;
  const ln2High = 0.6931471803691238;
  const ln2Low = 1.9082149292705877e-10;
  return k * ln2High - (halfSquare - (s * (halfSquare + t1 + t2) + k * ln2Low) - f);
}

/** sin x for |x| ≤ π/4: fdlibm's k_sin. */
function sinNearZero(x: number): number {
  const z = x * x;
  const r =
    0.00833333333332249 +
    z *
      (-1.984126982985795e-4 +
        z * (2.7557313707070068e-6 + z * (-2.5050760253406863e-8 + z * 1.58969099521155e-10)));
  return x + x * z * (-0.16666666666666632 + z * r);
}

/** cos x for |x| ≤ π/4: fdlibm's k_cos. */
function cosNearZero(x: number): number {
  const z = x * x;
  const r =
    0.0416666666666666 +
    z *
      (-0.001388888888887411 +
        z *
          (2.480158728947673e-5 +
            z * (-2.7557314351390663e-7 + z * (2.087572321298175e-9 + z * -1.1359647557788195e-11))));
  return 1 - (0.5 * z - z * z * r);
}

/**
 * A permutation of 0 … n − 1, each equally likely.
 *
 * @example permutation(randomKey(1), 4) // Uint32Array of 0, 1, 2, 3 in some order
 */
export function permutation(key: RandomKey, n: number): Uint32Array {
  const { order, settle } = growingPermutation(key, n);
  settle(n);
  return order;
}

/**
 * The same permutation, worked out as far as it is needed: after `settle(end)` the first `end` entries of `order` are final.
 *
 * Fisher and Yates from the start (Durstenfeld 1964), with integers below a bound drawn without bias: a word in the last,
 * incomplete multiple of the bound is thrown away.
 */
export function growingPermutation(
  key: RandomKey,
  n: number,
): { readonly order: Uint32Array; settle(end: number): void } {
  checkCount(n, "permutation");
  const order = new Uint32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  const next = wordsOfKey(key);
  let settled = 0;
  const settle = (end: number): void => {
    for (; settled < end && settled < n; settled++) {
      const j = settled + below(n - settled, next);
      const drawn = order[j]!;
      order[j] = order[settled]!;
      order[settled] = drawn;
    }
  };
  return { order, settle };
}

/** A word from the last, incomplete multiple of the bound is drawn again; few words are near enough to compute where it starts. */
function below(bound: number, next: () => number): number {
  let word = next();
  while (word >= 2 ** 32 - bound && word >= 2 ** 32 - (2 ** 32 % bound)) word = next();
  return (word >>> 0) % (bound >>> 0);
}

/** The words of a key one after the other, made 64 at a time: who needs few pays for few. */
function wordsOfKey(key: RandomKey): () => number {
  const words = new Uint32Array(64);
  let start = -words.length;
  let at = words.length;
  return () => {
    if (at === words.length) {
      start += words.length;
      at = 0;
      fillBits(key, words, start);
    }
    return words[at++]!;
  };
}
