/** Statistics over the values that are there: NaN is left out, as in pandas and scikit-learn. */
type Numbers = ArrayLike<number>;

/** The values that are not NaN. */
export function presentOf(values: Numbers): Float64Array {
  const present = new Float64Array(values.length);
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (!Number.isNaN(value)) present[count++] = value;
  }
  return present.subarray(0, count);
}

/** With the lost low bits carried along (Neumaier 1974): the sum of a million values is as exact as that of ten. */
export function sum(values: Numbers): number {
  let total = 0;
  let lost = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const next = total + value;
    lost += Math.abs(total) >= Math.abs(value) ? total - next + value : value - next + total;
    total = next;
  }
  return Number.isFinite(total) ? total + lost : total;
}

/** NaN for no values. */
export const mean = (values: Numbers): number => sum(values) / values.length;

/** The mean square distance from the mean, over n − `freedom`: 0 for a population (scikit-learn), 1 for a sample (pandas). */
export function variance(values: Numbers, freedom: 0 | 1): number {
  if (values.length <= freedom) return Number.NaN;
  const center = mean(values);
  const squares = Float64Array.from(values, (value) => (value - center) ** 2);
  return sum(squares) / (values.length - freedom);
}

export const sorted = (values: Numbers): Float64Array => Float64Array.from(values).sort();

/**
 * The value below which the fraction `q` lies, between the two nearest of sorted values, as NumPy's `linear` method computes it.
 * NaN for no values.
 */
export function quantileOfSorted(values: Numbers, q: number): number {
  if (values.length === 0) return Number.NaN;
  const at = q * (values.length - 1);
  const below = Math.floor(at);
  const [low, high] = [values[below]!, values[Math.min(below + 1, values.length - 1)]!];
  if (low === high) return low;
  const fraction = at - below;
  // NumPy's lerp: from the nearer end.
  return fraction < 0.5 ? low + (high - low) * fraction : high - (high - low) * (1 - fraction);
}

/** NumPy's `averaged_inverted_cdf`: a value of the data, or the mean of two where the fraction falls between them. */
export function averagedQuantileOfSorted(values: Numbers, q: number): number {
  const count = values.length;
  if (count === 0) return Number.NaN;
  const at = q * count;
  const upper = Math.min(Math.max(Math.ceil(at) - 1, 0), count - 1);
  if (at !== Math.floor(at) || at <= 0 || at >= count) return values[upper]!;
  const [low, high] = [values[upper]!, values[upper + 1]!];
  return low + (high - low) * 0.5;
}

export const median = (values: Numbers): number => quantileOfSorted(sorted(values), 0.5);

/** The most frequent value; of several the smallest, as in scikit-learn. NaN for no values. */
export function mode(values: Numbers): number {
  const order = sorted(values);
  let [best, bestCount] = [Number.NaN, 0];
  for (let from = 0; from < order.length; ) {
    let to = from + 1;
    while (order[to] === order[from]) to++;
    if (to - from > bestCount) [best, bestCount] = [order[from]!, to - from];
    from = to;
  }
  return best;
}

/** Smallest and largest; NaN for no values. */
export function extent(values: Numbers): [min: number, max: number] {
  if (values.length === 0) return [Number.NaN, Number.NaN];
  let [min, max] = [values[0]!, values[0]!];
  for (let i = 1; i < values.length; i++) {
    const value = values[i]!;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return [min, max];
}
