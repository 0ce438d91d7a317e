/** Steps that make a column's distribution that of the normal or uniform one. */
import { erfc } from "../../ops/erf-reference.ts";
import { numbersOf } from "../column.ts";
import { mean, quantileOfSorted, sorted, variance } from "../statistics.ts";
import { linspace } from "./bins.ts";
import { minimize } from "./minimize.ts";
import {
  type ColumnStep,
  checkChoice,
  checkNumber,
  columnStep,
  type Operation,
  refuse,
} from "./operation.ts";
import { mapNumbers, presentNumbers } from "./scale.ts";
import { isAscending } from "./state.ts";

const methods = ["yeoJohnson", "boxCox"] as const;
type Method = (typeof methods)[number];

interface PowerOptions {
  readonly method: Method;
  readonly standardize: boolean;
}

interface PowerState {
  readonly [field: string]: unknown;
  readonly method: string;
  readonly lambda: number;
  readonly center: number;
  readonly scale: number;
}

/** log(1 + x) / λ-powers, continuous in λ: ((x + 1)^λ − 1) / λ for x ≥ 0, and mirrored with 2 − λ below. */
function yeoJohnson(x: number, lambda: number): number {
  if (x >= 0)
    return Math.abs(lambda) < Number.EPSILON ? Math.log1p(x) : Math.expm1(lambda * Math.log1p(x)) / lambda;
  const mirrored = 2 - lambda;
  return Math.abs(mirrored) > Number.EPSILON
    ? -Math.expm1(mirrored * Math.log1p(-x)) / mirrored
    : -Math.log1p(-x);
}

function inverseYeoJohnson(y: number, lambda: number): number {
  if (y >= 0) {
    return Math.abs(lambda) < Number.EPSILON ? Math.expm1(y) : Math.expm1(Math.log1p(y * lambda) / lambda);
  }
  const mirrored = 2 - lambda;
  return Math.abs(mirrored) > Number.EPSILON
    ? -Math.expm1(Math.log1p(-mirrored * y) / mirrored)
    : -Math.expm1(-y);
}

/** (x^λ − 1) / λ, log x for λ = 0. */
const boxCox = (x: number, lambda: number): number =>
  x <= 0 ? Number.NaN : lambda === 0 ? Math.log(x) : Math.expm1(lambda * Math.log(x)) / lambda;

const inverseBoxCox = (y: number, lambda: number): number =>
  lambda === 0 ? Math.exp(y) : Math.exp(Math.log1p(lambda * y) / lambda);

/** Minus the logarithm of the likelihood that the transformed values are normal, up to a constant. */
function negativeLogLikelihood(present: Float64Array, method: Method, lambda: number): number {
  const isBoxCox = method === "boxCox";
  const transformed = present.map((x) => (isBoxCox ? boxCox(x, lambda) : yeoJohnson(x, lambda)));
  const jacobian = present.map((x) => (isBoxCox ? Math.log(x) : Math.sign(x) * Math.log1p(Math.abs(x))));
  const sum = mean(jacobian) * present.length;
  const spread = variance(transformed, 0);
  if (!(spread > 0)) return Number.POSITIVE_INFINITY;
  return (present.length / 2) * Math.log(spread) - (lambda - 1) * sum;
}

export const powerOperation: Operation<PowerOptions, PowerState> = {
  name: "power",
  kinds: ["number"],
  state: { method: "string", lambda: "number", center: "number", scale: "number" },
  fit(column, { method, standardize }, { name }) {
    const present = presentNumbers("power", name, column);
    if (method === "boxCox") {
      const row = numbersOf(column).findIndex((x) => x <= 0);
      if (row >= 0) {
        const value = numbersOf(column)[row];
        throw refuse(
          "power",
          name,
          `is ${value} in row ${row}, and Box–Cox needs positive numbers; use method: "yeoJohnson"`,
        );
      }
    }
    const isConstant = variance(present, 0) === 0;
    const lambda = isConstant ? 1 : minimize((at) => negativeLogLikelihood(present, method, at), -2, 2);
    const transformed = present.map((x) => (method === "boxCox" ? boxCox(x, lambda) : yeoJohnson(x, lambda)));
    if (!standardize) return { method, lambda, center: 0, scale: 1 };
    const deviation = Math.sqrt(variance(transformed, 0));
    return { method, lambda, center: mean(transformed), scale: deviation > 0 ? deviation : 1 };
  },
  apply(column, { method, lambda, center, scale }) {
    const transform = method === "boxCox" ? boxCox : yeoJohnson;
    return [mapNumbers(column, (x) => (transform(x, lambda) - center) / scale)];
  },
  invert([column], { method, lambda, center, scale }) {
    const inverse = method === "boxCox" ? inverseBoxCox : inverseYeoJohnson;
    return mapNumbers(column!, (y) => inverse(y * scale + center, lambda));
  },
  problem: ({ method, scale }) =>
    (methods as readonly string[]).includes(method) && scale > 0
      ? undefined
      : "has no such method or no scale",
};

/**
 * The power of each value that makes the column most nearly normal, then mean 0 and deviation 1, as scikit-learn's
 * `PowerTransformer`: by Yeo and Johnson (2000), or Box and Cox (1964) for positive values. The exponent has the greatest likelihood.
 *
 * @example
 * const t = table({ x: [1, 10, 100, 1000] });
 * pipeline(power({ method: "boxCox", standardize: false })).fit(t).transform(t).values("x").length; // 4
 */
export function power(options?: Partial<PowerOptions>): ColumnStep {
  checkChoice("power", "method", options?.method ?? "yeoJohnson", methods);
  return columnStep<PowerOptions>(powerOperation, options, { method: "yeoJohnson", standardize: true });
}

