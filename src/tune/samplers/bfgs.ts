/** Minimising a smooth function of a few variables: BFGS with backtracking (Nocedal, Wright, "Numerical Optimization", 2006, algorithm 6.1). */

/** A value and its gradient; undefined where the function is not defined, from where the search turns back. */
export type Differentiable = (
  x: Float64Array,
) => { readonly value: number; readonly gradient: Float64Array } | undefined;

/** The best point found from `start`, within `iterations` steps. */
export function minimize(f: Differentiable, start: Float64Array, iterations: number): Float64Array {
  const n = start.length;
  let x = Float64Array.from(start);
  let here = f(x);
  if (here === undefined) return x;
  const inverse = new Float64Array(n * n);
  for (let i = 0; i < n; i++) inverse[i * n + i] = 1;
  for (let iteration = 0; iteration < iterations; iteration++) {
    const { value, gradient } = here;
    if (gradient.every((g) => Math.abs(g) < 1e-4)) break;
    let direction = gradient.map((_, i) => -dotRow(inverse, i, gradient));
    let slope = dot(direction, gradient);
    if (slope >= 0) {
      direction = gradient.map((g) => -g);
      slope = dot(direction, gradient);
    }
    // No step longer than 2: the variables are logarithms, and far away nothing is to be learnt.
    let length = Math.min(1, 2 / Math.max(...direction.map(Math.abs)));
    let next: ReturnType<Differentiable>;
    let to = x;
    for (let tries = 0; tries < 20; tries++, length /= 2) {
      to = x.map((at, i) => at + length * direction[i]!);
      next = f(to);
      if (next !== undefined && next.value <= value + 1e-4 * length * slope) break;
      next = undefined;
    }
    if (next === undefined) break;
    const gained = value - next.value;
    update(
      inverse,
      to.map((at, i) => at - x[i]!),
      next.gradient.map((g, i) => g - gradient[i]!),
    );
    [x, here] = [to, next];
    if (gained < 1e-6 * (Math.abs(value) + 1)) break;
  }
  return x;
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

function dotRow(matrix: Float64Array, row: number, x: Float64Array): number {
  const n = x.length;
  let sum = 0;
  for (let k = 0; k < n; k++) sum += matrix[row * n + k]! * x[k]!;
  return sum;
}

/** H ← (I − ρsyᵀ)H(I − ρysᵀ) + ρssᵀ, left out where the curvature is not positive. */
function update(inverse: Float64Array, s: Float64Array, y: Float64Array): void {
  const n = s.length;
  const curvature = dot(s, y);
  if (curvature <= 1e-12) return;
  const rho = 1 / curvature;
  const hy = y.map((_, i) => dotRow(inverse, i, y));
  const yhy = dot(y, hy);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) {
      inverse[i * n + j]! += rho * ((1 + rho * yhy) * s[i]! * s[j]! - hy[i]! * s[j]! - s[i]! * hy[j]!);
    }
  }
}
