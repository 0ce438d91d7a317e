/** Inputs that every contender builds alike, in any language: a formula instead of a random generator. */

/**
 * `count` f32 numbers in [-limit, limit): MurmurHash3's 32-bit finalizer of `index + seed · 0x9e3779b9`, over 2³²,
 * scaled in f64 and rounded once.
 */
export function hashedUniform(seed: number, count: number, limit = 1): Float32Array {
  const values = new Float32Array(count);
  const offset = Math.imul(seed, 0x9e3779b9);
  for (let index = 0; index < count; index++) {
    values[index] = (2 * hashedUnit(index + offset) - 1) * limit;
  }
  return values;
}

/** `count` integers in [0, classes). */
export function hashedLabels(seed: number, count: number, classes: number): Int32Array {
  const labels = new Int32Array(count);
  const offset = Math.imul(seed, 0x9e3779b9);
  for (let index = 0; index < count; index++) {
    labels[index] = Math.floor(hashedUnit(index + offset) * classes);
  }
  return labels;
}

/** `count` integers from −128 to 127. */
export function hashedBytes(seed: number, count: number): Int8Array {
  return Int8Array.from(hashedLabels(seed, count, 256), (value) => value - 128);
}

function hashedUnit(input: number): number {
  let h = Math.imul(input ^ (input >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

/** Glorot's limit for a weight of these widths. */
export const glorotLimit = (inputs: number, outputs: number): number => Math.sqrt(6 / (inputs + outputs));

/** Labels as rows of zeros and a one, for frameworks that want them so. */
export function oneHot(labels: Int32Array, classes: number): Float32Array {
  const rows = new Float32Array(labels.length * classes);
  labels.forEach((label, row) => {
    rows[row * classes + label] = 1;
  });
  return rows;
}

/** The numbers a contender reports of a result: the mean magnitude and four elements. */
export function sample(values: Float32Array | Int32Array): number[] {
  let magnitude = 0;
  for (let index = 0; index < values.length; index++) magnitude += Math.abs(values[index]);
  const at = [0.1, 0.37, 0.61, 0.93].map((share) => values[Math.floor(share * values.length)]);
  return [magnitude / values.length, ...at];
}
