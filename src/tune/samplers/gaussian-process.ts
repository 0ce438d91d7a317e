/** Bayesian optimisation with a Gaussian process and expected improvement. */
import { checkOptions } from "../../base/options.ts";
import { fold, randomKey } from "../../base/random.ts";
import { type ChoiceValue, countOf, type Distribution, fromUnit, toUnit } from "../distribution.ts";
import type { Stream } from "../stream.ts";
import { type CompleteTrial, type Direction, isComplete, lossOf, type TrialRecord } from "../trial-record.ts";
import { densityOfNormal, normalCdf } from "./gaussian.ts";
import { GaussianProcess } from "./gp-regression.ts";
import { purposeOf, type Sampler, type SeedOptions, streamFor } from "./sampler.ts";
import { SobolSequence, sobolDimensions } from "./sobol.ts";
import { requireCount, tpe } from "./tpe.ts";

export interface GaussianProcessOptions extends SeedOptions {
  /** Trials spread by Sobol's sequence before the first model; 10 unless told otherwise. */
  readonly startupTrials?: number;
  /** Points at which the expected improvement is looked at before the best are refined; 512 unless told otherwise. */
  readonly candidates?: number;
}

/** A cubic number of operations: beyond these the best and the newest trials alone are modelled. */
const mostObservations = 400;

/**
 * A Gaussian process over the parameters, and the trial where the expected improvement on the best value is largest (Jones, Schonlau,
 * Welch, "Efficient global optimization", 1998). For objectives that take long, with up to some twenty parameters: it needs the fewest trials,
 * and a part of a second to choose one. Conditional parameters are left to `tpe`.
 *
 * @example
 * const search = await study({ sampler: gaussianProcess({ seed: 1 }), space: space({ x: uniform(-3, 3), y: uniform(-3, 3) }) });
 * await search.optimize(({ x, y }) => (x - 1) ** 2 + (y + 1) ** 2, { trials: 25 });
 * search.best!.value < 0.01; // true
 */
export function gaussianProcess(options: GaussianProcessOptions = {}): Sampler {
  checkOptions("gaussianProcess", options, ["seed", "startupTrials", "candidates"]);
  const { seed = 0, startupTrials = 10, candidates = 512 } = options;
  requireCount("gaussianProcess", "startupTrials", startupTrials, 2);
  requireCount("gaussianProcess", "candidates", candidates, 1);
  const key = randomKey(seed);
  const others = tpe({ seed });
  return {
    name: "gaussian-process",
    together({ joint, trials, number, direction }) {
      const searched = new Map([...joint].filter(([, one]) => countOf(one) > 1));
      const dimensions = searched.size;
      if (dimensions === 0 || dimensions > sobolDimensions) return undefined;
      const observed = trials.filter(isComplete).filter((trial) => hasNumbers(trial, searched));
      if (observed.length < startupTrials) {
        return { values: valuesAt(searched, new SobolSequence(dimensions, key).point(number)) };
      }
      const grid = new SobolSequence(dimensions, fold(key, number));
      const spread = Array.from({ length: candidates }, (_, i) => grid.point(i));
      const stream = streamFor(key, number, purposeOf(""));
      return {
        values: valuesAt(
          searched,
          mostPromising(searched, chosen(observed, direction), direction, spread, stream),
        ),
      };
    },
    alone: (name, distribution, context) => others.alone(name, distribution, context),
  };
}

type Distributions = ReadonlyMap<string, Distribution>;

const hasNumbers = ({ parameters }: TrialRecord, searched: Distributions): boolean =>
  [...searched.keys()].every((name) => parameters.has(name));

function chosen(observed: readonly CompleteTrial[], direction: Direction): readonly CompleteTrial[] {
  if (observed.length <= mostObservations) return observed;
  const half = mostObservations / 2;
  const newest = observed.slice(-half);
  const best = observed
    .slice(0, -half)
    .sort((a, b) => lossOf(a.value, direction) - lossOf(b.value, direction));
  return [...best.slice(0, half), ...newest];
}

function valuesAt(searched: Distributions, point: Float64Array): Map<string, ChoiceValue> {
  return new Map([...searched].map(([name, distribution], i) => [name, fromUnit(distribution, point[i]!)]));
}

/**
 * Losses with mean 0 and variance 1. Infinite ones count as the worst that is finite. Those far above the median are drawn in, as the logarithm
 * does: how bad the bad ones are would otherwise hide how the good ones differ (warping as in Cowen-Rivers et al., "HEBO", JAIR 2022).
 */
