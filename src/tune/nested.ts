/** Nested cross-validation: what a model is worth whose hyper-parameters were searched for. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import type { Fold } from "../data/index.ts";
import type { OptimizeOptions } from "./optimize.ts";
import type { Pruner } from "./pruners/pruner.ts";
import type { Sampler } from "./samplers/sampler.ts";
import type { Space } from "./space.ts";
import { type Study, study } from "./study.ts";
import type { Trial } from "./trial.ts";
import type { Direction } from "./trial-record.ts";

export interface NestedOptions<T> {
  readonly space: Space<T>;
  /** Folds whose tests are looked at once, by the parameters that their training samples chose: `kFold(…)`. */
  readonly outer: readonly Fold[];
  /** Folds of training samples, among which parameters are compared: `(samples) => kFold(samples.length, { folds: 3 })`. */
  readonly inner: (samples: Uint32Array) => readonly Fold[];
  /** Trains on `fold.train` and gives the score on `fold.test`; positions are those of the whole dataset. */
  readonly score: (parameters: T, fold: Fold, trial: Trial | undefined) => number | Promise<number>;
  /** Whether low or high scores are better; `maximize` unless told otherwise. */
  readonly direction?: Direction;
  /** Trials of each outer fold. */
  readonly trials: number;
  /** Made for each outer fold; `tpe()` unless told otherwise. */
  readonly sampler?: (fold: number) => Sampler;
  /** A trial reports its mean after each inner fold. */
  readonly pruner?: Pruner;
  /** Trials at once. */
  readonly parallel?: OptimizeOptions["parallel"];
}

export interface NestedFold<T> {
  /** On the outer test, by the parameters below. */
  readonly score: number;
  readonly parameters: T;
  /** The mean of the inner tests that chose the parameters: better than `score`, as the best of many is. */
  readonly innerScore: number;
  readonly study: Study<T>;
}

export interface NestedResult<T> {
  readonly folds: readonly NestedFold<T>[];
  /** Of the folds' scores. */
  readonly mean: number;
  /** Of the folds' scores, of a sample (n − 1). */
  readonly standardDeviation: number;
}

/**
 * For each outer fold a search among the inner folds of its training samples; the best parameters train on all of these and are scored on the
 * outer test, which took no part in choosing (Cawley, Talbot, "On over-fitting in model selection", JMLR 2010).
 *
 * @returns a score for each outer fold, their mean and deviation
 * @throws ArgumentError without folds, or where an outer fold has no complete trial
 * @example
 * const heights = [1.5, 1.6, 1.7, 1.8, 1.9, 2.0];
 * const result = await nestedCrossValidation({
 *   space: space({ shrinkage: uniform(0, 1) }),
 *   outer: kFold(6, { folds: 3 }),
 *   inner: (samples) => kFold(samples.length, { folds: 2 }),
 *   direction: "minimize",
 *   trials: 5,
 *   score: ({ shrinkage }, { train, test }) => {
 *     const mean = train.reduce((sum, i) => sum + heights[i]!, 0) / train.length;
 *     return test.reduce((sum, i) => sum + (heights[i]! - (1 - shrinkage) * mean) ** 2, 0) / test.length;
 *   },
 * });
 * result.folds.length; // 3
 */
export async function nestedCrossValidation<T>(options: NestedOptions<T>): Promise<NestedResult<T>> {
  checkOptions("nestedCrossValidation", options, [
    ...["space", "outer", "inner", "score", "direction", "trials", "sampler", "pruner", "parallel"],
  ]);
  if (options.outer.length === 0)
    throw new ArgumentError("nestedCrossValidation: needs outer folds: kFold(…)");
  const folds: NestedFold<T>[] = [];
  for (const [at, fold] of options.outer.entries()) folds.push(await outerFold(options, fold, at));
  const scores = folds.map(({ score }) => score);
  const mean = scores.reduce((sum, score) => sum + score, 0) / scores.length;
  const squares = scores.reduce((sum, score) => sum + (score - mean) ** 2, 0);
  return { folds, mean, standardDeviation: Math.sqrt(squares / Math.max(1, scores.length - 1)) };
}

async function outerFold<T>(options: NestedOptions<T>, fold: Fold, at: number): Promise<NestedFold<T>> {
  const { direction = "maximize", trials, parallel = 1, sampler, pruner } = options;
  const inner = options.inner(fold.train).map(
    ({ train, test }): Fold => ({
      train: train.map((position) => fold.train[position]!),
      test: test.map((position) => fold.train[position]!),
    }),
  );
  if (inner.length === 0)
    throw new ArgumentError(`nestedCrossValidation: outer fold ${at} has no inner folds`);
  const search = await study({
    ...{ space: options.space, direction, name: `fold ${at}` },
    ...(sampler && { sampler: sampler(at) }),
    ...(pruner && { pruner }),
  });
  const objective = async (parameters: T, trial: Trial): Promise<number> => {
    let sum = 0;
    for (const [i, one] of inner.entries()) {
      sum += await options.score(parameters, one, trial);
      await trial.report(i + 1, sum / (i + 1));
    }
    return sum / inner.length;
  };
  await search.optimize(objective, { trials, parallel });
  const { best } = search;
  if (best === undefined)
    throw new ArgumentError(`nestedCrossValidation: no trial of outer fold ${at} is complete`);
  const score = await options.score(best.parameters, fold, undefined);
  return { score, parameters: best.parameters, innerScore: best.value, study: search };
}
