/**
 * The covariance matrix adaptation evolution strategy in the unit cube: Hansen, "The CMA evolution strategy: a tutorial", arXiv:1604.00772.
 *
 * The names of the state are the tutorial's: m the mean, σ the step size, C the covariance, p_σ and p_c the evolution paths.
 */
import { symmetricEigen } from "../matrix.ts";
import type { Stream } from "../stream.ts";

/** What a generation begins with; never changed. */
export interface Evolution {
  readonly generation: number;
  readonly mean: Float64Array;
  readonly sigma: number;
  readonly covariance: Float64Array;
  readonly sigmaPath: Float64Array;
  readonly covariancePath: Float64Array;
  /** Of the covariance: its eigenvectors in columns, the roots of its eigenvalues. */
  readonly basis: Float64Array;
  readonly scales: Float64Array;
}

export interface Member {
  readonly point: Float64Array;
  /** Made small. */
  readonly loss: number;
}

/** λ = 4 + ⌊3 ln n⌋. */
export const defaultPopulation = (dimensions: number): number => 4 + Math.floor(3 * Math.log(dimensions));

export function firstEvolution(mean: Float64Array, sigma: number): Evolution {
  const n = mean.length;
  const identity = new Float64Array(n * n);
  for (let i = 0; i < n; i++) identity[i * n + i] = 1;
  return {
    generation: 0,
    mean,
    sigma,
    covariance: identity,
    sigmaPath: new Float64Array(n),
    covariancePath: new Float64Array(n),
    basis: identity,
    scales: new Float64Array(n).fill(1),
  };
}

/** A point m + σ·B·D·z inside the cube: drawn again when it is outside, moved to the nearest inside after a hundred times. */
export function offspring({ mean, sigma, basis, scales }: Evolution, stream: Stream): Float64Array {
  const n = mean.length;
  const point = new Float64Array(n);
  for (let attempt = 0; attempt < 100; attempt++) {
    const z = scales.map((scale) => scale * stream.normal());
    for (let i = 0; i < n; i++) {
      let y = 0;
      for (let k = 0; k < n; k++) y += basis[i * n + k]! * z[k]!;
      point[i] = mean[i]! + sigma * y;
    }
    if (point.every((x) => x >= 0 && x <= 1)) return point;
  }
  return point.map((x) => Math.min(1, Math.max(0, x)));
}

interface Constants {
  readonly weights: readonly number[];
  /** Of the weights above 0, how many members they are worth: μ_eff. */
  readonly effective: number;
  readonly cSigma: number;
  readonly dSigma: number;
  readonly cc: number;
  readonly c1: number;
  readonly cMu: number;
  /** E‖N(0, I)‖ */
  readonly expectedNorm: number;
}

/** The default parameters of the tutorial's table 1, negative weights included (active CMA). */
function constantsFor(n: number, population: number): Constants {
  const raw = Array.from({ length: population }, (_, i) => Math.log((population + 1) / 2) - Math.log(i + 1));
  const parents = Math.floor(population / 2);
  const worth = (part: readonly number[]): number => {
    const sum = part.reduce((a, b) => a + b, 0);
    return sum ** 2 / part.reduce((a, b) => a + b * b, 0);
  };
  const effective = worth(raw.slice(0, parents));
  const effectiveNegative = worth(raw.slice(parents));
  const c1 = 2 / ((n + 1.3) ** 2 + effective);
  const cMu = Math.min(1 - c1 - 1e-8, (2 * (effective - 2 + 1 / effective)) / ((n + 2) ** 2 + effective));
  const most = Math.min(
    1 + c1 / cMu,
    1 + (2 * effectiveNegative) / (effective + 2),
    (1 - c1 - cMu) / (n * cMu),
  );
  const sumOf = (sign: number): number => raw.reduce((sum, w) => sum + Math.max(0, sign * w), 0);
  const [positive, negative] = [sumOf(1), sumOf(-1)];
  const cSigma = (effective + 2) / (n + effective + 5);
  return {
    weights: raw.map((w) => (w >= 0 ? w / positive : (most * w) / negative)),
    effective,
    cSigma,
    dSigma: 1 + 2 * Math.max(0, Math.sqrt((effective - 1) / (n + 1)) - 1) + cSigma,
    cc: (4 + effective / n) / (n + 4 + (2 * effective) / n),
    c1,
    cMu,
    expectedNorm: Math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n)),
  };
}

