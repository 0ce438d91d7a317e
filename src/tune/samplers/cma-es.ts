/** CMA-ES as a sampler: generations are told from the trials, where each trial says to which it belongs. */
import { checkOptions } from "../../base/options.ts";
import { randomKey } from "../../base/random.ts";
import { type ChoiceValue, countOf, type Distribution, fromUnit, toUnit } from "../distribution.ts";
import { type Direction, isComplete, lossOf, type TrialRecord } from "../trial-record.ts";
import {
  defaultPopulation,
  type Evolution,
  firstEvolution,
  type Member,
  nextEvolution,
  offspring,
} from "./evolution.ts";
import { type Sampler, type SeedOptions, streamFor } from "./sampler.ts";
import { requireCount, tpe } from "./tpe.ts";

export interface CmaEsOptions extends SeedOptions {
  /** Trials of a generation; 4 + ⌊3 ln n⌋ for n parameters unless told otherwise. */
  readonly populationSize?: number;
  /** The first standard deviation, in widths of the ranges; 1/6 unless told otherwise. */
  readonly sigma?: number;
  /** Where to begin, by name; the middle of the ranges unless told otherwise. */
  readonly start?: Readonly<Record<string, number>>;
}

const generationAttribute = "cma-es generation";

/** Evolutions by generation, each with the trials that led to it: what is the same need not be computed again. */
interface Known {
  readonly members: string;
  readonly evolution: Evolution;
}

/**
 * Covariance matrix adaptation (Hansen): each generation of trials is drawn from a normal distribution that then moves to, and takes the
 * shape of, the better half. For a few to some tens of numeric parameters and hundreds of trials. Ranges are searched in their own scale,
 * logarithms where they are logarithmic. Choices and conditional parameters, which have no place in a covariance, are left to `tpe`.
 *
 * @throws ArgumentError for a population below 4
 * @example
 * const search = await study({ sampler: cmaEs({ seed: 1 }), space: space({ x: uniform(-3, 3), y: uniform(-3, 3) }) });
 * await search.optimize(({ x, y }) => (x - 1) ** 2 + 10 * (y - x) ** 2, { trials: 150 });
 * search.best!.value < 0.01; // true
 */
export function cmaEs(options: CmaEsOptions = {}): Sampler {
  checkOptions("cmaEs", options, ["seed", "populationSize", "sigma", "start"]);
  const { seed = 0, populationSize, sigma = 1 / 6, start = {} } = options;
  if (populationSize !== undefined) requireCount("cmaEs", "populationSize", populationSize, 4);
  const key = randomKey(seed);
  const others = tpe({ seed });
  const known: Known[] = [];
  return {
    name: "cma-es",
    together({ joint, trials, number, direction }) {
      const numeric = new Map([...joint].filter(([, one]) => one.kind !== "choice" && countOf(one) > 1));
      if (numeric.size === 0) return undefined;
      const population = populationSize ?? defaultPopulation(numeric.size);
      const evolution = latest(numeric, trials, direction, population, known, () =>
        firstEvolution(startOf(numeric, start), sigma),
      );
      const point = offspring(evolution, streamFor(key, number, 0));
      const values = [...numeric].map(([name, distribution], i): [string, ChoiceValue] => [
        name,
        fromUnit(distribution, point[i]!),
      ]);
      const attributes = new Map([[generationAttribute, String(evolution.generation)]]);
      return { values: new Map(values), attributes };
    },
    alone: (name, distribution, context) => others.alone(name, distribution, context),
  };
}

const startOf = (
  numeric: ReadonlyMap<string, Distribution>,
  start: Readonly<Record<string, number>>,
): Float64Array =>
  Float64Array.from(numeric, ([name, distribution]) =>
    start[name] === undefined ? 0.5 : toUnit(distribution, start[name]),
  );

/** Follows the generations as far as they are complete. */
function latest(
  numeric: ReadonlyMap<string, Distribution>,
  trials: readonly TrialRecord[],
  direction: Direction,
  population: number,
  known: Known[],
  first: () => Evolution,
): Evolution {
  const generations = new Map<string, TrialRecord[]>();
  for (const trial of trials) {
    const generation = trial.attributes.get(generationAttribute);
    if (generation === undefined || !isComplete(trial)) continue;
    if ([...numeric.keys()].some((name) => !trial.parameters.has(name))) continue;
    generations.set(generation, [...(generations.get(generation) ?? []), trial]);
  }
  let evolution = first();
  let members = [...numeric.keys(), direction, population].join(" ");
  for (let generation = 0; ; generation++) {
    const of = (generations.get(String(generation)) ?? []).slice(0, population);
    if (of.length < population) return evolution;
    members += of.map(({ number, value }) => ` ${number}=${value}`).join("");
    if (known[generation]?.members !== members) {
      const next = nextEvolution(
        evolution,
        of.map((trial): Member => memberOf(trial, numeric, direction)),
      );
      known.length = Math.min(known.length, generation);
      known.push({ members, evolution: next });
    }
    evolution = known[generation]!.evolution;
  }
}

const memberOf = (
  trial: TrialRecord,
  numeric: ReadonlyMap<string, Distribution>,
  direction: Direction,
): Member => ({
  point: Float64Array.from(numeric, ([name, distribution]) =>
    toUnit(distribution, trial.parameters.get(name)!),
  ),
  loss: lossOf(trial.value!, direction),
});
