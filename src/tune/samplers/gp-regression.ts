/**
 * Gaussian process regression: Rasmussen, Williams, "Gaussian Processes for Machine Learning", 2006.
 *
 * The kernel is Matérn's with ν = 5/2 and a weight for each input: k(r) = s·(1 + √5r + 5r²/3)·exp(−√5r), r² = Σ wᵢdᵢ², where d of a choice
 * is 0 or 1. Weights, scale and noise are those that make the data most likely, under weak priors (Gamma for scale and noise, as Optuna's).
 */
import { choleskyFactor, inverseFromFactor, solveLower, solveUpper } from "../matrix.ts";
import { minimize } from "./bfgs.ts";

/** Points with a place from 0 to 1 for each input; inputs that are choices only differ or not. */
export interface Inputs {
  readonly points: readonly Float64Array[];
  readonly isChoice: readonly boolean[];
}

const root5 = Math.sqrt(5);
const leastNoise = 1e-6;

function squaredDistances(a: Float64Array, b: Float64Array, isChoice: readonly boolean[]): Float64Array {
  return a.map((x, i) => (isChoice[i] ? (x === b[i] ? 0 : 1) : (x - b[i]!) ** 2));
}

/** k(r²) for s = 1, and its derivative by r². */
const matern = (r2: number): number => {
  const r = root5 * Math.sqrt(r2);
  return (1 + r + (5 / 3) * r2) * Math.exp(-r);
};
const maternSlope = (r2: number): number => {
  const r = root5 * Math.sqrt(r2);
  return (-5 / 6) * (1 + r) * Math.exp(-r);
};

interface KernelParameters {
  readonly weights: Float64Array;
  readonly scale: number;
  readonly noise: number;
}

/** From logarithms: weights, scale, noise. */
function unpacked(logs: Float64Array): KernelParameters {
  const n = logs.length - 2;
  return {
    weights: logs.slice(0, n).map(Math.exp),
    scale: Math.exp(logs[n]!),
    noise: Math.exp(logs[n + 1]!) + leastNoise,
  };
}

/** The process given observations: its mean and variance anywhere. */
export class GaussianProcess {
  readonly #inputs: Inputs;
  readonly #parameters: KernelParameters;
  readonly #lower: Float64Array;
  readonly #alpha: Float64Array;

  /** Finds the kernel's parameters where they are not given (as logarithms); `values` have mean 0 and variance 1. */
  constructor(inputs: Inputs, values: Float64Array, logs?: Float64Array) {
    this.#inputs = inputs;
    const likelihood = new Likelihood(inputs, values);
    const start = new Float64Array(inputs.isChoice.length + 2);
    start[start.length - 1] = Math.log(0.01);
    let factor = likelihood.factor(unpacked(start));
    this.#parameters = unpacked(start);
    const found = unpacked(logs ?? minimize((at) => likelihood.negativeLog(at), start, 60));
    const better = likelihood.factor(found);
    if (better !== undefined) {
      factor = better;
      this.#parameters = found;
    }
    this.#lower = factor!;
    this.#alpha = solveUpper(this.#lower, solveLower(this.#lower, values));
  }

  /** For what comes without noise. */
  predict(point: Float64Array): { readonly mean: number; readonly variance: number } {
    const { points, isChoice } = this.#inputs;
    const { weights, scale } = this.#parameters;
    const covariances = new Float64Array(points.length);
    let mean = 0;
    for (let i = 0; i < points.length; i++) {
      const other = points[i]!;
      let r2 = 0;
      for (let k = 0; k < point.length; k++) {
        const difference = point[k]! - other[k]!;
        r2 += weights[k]! * (isChoice[k] ? (difference === 0 ? 0 : 1) : difference * difference);
      }
      covariances[i] = scale * matern(r2);
      mean += covariances[i]! * this.#alpha[i]!;
    }
    const whitened = solveLower(this.#lower, covariances);
    let explained = 0;
    for (let i = 0; i < whitened.length; i++) explained += whitened[i]! ** 2;
    return { mean, variance: Math.max(0, scale - explained) };
  }
}

/** The likelihood of observations under a kernel, with its gradient. */
export class Likelihood {
  readonly #n: number;
  readonly #d: number;
  readonly #values: Float64Array;
  /** Squared distances by input: d matrices, one after the other. */
  readonly #distances: readonly Float64Array[];

  constructor({ points, isChoice }: Inputs, values: Float64Array) {
    this.#n = points.length;
    this.#d = isChoice.length;
    this.#values = values;
    this.#distances = Array.from({ length: this.#d }, () => new Float64Array(this.#n ** 2));
    points.forEach((a, i) => {
      points.forEach((b, j) => {
        const own = squaredDistances(a, b, isChoice);
        for (let k = 0; k < this.#d; k++) this.#distances[k]![i * this.#n + j] = own[k]!;
      });
    });
  }

  #radii(weights: Float64Array): Float64Array {
    const r2 = new Float64Array(this.#n ** 2);
    this.#distances.forEach((d, k) => {
      for (let at = 0; at < r2.length; at++) r2[at]! += weights[k]! * d[at]!;
    });
    return r2;
  }

  /** The Cholesky factor of the covariance of the observations. */
  factor({ weights, scale, noise }: KernelParameters): Float64Array | undefined {
    const covariance = this.#radii(weights).map((r2) => scale * matern(r2));
    for (let i = 0; i < this.#n; i++) covariance[i * this.#n + i]! += noise;
    return choleskyFactor(covariance, this.#n);
  }

  /** −log p(values) − log prior, and its gradient by the logarithms (equation 5.9 of the book). */
  negativeLog(logs: Float64Array): { value: number; gradient: Float64Array } | undefined {
    if (logs.some((log) => Math.abs(log) > 20)) return undefined;
    const [n, d] = [this.#n, this.#d];
    const parameters = unpacked(logs);
    const { weights, scale, noise } = parameters;
    const lower = this.factor(parameters);
    if (lower === undefined) return undefined;
    const alpha = solveUpper(lower, solveLower(lower, this.#values));
    let value = (n / 2) * Math.log(2 * Math.PI);
    for (let i = 0; i < n; i++) value += 0.5 * this.#values[i]! * alpha[i]! + Math.log(lower[i * n + i]!);
    const inverse = inverseFromFactor(lower, n);
    const gradient = new Float64Array(d + 2);
    const r2 = this.#radii(weights);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        const at = i * n + j;
        const half = 0.5 * (inverse[at]! - alpha[i]! * alpha[j]!);
        const slope = half * scale * maternSlope(r2[at]!);
        for (let k = 0; k < d; k++) gradient[k]! += slope * weights[k]! * this.#distances[k]![at]!;
        gradient[d]! += half * scale * matern(r2[at]!);
        if (i === j) gradient[d + 1]! += half * (noise - leastNoise);
      }
    }
    for (let k = 0; k < d; k++) {
      value += 0.1 / weights[k]! + 0.1 * weights[k]!;
      gradient[k]! += -0.1 / weights[k]! + 0.1 * weights[k]!;
    }
    value -= Math.log(scale) - scale + 0.1 * Math.log(noise) - 30 * noise;
    gradient[d]! -= 1 - scale;
    gradient[d + 1]! -= (0.1 / noise - 30) * (noise - leastNoise);
    return { value, gradient };
  }
}
