/** The tree-structured Parzen estimator. */
import { ArgumentError } from "../../base/errors.ts";
import { checkOptions } from "../../base/options.ts";
import { randomKey } from "../../base/random.ts";
import { type ChoiceValue, type Distribution, fromUnit, sameDistribution } from "../distribution.ts";
import type { Stream } from "../stream.ts";
import { type Direction, isComplete, lossOf, type TrialRecord } from "../trial-record.ts";
import { ParzenEstimator } from "./parzen.ts";
import { purposeOf, type Sampler, type SamplerContext, type SeedOptions, streamFor } from "./sampler.ts";

export interface TpeOptions extends SeedOptions {
  /** Random trials before the first estimate; 10 unless told otherwise. */
  readonly startupTrials?: number;
  /** Values that are drawn and compared for each choice; 24 unless told otherwise. */
  readonly candidates?: number;
  /**
   * Whether parameters that all trials have are chosen together, by what went well together; each for itself unless told otherwise.
   * Better where the best value of one depends on another.
   */
  readonly multivariate?: boolean;
}

/** What does not depend on a name. */
const together = 0;

export function requireCount(what: string, name: string, value: number, least: number): void {
  if (Number.isInteger(value) && value >= least) return;
  throw new ArgumentError(`${what}: ${name} must be a whole number of at least ${least}, got ${value}`);
}

/**
 * The best tenth of the trials (25 at most) is one density l over the parameters, the others another, g; of values drawn from l, that with
 * the largest l / g is tried, which is the largest expected improvement (Bergstra et al., NIPS 2011). Conditional parameters are learnt from
 * the trials that have them. Pruned trials count as worse than all complete ones, by how far they came.
 *
 * @example
 * const search = await study({ sampler: tpe({ seed: 1, multivariate: true }), space: space({ x: uniform(-5, 5) }) });
 * await search.optimize(({ x }) => (x - 2) ** 2, { trials: 40 });
 * search.best!.value < 0.1; // true
 */
export function tpe(options: TpeOptions = {}): Sampler {
  checkOptions("tpe", options, ["seed", "startupTrials", "candidates", "multivariate"]);
  const { seed = 0, startupTrials = 10, candidates = 24, multivariate = false } = options;
  requireCount("tpe", "startupTrials", startupTrials, 1);
  requireCount("tpe", "candidates", candidates, 1);
  const key = randomKey(seed);
  const random = (distribution: Distribution, stream: Stream): ChoiceValue =>
    fromUnit(distribution, stream.uniform());
  const scored = ({ trials }: SamplerContext): readonly TrialRecord[] =>
    trials.filter(({ state }) => state === "complete" || state === "pruned");
  return {
    name: "tpe",
    together(context) {
      const trials = scored(context);
      if (!multivariate || context.joint.size === 0 || trials.length < startupTrials) return undefined;
      const stream = streamFor(key, context.number, together);
      return { values: suggestion(context.joint, trials, context.direction, candidates, stream) };
    },
    alone(name, distribution, context) {
      const stream = streamFor(key, context.number, purposeOf(name));
      const trials = scored(context);
      if (trials.length < startupTrials) return random(distribution, stream);
      const one = new Map([[name, distribution]]);
      return suggestion(one, trials, context.direction, candidates, stream).get(name)!;
    },
  };
}

function suggestion(
  distributions: ReadonlyMap<string, Distribution>,
  trials: readonly TrialRecord[],
  direction: Direction,
  candidates: number,
  stream: Stream,
): ReadonlyMap<string, ChoiceValue> {
  const [good, bad] = goodAndBad(trials, direction);
  const observed = (part: readonly TrialRecord[]): readonly ReadonlyMap<string, ChoiceValue>[] =>
    part.filter((trial) => hasAll(trial, distributions)).map(({ parameters }) => parameters);
  const l = new ParzenEstimator(distributions, observed(good));
  const g = new ParzenEstimator(distributions, observed(bad));
  let best: ReadonlyMap<string, ChoiceValue> | undefined;
  let bestRatio = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < candidates; i++) {
    const values = l.sample(stream);
    const ratio = l.logDensity(values) - g.logDensity(values);
    if (best !== undefined && !(ratio > bestRatio)) continue;
    [best, bestRatio] = [values, ratio];
  }
  return best!;
}

const hasAll = (trial: TrialRecord, distributions: ReadonlyMap<string, Distribution>): boolean =>
  [...distributions].every(([name, distribution]) => {
    const had = trial.distributions.get(name);
    return had !== undefined && (had === distribution || sameDistribution(had, distribution));
  });

/** The best ⌈n / 10⌉, 25 at most, and the others; each in the order of the trials' numbers. */
export function goodAndBad(
  trials: readonly TrialRecord[],
  direction: Direction,
): readonly [readonly TrialRecord[], readonly TrialRecord[]] {
  const ranked = trials.slice().sort((a, b) => compare(a, b, direction) || a.number - b.number);
  const good = new Set(ranked.slice(0, Math.min(25, Math.ceil(0.1 * trials.length))));
  return [trials.filter((trial) => good.has(trial)), trials.filter((trial) => !good.has(trial))];
}

/** Complete ones by value; then pruned ones, who came farther first, by the value there. */
function compare(a: TrialRecord, b: TrialRecord, direction: Direction): number {
  if (isComplete(a) && isComplete(b))
    return difference(lossOf(a.value, direction), lossOf(b.value, direction));
  if (isComplete(a)) return -1;
  if (isComplete(b)) return 1;
  const [stepA, stepB] = [lastStep(a), lastStep(b)];
  if (stepA !== stepB) return stepB - stepA;
  const at = (trial: TrialRecord, step: number): number => lossOf(trial.reports.get(step) ?? 0, direction);
  return stepA < 0 ? 0 : difference(at(a, stepA), at(b, stepB));
}

/** Infinities of one sign are equal, NaN is worst. */
const difference = (a: number, b: number): number =>
  a === b ? 0 : Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : Number.isNaN(b) || a < b ? -1 : 1;

const lastStep = ({ reports }: TrialRecord): number => Math.max(-1, ...reports.keys());
