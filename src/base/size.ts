/**
 * Sizes known late: a `Size` is an integer, or a polynomial over bounded `Dimension`s.
 *
 * A Dimension's value arrives with each run as one scalar; everything that is allocated or proven is so at its bounds.
 * Polynomials arise where axes merge (`time × 64`) and in the addresses of buffers with such axes.
 */
import { ArgumentError, ShapeError } from "./errors.ts";

/**
 * A named size between `min` and `max`, chosen anew at each run of a compiled function.
 *
 * @example dimension("time", { min: 1, max: 9 }).max; // 9
 */
export class Dimension {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly id: number;
  private static count = 0;

  constructor(name: string, { min = 1, max }: { min?: number; max: number }) {
    if (!Number.isInteger(min) || !Number.isInteger(max) || min < 0 || max < min) {
      throw new ArgumentError(`dimension "${name}": need integers 0 ≤ min ≤ max, got min ${min}, max ${max}`);
    }
    this.name = name;
    this.min = min;
    this.max = max;
    this.id = Dimension.count++;
  }
  toString(): string {
    return this.name;
  }
  /** Arithmetic on a Dimension as if it were a number is a mistake that would silently freeze its size. */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === "number")
      throw new ArgumentError(`dimension "${this.name}" has no number yet: use multiplySizes, addSizes`);
    return this.name;
  }
}

/**
 * A size between bounds, known when a program runs.
 *
 * @example dimension("time", { min: 1, max: 2048 }).max // 2048
 */
export function dimension(name: string, bounds: { min?: number; max: number }): Dimension {
  return new Dimension(name, bounds);
}

/** coefficient × product of dimensions (sorted by id; a power repeats its dimension). */
interface Term {
  readonly coefficient: number;
  readonly dimensions: readonly Dimension[];
}

/** A sum of at least one non-constant term: made only by the functions below, which keep the normal form. */
export class SizeExpression {
  readonly terms: readonly Term[];
  readonly key: string;
  constructor(terms: readonly Term[]) {
    this.terms = terms;
    this.key = terms
      .map((term) => [term.coefficient, ...term.dimensions.map((d) => `d${d.id}`)].join("*"))
      .join("+");
  }
  toString(): string {
    return this.terms.map(termText).join(" + ");
  }
}

export type Size = number | Dimension | SizeExpression;

function termText({ coefficient, dimensions }: Term): string {
  const names = dimensions.map((d) => d.name).join("·");
  return names === "" ? `${coefficient}` : coefficient === 1 ? names : `${coefficient}·${names}`;
}

const termsOf = (size: Size): readonly Term[] =>
  typeof size === "number"
    ? size === 0
      ? []
      : [{ coefficient: size, dimensions: [] }]
    : size instanceof Dimension
      ? [{ coefficient: 1, dimensions: [size] }]
      : size.terms;

const termKey = (term: Term): string => term.dimensions.map((d) => d.id).join(",");

function normalize(terms: readonly Term[]): Size {
  const byKey = new Map<string, Term>();
  for (const term of terms) {
    const key = termKey(term);
    const coefficient = (byKey.get(key)?.coefficient ?? 0) + term.coefficient;
    byKey.set(key, { coefficient, dimensions: term.dimensions });
  }
  const kept = [...byKey.entries()].filter(([, term]) => term.coefficient !== 0);
  kept.sort(([a], [b]) => (a < b ? -1 : 1));
  const sorted = kept.map(([, term]) => term);
  if (sorted.length === 0) return 0;
  const [first] = sorted;
  if (sorted.length === 1 && first!.dimensions.length === 0) return first!.coefficient;
  if (sorted.length === 1 && first!.dimensions.length === 1 && first!.coefficient === 1)
    return first!.dimensions[0]!;
  return new SizeExpression(sorted);
}

export function addSizes(a: Size, b: Size): Size {
  if (typeof a === "number" && typeof b === "number") return a + b;
  return normalize([...termsOf(a), ...termsOf(b)]);
}

