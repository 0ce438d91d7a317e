/** When two values count as equal: by dtype, and relative to the element or to the largest of the array. */
import { type DType, isFloat } from "../base/dtype.ts";
import { NetwrightError } from "../base/errors.ts";
import { shapeText } from "../base/shape.ts";
import type { DenseArray } from "../graph/op.ts";

/** Distance of 1 to the next number, and the smallest normal one: below it targets may flush to zero. */
const precision: Partial<Record<DType, { readonly step: number; readonly smallest: number }>> = {
  f32: { step: 2 ** -23, smallest: 2 ** -126 },
  f64: { step: 2 ** -52, smallest: 2 ** -1022 },
  f16: { step: 2 ** -10, smallest: 2 ** -14 },
  bf16: { step: 2 ** -7, smallest: 2 ** -126 },
};

export interface Tolerance {
  /** Steps of the dtype that an element may be off; integers and bools must be equal. */
  readonly steps: number;
  /** Measured against the largest element instead of the element itself: for sums, whose terms cancel. */
  readonly toLargest?: boolean;
  /** Measured against no less than this. */
  readonly scale?: number;
}

/** The first difference as text; undefined when all agree. NaN agrees with NaN, an infinity with itself. */
export function differenceOf(
  got: DenseArray,
  want: DenseArray,
  { steps, toLargest, scale: least = 0 }: Tolerance,
): string | undefined {
  const types = [got, want].map(({ dtype, shape }) => `${dtype} ${shapeText(shape)}`);
  if (types[0] !== types[1]) return `is ${types[0]}, not ${types[1]}`;
  const { step, smallest } = precision[want.dtype] ?? { step: 0, smallest: 0 };
  const finite = want.data.filter(Number.isFinite);
  const largest = toLargest ? finite.reduce((most, x) => Math.max(most, Math.abs(x)), 0) : 0;
  for (let i = 0; i < want.data.length; i++) {
    const [a, b] = [got.data[i]!, want.data[i]!];
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) continue;
    const scale = Math.max(Math.abs(b), largest, smallest, least);
    const allowed = isFloat(want.dtype) ? steps * step * scale : 0;
    if (!(Math.abs(a - b) <= allowed || (Math.abs(b) < smallest && a === 0))) {
      const off = isFloat(want.dtype)
        ? ` (${(Math.abs(a - b) / (step * scale)).toPrecision(3)} steps off)`
        : "";
      return `element ${i} of ${want.data.length} is ${a}, not ${b}${off}`;
    }
  }
  return undefined;
}

/** Every element within the tolerance. @throws NetwrightError that starts with `what` and names the first element that differs */
export function requireClose(what: string, got: DenseArray, want: DenseArray, tolerance: Tolerance): void {
  const difference = differenceOf(got, want, tolerance);
  if (difference !== undefined) throw new NetwrightError(`${what}: ${difference}`);
}
