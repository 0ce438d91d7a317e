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

/** Known where a proof is made: dimensions that are at least this, because a loop around runs. */
export type Minimums = ReadonlyMap<Dimension, number>;

const none: Minimums = new Map();

/**
 * Whether a size is surely ≥ 0. Term by term `time² − time` cannot be decided; written in e = time − min ≥ 0 its terms are
 * e² + e, and are.
 */
export function isNonNegative(size: Size, minimums = none): boolean {
  if (typeof size === "number") return size >= 0;
  if (boundsOf(size).min >= 0) return true;
  if (boundsOf(size).max < 0 || !(size instanceof SizeExpression)) return false;
  const excess = new Map<Dimension, Size>();
  for (const d of dimensionsOf(size)) {
    const least = Math.min(d.max, minimums.get(d) ?? d.min);
    excess.set(d, addSizes(new Dimension(d.name, { min: 0, max: d.max - least }), least));
  }
  const shifted = size.terms.reduce<Size>((sum, { coefficient, dimensions }) => {
    const term = dimensions.reduce<Size>((product, d) => multiplySizes(product, excess.get(d)!), coefficient);
    return addSizes(sum, term);
  }, 0);
  return boundsOf(shifted).min >= 0;
}

/** Whether a ≤ b, surely. */
export const isAtMost = (a: Size, b: Size, minimums = none): boolean =>
  isNonNegative(subtractSizes(b, a), minimums);

/** What follows for the dimensions when `size` ≥ `least`: something where it is c × d + constant. */
export function minimumsWhere(size: Size, least: number, known: Minimums): Minimums {
  if (typeof size === "number") return known;
  const terms = size instanceof Dimension ? [{ coefficient: 1, dimensions: [size] }] : size.terms;
  const late = terms.filter(({ dimensions }) => dimensions.length > 0);
  const constant = terms.find(({ dimensions }) => dimensions.length === 0)?.coefficient ?? 0;
  const [term] = late;
  const d = term?.dimensions[0];
  if (late.length !== 1 || term!.dimensions.length !== 1 || term!.coefficient <= 0 || d === undefined)
    return known;
  const value = Math.ceil((least - constant) / term!.coefficient);
  const before = known.get(d) ?? d.min;
  return value > before ? new Map([...known, [d, value]]) : known;
}
