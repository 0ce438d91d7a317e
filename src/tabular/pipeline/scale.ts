/** Steps that shift and scale numbers: y = (x − center) / scale, as scikit-learn's scalers do. */
import { numberColumn, numbersOf, type TableColumn } from "../column.ts";
import { extent, mean, presentOf, quantileOfSorted, sorted, variance } from "../statistics.ts";
import { type ColumnStep, checkNumber, columnStep, type Operation, refuse } from "./operation.ts";

/** The numbers of a column, computed one by one; missing ones stay missing. */
export function mapNumbers(column: TableColumn, compute: (value: number) => number): TableColumn {
  const values = numbersOf(column);
  const result = new Float64Array(values.length);
  for (let i = 0; i < result.length; i++) result[i] = compute(values[i]!);
  return numberColumn(result);
}

/** What a step learns from: the values that are there. @throws ArgumentError when there is none, or an infinite one */
export function presentNumbers(what: string, name: string, column: TableColumn): Float64Array {
  const present = presentOf(numbersOf(column));
  if (present.length === 0)
    throw refuse(what, name, "has no values to learn from; leave it out or fill it first");
  const infinite = numbersOf(column).findIndex((value) => Math.abs(value) === Number.POSITIVE_INFINITY);
  if (infinite >= 0) {
    throw refuse(
      what,
      name,
      `is ${numbersOf(column)[infinite]} in row ${infinite}; clip or drop infinite values first`,
    );
  }
  return present;
}

interface Affine {
  readonly [field: string]: number;
  readonly center: number;
  readonly scale: number;
}

/** A scale of zero (a constant column) is taken as 1: the column becomes 0. */
const orOne = (scale: number): number => (scale < 10 * Number.EPSILON ? 1 : scale);

function affine<O extends object>(
  name: string,
  learn: (present: Float64Array, options: O) => Affine,
): Operation<O, Affine> {
  return {
    name,
    kinds: ["number"],
    state: { center: "number", scale: "number" },
    fit(column, options, context) {
      const learnt = learn(presentNumbers(name, context.name, column), options);
      if (Number.isFinite(learnt.center) && Number.isFinite(learnt.scale)) return learnt;
      throw refuse(
        name,
        context.name,
        "has values too far apart for a double; use log(), power() or quantile() first",
      );
    },
    apply: (column, { center, scale }) => [mapNumbers(column, (x) => (x - center) / scale)],
    invert: ([column], { center, scale }) => mapNumbers(column!, (y) => y * scale + center),
    problem: ({ scale }) => (scale !== 0 ? undefined : "has a scale of 0"),
  };
}

interface StandardizeOptions {
  readonly withMean: boolean;
  readonly withStd: boolean;
}

export const standardizeOperation = affine<StandardizeOptions>(
  "standardize",
  (present, { withMean, withStd }) => {
    const [center, spread] = [mean(present), variance(present, 0)];
    const count = present.length;
    // Below what rounding alone makes of a constant column.
    const isConstant =
      spread <= count * Number.EPSILON * spread + (count * center * Number.EPSILON) ** 2 &&
      spread < Number.POSITIVE_INFINITY;
    return { center: withMean ? center : 0, scale: withStd && !isConstant ? Math.sqrt(spread) : 1 };
  },
);

/**
 * Mean 0 and standard deviation 1: (x − mean) / std, with the deviation of a population (n), as scikit-learn's `StandardScaler`.
 * A constant column becomes 0. Missing values stay missing and count for nothing.
 *
 * @example
 * const ages = table({ age: [20, 30, 40] });
 * pipeline(standardize()).fit(ages).transform(ages).values("age")[1]; // 0
 */
export const standardize = (options?: {
  readonly withMean?: boolean;
  readonly withStd?: boolean;
}): ColumnStep => columnStep(standardizeOperation, options, { withMean: true, withStd: true });

interface MinMaxOptions {
  readonly range: readonly [number, number];
  readonly clip: boolean;
}

export const minMaxOperation: Operation<
  MinMaxOptions,
  {
    readonly min: number;
    readonly max: number;
    readonly low: number;
    readonly high: number;
    readonly clip: boolean;
  }
