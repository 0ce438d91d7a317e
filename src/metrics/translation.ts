/**
 * How near texts come to references: BLEU (Papineni, Roukos, Ward and Zhu, 2002), chrF (Popović, 2015), ROUGE (Lin, 2004). Figures are those
 * of sacreBLEU and of Google's rouge-score, 0 … 100 and 0 … 1 as there.
 */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";

/** References of one text: one or several. */
export type References = string | readonly string[];

const listOf = (references: References): readonly string[] =>
  typeof references === "string" ? [references] : references;

function checkPairs(what: string, texts: readonly string[], references: readonly References[]): void {
  if (texts.length !== references.length)
    throw new ShapeError(`${what}: ${texts.length} texts, but references for ${references.length}`);
  const alone = references.findIndex((list) => listOf(list).length === 0);
  if (alone >= 0) throw new ArgumentError(`${what}: text ${alone} has no reference`);
}

/** How often each run of `order` neighbours comes. */
function runs(parts: readonly string[], order: number, separator: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (let at = 0; at + order <= parts.length; at++) {
    const run = parts.slice(at, at + order).join(separator);
    counts.set(run, (counts.get(run) ?? 0) + 1);
  }
  return counts;
}

const totalOf = (counts: ReadonlyMap<string, number>): number =>
  [...counts.values()].reduce((a, b) => a + b, 0);

/** What two have in common, each run as often as both have it. */
function shared(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  let sum = 0;
  for (const [run, count] of a) sum += Math.min(count, b.get(run) ?? 0);
  return sum;
}

