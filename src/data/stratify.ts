/** Splits that keep the proportions of a label. */

/**
 * Cuts a shuffled order in two so that each label value falls to the parts in the same proportion: every value gives
 * ⌊its share⌋ to the first part, and the values with the largest remainders one more until `firstLength` is reached.
 * Both parts keep the shuffled order.
 */
export function stratifiedHalves(
  order: Uint32Array,
  labels: ArrayLike<number>,
  firstLength: number,
): [Uint32Array, Uint32Array] {
  const counts = new Map<number, number>();
  for (const index of order) counts.set(labels[index]!, (counts.get(labels[index]!) ?? 0) + 1);
  const quotas = quotasOf(counts, firstLength, order.length);
  const inFirst = order.map((index) => {
    const left = quotas.get(labels[index]!)!;
    quotas.set(labels[index]!, left - 1);
    return left > 0 ? 1 : 0;
  });
  return [order.filter((_, i) => inFirst[i] === 1), order.filter((_, i) => inFirst[i] === 0)];
}

function quotasOf(
  counts: ReadonlyMap<number, number>,
  firstLength: number,
  total: number,
): Map<number, number> {
  const shares = [...counts].map(([value, count]) => ({ value, share: (count * firstLength) / total }));
  let missing = firstLength - shares.reduce((sum, { share }) => sum + Math.floor(share), 0);
  // Equal remainders go by the label's value, so that the shuffle does not matter.
  shares.sort((a, b) => (b.share % 1) - (a.share % 1) || a.value - b.value);
  return new Map(shares.map(({ value, share }) => [value, Math.floor(share) + (missing-- > 0 ? 1 : 0)]));
}

/** An order cut into `folds` parts in turn, the first ones one longer where it does not divide. */
export function foldParts(order: Uint32Array, folds: number): Uint32Array[] {
  let start = 0;
  return Array.from({ length: folds }, (_, fold) => {
    const size = Math.floor(order.length / folds) + Number(fold < order.length % folds);
    return order.subarray(start, (start += size));
  });
}

/**
 * An order cut into parts in which each label has its share: the labels, sorted, are dealt to the parts in turn, which tells how
 * many of each a part gets. Labels count in the order in which they first stand there (scikit-learn's `StratifiedKFold`).
 */
export function stratifiedFoldParts(
  order: Uint32Array,
  labels: ArrayLike<number> | ArrayLike<string>,
  folds: number,
): Uint32Array[] {
  const places = new Map<unknown, number>();
  for (let i = 0; i < labels.length; i++) if (!places.has(labels[i])) places.set(labels[i], places.size);
  const placeOf = (row: number): number => places.get(labels[row])!;
  const dealt = Array.from(order, placeOf).sort((a, b) => a - b);
  const parts: number[][] = [];
  const rows = Array.from(places.values(), (place) => order.filter((row) => placeOf(row) === place));
  const taken = new Uint32Array(places.size);
  for (let fold = 0; fold < folds; fold++) {
    const part: number[] = [];
    for (let i = fold; i < dealt.length; i += folds) part.push(rows[dealt[i]!]![taken[dealt[i]!]!++]!);
    parts.push(part);
  }
  return parts.map((part) => Uint32Array.from(part));
}
