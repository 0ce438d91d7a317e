/** Shares drawn from beta and Dirichlet distributions. */
import type { Draws } from "../data/index.ts";

/** Marsaglia and Tsang, "A simple method for generating gamma variables", 2000; below 1 with a power of a uniform number. */
function gamma(random: Draws, shape: number): number {
  if (shape < 1) return gamma(random, shape + 1) * positive(random) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = random.normal();
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(positive(random)) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/** From above 0 to 1. */
const positive = (random: Draws): number => 1 - random.uniform();

/** Shares of 1. */
export function dirichlet(random: Draws, shapes: readonly number[]): readonly number[] {
  const parts = shapes.map((shape) => gamma(random, shape));
  const sum = parts.reduce((total, part) => total + part, 0);
  // Every part of a very small shape can be too small for a number: then one has all.
  if (sum > 0) return parts.map((part) => part / sum);
  const chosen = random.integer(shapes.length);
  return shapes.map((_, i) => Number(i === chosen));
}

/** A share from the beta distribution. */
export const beta = (random: Draws, a: number, b: number): number => dirichlet(random, [a, b])[0]!;
