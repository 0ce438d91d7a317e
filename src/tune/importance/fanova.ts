/** How much of an objective's variance each parameter explains. */
import { ArgumentError } from "../../base/errors.ts";
import { checkOptions } from "../../base/options.ts";
import { fold, randomKey } from "../../base/random.ts";
import { type ChoiceValue, countOf, type Distribution, toUnit } from "../distribution.ts";
import { intersection } from "../samplers/sampler.ts";
import { requireCount } from "../samplers/tpe.ts";
import { Stream } from "../stream.ts";
import type { Study } from "../study.ts";
import { type CompleteTrial, isComplete } from "../trial-record.ts";
import { type Column, growTree, isLeaf, type Tree } from "./forest.ts";

export interface ImportanceOptions {
  /** Of the forest, 0 unless told otherwise. */
  readonly seed?: number;
  /** 64 unless told otherwise. */
  readonly trees?: number;
  /** Parameters to judge, by the trials that have all of them; those that every trial has unless told otherwise. */
  readonly parameters?: readonly string[];
}

export interface ParameterImportance {
  readonly name: string;
  /** The part of the variance that the parameter explains alone, of what all of them do: together 1. */
  readonly importance: number;
}

/**
 * Functional analysis of variance: a random forest learns the value from the parameters, and of each of its trees follows exactly how the mean
 * over all other parameters varies with one of them (Hutter, Hoos, Leyton-Brown, "An efficient approach for assessing hyperparameter
 * importance", ICML 2014). Ranges count in their own scale: logarithms where they are logarithmic.
 *
 * @returns the most important first
 * @throws ArgumentError with fewer than two complete trials, or for a parameter that no trial has
 * @example
 * const search = await study({ space: space({ much: uniform(0, 1), little: uniform(0, 1) }), sampler: sobol() });
 * await search.optimize(({ much, little }) => 10 * much + little, { trials: 64 });
 * parameterImportance(search)[0]!.name; // "much"
 */
export function parameterImportance(
  study: Pick<Study<any>, "trials">,
  options: ImportanceOptions = {},
): readonly ParameterImportance[] {
  checkOptions("parameterImportance", options, ["seed", "trees", "parameters"]);
  const { seed = 0, trees = 64 } = options;
  requireCount("parameterImportance", "trees", trees, 1);
  const complete = study.trials.filter(isComplete).filter(({ value }) => Number.isFinite(value));
  const judged = judgedParameters(complete, options.parameters);
  const trials = complete.filter(({ parameters }) =>
    [...judged.keys()].every((name) => parameters.has(name)),
  );
  if (trials.length < 2) {
    throw new ArgumentError(
      `parameterImportance: needs two complete trials at least, there are ${trials.length}`,
    );
  }
  const varying = [...judged].filter(([, distribution]) => countOf(distribution) > 1);
  const columns = varying.map(([name, distribution]) => columnOf(name, distribution, trials));
  const target = Float64Array.from(trials, ({ value }) => value);
  const shares = sharesOf(columns, target, seed, trees);
  const total = shares.reduce((sum, share) => sum + share, 0);
  const known = varying.map(([name], i) => ({ name, importance: total > 0 ? shares[i]! / total : 0 }));
  const fixed = [...judged.keys()].filter((name) => !varying.some(([other]) => other === name));
  return [...known, ...fixed.map((name) => ({ name, importance: 0 }))].sort(
    (a, b) => b.importance - a.importance,
  );
}

function judgedParameters(
  trials: readonly CompleteTrial[],
  names: readonly string[] | undefined,
): ReadonlyMap<string, Distribution> {
  if (names === undefined) return intersection(trials);
  const entries = names.map((name): [string, Distribution] => {
    const distribution = trials.find(({ distributions }) => distributions.has(name))?.distributions.get(name);
    if (distribution !== undefined) return [name, distribution];
    const known = new Set(trials.flatMap(({ parameters }) => [...parameters.keys()]));
    throw new ArgumentError(
      `parameterImportance: no trial has "${name}"; there are ${[...known].join(", ") || "none"}`,
    );
  });
  return new Map(entries);
}

function columnOf(name: string, distribution: Distribution, trials: readonly CompleteTrial[]): Column {
  const place = (value: ChoiceValue): number =>
    distribution.kind === "choice" ? distribution.values.indexOf(value) : toUnit(distribution, value);
  return {
    categories: distribution.kind === "choice" ? distribution.values.length : 0,
    values: Float64Array.from(trials, ({ parameters }) => Math.max(0, place(parameters.get(name)!))),
  };
}

