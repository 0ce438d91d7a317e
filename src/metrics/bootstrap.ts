/** How sure a figure is. Efron, "Bootstrap methods: another look at the jackknife", 1979. */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fillUniform, fold, type RandomKey, toRandomKey } from "../base/random.ts";
import { quantileOf } from "./samples.ts";

export interface BootstrapOptions {
  /** Default 0.95. */
  readonly confidence?: number;
  /** How often samples are drawn anew; default 1000. */
  readonly resamples?: number;
  /** A key or a seed; default 0. */
  readonly key?: RandomKey | number;
  /**
   * A class for each sample: as many of each class are drawn as there are, so that a figure which needs all of them (the area under the
   * ROC curve) is defined every time.
   */
  readonly stratify?: ArrayLike<number>;
}

/** A figure, and between which values it would probably lie with other samples. */
export interface Interval {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/**
 * A percentile confidence interval: the figure of samples drawn from the samples, again and again.
 *
 * @param count samples there are
 * @param figure computes the figure of the samples with these indices, each perhaps several times
 * @throws ArgumentError for options out of range or no samples, ShapeError where `stratify` has another length
 * @example
 * const right = [1, 1, 0, 1, 1, 0, 1, 1, 1, 1];
 * const accuracy = (rows: ArrayLike<number>) => Array.from(rows, (row) => right[row]!).reduce((a, b) => a + b) / rows.length;
 * const { value, low, high } = bootstrap(right.length, accuracy);
 * [value, low < value, high > value]; // [0.8, true, true]
 * @example
 * const [scores, labels] = [[0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1]];
 * const area = (rows: ArrayLike<number>) => rocAuc(Array.from(rows, (i) => scores[i]!), Array.from(rows, (i) => labels[i]!));
 * bootstrap(4, area, { stratify: labels }).value; // 0.75
 */
export function bootstrap(
  count: number,
  figure: (indices: Uint32Array) => number,
  options: BootstrapOptions = {},
): Interval {
  checkOptions("bootstrap", options, ["confidence", "resamples", "key", "stratify"]);
  const { confidence = 0.95, resamples = 1000, key = 0, stratify } = options;
  if (!(confidence > 0 && confidence < 1))
    throw new ArgumentError(`bootstrap: confidence must be between 0 and 1, got ${confidence}`);
  for (const [name, value] of Object.entries({ count, resamples }))
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError(`bootstrap: ${name} must be a positive integer, got ${value}`);
  if (stratify !== undefined && stratify.length !== count)
    throw new ShapeError(`bootstrap: stratify has ${stratify.length} classes for ${count} samples`);
  const root = toRandomKey(key);
  const all = Uint32Array.from({ length: count }, (_, i) => i);
  const strata = strataOf(count, stratify);
  const draws = new Float32Array(count);
  const figures = Float64Array.from({ length: resamples }, (_, i) => {
    fillUniform(fold(root, i), draws);
    return figure(drawn(strata, draws));
  }).sort();
  const at = (share: number): number => quantileOf(figures, share);
  return { value: figure(all), low: at((1 - confidence) / 2), high: at((1 + confidence) / 2) };
}

/** Samples by their class; all together without classes. */
function strataOf(count: number, classes: ArrayLike<number> | undefined): readonly number[][] {
  const strata = new Map<number, number[]>();
  for (let i = 0; i < count; i++) {
    const key = classes?.[i] ?? 0;
    const own = strata.get(key);
    if (own) own.push(i);
    else strata.set(key, [i]);
  }
  return [...strata.values()];
}

/** From each stratum as many as it has, with repetition. */
function drawn(strata: readonly (readonly number[])[], draws: Float32Array): Uint32Array {
  let at = 0;
  return Uint32Array.from(
    strata.flatMap((own) =>
      own.map(() => own[Math.min(own.length - 1, Math.floor(draws[at++]! * own.length))]!),
    ),
  );
}
