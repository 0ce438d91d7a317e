/** Products of the small integers that lie in 32-bit words: the meaning of `dotAdd` and `bytePairs`. */

/** c + Σ aᵢ · bᵢ: two signed integers of 16 bits a word, or four bytes, a's without sign and b's with one. */
export function dotOfParts(parts: 2 | 4, a: number, b: number, c: number): number {
  let sum = c;
  for (let i = 0; i < parts; i++)
    sum = (sum + partOf(a, i, parts, parts === 2) * partOf(b, i, parts, true)) | 0;
  return sum;
}

function partOf(word: number, i: number, parts: 2 | 4, isSigned: boolean): number {
  const bits = 32 / parts;
  const high = word << (32 - bits * (i + 1));
  return isSigned ? high >> (32 - bits) : high >>> (32 - bits);
}

/** The even or odd bytes of a word as two integers of 16 bits. */
export function bytePairs(which: "even" | "odd", isSigned: boolean, word: number): number {
  const [low, high] = which === "even" ? [0, 2] : [1, 3];
  return (partOf(word, high, 4, isSigned) << 16) | (partOf(word, low, 4, isSigned) & 0xffff);
}
