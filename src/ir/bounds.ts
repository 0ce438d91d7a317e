/** Proofs about sizes within the bounds of their dimensions. */
import {
  addSizes,
  boundsOf,
  Dimension,
  dimensionsOf,
  multiplySizes,
  type Size,
  SizeExpression,
  subtractSizes,
} from "../base/size.ts";

/**
 * Whether a size is surely ≥ 0. Term by term `time² − time` cannot be decided; written in e = time − min ≥ 0 its terms are
 * e² + e, and are.
 */
export function isNonNegative(size: Size): boolean {
  if (boundsOf(size).min >= 0) return true;
  if (boundsOf(size).max < 0 || !(size instanceof SizeExpression)) return false;
  const excess = new Map<Dimension, Size>();
  for (const d of dimensionsOf(size)) {
    excess.set(d, addSizes(new Dimension(d.name, { min: 0, max: d.max - d.min }), d.min));
  }
  const shifted = size.terms.reduce<Size>((sum, { coefficient, dimensions }) => {
    const term = dimensions.reduce<Size>((product, d) => multiplySizes(product, excess.get(d)!), coefficient);
    return addSizes(sum, term);
  }, 0);
  return boundsOf(shifted).min >= 0;
}

/** Whether a ≤ b, surely. */
export const isAtMost = (a: Size, b: Size): boolean => isNonNegative(subtractSizes(b, a));
