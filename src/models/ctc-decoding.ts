/**
 * What a network trained with CTC says: the labels behind its steps. Greedy, and by beams over prefixes (Graves, "Supervised sequence
 * labelling with recurrent neural networks", 2008; Hannun, Maas, Jurafsky and Ng, "First-pass large vocabulary continuous speech
 * recognition using bi-directional recurrent DNNs", 2014).
 */
import { decode } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { shapeText } from "../base/shape.ts";
import type { HostArray } from "../tensor/index.ts";

export interface CtcDecodeOptions {
  /** The class that stands for "nothing new"; default 0. */
  readonly blank?: number;
  /** How many steps of each input count; default all. */
  readonly lengths?: ArrayLike<number>;
}

export interface CtcBeamOptions extends CtcDecodeOptions {
  /** Prefixes that are followed at a time; default 10. */
  readonly beamWidth?: number;
  /** Sequences that are returned for each input, the likeliest first; default 1. */
  readonly count?: number;
  /**
   * Adds to the logarithm of a sequence when `label` follows `prefix`: a language model's log-probability times its weight, plus what a word
   * is worth.
   */
  readonly score?: (prefix: readonly number[], label: number) => number;
}

export interface CtcSequence {
  readonly labels: readonly number[];
  /** Logarithm of the probability of all its alignments that the beam followed, with what `score` added. */
  readonly logProbability: number;
}

/** (T, N, classes) as numbers, and how many steps of each input count. */
interface Steps {
  readonly values: ArrayLike<number>;
  readonly steps: number;
  readonly batch: number;
  readonly classes: number;
  readonly lengths: readonly number[];
  readonly blank: number;
}

function stepsOf(what: string, scores: HostArray, { blank = 0, lengths }: CtcDecodeOptions): Steps {
  if (scores.shape.length !== 3)
    throw new ShapeError(`${what}: expects (T, N, classes), got ${shapeText(scores.shape)}`);
  const [steps, batch, classes] = scores.shape as [number, number, number];
  if (!(Number.isInteger(blank) && blank >= 0 && blank < classes))
    throw new ArgumentError(`${what}: the blank must be a class 0 … ${classes - 1}, got ${blank}`);
  const counts = lengths === undefined ? Array<number>(batch).fill(steps) : Array.from(lengths);
  if (counts.length !== batch || !counts.every((n) => Number.isInteger(n) && n >= 0 && n <= steps))
    throw new ArgumentError(
      `${what}: lengths must be ${batch} integers of 0 … ${steps}, got [${counts.join(", ")}]`,
    );
  return { values: decode(scores.dtype, scores.data), steps, batch, classes, lengths: counts, blank };
}

/**
 * The likeliest class of each step, repetitions merged and blanks left out.
 *
 * @param scores logits or log-probabilities (T, N, classes), on the host
 * @returns the labels of each input
 * @throws ShapeError for other axes, ArgumentError for a blank or lengths out of range
 * @example
 * const scores = await tensor([[[0, 5, 0]], [[0, 5, 0]], [[5, 0, 0]], [[0, 5, 0]], [[0, 0, 5]]]).toHost();
 * // 1 1 – 1 2
 * ctcGreedyDecode(scores); // [[1, 1, 2]]
 */
export function ctcGreedyDecode(scores: HostArray, options: CtcDecodeOptions = {}): number[][] {
  checkOptions("ctcGreedyDecode", options, ["blank", "lengths"]);
  const { values, batch, classes, lengths, blank } = stepsOf("ctcGreedyDecode", scores, options);
  return Array.from({ length: batch }, (_, input) => {
    const labels: number[] = [];
    let before = blank;
    for (let step = 0; step < lengths[input]!; step++) {
      const start = (step * batch + input) * classes;
      let best = 0;
      for (let label = 1; label < classes; label++)
        if (values[start + label]! > values[start + best]!) best = label;
      if (best !== before && best !== blank) labels.push(best);
      before = best;
    }
    return labels;
  });
}

