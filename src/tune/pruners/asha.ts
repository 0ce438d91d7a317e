/** Asynchronous successive halving. */
import { ArgumentError } from "../../base/errors.ts";
import { checkOptions } from "../../base/options.ts";
import { requireCount } from "../samplers/tpe.ts";
import { lossOf, type TrialRecord } from "../trial-record.ts";
import { type Pruner, type PrunerContext, shown } from "./pruner.ts";

export interface AshaOptions {
  /** The step of the first decision; 1 unless told otherwise. */
  readonly minResource?: number;
  /** One of so many goes on, and decisions are so many times as far apart each time; 4 unless told otherwise. */
  readonly reductionFactor?: number;
  /** Decisions that are left out at the beginning; 0 unless told otherwise. */
  readonly minEarlyStoppingRate?: number;
}

/**
 * At steps `minResource` · `reductionFactor`ᵏ (the rungs) a trial goes on only when its value is among the best 1 / `reductionFactor` of those that
 * reached the rung: Li et al., "A system for massively parallel hyperparameter tuning", MLSys 2020. The decisions are those of Optuna's
 * `SuccessiveHalvingPruner`: nobody waits for others, and the first to come must only be the best so far.
 *
 * @throws ArgumentError unless the resources are whole numbers from 1 and the factor is at least 2
 * @example
 * const search = await study({ space: space({ x: uniform(0, 1) }), pruner: asha({ minResource: 2, reductionFactor: 3 }) });
 */
export function asha(options: AshaOptions = {}): Pruner {
  checkOptions("asha", options, ["minResource", "reductionFactor", "minEarlyStoppingRate"]);
  const { minResource = 1, reductionFactor = 4, minEarlyStoppingRate = 0 } = options;
  requireCount("asha", "minResource", minResource, 1);
  requireCount("asha", "reductionFactor", reductionFactor, 2);
  requireCount("asha", "minEarlyStoppingRate", minEarlyStoppingRate, 0);
  return {
    name: "asha",
    verdict: (context) =>
      halving(context, minResource * reductionFactor ** minEarlyStoppingRate, reductionFactor),
  };
}

/** The decision at the rungs `first`, `first` · `factor`, … that this report has reached. */
function halving(context: PrunerContext, first: number, factor: number): string | undefined {
  const { trial, step, direction, trials } = context;
  const value = trial.reports.get(step)!;
  const before = Math.max(
    Number.NEGATIVE_INFINITY,
    ...[...trial.reports.keys()].filter((other) => other < step),
  );
  for (let rung = first; rung <= step; rung *= factor) {
    if (before >= rung) continue;
    if (Number.isNaN(value)) return `it reported NaN at step ${step}`;
    const others = trials.map((other) => valueAtRung(other, rung)).filter((other) => other !== undefined);
    const losses = [...others, value].map((other) => lossOf(other, direction)).sort((a, b) => a - b);
    const place = Math.max(0, Math.floor(losses.length / factor) - 1);
    if (lossOf(value, direction) <= losses[place]!) continue;
    return `${shown(value)} at step ${step} is not among the best ${place + 1} of ${losses.length} trials that came so far`;
  }
  return undefined;
}

/** What a trial reported when it first reached the rung; undefined where it did not, or reported NaN. */
function valueAtRung({ reports }: TrialRecord, rung: number): number | undefined {
  let reached: number | undefined;
  for (const step of reports.keys())
    if (step >= rung && (reached === undefined || step < reached)) reached = step;
  const value = reached === undefined ? undefined : reports.get(reached);
  return Number.isNaN(value) ? undefined : value;
}

export interface HyperbandOptions {
  /** The step of the first decision; 1 unless told otherwise. */
  readonly minResource?: number;
  /** The last step of a whole trial: how many epochs it trains. */
  readonly maxResource: number;
  /** 3 unless told otherwise. */
  readonly reductionFactor?: number;
}

/**
 * Several successive halvings at once, which begin to decide earlier or later, as nobody knows how soon a bad trial shows: Li et al.,
 * "Hyperband", JMLR 2018. A trial's bracket follows from its number, the brackets that end trials early taking more of them, so that all
 * get about as many steps. The brackets and their shares are those of Optuna's `HyperbandPruner`.
 *
 * @throws ArgumentError unless 1 ≤ minResource ≤ maxResource and the factor is at least 2
 * @example
 * const search = await study({ space: space({ x: uniform(0, 1) }), pruner: hyperband({ maxResource: 27 }) });
 */
export function hyperband(options: HyperbandOptions): Pruner {
  checkOptions("hyperband", options, ["minResource", "maxResource", "reductionFactor"]);
  const { minResource = 1, maxResource, reductionFactor = 3 } = options;
  requireCount("hyperband", "minResource", minResource, 1);
  requireCount("hyperband", "reductionFactor", reductionFactor, 2);
  if (!(Number.isInteger(maxResource) && maxResource >= minResource)) {
    throw new ArgumentError(
      `hyperband: maxResource must be a whole number of at least minResource (${minResource}), got ${maxResource}`,
    );
  }
  const shares = bracketShares(minResource, maxResource, reductionFactor);
  return {
    name: "hyperband",
    verdict(context) {
      const own = bracketOf(context.studyName, context.trial.number, shares);
      const trials = context.trials.filter(
        ({ number }) => bracketOf(context.studyName, number, shares) === own,
      );
      const reason = halving({ ...context, trials }, minResource * reductionFactor ** own, reductionFactor);
      return reason === undefined ? undefined : `${reason} in bracket ${own}`;
    },
  };
}

/** How many trials of a round each bracket takes: ⌈B·ηˢ / (s + 1)⌉ for B brackets, s = B − 1 … 0. */
export function bracketShares(minResource: number, maxResource: number, factor: number): readonly number[] {
  let brackets = 1;
  while (minResource * factor ** brackets <= maxResource) brackets++;
  return Array.from({ length: brackets }, (_, bracket) => {
    const s = brackets - 1 - bracket;
    return Math.ceil((brackets * factor ** s) / (s + 1));
  });
}

/** By the checksum of the study's name and the number: a draw that every process makes alike. */
export function bracketOf(studyName: string, number: number, shares: readonly number[]): number {
  const total = shares.reduce((sum, share) => sum + share, 0);
  let left = crc32(new TextEncoder().encode(`${studyName}_${number}`)) % total;
  for (let bracket = 0; ; bracket++) {
    left -= shares[bracket]!;
    if (left < 0) return bracket;
  }
}

/** The checksum of ISO 3309, bit by bit. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc >>> 0;
}
