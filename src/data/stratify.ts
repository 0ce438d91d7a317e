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