/** A sequence so far: logarithms of the probabilities of its alignments that end in a blank, and in its last label. */
interface Prefix {
  readonly labels: readonly number[];
  blank: number;
  label: number;
  /** What `score` added to it. */
  readonly bonus: number;
}

const sum = (a: number, b: number): number => {
  const most = Math.max(a, b);
  return most === -Infinity ? most : most + Math.log1p(Math.exp(Math.min(a, b) - most));
};
const worth = (prefix: Prefix): number => sum(prefix.blank, prefix.label) + prefix.bonus;

/**
 * The likeliest sequences, found by following the best prefixes: all alignments of a sequence count together, which greedy decoding
 * cannot do.
 *
 * @param logProbabilities (T, N, classes) as `logSoftmax` gives them, on the host
 * @returns for each input the best sequences, the likeliest first
 * @throws ShapeError for other axes, ArgumentError for options out of range
 * @example
 * // Greedy says "nothing" (0.6 · 0.6); all alignments of "1" together are likelier: 1 – 0.36.
 * const probabilities = tensor([[[0.6, 0.4]], [[0.6, 0.4]]]);
 * ctcBeamSearch(await probabilities.log().toHost())[0][0].labels; // [1]
 */
export function ctcBeamSearch(logProbabilities: HostArray, options: CtcBeamOptions = {}): CtcSequence[][] {
  const what = "ctcBeamSearch";
  checkOptions(what, options, ["blank", "lengths", "beamWidth", "count", "score"]);
  const { beamWidth = 10, count = 1, score = () => 0 } = options;
  for (const [name, value] of Object.entries({ beamWidth, count }))
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError(`${what}: ${name} must be a positive integer, got ${value}`);
  const all = stepsOf(what, logProbabilities, options);
  return Array.from({ length: all.batch }, (_, input) => {
    let beam: Prefix[] = [{ labels: [], blank: 0, label: -Infinity, bonus: 0 }];
    for (let step = 0; step < all.lengths[input]!; step++) {
      const start = (step * all.batch + input) * all.classes;
      const grown = grow(beam, (label) => all.values[start + label]!, { ...all, score });
      beam = grown.sort((a, b) => worth(b) - worth(a)).slice(0, beamWidth);
    }
    return beam.slice(0, count).map((prefix) => ({ labels: prefix.labels, logProbability: worth(prefix) }));
  });
}

/** All prefixes that one more step can lead to. */
function grow(
  beam: readonly Prefix[],
  at: (label: number) => number,
  { classes, blank, score }: { classes: number; blank: number; score: NonNullable<CtcBeamOptions["score"]> },
): Prefix[] {
  const grown = new Map<string, Prefix>();
  const prefixOf = (labels: readonly number[], bonus: () => number): Prefix => {
    const name = labels.join();
    let found = grown.get(name);
    if (found === undefined)
      grown.set(name, (found = { labels, blank: -Infinity, label: -Infinity, bonus: bonus() }));
    return found;
  };
  for (const prefix of beam) {
    const whole = sum(prefix.blank, prefix.label);
    const last = prefix.labels.at(-1);
    const same = prefixOf(prefix.labels, () => prefix.bonus);
    same.blank = sum(same.blank, whole + at(blank));
    if (last !== undefined) same.label = sum(same.label, prefix.label + at(last));
    for (let label = 0; label < classes; label++) {
      if (label === blank || at(label) === -Infinity) continue;
      const longer = prefixOf([...prefix.labels, label], () => prefix.bonus + score(prefix.labels, label));
      // A label that repeats the last one is new only behind a blank.
      longer.label = sum(longer.label, (label === last ? prefix.blank : whole) + at(label));
    }
  }
  // A repetition without a blank before it has no alignment.
  return [...grown.values()].filter((prefix) => worth(prefix) > -Infinity);
}
