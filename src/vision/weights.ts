/** What each pixel of an image of another size is a sum of. Pillow's weights. (Pillow, `Resample.c`.) */

/** How pixels between pixels are made. */
export type Interpolation = "nearest" | "bilinear" | "bicubic" | "lanczos";

interface Kernel {
  readonly support: number;
  weight(x: number): number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

const kernels: Readonly<Record<Exclude<Interpolation, "nearest">, Kernel>> = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  // Keys, "Cubic convolution interpolation for digital image processing", 1981, a = −½.
  bicubic: {
    support: 2,
    weight(signed) {
      const x = Math.abs(signed);
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      return x < 2 ? -0.5 * (((x - 5) * x + 8) * x - 4) : 0;
    },
  },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** For each output position: the first input, how many, and their weights (`stride` apart). */
export interface Weights {
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  readonly values: Float64Array;
  readonly stride: number;
}

/** For an axis of `from` pixels that gets `to`. */
export function weightsOf(
  from: number,
  to: number,
  interpolation: Exclude<Interpolation, "nearest">,
  antialias: boolean,
): Weights {
  const { support, weight } = kernels[interpolation];
  const scale = from / to;
  const width = antialias ? Math.max(scale, 1) : 1;
  const reach = support * width;
  const stride = Math.ceil(reach) * 2 + 1;
  const [starts, counts] = [new Int32Array(to), new Int32Array(to)];
  const values = new Float64Array(to * stride);
  for (let i = 0; i < to; i++) {
    const center = (i + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - reach + 0.5));
    const count = Math.min(from, Math.trunc(center + reach + 0.5)) - start;
    let sum = 0;
    for (let k = 0; k < count; k++) {
      const value = weight((k + start - center + 0.5) * (1 / width));
      values[i * stride + k] = value;
      sum += value;
    }
    if (sum !== 0) for (let k = 0; k < count; k++) values[i * stride + k]! /= sum;
    starts[i] = start;
    counts[i] = count;
  }
  return { starts, counts, values, stride };
}

/** Places after the point of weights for bytes. */
export const fixedBits = 22;

/** Weights as fixed-point numbers. */
export function fixedPoint(values: Float64Array): Int32Array {
  const fixed = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++)
    fixed[i] = Math.trunc(values[i]! * (1 << fixedBits) + (values[i]! < 0 ? -0.5 : 0.5));
  return fixed;
}