export function multiplySizes(a: Size, b: Size): Size {
  if (typeof a === "number" && typeof b === "number") return a * b;
  const products = termsOf(a).flatMap((x) =>
    termsOf(b).map((y) => ({
      coefficient: x.coefficient * y.coefficient,
      dimensions: [...x.dimensions, ...y.dimensions].sort((p, q) => p.id - q.id),
    })),
  );
  return normalize(products);
}

export const subtractSizes = (a: Size, b: Size): Size =>
  typeof a === "number" && typeof b === "number" ? a - b : addSizes(a, multiplySizes(b, -1));

export const productOf = (sizes: readonly Size[]): Size => sizes.reduce<Size>(multiplySizes, 1);

/** a ÷ b where b divides every term exactly, else undefined. */
export function divideSizes(a: Size, b: Size): Size | undefined {
  if (sameSize(a, b)) return 1;
  if (typeof a === "number" && typeof b === "number") return a % b === 0 ? a / b + 0 : undefined;
  const divisor = termsOf(b);
  if (divisor.length !== 1) return undefined;
  const [by] = divisor;
  const quotient: Term[] = [];
  for (const term of termsOf(a)) {
    const coefficient = term.coefficient / by!.coefficient;
    const dimensions = [...term.dimensions];
    for (const d of by!.dimensions) {
      const at = dimensions.indexOf(d);
      if (at < 0) return undefined;
      dimensions.splice(at, 1);
    }
    if (!Number.isInteger(coefficient)) return undefined;
    quotient.push({ coefficient, dimensions });
  }
  return normalize(quotient);
}

/** Equal keys, equal sizes. */
export const sizeKey = (size: Size): string =>
  typeof size === "number" ? `${size}` : size instanceof Dimension ? `1*d${size.id}` : size.key;

export const sameSize = (a: Size, b: Size): boolean =>
  a === b || (typeof a !== "number" && typeof b !== "number" && sizeKey(a) === sizeKey(b));

/** Every dimension a size mentions. */
export const dimensionsOf = (size: Size): readonly Dimension[] => [
  ...new Set(termsOf(size).flatMap((t) => t.dimensions)),
];

/** The smallest and largest value within the dimensions' bounds, term by term (exact when no dimension repeats). */
export function boundsOf(size: Size): { min: number; max: number } {
  if (typeof size === "number") return { min: size, max: size };
  let [min, max] = [0, 0];
  for (const { coefficient, dimensions } of termsOf(size)) {
    const low = dimensions.reduce((product, d) => product * d.min, coefficient);
    const high = dimensions.reduce((product, d) => product * d.max, coefficient);
    min += Math.min(low, high);
    max += Math.max(low, high);
  }
  return { min, max };
}

export const maxOf = (size: Size): number => (typeof size === "number" ? size : boundsOf(size).max);

/** The value of a size under values of its dimensions. */
export function evaluateSize(size: Size, values: ReadonlyMap<Dimension, number>): number {
  if (typeof size === "number") return size;
  let sum = 0;
  for (const { coefficient, dimensions } of termsOf(size)) {
    sum += dimensions.reduce((product, d) => product * valueIn(d, values), coefficient);
  }
  return sum;
}

function valueIn(d: Dimension, values: ReadonlyMap<Dimension, number>): number {
  const value = values.get(d);
  if (value === undefined) throw new ShapeError(`dimension "${d.name}" has no value in this run`);
  return value;
}

/**
 * Whether two sizes are equal: true or false when the bounds decide, an error that asks for a bound when they cannot.
 */
export function sizesAgree(a: Size, b: Size): boolean {
  if (sameSize(a, b)) return true;
  if (typeof a === "number" && typeof b === "number") return false;
  const { min, max } = boundsOf(subtractSizes(a, b));
  if (min > 0 || max < 0) return false;
  throw new ShapeError(
    `cannot decide whether ${a} equals ${b}: give the dimensions narrower bounds, or use one dimension for both`,
  );
}
