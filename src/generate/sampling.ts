/** Choosing the next token: from the most likely ones, by chance. */
import { ArgumentError } from "../base/errors.ts";
import { fold, type RandomKey, uniform } from "../base/random.ts";

/** What changes scores of tokens before one is chosen. */
export interface ScoreOptions {
  /** Logits of tokens that came already are divided by it, or multiplied where negative; default 1. Keskar and others, 2019. */
  readonly repetitionPenalty?: number;
  /** No so many tokens in a row come twice; default 0, they may. Paulus and others, 2018. */
  readonly noRepeatNgramSize?: number;
  /** Taken from logits of tokens that came in the answer: once, and for each time that they came; default 0. OpenAI's names. */
  readonly presencePenalty?: number;
  readonly frequencyPenalty?: number;
  /** Added to logits of tokens; −Infinity forbids one. */
  readonly logitBias?: ReadonlyMap<number, number>;
}

export interface SamplingOptions extends ScoreOptions {
  /** What logits are divided by: lower is surer; 0 takes the likeliest token always. Default 1. */
  readonly temperature?: number;
  /** Only so many of the likeliest tokens; default all. */
  readonly topK?: number;
  /** The likeliest tokens whose probabilities reach it together; default 1, all. Holtzman and others, 2019. */
  readonly topP?: number;
  /** Tokens at least so likely as this share of the likeliest; default 0. Nguyen and others, 2024. */
  readonly minP?: number;
}

/** @throws ArgumentError for values that mean nothing */
export function checkSampling({
  temperature = 1,
  topK,
  topP = 1,
  minP = 0,
  repetitionPenalty = 1,
  noRepeatNgramSize = 0,
  presencePenalty = 0,
  frequencyPenalty = 0,
}: SamplingOptions): void {
  const require = (isRight: boolean, name: string, what: string, got: unknown): void => {
    if (!isRight) throw new ArgumentError(`${name} must be ${what}, got ${got}`);
  };
  require(temperature >= 0 && temperature < Infinity, "temperature", "0 or more", temperature);
  require(topK === undefined || (Number.isInteger(topK) && topK >= 1), "topK", "a positive integer", topK);
  require(topP > 0 && topP <= 1, "topP", "in (0, 1]", topP);
  require(minP >= 0 && minP <= 1, "minP", "in [0, 1]", minP);
  require(repetitionPenalty > 0 &&
    repetitionPenalty < Infinity, "repetitionPenalty", "positive", repetitionPenalty);
  require(Number.isInteger(noRepeatNgramSize) &&
    noRepeatNgramSize >= 0, "noRepeatNgramSize", "an integer of 0 or more", noRepeatNgramSize);
  for (const [name, value] of Object.entries({ presencePenalty, frequencyPenalty }))
    require(Number.isFinite(value), name, "a number", value);
}

/**
 * A token, by logits and options; in Hugging Face's order: penalty, repeated n-grams, bias, temperature, topK, topP, minP; penalties by
 * count come behind the first. `logits` are changed.
 *
 * @param seen tokens of prompt and answer so far, for penalties and `noRepeatNgramSize`
 * @param key of this draw: the same key, the same token
 * @param promptLength how many of them are the prompt's; default 0
 * @throws ArgumentError when no token is possible
 * @example
 * sampleToken(Float32Array.of(0, 5, 1), { temperature: 0 }, [], [0, 0]); // 1
 */
export function sampleToken(
  logits: Float32Array,
  options: SamplingOptions,
  seen: Iterable<number>,
  key: RandomKey,
  promptLength = 0,
): number {
  const candidates = candidatesOf(logits, options, seen, promptLength);
  if (candidates.length === 1) return candidates[0]!.token;
  const [draw] = uniform(key, 1);
  const total = candidates.reduce((sum, { weight }) => sum + weight, 0);
  let left = draw! * total;
  for (const { token, weight } of candidates) {
    left -= weight;
    if (left < 0) return token;
  }
  return candidates.at(-1)!.token;
}

/** Tokens that may come, the likeliest first, and how likely each is beside the others. `logits` are changed. */
export function candidatesOf(
  logits: Float32Array,
  options: SamplingOptions,
  seen: Iterable<number>,
  promptLength: number,
): readonly Candidate[] {
  adjustScores(logits, options, seen, promptLength);
  const best = likeliest(logits);
  if (!(logits[best]! > -Infinity))
    throw new ArgumentError(
      "no token is possible: every logit is −Infinity or NaN; look at logitBias and the weights",
    );
  return options.temperature === 0 ? [{ token: best, weight: 1 }] : ranked(logits, logits[best]!, options);
}

