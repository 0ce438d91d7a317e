/**
 * Which neighbouring parts of words are joined, most frequent first: the loop that byte-pair encoding and WordPiece share. Sennrich,
 * Haddow and Birch, "Neural machine translation of rare words with subword units", 2016.
 */

/** A word as parts (their numbers), and how often it comes. */
export interface CountedWord {
  parts: number[];
  readonly count: number;
}

interface Candidate {
  readonly left: number;
  readonly right: number;
  /** When it was put into the queue; stale where it has changed since. */
  readonly count: number;
}

export interface MergeRules {
  /** The number of what two parts become together; a new one, or one that is there already. */
  join(left: number, right: number): number;
  /** Whether to go on. */
  wantsMore(): boolean;
  /** Pairs that come less often stay apart. */
  readonly minCount: number;
}

/** A pair of numbers as one; vocabularies are far smaller. */
const pairSpace = 2 ** 26;
const keyOf = (left: number, right: number): number => left * pairSpace + right;

/**
 * Joins pairs, the most frequent first, of equal ones that of the smallest numbers. `words` are changed on the way.
 *
 * @returns the joined pairs in order
 */
export function mergePairs(
  words: readonly CountedWord[],
  rules: MergeRules,
): [left: number, right: number][] {
  const counts = new Map<number, number>();
  const places = new Map<number, Set<number>>();
  const add = (left: number, right: number, count: number, word: number): void => {
    const key = keyOf(left, right);
    counts.set(key, (counts.get(key) ?? 0) + count);
    if (count <= 0) return;
    const known = places.get(key);
    if (known === undefined) places.set(key, new Set([word]));
    else known.add(word);
  };
  words.forEach(({ parts, count }, word) => {
    for (let i = 1; i < parts.length; i++) add(parts[i - 1]!, parts[i]!, count, word);
  });
  const queue = new Heap();
  for (const [key, count] of counts) queue.push(candidateOf(key, count));

  const merges: [number, number][] = [];
  while (rules.wantsMore()) {
    const best = queue.pop();
    if (best === undefined) break;
    const key = keyOf(best.left, best.right);
    const now = counts.get(key) ?? 0;
    if (now !== best.count) {
      if (now > 0) queue.push(candidateOf(key, now));
      continue;
    }
    if (now < Math.max(1, rules.minCount)) break;
    const joined = rules.join(best.left, best.right);
    merges.push([best.left, best.right]);
    const changed = new Set<number>();
    for (const word of places.get(key)!)
      joinIn(words[word]!, [best.left, best.right, joined], (left, right, change) => {
        add(left, right, change, word);
        if (change > 0) changed.add(keyOf(left, right));
      });
    counts.delete(key);
    for (const other of changed) {
      const count = counts.get(other) ?? 0;
      if (count > 0) queue.push(candidateOf(other, count));
    }
  }
  return merges;
}

const candidateOf = (key: number, count: number): Candidate => ({
  left: Math.floor(key / pairSpace),
  right: key % pairSpace,
  count,
});

/** Joins a pair wherever it stands in a word, and says how the counts of its neighbours change. */
function joinIn(
  word: CountedWord,
  [left, right, joined]: readonly [number, number, number],
  change: (left: number, right: number, count: number) => void,
): void {
  const { parts, count } = word;
  const result: number[] = [];
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]!;
    if (part !== left || parts[i + 1] !== right) {
      result.push(part);
      continue;
    }
    const before = result.at(-1);
    const after = parts[i + 2];
    if (before !== undefined) {
      change(before, left, -count);
      change(before, joined, count);
    }
    if (after !== undefined) {
      change(right, after, -count);
      change(joined, after, count);
    }
    result.push(joined);
    i++;
  }
  word.parts = result;
}

/** The candidate with the largest count first; of equal ones that with the smallest numbers. */
class Heap {
  private readonly items: Candidate[] = [];

  push(item: Candidate): void {
    const { items } = this;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!isBefore(item, items[parent]!)) break;
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = item;
  }

  pop(): Candidate | undefined {
    const { items } = this;
    const [first] = items;
    const last = items.pop();
    if (items.length === 0 || last === undefined) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && isBefore(items[child + 1]!, items[child]!)) child++;
      if (!isBefore(items[child]!, last)) break;
      items[at] = items[child]!;
      at = child;
    }
    items[at] = last;
    return first;
  }
}

const isBefore = (a: Candidate, b: Candidate): boolean =>
  a.count !== b.count ? a.count > b.count : a.left !== b.left ? a.left < b.left : a.right < b.right;
