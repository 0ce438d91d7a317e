/** Grid search: all combinations. */
import { ArgumentError, nearestName } from "../../base/errors.ts";
import { checkOptions } from "../../base/options.ts";
import { type ChoiceValue, contains, distributionText } from "../distribution.ts";
import { combinations, gridValues, type Space } from "../space.ts";
import type { Sampler } from "./sampler.ts";

export interface GridOptions {
  /** Of a parameter that has more values: so many, spread evenly, both ends included; 5 unless told otherwise. */
  readonly points?: number;
  /** The values of some parameters, instead. */
  readonly values?: Readonly<Record<string, readonly ChoiceValue[]>>;
}

/** Above this a grid is a mistake, and the list of it would fill the memory. */
const mostCombinations = 1_000_000;

/**
 * All combinations of a declared space, where a condition leaves a parameter out without it; the study ends when there are no more.
 *
 * @throws ArgumentError without a declared space, for values outside of it, and for more than a million combinations
 * @example
 * const search = await study({ sampler: grid({ points: 3 }), space: space({ x: uniform(0, 1), kind: choice("a", "b") }) });
 * await search.optimize(({ x }) => x * x, { trials: 100 });
 * search.trials.length; // 6
 */
export function grid(options: GridOptions = {}): Sampler {
  checkOptions("grid", options, ["points", "values"]);
  const { points = 5, values = {} } = options;
  if (!Number.isInteger(points) || points < 1) {
    throw new ArgumentError(`grid: points must be a whole number of at least 1, got ${points}`);
  }
  const lists = new WeakMap<Space<any>, readonly ReadonlyMap<string, ChoiceValue>[]>();
  const listOf = (space: Space<any>): readonly ReadonlyMap<string, ChoiceValue>[] => {
    const made = lists.get(space) ?? listed(space, points, values);
    lists.set(space, made);
    return made;
  };
  return {
    name: "grid",
    trialLimit(space) {
      if (space !== undefined) return listOf(space).length;
      throw new ArgumentError(
        "grid: needs to know the parameters before trials run: study({ space: space({ … }) })",
      );
    },
    together: ({ space, number }) => ({ values: listOf(space!)[number]! }),
    alone(name) {
      throw new ArgumentError(`grid: "${name}" is not in the study's space; add it there`);
    },
  };
}

function listed(
  space: Space<any>,
  points: number,
  values: Readonly<Record<string, readonly ChoiceValue[]>>,
): readonly ReadonlyMap<string, ChoiceValue>[] {
  for (const [name, list] of Object.entries(values)) {
    const distribution = space.distributions.get(name);
    if (distribution === undefined) {
      const nearest = nearestName(name, space.names);
      const hint = nearest === undefined ? `it has ${space.names.join(", ")}` : `did you mean "${nearest}"?`;
      throw new ArgumentError(`grid: the space has no parameter "${name}"; ${hint}`);
    }
    const outside = list.find((value) => !contains(distribution, value));
    if (list.length === 0) throw new ArgumentError(`grid: "${name}" has an empty list of values`);
    if (outside !== undefined) {
      const given = JSON.stringify(outside);
      throw new ArgumentError(
        `grid: "${name}" is ${distributionText(distribution)}, which does not hold ${given}`,
      );
    }
  }
  const all: ReadonlyMap<string, ChoiceValue>[] = [];
  for (const one of combinations(
    space,
    (name, distribution) => values[name] ?? gridValues(distribution, points),
  )) {
    all.push(one);
    if (all.length > mostCombinations) {
      throw new ArgumentError(
        `grid: more than ${mostCombinations} combinations; give fewer points or values`,
      );
    }
  }
  return all;
}