/** Changes scores of tokens, logits or logarithms of probabilities, by what came before and what is asked for. */
export function adjustScores(
  scores: Float32Array,
  options: ScoreOptions,
  seen: Iterable<number>,
  promptLength: number,
): void {
  const { repetitionPenalty = 1, noRepeatNgramSize = 0, logitBias } = options;
  penalize(scores, repetitionPenalty, seen);
  penalizeCounts(scores, options, seen, promptLength);
  forbidRepeated(scores, noRepeatNgramSize, seen);
  for (const [token, bias] of logitBias ?? []) if (token < scores.length) scores[token]! += bias;
}

/** Tokens that would end an n-gram which stands there already. */
function forbidRepeated(scores: Float32Array, size: number, seen: Iterable<number>): void {
  if (size === 0) return;
  const text = Array.isArray(seen) ? (seen as readonly number[]) : [...seen];
  const start = text.length - size + 1;
  for (let at = 0; at < start; at++) {
    let same = 0;
    while (same < size - 1 && text[at + same] === text[start + same]) same++;
    if (same === size - 1) scores[text[at + same]!] = -Infinity;
  }
}

function penalize(logits: Float32Array, penalty: number, seen: Iterable<number>): void {
  if (penalty === 1) return;
  for (const token of new Set(seen)) {
    const logit = logits[token]!;
    logits[token] = logit < 0 ? logit * penalty : logit / penalty;
  }
}

function penalizeCounts(
  scores: Float32Array,
  { presencePenalty = 0, frequencyPenalty = 0 }: ScoreOptions,
  seen: Iterable<number>,
  promptLength: number,
): void {
  if (presencePenalty === 0 && frequencyPenalty === 0) return;
  const counts = new Map<number, number>();
  for (const token of [...seen].slice(promptLength)) counts.set(token, (counts.get(token) ?? 0) + 1);
  for (const [token, count] of counts) scores[token]! -= presencePenalty + count * frequencyPenalty;
}

/** The first of the largest. */
function likeliest(logits: Float32Array): number {
  let [best, largest] = [0, logits[0]!];
  for (let i = 1; i < logits.length; i++) {
    const logit = logits[i]!;
    if (!(logit > largest) && !Number.isNaN(largest)) continue;
    best = i;
    largest = logit;
  }
  return best;
}

interface Candidate {
  readonly token: number;
  /** exp((logit − largest) / temperature) */
  readonly weight: number;
}

/** A weight below this share of the largest is lost in rounding, whatever is asked for. */
const leastWeight = 1e-12;

/** Tokens that may come, the likeliest first; equal ones by number. */
function ranked(logits: Float32Array, largest: number, options: SamplingOptions): Candidate[] {
  const { temperature = 1, topK = Infinity, topP = 1, minP = 0 } = options;
  // Where nothing asks how likely others are together, the least likely need not be sorted.
  const least = topP === 1 ? Math.max(minP, leastWeight) : leastWeight;
  let candidates: Candidate[] = [];
  for (let token = 0; token < logits.length; token++) {
    const weight = Math.exp((logits[token]! - largest) / temperature);
    if (weight >= least) candidates.push({ token, weight });
  }
  candidates.sort((a, b) => b.weight - a.weight || a.token - b.token);
  if (candidates.length > topK) candidates = candidates.slice(0, topK);
  if (topP === 1) return candidates;
  const wanted = topP * candidates.reduce((sum, { weight }) => sum + weight, 0);
  let sum = 0;
  const count = candidates.findIndex(({ weight }) => (sum += weight) >= wanted) + 1;
  const likely = count === 0 ? candidates : candidates.slice(0, count);
  return likely.filter(({ weight }) => weight >= minP);
}

/** The key of the draw at a position. */
export const keyAt = (key: RandomKey, position: number): RandomKey => fold(key, position);

/** log softmax. */
export function logProbabilities(logits: Float32Array): Float32Array {
  let largest = -Infinity;
  for (const logit of logits) largest = Math.max(largest, logit);
  let sum = 0;
  for (const logit of logits) sum += Math.exp(logit - largest);
  const shift = largest + Math.log(sum);
  return logits.map((logit) => logit - shift);
}

/** The `count` largest scores' tokens, the largest first; equal ones by number. */
export function likeliestOf(scores: Float32Array, count: number): number[] {
  const best: number[] = [];
  for (let token = 0; token < scores.length && count > 0; token++) {
    if (best.length === count && !(scores[token]! > scores[best.at(-1)!]!)) continue;
    let at = best.length;
    while (at > 0 && scores[best[at - 1]!]! < scores[token]!) at--;
    best.splice(at, 0, token);
    if (best.length > count) best.pop();
  }
  return best;
}
