/**
 * What values a parameter may take, and their places in the unit interval, where samplers work.
 *
 * A distribution is plain data: it is kept beside each trial, so that a study can be read without the program that made it.
 */
import { ArgumentError, FormatError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";

/** What a choice may offer: what JSON keeps exactly. */
export type ChoiceValue = string | number | boolean | null;

/** Real numbers from `low` to `high`; uniform in the logarithm where `log` is true; multiples of `step` above `low` where there is one. */
export interface RealRange {
  readonly kind: "real";
  readonly low: number;
  readonly high: number;
  readonly log: boolean;
  readonly step: number | undefined;
}

/** Whole numbers from `low` to `high`, both included, `step` apart. */
export interface IntegerRange {
  readonly kind: "integer";
  readonly low: number;
  readonly high: number;
  readonly log: boolean;
  readonly step: number;
}

/** One of a few values without an order. */
export interface Choice<T extends ChoiceValue = ChoiceValue> {
  readonly kind: "choice";
  readonly values: readonly T[];
}

export type Distribution = RealRange | IntegerRange | Choice;

/** The type of a distribution's values. */
export type ValueOf<D> = D extends Choice<infer T> ? T : number;

export interface UniformOptions {
  /** Values are `low`, `low + step`, …; any number unless told otherwise. */
  readonly step?: number;
}

function checkRange(what: string, low: number, high: number): void {
  if (Number.isFinite(low) && Number.isFinite(high) && low <= high) return;
  throw new ArgumentError(`${what}: needs finite bounds low <= high, got ${low} and ${high}`);
}

function checkPositive(what: string, low: number): void {
  if (low > 0) return;
  throw new ArgumentError(`${what}: a logarithmic range begins above 0, got ${low}`);
}

/** The last value of a range that steps reach, with what rounding did to the division taken back. */
const lastStep = (low: number, high: number, step: number): number =>
  low + Math.floor((high - low) / step + 1e-9) * step;

/**
 * Real numbers from `low` to `high`, each as likely.
 *
 * @throws ArgumentError unless the bounds are finite and in order, and a step is above 0
 * @example uniform(0, 1, { step: 0.25 }).high // 1
 */
export function uniform(low: number, high: number, options: UniformOptions = {}): RealRange {
  checkOptions("uniform", options, ["step"]);
  checkRange("uniform", low, high);
  const { step } = options;
  if (step === undefined) return { kind: "real", low, high, log: false, step };
  if (!(step > 0)) throw new ArgumentError(`uniform: a step must be above 0, got ${step}`);
  return { kind: "real", low, high: lastStep(low, high, step), log: false, step };
}

/**
 * Positive real numbers whose logarithm is uniform: as many from 0.001 to 0.01 as from 0.01 to 0.1.
 *
 * @throws ArgumentError unless 0 < low ≤ high
 * @example logUniform(1e-5, 1e-1).log // true
 */
export function logUniform(low: number, high: number): RealRange {
  checkRange("logUniform", low, high);
  checkPositive("logUniform", low);
  return { kind: "real", low, high, log: true, step: undefined };
}

export interface IntegerOptions {
  /** Between neighbours; 1 unless told otherwise. */
  readonly step?: number;
  /** Whether small numbers are told apart more finely than large ones: layer widths, batch sizes. */
  readonly log?: boolean;
}

/**
 * Whole numbers from `low` to `high`, both included.
 *
 * @throws ArgumentError unless the bounds are whole numbers in order; for a step beside `log`
 * @example integer(8, 64, { step: 8 }).step // 8
 */
export function integer(low: number, high: number, options: IntegerOptions = {}): IntegerRange {
  checkOptions("integer", options, ["step", "log"]);
  const { step = 1, log = false } = options;
  for (const value of [low, high, step]) {
    if (Number.isSafeInteger(value)) continue;
    throw new ArgumentError(`integer: bounds and step must be whole numbers, got ${value}`);
  }
  checkRange("integer", low, high);
  if (step < 1) throw new ArgumentError(`integer: a step must be at least 1, got ${step}`);
  if (log) checkPositive("integer", low);
  if (log && step !== 1) throw new ArgumentError("integer: a logarithmic range has no step; leave one out");
  return { kind: "integer", low, high: lastStep(low, high, step), log, step };
}

/**
 * One of a few values that have no order.
 *
 * @throws ArgumentError without values, or when one comes twice
 * @example choice("adam", "sgd").values // ["adam", "sgd"]
 */
export function choice<const T extends ChoiceValue>(...values: readonly [T, ...T[]]): Choice<T> {
  if (values.length === 0) throw new ArgumentError("choice: needs at least one value");
  for (const value of values) {
    const isPlain = value === null || ["string", "boolean"].includes(typeof value) || Number.isFinite(value);
    if (!isPlain)
      throw new ArgumentError(
        Array.isArray(value)
          ? "choice: takes the values themselves, choice(1, 2), got an array; spread it: choice(...values)"
          : `choice: values are strings, finite numbers, booleans or null, got ${String(value)}; choose a name, and look the rest up`,
      );
  }
  const twice = values.find((value, i) => values.indexOf(value) !== i);
  if (twice !== undefined) throw new ArgumentError(`choice: ${JSON.stringify(twice)} comes twice`);
  return { kind: "choice", values };
}

/** How many values there are; Infinity for real numbers without a step. */
export function countOf(distribution: Distribution): number {
  if (distribution.kind === "choice") return distribution.values.length;
  const { low, high, step } = distribution;
  if (low === high) return 1;
  return step === undefined ? Number.POSITIVE_INFINITY : Math.round((high - low) / step) + 1;
}

export function contains(distribution: Distribution, value: unknown): value is ChoiceValue {
  if (distribution.kind === "choice") return distribution.values.includes(value as ChoiceValue);
  if (typeof value !== "number" || !(value >= distribution.low && value <= distribution.high)) return false;
  return distribution.kind === "real" || Number.isInteger(value);
}

/** Half a step on either side belongs to a value that has neighbours, so that the first and last are as likely as the others. */
function edges(range: RealRange | IntegerRange): readonly [number, number] {
  const half = (range.step ?? 0) / 2;
  const [low, high] = [range.low - half, range.high + half];
  return range.log ? [Math.log(low), Math.log(high)] : [low, high];
}

/** Of a range's value, in [0, 1]; of a choice, the middle of its share. */
export function toUnit(distribution: Distribution, value: ChoiceValue): number {
  if (distribution.kind === "choice") {
    const { values } = distribution;
    return (values.indexOf(value) + 0.5) / values.length;
  }
  const [low, high] = edges(distribution);
  if (high === low) return 0.5;
  const at = distribution.log ? Math.log(value as number) : (value as number);
  return Math.min(1, Math.max(0, (at - low) / (high - low)));
}

/** The value at a place of the unit interval: the inverse of `toUnit`, rounded to a value that there is. */
export function fromUnit(distribution: Distribution, place: number): ChoiceValue {
  if (distribution.kind === "choice") {
    const { values } = distribution;
    return values[Math.min(values.length - 1, Math.max(0, Math.floor(place * values.length)))]!;
  }
  const [from, to] = edges(distribution);
  const at = from + Math.min(1, Math.max(0, place)) * (to - from);
  return nearestValue(distribution, distribution.log ? Math.exp(at) : at);
}

/** The value of a range that is nearest to a number. */
export function nearestValue(range: RealRange | IntegerRange, value: number): number {
  const { low, high, step } = range;
  const stepped = step === undefined ? value : low + Math.round((value - low) / step) * step;
  return Math.min(high, Math.max(low, stepped));
}

export function sameDistribution(a: Distribution, b: Distribution): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** In words, for messages: `integer(1, 4)`. */
export function distributionText(distribution: Distribution): string {
  if (distribution.kind === "choice") {
    return `choice(${distribution.values.map((value) => JSON.stringify(value)).join(", ")})`;
  }
  const { kind, low, high, log, step } = distribution;
  if (kind === "real" && log) return `logUniform(${low}, ${high})`;
  const options = [
    log ? "log: true" : "",
    step === undefined || (kind === "integer" && step === 1) ? "" : `step: ${step}`,
  ];
  const tail = options.filter((option) => option !== "").join(", ");
  return `${kind === "real" ? "uniform" : "integer"}(${low}, ${high}${tail === "" ? "" : `, { ${tail} }`})`;
}

/** What was kept as JSON; it comes from a file, so it is made anew by the functions that check. */
export function distributionFrom(text: string): Distribution {
  try {
    const { kind, low, high, log, step, values } = JSON.parse(text);
    if (kind === "choice") return choice(...(values as [ChoiceValue, ...ChoiceValue[]]));
    if (kind === "integer") return integer(low, high, { step, log });
    if (kind === "real")
      return log ? logUniform(low, high) : uniform(low, high, step === undefined ? {} : { step });
  } catch (cause) {
    throw new FormatError(`a study's parameter is damaged: ${text.slice(0, 100)}`, { cause });
  }
  throw new FormatError(`a study's parameter is of no known kind: ${text.slice(0, 100)}`);
}
