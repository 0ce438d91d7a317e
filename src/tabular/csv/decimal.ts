/**
 * Decimal numbers from bytes, correctly rounded: the same double that JavaScript's own `Number(text)` gives.
 *
 * Up to 18 significant digits are gathered as two integers of nine. Where digits and power of ten are exact doubles, one
 * multiplication or division rounds correctly (Clinger, "How to read floating point numbers accurately", 1990). Up to 18 digits
 * over 10^22 the quotient is computed in twice the precision (Dekker 1971), and taken where the remaining error cannot
 * change the rounding. Everything else is left to the caller, who asks `Number`.
 */

export const powersOfTen = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
const splitter = 2 ** 27 + 1;

/** What a position is where there is no plain number. */
export const noNumber = -1;

/** The bytes of a file, and the same for words of four. */
export interface Bytes {
  readonly bytes: Uint8Array;
  readonly words: DataView;
}

/**
 * Reads the number that begins at `at` into `out[index]` and gives the position behind it, or `noNumber`. The caller
 * looks what stands there. No digit stands in the last five bytes.
 */
export function readDecimal(
  { bytes, words }: Bytes,
  at: number,
  decimalPoint: number,
  out: Float64Array,
  index: number,
): number {
  let p = at;
  let byte = bytes[p]!;
  const isNegative = byte === 45;
  if (isNegative) byte = bytes[++p]!;
  let high = 0;
  let low = 0;
  let exponent = 0;
  const start = p;
  for (let digit = byte - 48; digit >>> 0 < 10; digit = byte - 48) {
    if (p - start < 9) high = (high * 10 + digit) | 0;
    else low = (low * 10 + digit) | 0;
    byte = bytes[++p]!;
  }
  let count = p - start;
  let digits = count;
  if (byte === decimalPoint) {
    byte = bytes[++p]!;
    const fraction = p;
    if (high === 0 && count < 10) {
      // Zeros before the first other digit are no significant digits.
      count = 0;
      while (byte === 48) byte = bytes[++p]!;
    }
    // Four digits at a time: the chain of multiplications is what takes the time.
    for (; count <= 5; count += 4, p += 4) {
      const four = fourDigits(words.getInt32(p, true));
      if (four < 0) break;
      high = (high * 10000 + four) | 0;
    }
    byte = bytes[p]!;
    for (let digit = byte - 48; digit >>> 0 < 10 && count < 9; digit = byte - 48) {
      high = (high * 10 + digit) | 0;
      count++;
      byte = bytes[++p]!;
    }
    if (count >= 9) {
      for (; count <= 14; count += 4, p += 4) {
        const four = fourDigits(words.getInt32(p, true));
        if (four < 0) break;
        low = (low * 10000 + four) | 0;
      }
      byte = bytes[p]!;
      for (let digit = byte - 48; digit >>> 0 < 10; digit = byte - 48) {
        low = (low * 10 + digit) | 0;
        count++;
        byte = bytes[++p]!;
      }
    }
    exponent = fraction - p;
    digits += p - fraction;
  }
  if (digits === 0 || count > 18) return noNumber;
  if ((byte | 32) === 101) {
    byte = bytes[++p]!;
    const isBelow = byte === 45;
    if (isBelow || byte === 43) byte = bytes[++p]!;
    const first = p;
    let power = 0;
    for (let digit = byte - 48; digit >>> 0 < 10 && p - first < 4; digit = byte - 48) {
      power = power * 10 + digit;
      byte = bytes[++p]!;
    }
    if (p === first) return noNumber;
    exponent += isBelow ? -power : power;
  }
  const isExact =
    count <= 9 ? scale(high, exponent, out, index) : scalePair(high, low, count - 9, exponent, out, index);
  if (!isExact) return noNumber;
  if (isNegative) out[index] = -out[index]!;
  return p;
}

/** The number that four bytes say, the first one lowest in the word; −1 where not all are digits. */
function fourDigits(word: number): number {
  // A byte above "9" or below "0" sets its top bit in one of the two sums.
  if ((((word + 0x46464646) | (word - 0x30303030)) & 0x80808080) !== 0) return -1;
  const values = (word - 0x30303030) | 0;
  const pairs = (Math.imul(values, 10) + (values >>> 8)) & 0x00ff00ff;
  return (Math.imul(pairs, 100) + (pairs >>> 16)) & 0xffff;
}

// Results go into `out`: a number that a function returns may be an object on the heap, and a file has millions.

/** `digits` × 10^exponent for an exact double `digits`; false where it cannot be told with one rounding. */
function scale(digits: number, exponent: number, out: Float64Array, index: number): boolean {
  if (exponent < -22 || exponent > 22) return false;
  out[index] = exponent < 0 ? digits / powersOfTen[-exponent]! : digits * powersOfTen[exponent]!;
  return true;
}

/** (high · 10^lowDigits + low) × 10^exponent. */
function scalePair(
  high: number,
  low: number,
  lowDigits: number,
  exponent: number,
  out: Float64Array,
  index: number,
): boolean {
  // Exact: 30 bits times the 21 bits of 5^9.
  const shifted = high * powersOfTen[lowDigits]!;
  const sum = shifted + low;
  if (sum <= 2 ** 53) return scale(sum, exponent, out, index);
  if (exponent > 0 || exponent < -22) return false;
  const rest = low - (sum - shifted);
  out[index] = sum;
  return exponent === 0 || divide(rest, powersOfTen[-exponent]!, out, index);
}

/** (sum + rest) / divisor, correctly rounded, with `out` for the sum; false where the second digit of the quotient does not decide. */
function divide(rest: number, divisor: number, out: Float64Array, index: number): boolean {
  const sum = out[index]!;
  const first = sum / divisor;
  // first · divisor = product + error exactly, by Dekker's splitting of both into halves of 26 bits.
  const product = first * divisor;
  const a = splitter * first;
  const aHigh = a - (a - first);
  const aLow = first - aHigh;
  const b = splitter * divisor;
  const bHigh = b - (b - divisor);
  const bLow = divisor - bHigh;
  const error = aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
  const second = (sum - product - error + rest) / divisor;
  const doubt = Math.abs(second) * 2 ** -49;
  const below = first + (second - doubt);
  out[index] = below;
  return below === first + (second + doubt);
}

/** `text` as a number, in the grammar of a CSV field: digits, a point, an exponent, inf; undefined where it is none. */
export function parseNumberText(text: string): number | undefined {
  if (/^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$/.test(text)) return Number(text);
  const infinite = /^([-+]?)inf(inity)?$/i.exec(text);
  if (infinite) return infinite[1] === "-" ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return undefined;
}

/** Whether a whole number has more digits than a double holds. */
export const losesDigits = (text: string, value: number): boolean =>
  Math.abs(value) > Number.MAX_SAFE_INTEGER && /^[-+]?\d+$/.test(text);