/** mteval-v13a: punctuation apart, except marks inside of numbers. */
function mtevalWords(text: string): string[] {
  return ` ${text
    .replace(/<skipped>/g, "")
    .replace(/-\n/g, "")
    .replace(/\n/g, " ")
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, "&")
    .replace(/&lt;/g, "<")
    .replace(/&gt;/g, ">")} `
    .replace(/[!-+:-@[-`{-~/]/g, (mark) => (mark === "'" ? mark : ` ${mark} `))
    .replace(/([^0-9])([.,])/g, "$1 $2 ")
    .replace(/([.,])([^0-9])/g, " $1 $2")
    .replace(/([0-9])(-)/g, "$1 $2 ")
    .split(/\s+/)
    .filter((word) => word !== "");
}

export interface BleuOptions {
  /** Longest runs of words; default 4. */
  readonly order?: number;
  /** How a text becomes words; default that of mteval-v13a, "13a" in sacreBLEU. */
  readonly tokenize?: (text: string) => readonly string[];
  /** Default false. */
  readonly lowercase?: boolean;
}

/** What `bleu` gives. */
export interface BleuScore {
  /** 0 … 100. */
  readonly score: number;
  /** Of runs of 1, 2, … words, in percent. */
  readonly precisions: readonly number[];
  /** Below 1 where the texts are shorter than their references. */
  readonly brevityPenalty: number;
}

/**
 * BLEU of a corpus: the geometric mean of the precisions of runs of 1 … 4 words, times a penalty for short texts. An order without a match
 * counts as half of one match, the next as a quarter (sacreBLEU's "exp").
 *
 * @throws ShapeError when there are not as many texts as references, ArgumentError for a text without reference
 * @example bleu(["the cat sat on the mat"], ["the cat sat on a mat"]).score.toFixed(2) // "53.73"
 */
export function bleu(
  texts: readonly string[],
  references: readonly References[],
  options: BleuOptions = {},
): BleuScore {
  checkOptions("bleu", options, ["order", "tokenize", "lowercase"]);
  checkPairs("bleu", texts, references);
  const { order = 4, tokenize = mtevalWords, lowercase = false } = options;
  const wordsOf = (text: string): readonly string[] => tokenize(lowercase ? text.toLowerCase() : text);
  const [matches, totals] = [new Array<number>(order).fill(0), new Array<number>(order).fill(0)];
  let [length, wanted] = [0, 0];
  for (const [i, text] of texts.entries()) {
    const found = wordsOf(text);
    const others = listOf(references[i]!).map(wordsOf);
    length += found.length;
    wanted += closestLength(found.length, others);
    for (let n = 1; n <= order; n++) {
      const counts = runs(found, n, " ");
      matches[n - 1]! += shared(counts, mostOf(others.map((words) => runs(words, n, " "))));
      totals[n - 1]! += totalOf(counts);
    }
  }
  const brevityPenalty = length >= wanted ? 1 : length > 0 ? Math.exp(1 - wanted / length) : 0;
  if (matches.every((count) => count === 0)) return { score: 0, precisions: matches, brevityPenalty };
  let smoothing = 1;
  const precisions = matches.map((count, i) => {
    if (totals[i] === 0) return 0;
    if (count > 0) return (100 * count) / totals[i]!;
    smoothing *= 2;
    return 100 / (smoothing * totals[i]!);
  });
  const logs = precisions.reduce((sum, precision) => sum + Math.log(precision), 0);
  return { score: brevityPenalty * Math.exp(logs / order), precisions, brevityPenalty };
}

/** The reference whose length is nearest; of two the shorter. */
const closestLength = (length: number, references: readonly (readonly string[])[]): number =>
  references
    .map((words) => words.length)
    .reduce((best, other) => {
      const [near, nearest] = [Math.abs(other - length), Math.abs(best - length)];
      return near < nearest || (near === nearest && other < best) ? other : best;
    });

/** Each run as often as the reference that has it most. */
function mostOf(all: readonly ReadonlyMap<string, number>[]): Map<string, number> {
  const most = new Map<string, number>();
  for (const counts of all)
    for (const [run, count] of counts) most.set(run, Math.max(count, most.get(run) ?? 0));
  return most;
}

export interface ChrfOptions {
  /** Longest runs of characters; default 6. */
  readonly characterOrder?: number;
  /** Longest runs of words; default 0. 2 is chrF++. */
  readonly wordOrder?: number;
  /** How much more recall counts than precision; default 2. */
  readonly beta?: number;
}

/**
 * chrF of a corpus: the F-score of runs of characters, white space left out, 0 … 100.
 *
 * @throws ShapeError when there are not as many texts as references, ArgumentError for a text without reference
 * @example chrf(["the cat sat on the mat"], ["the cat sat on a mat"]).toFixed(2) // "72.08"
 */
export function chrf(
  texts: readonly string[],
  references: readonly References[],
  options: ChrfOptions = {},
): number {
  checkOptions("chrf", options, ["characterOrder", "wordOrder", "beta"]);
  checkPairs("chrf", texts, references);
  const { characterOrder = 6, wordOrder = 0, beta = 2 } = options;
  const orders = characterOrder + wordOrder;
  const countsOf = (text: string): Map<string, number>[] => {
    const characters = [...text.replace(/\s+/gu, "")];
    const parts = edgesApart(text);
    return Array.from({ length: orders }, (_, i) =>
      i < characterOrder ? runs(characters, i + 1, "") : runs(parts, i + 1 - characterOrder, " "),
    );
  };
  const sums = Array.from({ length: orders }, () => ({ found: 0, wanted: 0, both: 0 }));
  for (const [i, text] of texts.entries()) {
    const counts = countsOf(text);
    const candidates = listOf(references[i]!).map((reference) =>
      countsOf(reference).map((wanted, order) => ({
        found: wanted.size > 0 ? totalOf(counts[order]!) : 0,
        wanted: totalOf(wanted),
        both: shared(counts[order]!, wanted),
      })),
    );
    const best = candidates.reduce((a, b) => (fScore(b, beta) > fScore(a, beta) ? b : a));
    best.forEach((order, at) => {
      sums[at]!.found += order.found;
      sums[at]!.wanted += order.wanted;
      sums[at]!.both += order.both;
    });
  }
  return fScore(sums, beta);
}

type Overlap = { readonly found: number; readonly wanted: number; readonly both: number };

/** Of the means of precision and recall over the orders that both have. */
function fScore(orders: readonly Overlap[], beta: number): number {
  const counted = orders.filter(({ found, wanted }) => found > 0 && wanted > 0);
  const mean = (of: (order: Overlap) => number): number =>
    counted.reduce((sum, order) => sum + of(order), 0) / Math.max(1, counted.length);
  const [precision, recall] = [
    mean(({ both, found }) => both / found),
    mean(({ both, wanted }) => both / wanted),
  ];
  if (precision + recall === 0) return 0;
  return (100 * (1 + beta ** 2) * precision * recall) / (beta ** 2 * precision + recall);
}

/** Words with a mark at the end, or at the beginning, apart. */
function edgesApart(text: string): string[] {
  const isMark = (character: string): boolean => /[!-/:-@[-`{-~]/.test(character);
  return text
    .split(/\s+/u)
    .filter((word) => word !== "")
    .flatMap((word) => {
      if (word.length === 1) return [word];
      if (isMark(word.at(-1)!)) return [word.slice(0, -1), word.at(-1)!];
      return isMark(word[0]!) ? [word[0]!, word.slice(1)] : [word];
    });
}

/** Precision, recall and F₁ of one text, 0 … 1. */
export interface RougeScore {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/**
 * ROUGE of a text by one reference: runs of 1 and 2 words, and the longest common subsequence. Words are letters a–z and digits in lower case,
 * as in Google's rouge-score without stemming.
 *
 * @example rouge("the cat sat", "the cat was sitting").rougeL.recall // 0.5
 */
export function rouge(
  text: string,
  reference: string,
): { readonly rouge1: RougeScore; readonly rouge2: RougeScore; readonly rougeL: RougeScore } {
  const wordsOf = (of: string): string[] => of.toLowerCase().match(/[a-z0-9]+/g) ?? [];
  const [found, wanted] = [wordsOf(text), wordsOf(reference)];
  const byRuns = (order: number): RougeScore => {
    const [a, b] = [runs(found, order, " "), runs(wanted, order, " ")];
    return rougeScore(shared(a, b), totalOf(a), totalOf(b));
  };
  return {
    rouge1: byRuns(1),
    rouge2: byRuns(2),
    rougeL: rougeScore(longestCommon(found, wanted), found.length, wanted.length),
  };
}

function rougeScore(both: number, found: number, wanted: number): RougeScore {
  const [precision, recall] = [both / Math.max(1, found), both / Math.max(1, wanted)];
  const f1 = precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0;
  return { precision, recall, f1 };
}

/** Length of the longest common subsequence. */
function longestCommon(a: readonly string[], b: readonly string[]): number {
  let row = new Uint32Array(b.length + 1);
  for (const word of a) {
    const next = new Uint32Array(b.length + 1);
    b.forEach((other, i) => {
      next[i + 1] = word === other ? row[i]! + 1 : Math.max(row[i + 1]!, next[i]!);
    });
    row = next;
  }
  return row[b.length]!;
}