function standardised(trials: readonly CompleteTrial[], direction: Direction): Float64Array {
  const losses = trials.map(({ value }) => lossOf(value, direction));
  const finite = losses.filter(Number.isFinite).sort((a, b) => a - b);
  if (finite.length === 0) return new Float64Array(losses.length);
  const [least, median, most] = [finite[0]!, finite[finite.length >> 1]!, finite.at(-1)!];
  const scale = median - least;
  const limit = median + scale;
  const drawnIn = (loss: number): number =>
    loss > limit && scale > 0 ? limit + scale * Math.log1p((loss - limit) / scale) : loss;
  const kept = Float64Array.from(losses, (loss) => drawnIn(Math.min(most, Math.max(least, loss))));
  const mean = kept.reduce((sum, loss) => sum + loss, 0) / kept.length;
  const variance = kept.reduce((sum, loss) => sum + (loss - mean) ** 2, 0) / kept.length;
  const deviation = Math.sqrt(variance) || 1;
  return kept.map((loss) => (loss - mean) / deviation);
}

function mostPromising(
  searched: Distributions,
  trials: readonly CompleteTrial[],
  direction: Direction,
  spread: readonly Float64Array[],
  stream: Stream,
): Float64Array {
  const distributions = [...searched.values()];
  const points = trials.map(({ parameters }) =>
    Float64Array.from(searched, ([name, distribution]) => toUnit(distribution, parameters.get(name)!)),
  );
  const losses = standardised(trials, direction);
  const process = new GaussianProcess(
    { points, isChoice: distributions.map(({ kind }) => kind === "choice") },
    losses,
  );
  const best = losses.reduce((least, loss) => Math.min(least, loss), Number.POSITIVE_INFINITY);
  const snapped = (point: Float64Array): Float64Array =>
    point.map((place, i) => toUnit(distributions[i]!, fromUnit(distributions[i]!, place)));
  const worth = (point: Float64Array): number => logExpectedImprovement(process.predict(point), best);
  const leader = points[losses.indexOf(best)]!;
  const near = Array.from({ length: 32 }, (_, i) => around(leader, 0.1 / 2 ** (i % 6), stream));
  const ranked = [...spread, ...near]
    .map(snapped)
    .map((point) => ({ point, worth: worth(point) }))
    .sort((a, b) => b.worth - a.worth);
  const refined = ranked.slice(0, 4).map((start) => refine(start, distributions, worth, snapped));
  return refined.reduce((a, b) => (b.worth > a.worth ? b : a)).point;
}

const around = (point: Float64Array, width: number, stream: Stream): Float64Array =>
  point.map((x) => Math.min(1, Math.max(0, x + width * stream.normal())));

interface Candidate {
  readonly point: Float64Array;
  readonly worth: number;
}

/** Goes along each parameter in turn, both ways, with steps that halve where nothing is gained; choices try all their values. */
function refine(
  start: Candidate,
  distributions: readonly Distribution[],
  worth: (point: Float64Array) => number,
  snapped: (point: Float64Array) => Float64Array,
): Candidate {
  let best = start;
  const attempt = (axis: number, place: number): boolean => {
    const moved = Float64Array.from(best.point);
    moved[axis] = Math.min(1, Math.max(0, place));
    const point = snapped(moved);
    if (point[axis] === best.point[axis]) return false;
    const value = worth(point);
    if (!(value > best.worth)) return false;
    best = { point, worth: value };
    return true;
  };
  for (let step = 0.1; step > 1e-4; ) {
    let gained = false;
    distributions.forEach((distribution, axis) => {
      const count = countOf(distribution);
      if (distribution.kind === "choice") {
        for (let i = 0; i < count; i++) gained = attempt(axis, (i + 0.5) / count) || gained;
        return;
      }
      const least = Number.isFinite(count) && !distribution.log ? Math.max(step, 1 / count) : step;
      gained = attempt(axis, best.point[axis]! + least) || attempt(axis, best.point[axis]! - least) || gained;
    });
    if (!gained) step /= 2;
  }
  return best;
}

/**
 * log E[max(best − f, 0)] = log σ + log(φ(z) + z·Φ(z)), z = (best − mean) / σ. Far below 0 the sum cancels: there it is φ(z)/z², to first order
 * (Ament et al., "Unexpected improvements to expected improvement", NeurIPS 2023).
 */
export function logExpectedImprovement(
  { mean, variance }: { readonly mean: number; readonly variance: number },
  best: number,
): number {
  const sigma = Math.sqrt(Math.max(variance, 1e-16));
  const z = (best - mean) / sigma;
  if (z < -5) return Math.log(sigma) - 0.5 * z * z - 0.9189385332046727 - 2 * Math.log(-z);
  return Math.log(sigma) + Math.log(densityOfNormal(z) + z * normalCdf(z));
}