/** For each column the mean over the trees of the variance of its marginal, as a part of the tree's variance. */
function sharesOf(columns: readonly Column[], target: Float64Array, seed: number, trees: number): number[] {
  const shares = columns.map(() => 0);
  let counted = 0;
  for (let i = 0; i < trees; i++) {
    const boxes = boxesOf(growTree(columns, target, new Stream(fold(randomKey(seed), i))), columns);
    const variance = varianceOf(boxes.map(({ value, volume }) => [value, volume]));
    if (!(variance > 0)) continue;
    counted++;
    for (const [at, column] of columns.entries())
      shares[at]! += marginalVariance(boxes, at, column) / variance;
  }
  return shares.map((share) => share / Math.max(1, counted));
}

/** What a leaf covers: an interval, or a set of categories, of each column; and the part of the whole space that this is. */
interface Box {
  readonly value: number;
  readonly volume: number;
  readonly sides: readonly Side[];
}
interface Side {
  readonly low: number;
  readonly high: number;
  /** Of a column of categories. */
  readonly categories: ReadonlySet<number> | undefined;
  /** The part of the column's range. */
  readonly width: number;
}

function boxesOf(tree: Tree, columns: readonly Column[]): Box[] {
  const whole = columns.map(({ categories }): Side => {
    const all = categories === 0 ? undefined : new Set(Array.from({ length: categories }, (_, i) => i));
    return { low: 0, high: 1, categories: all, width: 1 };
  });
  const boxes: Box[] = [];
  const visit = (node: Tree, sides: readonly Side[]): void => {
    if (isLeaf(node)) {
      const volume = sides.reduce((product, { width }) => product * width, 1);
      if (volume > 0) boxes.push({ value: node.value, volume, sides });
      return;
    }
    const [left, right] = halves(sides[node.column]!, node, columns[node.column]!.categories);
    visit(node.left, sides.with(node.column, left));
    visit(node.right, sides.with(node.column, right));
  };
  visit(tree, whole);
  return boxes;
}

function halves(
  side: Side,
  {
    threshold,
    categories,
  }: { readonly threshold: number; readonly categories: ReadonlySet<number> | undefined },
  count: number,
): readonly [Side, Side] {
  if (categories !== undefined) {
    const part = (keep: (category: number) => boolean): Side => {
      const kept = new Set([...side.categories!].filter(keep));
      return { ...side, categories: kept, width: kept.size / count };
    };
    // Categories that the sample did not have at this place go right, as nothing is known of them.
    return [part((category) => categories.has(category)), part((category) => !categories.has(category))];
  }
  const at = Math.min(side.high, Math.max(side.low, threshold));
  return [
    { ...side, high: at, width: at - side.low },
    { ...side, low: at, width: side.high - at },
  ];
}

/** The variance over one column of the mean over all others. */
function marginalVariance(boxes: readonly Box[], at: number, { categories }: Column): number {
  const cuts = [...new Set(boxes.flatMap(({ sides }) => [sides[at]!.low, sides[at]!.high]))].sort(
    (a, b) => a - b,
  );
  const pieces = categories > 0 ? categories : cuts.length - 1;
  const place = new Map(cuts.map((cut, i) => [cut, i]));
  const means = new Float64Array(pieces);
  for (const { value, volume, sides } of boxes) {
    const side = sides[at]!;
    const others = (value * volume) / side.width;
    if (side.categories !== undefined) for (const category of side.categories) means[category]! += others;
    else for (let i = place.get(side.low)!; i < place.get(side.high)!; i++) means[i]! += others;
  }
  const weight = (i: number): number => (categories > 0 ? 1 / categories : cuts[i + 1]! - cuts[i]!);
  return varianceOf(Array.from(means, (mean, i) => [mean, weight(i)]));
}

/** Of values with weights. */
function varianceOf(values: readonly (readonly [value: number, weight: number])[]): number {
  let [total, sum] = [0, 0];
  for (const [value, weight] of values) {
    total += weight;
    sum += value * weight;
  }
  const mean = sum / total;
  return values.reduce((variance, [value, weight]) => variance + weight * (value - mean) ** 2, 0) / total;
}