> = {
  name: "minMax",
  kinds: ["number"],
  state: { min: "number", max: "number", low: "number", high: "number", clip: "boolean" },
  fit(column, { range, clip }, { name }) {
    const [low, high] = range;
    if (!(low < high))
      throw refuse("minMax", name, `cannot be scaled to [${low}, ${high}]: the range must ascend`);
    const [min, max] = extent(presentNumbers("minMax", name, column));
    if (!Number.isFinite(max - min))
      throw refuse("minMax", name, "has values too far apart for a double; use quantile() instead");
    return { min, max, low, high, clip };
  },
  apply(column, { min, max, low, high, clip }) {
    const factor = (high - low) / orOne(max - min);
    const shift = low - min * factor;
    const scaled = mapNumbers(column, (x) => x * factor + shift);
    return [clip ? mapNumbers(scaled, (y) => (y < low ? low : y > high ? high : y)) : scaled];
  },
  invert([column], { min, max, low, high }) {
    const factor = (high - low) / orOne(max - min);
    return mapNumbers(column!, (y) => (y - (low - min * factor)) / factor);
  },
  problem: ({ min, max, low, high }) =>
    min <= max && low < high ? undefined : "has bounds that do not ascend",
};

/**
 * From the smallest and largest value of the training rows to [0, 1], or another range, as scikit-learn's `MinMaxScaler`. Values
 * beyond them go beyond the range, unless `clip` is set.
 *
 * @example
 * const ages = table({ age: [20, 30, 40] });
 * pipeline(minMax({ range: [-1, 1] })).fit(ages).transform(ages).values("age"); // [-1, 0, 1]
 */
export const minMax = (options?: {
  readonly range?: readonly [number, number];
  readonly clip?: boolean;
}): ColumnStep => columnStep<MinMaxOptions>(minMaxOperation, options, { range: [0, 1], clip: false });

interface RobustOptions {
  readonly quantiles: readonly [number, number];
}

export const robustOperation = affine<RobustOptions>("robust", (present, { quantiles }) => {
  const order = sorted(present);
  const [low, high] = quantiles.map((q) => quantileOfSorted(order, q)) as [number, number];
  return { center: quantileOfSorted(order, 0.5), scale: orOne(high - low) };
});

/**
 * (x − median) / (upper − lower quartile), which outliers hardly move, as scikit-learn's `RobustScaler`.
 *
 * @example
 * const t = table({ x: [1, 2, 3, 4, 1000] });
 * pipeline(robust()).fit(t).transform(t).values("x"); // [-1, -0.5, 0, 0.5, 498.5]
 */
export function robust(options?: { readonly quantiles?: readonly [number, number] }): ColumnStep {
  const [low, high] = options?.quantiles ?? [0.25, 0.75];
  checkNumber("robust", "quantiles[0]", low, { min: 0, max: 1 });
  checkNumber("robust", "quantiles[1]", high, { min: low, max: 1 });
  return columnStep<RobustOptions>(robustOperation, options, { quantiles: [0.25, 0.75] });
}

export const maxAbsOperation = affine<object>("maxAbs", (present) => {
  const [min, max] = extent(present);
  return { center: 0, scale: orOne(Math.max(-min, max)) };
});

/**
 * x / largest |x|: from −1 to 1, zeros stay zeros, as scikit-learn's `MaxAbsScaler`.
 *
 * @example
 * const t = table({ x: [-4, 0, 2] });
 * pipeline(maxAbs()).fit(t).transform(t).values("x"); // [-1, 0, 0.5]
 */
export const maxAbs = (): ColumnStep => columnStep(maxAbsOperation, undefined, {});

interface LogOptions {
  readonly offset: number;
}

export const logOperation: Operation<LogOptions, { readonly offset: number }> = {
  name: "log",
  kinds: ["number"],
  state: { offset: "number" },
  fit(column, { offset }, { name }) {
    const values = numbersOf(column);
    const row = values.findIndex((value) => value <= -offset);
    if (row < 0) return { offset };
    throw refuse(
      "log",
      name,
      `is ${values[row]} in row ${row}, and log(x + ${offset}) needs more than ${-offset}; raise offset, or use power()`,
    );
  },
  // log1p keeps the digits of small values; a later value out of the domain becomes missing.
  apply: (column, { offset }) => [
    mapNumbers(column, (x) =>
      x > -offset ? (offset === 1 ? Math.log1p(x) : Math.log(x + offset)) : Number.NaN,
    ),
  ],
  invert: ([column], { offset }) =>
    mapNumbers(column!, (y) => (offset === 1 ? Math.expm1(y) : Math.exp(y) - offset)),
};

/**
 * log(x + offset), for amounts that span powers of ten; offset 1 unless told otherwise, which takes 0 to 0. A value that is out of
 * the domain after fitting becomes missing.
 *
 * @example
 * const t = table({ x: [0, 1] });
 * pipeline(log()).fit(t).transform(t).values("x"); // [0, 0.6931471805599453]
 */
export const log = (options?: { readonly offset?: number }): ColumnStep =>
  columnStep(logOperation, options, { offset: 1 });
