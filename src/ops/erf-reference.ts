/** erf in float64 for references: Taylor's series near 0, the continued fraction of erfc beyond. Slow, and to about 1e-16. */

/** erf x = 2/√π · Σ (−1)ⁿ x²ⁿ⁺¹ / (n! (2n + 1)), summed as x e^(−x²) Σ (2x²)ⁿ / (1·3·5…(2n + 1)): no cancellation. */
export function erf(x: number): number {
  if (Number.isNaN(x)) return NaN;
  const magnitude = Math.abs(x);
  if (magnitude > 6) return Math.sign(x);
  let term = magnitude;
  let sum = term;
  for (let n = 1; term > sum * 1e-18; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  const value = (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
  return x < 0 ? -value : value;
}

/** erfc x = e^(−x²)/√π · 1/(x + ½/(x + 1/(x + 3⁄2/(x + …)))) from 0.8 on, 1 − erf x below. */
export function erfc(x: number): number {
  if (!(x > 0.8)) return 1 - erf(x);
  if (x > 28) return 0;
  let denominator = x;
  for (let k = 600; k >= 1; k--) denominator = x + k / 2 / denominator;
  // x² of a number of 24 bits is exact; rounded, it would spoil the power.
  const high = Math.fround(x);
  const power = Math.exp(-high * high) * Math.exp((high - x) * (high + x));
  return power / Math.sqrt(Math.PI) / denominator;
}

/** The y with erf y = x: Halley's steps from Winitzki's estimate (2008), each of which triples the digits. */
export function erfInverse(x: number): number {
  const tail = 1 - Math.abs(x);
  if (!(tail > 0)) return tail === 0 ? Math.sign(x) * Infinity : NaN;
  if (x === 0) return x;
  const logarithm = Math.log1p(-x * x);
  const half = 2 / (Math.PI * 0.147) + logarithm / 2;
  let y = Math.sqrt(Math.sqrt(half * half - logarithm / 0.147) - half);
  for (let step = 0; step < 4; step++) {
    const excess = tail < 0.5 ? tail - erfc(y) : erf(y) - Math.abs(x);
    const newton = (excess * Math.sqrt(Math.PI) * Math.exp(y * y)) / 2;
    y -= newton / (1 + y * newton);
  }
  return Math.sign(x) * y;
}