const norm = (x: Float64Array): number => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));

/** The state after a generation: equations 41 to 47 of the tutorial. */
export function nextEvolution(state: Evolution, members: readonly Member[]): Evolution {
  const n = state.mean.length;
  const constants = constantsFor(n, members.length);
  const { weights, effective, cSigma, dSigma, cc, c1, cMu, expectedNorm } = constants;
  const ranked = members.slice().sort((a, b) => a.loss - b.loss);
  const steps = ranked.map(({ point }) => point.map((x, i) => (x - state.mean[i]!) / state.sigma));
  const step = new Float64Array(n);
  steps.forEach((y, k) => {
    if (weights[k]! > 0) for (let i = 0; i < n; i++) step[i]! += weights[k]! * y[i]!;
  });
  const mean = state.mean.map((m, i) => m + state.sigma * step[i]!);
  const whitened = whiten(state, step);
  const sigmaPath = state.sigmaPath.map(
    (p, i) => (1 - cSigma) * p + Math.sqrt(cSigma * (2 - cSigma) * effective) * whitened[i]!,
  );
  const length = norm(sigmaPath);
  const decay = Math.sqrt(1 - (1 - cSigma) ** (2 * (state.generation + 1)));
  const isMoving = length / decay < (1.4 + 2 / (n + 1)) * expectedNorm ? 1 : 0;
  const covariancePath = state.covariancePath.map(
    (p, i) => (1 - cc) * p + isMoving * Math.sqrt(cc * (2 - cc) * effective) * step[i]!,
  );
  // Worse members push away as far as the better ones pull, whatever their length.
  const scaled = weights.map((w, k) => (w >= 0 ? w : (w * n) / (norm(whiten(state, steps[k]!)) ** 2 + 1e-8)));
  const total = weights.reduce((a, b) => a + b, 0);
  const keep = 1 + c1 * (1 - isMoving) * cc * (2 - cc) - c1 - cMu * total;
  const covariance = state.covariance.map((c, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let sum = keep * c + c1 * covariancePath[i]! * covariancePath[j]!;
    for (let k = 0; k < steps.length; k++) sum += cMu * scaled[k]! * steps[k]![i]! * steps[k]![j]!;
    return sum;
  });
  const grown = state.sigma * Math.exp((cSigma / dSigma) * (length / expectedNorm - 1));
  return {
    generation: state.generation + 1,
    mean,
    // In a cube of side 1 a larger step only draws outside of it.
    sigma: Math.min(grown, 1e4),
    sigmaPath,
    covariancePath,
    ...decomposed(covariance, n),
  };
}

/** C^(−1/2)·x. */
function whiten({ basis, scales }: Evolution, x: Float64Array): Float64Array {
  const n = x.length;
  const out = new Float64Array(n);
  for (let k = 0; k < n; k++) {
    let along = 0;
    for (let i = 0; i < n; i++) along += basis[i * n + k]! * x[i]!;
    for (let i = 0; i < n; i++) out[i]! += (basis[i * n + k]! * along) / scales[k]!;
  }
  return out;
}

/** The covariance with eigenvalues that rounding took below 0 put back. */
function decomposed(covariance: Float64Array, n: number): Pick<Evolution, "covariance" | "basis" | "scales"> {
  const { values, vectors } = symmetricEigen(covariance, n);
  const scales = values.map((value) => Math.sqrt(Math.max(value, 1e-14)));
  const rebuilt = covariance.map((_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let sum = 0;
    for (let k = 0; k < n; k++) sum += vectors[i * n + k]! * scales[k]! ** 2 * vectors[j * n + k]!;
    return sum;
  });
  return { covariance: rebuilt, basis: vectors, scales };
}
