/** How good an order of results is, where each has a relevance. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";

/** The places of one query's results, the highest score first; equal scores as they are given. */
function placesOf(what: string, scores: ArrayLike<number>, relevance: ArrayLike<number>): number[] {
  if (scores.length !== relevance.length)
    throw new ShapeError(`${what}: ${scores.length} scores for ${relevance.length} relevances`);
  const order = Array.from(scores, (_, i) => i);
  if (order.some((i) => Number.isNaN(scores[i]) || !(relevance[i]! >= 0)))
    throw new ArgumentError(`${what}: scores must be numbers, relevances at least 0`);
  return order.sort((a, b) => scores[b]! - scores[a]! || a - b);
}

const sortedRelevance = (what: string, scores: ArrayLike<number>, relevance: ArrayLike<number>): number[] =>
  placesOf(what, scores, relevance).map((i) => relevance[i]!);

/** As `sortedRelevance`, but results of equal scores share their relevance: no order among them counts. */
function sharedRelevance(what: string, scores: ArrayLike<number>, relevance: ArrayLike<number>): number[] {
  const places = placesOf(what, scores, relevance);
  const shared = places.map((i) => relevance[i]!);
  for (let from = 0, to = 1; from < places.length; from = to++) {
    while (to < places.length && scores[places[to]!] === scores[places[from]!]) to++;
    shared.fill(shared.slice(from, to).reduce((sum, gain) => sum + gain, 0) / (to - from), from, to);
  }
  return shared;
}

const discounted = (relevance: readonly number[], most: number): number =>
  relevance.slice(0, most).reduce((sum, gain, place) => sum + gain / Math.log2(place + 2), 0);

export interface GainOptions {
  /** Places that count; all when left out. */
  readonly most?: number;
}

function countedPlaces(what: string, options: GainOptions): number {
  checkOptions(what, options, ["most"]);
  return options.most ?? Infinity;
}

/**
 * DCG: the relevances of results, each discounted by log₂(place + 1). Results of equal scores have the mean of their relevances.
 *
 * @throws ShapeError when lengths differ, ArgumentError for NaN or a negative relevance
 * @example dcg([0.9, 0.8, 0.1], [1, 0, 2]) // 2
 */
export const dcg = (
  scores: ArrayLike<number>,
  relevance: ArrayLike<number>,
  options: GainOptions = {},
): number => discounted(sharedRelevance("dcg", scores, relevance), countedPlaces("dcg", options));

/**
 * nDCG: `dcg` by what the best order would have; 0 where nothing is relevant. Järvelin and Kekäläinen, "Cumulated gain-based
 * evaluation of IR techniques", 2002. Equal scores as for {@link dcg}.
 *
 * @throws ShapeError when lengths differ, ArgumentError for NaN or a negative relevance
 * @example ndcg([0.9, 0.8, 0.1], [1, 0, 2]).toFixed(4) // "0.7602"
 */
export function ndcg(
  scores: ArrayLike<number>,
  relevance: ArrayLike<number>,
  options: GainOptions = {},
): number {
  const most = countedPlaces("ndcg", options);
  const found = sharedRelevance("ndcg", scores, relevance);
  const best = discounted(
    Array.from(relevance).sort((a, b) => b - a),
    most,
  );
  return best > 0 ? discounted(found, most) / best : 0;
}

/**
 * 1 by the place of the first relevant result; 0 where there is none. Its mean over queries is MRR. Equal scores stand as they are
 * given.
 *
 * @example reciprocalRank([0.9, 0.8, 0.1], [0, 1, 1]) // 0.5
 */
export function reciprocalRank(scores: ArrayLike<number>, relevance: ArrayLike<number>): number {
  const first = sortedRelevance("reciprocalRank", scores, relevance).findIndex((gain) => gain > 0);
  return first < 0 ? 0 : 1 / (first + 1);
}

/**
 * The mean precision at the places of the relevant results; 0 where there is none. Its mean over queries is MAP. Equal scores stand
 * as they are given.
 *
 * @example retrievalPrecision([0.9, 0.8, 0.1], [1, 0, 1]).toFixed(4) // "0.8333"
 */
export function retrievalPrecision(scores: ArrayLike<number>, relevance: ArrayLike<number>): number {
  let [relevant, sum] = [0, 0];
  for (const [place, gain] of sortedRelevance("retrievalPrecision", scores, relevance).entries())
    if (gain > 0) sum += ++relevant / (place + 1);
  return relevant === 0 ? 0 : sum / relevant;
}