const distributions = ["uniform", "normal"] as const;

interface QuantileOptions {
  readonly distribution: (typeof distributions)[number];
  readonly quantiles: number;
}

interface QuantileState {
  readonly [field: string]: unknown;
  readonly distribution: string;
  readonly quantiles: readonly number[];
}

export const quantileOperation: Operation<QuantileOptions, QuantileState> = {
  name: "quantile",
  kinds: ["number"],
  state: { distribution: "string", quantiles: "numbers" },
  fit(column, { distribution, quantiles }, { name }) {
    const order = sorted(presentNumbers("quantile", name, column));
    // So many as there are rows, missing ones included, as in scikit-learn.
    const count = Math.max(1, Math.min(quantiles, column.data.length));
    const fractions = count === 1 ? [0] : linspace(0, 1, count);
    return { distribution, quantiles: fractions.map((q) => quantileOfSorted(order, q)) };
  },
  apply(column, { distribution, quantiles }) {
    const uniform = mapNumbers(column, (x) => fractionOf(x, quantiles, distribution === "normal"));
    return [distribution === "normal" ? mapNumbers(uniform, boundedNormalQuantile) : uniform];
  },
  invert([column], { distribution, quantiles }) {
    const count = quantiles.length;
    return mapNumbers(column!, (y) => {
      const q = distribution === "normal" ? normalCdf(y) : y;
      if (Number.isNaN(q)) return q;
      if (distribution === "normal" ? q - edge < 0 : q <= 0) return quantiles[0]!;
      if (distribution === "normal" ? q + edge > 1 : q >= 1) return quantiles[count - 1]!;
      const below = Math.min(Math.floor(q * (count - 1)), count - 2);
      const fraction = q * (count - 1) - below;
      return quantiles[below]! + (quantiles[below + 1]! - quantiles[below]!) * fraction;
    });
  },
  problem: ({ distribution, quantiles }) =>
    (distributions as readonly string[]).includes(distribution) &&
    quantiles.length > 0 &&
    isAscending(quantiles)
      ? undefined
      : "has quantiles that do not ascend",
};

/** scikit-learn's BOUNDS_THRESHOLD: so near to an end counts as the end. */
const edge = 1e-7;

/** Where x lies among the quantiles, from 0 to 1; among equal ones in the middle. */
function fractionOf(x: number, quantiles: readonly number[], isNormal: boolean): number {
  if (Number.isNaN(x)) return x;
  const last = quantiles.length - 1;
  if (last === 0 && !isNormal) return 0;
  if (isNormal ? x - edge < quantiles[0]! : x <= quantiles[0]!) return 0;
  if (isNormal ? x + edge > quantiles[last]! : x >= quantiles[last]!) return 1;
  // The last quantile that is at most x, and the first that is at least x.
  const low = countWhile(quantiles, (q) => q <= x) - 1;
  const high = countWhile(quantiles, (q) => q < x);
  const upper = between(x, quantiles, low);
  const lower = quantiles[high] === x ? high : between(x, quantiles, high - 1);
  return (0.5 * (upper + lower)) / last;
}

const between = (x: number, quantiles: readonly number[], at: number): number =>
  quantiles[at] === x ? at : at + (x - quantiles[at]!) / (quantiles[at + 1]! - quantiles[at]!);

/** How many of the first ascending values satisfy a condition that only the first ones do. */
function countWhile(values: readonly number[], holds: (value: number) => boolean): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(values[middle]!)) low = middle + 1;
    else high = middle;
  }
  return low;
}

const normalCdf = (x: number): number => 0.5 * erfcBothSides(-x / Math.SQRT2);
const erfcBothSides = (x: number): number => (x < 0 ? 2 - erfc(-x) : erfc(x));

function boundedNormalQuantile(q: number): number {
  const limit = edge - Number.EPSILON;
  return normalQuantile(Math.min(Math.max(q, limit), 1 - limit));
}

/** The x below which a standard normal number lies with probability q: the approximation 26.2.23 of Abramowitz and Stegun, made exact by steps of Halley. */
export function normalQuantile(q: number): number {
  if (Number.isNaN(q)) return q;
  if (q > 0.5) return -normalQuantile(1 - q);
  const t = Math.sqrt(-2 * Math.log(q));
  let x = -(
    t -
    (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
  );
  for (let step = 0; step < 3; step++) {
    const error = normalCdf(x) - q;
    const u = error * Math.sqrt(2 * Math.PI) * Math.exp((x * x) / 2);
    x -= u / (1 + (x * u) / 2);
  }
  return x;
}

/**
 * The fraction of training rows below each value, from 0 to 1, or the normal number with that fraction, as scikit-learn's
 * `QuantileTransformer`: any distribution becomes uniform or normal, and outliers lose their weight. Between the quantiles
 * (1,000, at most as many as rows) it is linear; no subsample is drawn.
 *
 * @example
 * const t = table({ x: [1, 10, 100, 1000, 10000] });
 * pipeline(quantile()).fit(t).transform(t).values("x"); // [0, 0.25, 0.5, 0.75, 1]
 */
export function quantile(options?: Partial<QuantileOptions>): ColumnStep {
  checkChoice("quantile", "distribution", options?.distribution ?? "uniform", distributions);
  checkNumber("quantile", "quantiles", options?.quantiles ?? 1000, { min: 2, max: 1e6, isInteger: true });
  return columnStep<QuantileOptions>(quantileOperation, options, {
    distribution: "uniform",
    quantiles: 1000,
  });
}
