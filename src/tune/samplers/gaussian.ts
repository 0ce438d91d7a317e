/** The standard normal distribution in f64. */

/**
 * P(X ≤ x): Hart's rational approximation (Computer Approximations, 1968) as West gives it ("Better approximations to cumulative normal
 * functions", Wilmott 2005), a continued fraction below −7; to about 1e-15, and 1e-8 of what is left so far out.
 */
export function normalCdf(x: number): number {
  return x > 0 ? 1 - lowerTail(x) : lowerTail(-x);
}

/** P(X ≤ −x) for x ≥ 0. */
function lowerTail(x: number): number {
  if (x > 38) return 0;
  const power = Math.exp((-x * x) / 2);
  if (x >= 7.07106781186547) {
    return power / (x + 1 / (x + 2 / (x + 3 / (x + 4 / (x + 0.65))))) / 2.506628274631;
  }
  return (power * polynomial(numerator, x)) / polynomial(denominator, x);
}

const numerator = [
  3.52624965998911e-2, 0.700383064443688, 6.37396220353165, 33.912866078383, 112.079291497871,
  221.213596169931, 220.206867912376,
];
const denominator = [
  8.83883476483184e-2, 1.75566716318264, 16.064177579207, 86.7807322029461, 296.564248779674,
  637.333633378831, 793.826512519948, 440.413735824752,
];

const polynomial = (coefficients: readonly number[], x: number): number =>
  coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0);

/** P(a ≤ X ≤ b), without cancellation in either tail. */
export function normalMass(a: number, b: number): number {
  return a > 0 ? normalCdf(-a) - normalCdf(-b) : normalCdf(b) - normalCdf(a);
}

export const logDensityOfNormal = (x: number): number => -0.5 * x * x - 0.9189385332046727;

export const densityOfNormal = (x: number): number => Math.exp(logDensityOfNormal(x));
