/** Where a geometric transform takes pixels, masks and points: one description for all three. */
import type { TypedArray } from "../base/dtype.ts";
import type { Image, Region } from "./image.ts";

/** One channel of anything: a mask. */
export interface Plane {
  readonly height: number;
  readonly width: number;
  readonly data: TypedArray;
}

/**
 * What a geometric transform does to an image of one size. Coordinates are continuous: the pixel in row i and column j covers x from j to
 * j + 1 and y from i to i + 1.
 */
export interface Move {
  /** Of the result. */
  readonly height: number;
  readonly width: number;
  image(image: Image): Image;
  /** Where the result shows no more than a part of the image: which, and the result from that part alone. */
  readonly part?: { readonly region: Region; image(part: Image): Image };
  /** Each element of the result is one of the mask's, or 0 where the result shows nothing of the image. */
  mask(mask: Plane): Plane;
  /** Where a point of the image is in the result. */
  point(x: number, y: number): readonly [x: number, y: number];
}

/** Elements at (ys[i], xs[j]); 0 where one of them is negative. */
export function gathered(mask: Plane, ys: Int32Array, xs: Int32Array): Plane {
  const [height, width] = [ys.length, xs.length];
  const data = new (mask.data.constructor as new (length: number) => TypedArray)(height * width);
  for (let i = 0, o = 0; i < height; i++) {
    const y = ys[i]!;
    if (y < 0) {
      o += width;
      continue;
    }
    for (let j = 0; j < width; j++, o++) {
      const x = xs[j]!;
      if (x >= 0) data[o] = mask.data[y * mask.width + x]!;
    }
  }
  return { height, width, data };
}

/** A homography as nine numbers in rows, of which the last is 1 where it is affine. */
export type Matrix = Float64Array;

/** a · b. */
export function product(a: Matrix, b: Matrix): Matrix {
  const out = new Float64Array(9);
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 3; j++)
      out[3 * i + j] = a[3 * i]! * b[j]! + a[3 * i + 1]! * b[3 + j]! + a[3 * i + 2]! * b[6 + j]!;
  return out;
}

/** The inverse, by cofactors. */
export function inverse(m: Matrix): Matrix {
  const [a, b, c, d, e, f, g, h, i] = m as unknown as [number, number, number, number, number, number, number, number, number]; // biome-ignore format: nine of them
  const cofactors = [e * i - f * h, c * h - b * i, b * f - c * e, f * g - d * i, a * i - c * g, c * d - a * f, d * h - e * g, b * g - a * h, a * e - b * d]; // biome-ignore format: three rows
  const determinant = a * cofactors[0]! + b * cofactors[3]! + c * cofactors[6]!;
  return Float64Array.from(cofactors, (value) => value / determinant);
}

/** Where a homography takes a point. */
export function moved(m: Matrix, x: number, y: number): readonly [number, number] {
  const scale = m[6]! * x + m[7]! * y + m[8]!;
  return [(m[0]! * x + m[1]! * y + m[2]!) / scale, (m[3]! * x + m[4]! * y + m[5]!) / scale];
}
