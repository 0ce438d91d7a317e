/**
 * Deviances: errors of predicted means where a target's variance grows with a power p of its mean. p = 0 is the squared error,
 * 1 Poisson (counts), 2 gamma (amounts above zero), between them compound Poisson. Jørgensen, "Exponential dispersion
 * models", 1987.
 */
import { ArgumentError } from "../base/errors.ts";
import { type SampleOptions, sampleMean, shareExplained } from "./samples.ts";

export interface DevianceOptions extends SampleOptions {
  /** p: 0 unless told otherwise; nothing has one between 0 and 1. */
  readonly power?: number;
}

/** Deviance of a target y from a predicted mean x. */
type UnitDeviance = (y: number, x: number) => number;

function unitDeviance(power: number): UnitDeviance {
  const [a, b] = [1 - power, 2 - power];
  if (power === 0) return (y, x) => (y - x) ** 2;
  if (power === 1) return (y, x) => 2 * ((y === 0 ? 0 : y * Math.log(y / x)) - y + x);
  if (power === 2) return (y, x) => 2 * (Math.log(x / y) + y / x - 1);
  return (y, x) => 2 * (Math.max(y, 0) ** b / (a * b) - (y * x ** a) / a + x ** b / b);
}

/** The ranges in which the deviance is defined. */
function checkRanges(
  what: string,
  power: number,
  predictions: ArrayLike<number>,
  targets: ArrayLike<number>,
): void {
  if (Number.isNaN(power) || (power > 0 && power < 1))
    throw new ArgumentError(`${what}: power must be 0 or less, or 1 or more, got ${power}`);
  if (power === 0) return;
  const refuse = (
    name: string,
    values: ArrayLike<number>,
    isBad: (value: number) => boolean,
    need: string,
  ) => {
    for (let i = 0; i < values.length; i++)
      if (isBad(values[i]!))
        throw new ArgumentError(`${what}: ${name} ${i} is ${values[i]}; power ${power} needs ${need}`);
  };
  refuse("prediction", predictions, (x) => x <= 0, "more than 0");
  if (power >= 2) refuse("target", targets, (y) => y <= 0, "more than 0");
  else if (power >= 1) refuse("target", targets, (y) => y < 0, "0 or more");
}

/**
 * The mean Tweedie deviance of predicted means x from targets y. For p of 1 and more except 2:
 * 2·(y^(2−p) / ((1−p)(2−p)) − y·x^(1−p) / (1−p) + x^(2−p) / (2−p)), with the limits at 1 and 2.
 *
 * @param predictions numbers, above 0 unless p is 0
 * @param targets as many; 0 or more from p = 1, above 0 from p = 2
 * @throws ArgumentError for values outside these ranges or p between 0 and 1, ShapeError when the lengths differ
 * @example
 * meanTweedieDeviance([0.5, 0.5, 2, 2], [2, 0, 1, 4], { power: 1 }).toFixed(4); // "1.4260"
 */
export function meanTweedieDeviance(
  predictions: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: DevianceOptions = {},
): number {
  const { power = 0, ...weighing } = options;
  checkRanges("meanTweedieDeviance", power, predictions, targets);
  const deviance = unitDeviance(power);
  const value = (i: number): number => deviance(targets[i]!, predictions[i]!);
  return sampleMean("meanTweedieDeviance", predictions, targets, weighing, value);
}

/** `meanTweedieDeviance` with p = 1: for counts. @example meanPoissonDeviance([1, 2], [1, 2]) // 0 */
export const meanPoissonDeviance = (
  predictions: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: SampleOptions = {},
): number => meanTweedieDeviance(predictions, targets, { ...options, power: 1 });

/** `meanTweedieDeviance` with p = 2: the same for a target and a prediction that both grow by a factor. @example meanGammaDeviance([1, 2], [1, 2]) // 0 */
export const meanGammaDeviance = (
  predictions: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: SampleOptions = {},
): number => meanTweedieDeviance(predictions, targets, { ...options, power: 2 });

/**
 * D²: 1 − deviance / that of the targets' mean, R² where p is 0. 1 is perfect, 0 as good as the mean. Where all targets are the
 * same: 1 if met, else 0.
 *
 * @throws as {@link meanTweedieDeviance}
 * @example
 * d2TweedieScore([1, 2, 4], [1, 2, 4], { power: 1 }); // 1
 */
export function d2TweedieScore(
  predictions: ArrayLike<number>,
  targets: ArrayLike<number>,
  options: DevianceOptions = {},
): number {
  const deviance = meanTweedieDeviance(predictions, targets, options);
  const { power: _, ...weighing } = options;
  const mean = sampleMean("d2TweedieScore", targets, targets, weighing, (i) => targets[i]!);
  const ofMean = meanTweedieDeviance(new Float64Array(targets.length).fill(mean), targets, options);
  return shareExplained(deviance, ofMean);
}
