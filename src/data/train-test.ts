/** Training, validation and test samples, of a dataset or of anything whose samples can be chosen by position. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { permutation, randomKey } from "../base/random.ts";
import type { Labels } from "./folds.ts";
import { stratifiedHalves } from "./stratify.ts";

/** What can be split: a `Dataset`, a `Table`. */
export interface Splittable<T> {
  readonly length: number;
  subset(indices: ArrayLike<number>): T;
  column(name: any): { readonly data: ArrayLike<number> };
}

export interface TrainTestOptions {
  /** For the test: a fraction of the samples (0.25, rounded up), or a number of samples from 1 on. */
  readonly test?: number;
  /** Likewise for a validation set of its own. None unless asked for. */
  readonly validation?: number;
  /** A column, or values, whose proportions all parts should have. */
  readonly stratify?: string | Labels;
  /** A column, or values: samples of one group stay together. Fractions are then of the groups. */
  readonly groups?: string | Labels;
  /** Samples are drawn (true), or taken in order: then the last ones are the test, for samples in the order of time. */
  readonly shuffle?: boolean;
  /** Of the draw: 0. */
  readonly seed?: number;
}

/** Positions of samples. */
export interface TrainTestIndices {
  readonly train: Uint32Array;
  readonly validation: Uint32Array;
  readonly test: Uint32Array;
}

/**
 * Training and test samples, and validation samples where they are asked for: drawn, in the proportions of a label, whole groups, or in
 * the order of time.
 *
 * @throws ArgumentError when a part would be empty, or options contradict each other
 * @example
 * const digits = arrayDataset({ x: [1, 2, 3, 4, 5, 6, 7, 8], y: Int32Array.of(0, 0, 0, 0, 1, 1, 1, 1) });
 * const { train, test } = trainTestSplit(digits, { test: 0.25, stratify: "y", seed: 1 });
 * [train.length, ...test.column("y").data]; // [6, 1, 0]
 */
export function trainTestSplit<T extends Splittable<T>>(
  samples: T,
  options: TrainTestOptions & { readonly validation: number },
): { readonly train: T; readonly validation: T; readonly test: T };
export function trainTestSplit<T extends Splittable<T>>(
  samples: T,
  options?: TrainTestOptions & { readonly validation?: undefined },
): { readonly train: T; readonly test: T };
export function trainTestSplit<T extends Splittable<T>>(
  samples: T,
  options: TrainTestOptions = {},
): { readonly train: T; readonly validation?: T; readonly test: T } {
  const valuesOf = (value: string | Labels | undefined): Labels | undefined =>
    typeof value === "string" ? samples.column(value).data : value;
  const { stratify, groups, ...rest } = options;
  const indices = trainTestIndices(samples.length, {
    ...rest,
    ...(stratify !== undefined && { stratify: valuesOf(stratify) }),
    ...(groups !== undefined && { groups: valuesOf(groups) }),
  });
  const part = (name: keyof TrainTestIndices): T => samples.subset(indices[name]);
  if (options.validation === undefined) return { train: part("train"), test: part("test") };
  return { train: part("train"), validation: part("validation"), test: part("test") };
}

/**
 * The positions that `trainTestSplit` takes, for samples that lie elsewhere; `stratify` and `groups` are values, one a sample.
 *
 * @example trainTestIndices(4, { test: 1, shuffle: false }).test // [3]
 */
export function trainTestIndices(
  length: number,
  options: Omit<TrainTestOptions, "stratify" | "groups"> & {
    readonly stratify?: Labels;
    readonly groups?: Labels;
  } = {},
): TrainTestIndices {
  checkOptions("trainTestSplit", options, ["test", "validation", "stratify", "groups", "shuffle", "seed"]);
  const { test = 0.25, validation = 0, stratify, groups, shuffle = true, seed = 0 } = options;
  if (Number(stratify !== undefined) + Number(groups !== undefined) + Number(!shuffle) > 1) {
    throw new ArgumentError("trainTestSplit: choose one of stratify, groups and shuffle: false");
  }
  for (const [name, values] of Object.entries({ stratify, groups })) {
    if (values === undefined || values.length === length) continue;
    throw new ArgumentError(
      `trainTestSplit: ${name} has ${values.length} values, there are ${length} samples`,
    );
  }
  if (groups !== undefined) return wholeGroups(groups, { test, validation, seed });
  const sizes = sizesOf(length, test, validation, "samples");
  const order = shuffle ? permutation(randomKey(seed), length) : Uint32Array.from({ length }, (_, i) => i);
  if (stratify === undefined) return cut(order, sizes);
  const labels = numbered(stratify);
  const [train, others] = stratifiedHalves(order, labels, sizes.train);
  const [validationRows, testRows] = stratifiedHalves(others, labels, sizes.validation);
  return { train, validation: validationRows, test: testRows };
}

interface Sizes {
  readonly train: number;
  readonly validation: number;
}

function sizesOf(length: number, test: number, validation: number, things: string): Sizes {
  const size = (name: string, share: number): number => {
    const isFraction = share > 0 && share < 1;
    if (isFraction) return Math.ceil(share * length);
    if (Number.isInteger(share) && share >= (name === "validation" ? 0 : 1)) return share;
    throw new ArgumentError(
      `trainTestSplit: ${name} must be a fraction between 0 and 1, or a number of ${things}, got ${share}`,
    );
  };
  const [testSize, validationSize] = [size("test", test), size("validation", validation)];
  const train = length - testSize - validationSize;
  if (train >= 1) return { train, validation: validationSize };
  throw new ArgumentError(
    `trainTestSplit: ${testSize + validationSize} of ${length} ${things} for validation and test leave none for training`,
  );
}

const cut = (order: Uint32Array, { train, validation }: Sizes): TrainTestIndices => ({
  train: order.slice(0, train),
  validation: order.slice(train, train + validation),
  test: order.slice(train + validation),
});

function wholeGroups(
  groups: Labels,
  { test, validation, seed }: { test: number; validation: number; seed: number },
): TrainTestIndices {
  const numbers = numbered(groups);
  const count = new Set(numbers).size;
  const parts = cut(permutation(randomKey(seed), count), sizesOf(count, test, validation, "groups"));
  const rows = Uint32Array.from(numbers, (_, row) => row);
  const of = (chosen: Uint32Array): Uint32Array => {
    const isChosen = new Uint8Array(count);
    for (const group of chosen) isChosen[group] = 1;
    return rows.filter((row) => isChosen[numbers[row]!] === 1);
  };
  return { train: of(parts.train), validation: of(parts.validation), test: of(parts.test) };
}

/** A number for each value, in the order of their first appearance. */
function numbered(values: Labels): Uint32Array {
  const places = new Map<unknown, number>();
  return Uint32Array.from(Array.from<unknown>(values), (value) => {
    const known = places.get(value);
    if (known !== undefined) return known;
    places.set(value, places.size);
    return places.size - 1;
  });
}
