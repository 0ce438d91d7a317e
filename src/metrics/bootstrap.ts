/** How sure a figure is. Efron, "Bootstrap methods: another look at the jackknife", 1979. */
import { ArgumentError } from "../base/errors.ts";
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
 * @throws ArgumentError for options out of range or no samples
 * @example
 * const right = [1, 1, 0, 1, 1, 0, 1, 1, 1, 1];
 * const accuracy = (rows: ArrayLike<number>) => Array.from(rows, (row) => right[row]!).reduce((a, b) => a + b) / rows.length;
 * const { value, low, high } = bootstrap(right.length, accuracy);
 * [value, low < value, high > value]; // [0.8, true, true]
 */
export function bootstrap(
  count: number,
  figure: (indices: Uint32Array) => number,
  options: BootstrapOptions = {},
): Interval {
  checkOptions("bootstrap", options, ["confidence", "resamples", "key"]);
  const { confidence = 0.95, resamples = 1000, key = 0 } = options;
  if (!(confidence > 0 && confidence < 1))
    throw new ArgumentError(`bootstrap: confidence must be between 0 and 1, got ${confidence}`);
  for (const [name, value] of Object.entries({ count, resamples }))
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError(`bootstrap: ${name} must be a positive integer, got ${value}`);
  const root = toRandomKey(key);
  const draws = new Float32Array(count);
  const figures = Float64Array.from({ length: resamples }, (_, i) => {
    fillUniform(fold(root, i), draws);
    return figure(Uint32Array.from(draws, (draw) => Math.min(count - 1, Math.floor(draw * count))));
  }).sort();
  const all = Uint32Array.from({ length: count }, (_, i) => i);
  const at = (share: number): number => quantileOf(figures, share);
  return { value: figure(all), low: at((1 - confidence) / 2), high: at((1 + confidence) / 2) };
}
