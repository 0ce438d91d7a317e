/** Splits for validation in turn: positions of samples, for any dataset, table or array. */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { permutation, randomKey } from "../base/random.ts";
import { foldParts, stratifiedFoldParts } from "./stratify.ts";

/** Positions of samples, each list ascending unless it was shuffled. */
export interface Fold {
  readonly train: Uint32Array;
  readonly test: Uint32Array;
}

/** Labels or groups, one a sample. */
export type Labels = ArrayLike<number> | ArrayLike<string>;

export interface FoldOptions {
  /** How many; 5 unless told otherwise. */
  readonly folds?: number;
  /** Samples are drawn into the folds; `true` is seed 0. In order unless asked for. */
  readonly shuffle?: boolean | { readonly seed: number };
}

const ascending = (positions: ArrayLike<number>): Uint32Array => Uint32Array.from(positions).sort();

function orderOf(length: number, shuffle: FoldOptions["shuffle"]): Uint32Array {
  if (!shuffle) return Uint32Array.from({ length }, (_, i) => i);
  return permutation(randomKey(shuffle === true ? 0 : shuffle.seed), length);
}

/** Each part is the test of one fold, all the others its training samples. */
function foldsFrom(parts: readonly ArrayLike<number>[], length: number): Fold[] {
  return parts.map((part) => {
    const isTest = new Uint8Array(length);
    for (let i = 0; i < part.length; i++) isTest[part[i]!] = 1;
    return { train: Uint32Array.from(isTest.keys()).filter((i) => isTest[i] === 0), test: ascending(part) };
  });
}

function checkFolds(what: string, folds: number, most: number, things: string): void {
  if (Number.isInteger(folds) && folds >= 2 && folds <= most) return;
  throw new ArgumentError(
    `${what}: folds must be a whole number from 2 to the ${most} ${things}, got ${folds}`,
  );
}

/**
 * Folds of equal size: each sample is in the test of one of them. The same as scikit-learn's `KFold`.
 *
 * @throws ArgumentError unless there are 2 folds to one a sample
 * @example kFold(5, { folds: 2 })[0]!.test // [0, 1, 2]
 */
export function kFold(length: number, options: FoldOptions = {}): Fold[] {
  checkOptions("kFold", options, ["folds", "shuffle"]);
  const { folds = 5, shuffle } = options;
  checkFolds("kFold", folds, length, "samples");
  return foldsFrom(foldParts(orderOf(length, shuffle), folds), length);
}

/**
 * Folds in which each label has its share, as scikit-learn's `StratifiedKFold` cuts them.
 *
 * @throws ArgumentError when no label has as many samples as there are folds
 * @example stratifiedKFold([0, 0, 1, 1], { folds: 2 }).map(({ test }) => [...test]) // [[0, 2], [1, 3]]
 */
export function stratifiedKFold(labels: Labels, options: FoldOptions = {}): Fold[] {
  checkOptions("stratifiedKFold", options, ["folds", "shuffle"]);
  const { folds = 5, shuffle } = options;
  const counts = new Map<unknown, number>();
  for (const label of Array.from<unknown>(labels)) counts.set(label, (counts.get(label) ?? 0) + 1);
  checkFolds("stratifiedKFold", folds, Math.max(0, ...counts.values()), "samples of the largest class");
  return foldsFrom(stratifiedFoldParts(orderOf(labels.length, shuffle), labels, folds), labels.length);
}

/**
 * Folds that keep groups whole (a patient, a day, a user): no group is in training and test at once. Folds come out as equal in size
 * as a greedy choice makes them, as in scikit-learn's `GroupKFold`.
 *
 * @throws ArgumentError when there are fewer groups than folds
 * @example groupKFold(["a", "b", "a", "c"], { folds: 3 })[0]!.test // [0, 2]
 */
export function groupKFold(groups: Labels, options: { readonly folds?: number } = {}): Fold[] {
  checkOptions("groupKFold", options, ["folds"]);
  const { folds = 5 } = options;
  const all = Array.from<number | string>(groups);
  const names = [...new Set(all)].sort((a, b) => (a < b ? -1 : 1));
  checkFolds("groupKFold", folds, names.length, "groups");
  const members = new Map(names.map((name): [number | string, number[]] => [name, []]));
  all.forEach((name, i) => void members.get(name)!.push(i));
  // The largest group first, each to the fold that has the fewest samples so far.
  const bySize = names
    .slice()
    .sort((a, b) => members.get(a)!.length - members.get(b)!.length)
    .reverse();
  const parts: number[][] = Array.from({ length: folds }, () => []);
  for (const name of bySize) {
    const lightest = parts.reduce((best, part) => (part.length < best.length ? part : best));
    lightest.push(...members.get(name)!);
  }
  return foldsFrom(parts, all.length);
}

export interface TimeSeriesOptions {
  /** How many; 5 unless told otherwise. */
  readonly folds?: number;
  /** Samples in each test: ⌊samples / (folds + 1)⌋. */
  readonly testSize?: number;
  /** Samples left out between training and test. */
  readonly gap?: number;
  /** The latest so many samples alone are for training. */
  readonly maxTrainSize?: number;
}

/**
 * Folds for samples in the order of time: each test comes after all its training samples, as in scikit-learn's `TimeSeriesSplit`.
 *
 * @throws ArgumentError when there are too few samples
 * @example timeSeriesSplit(6, { folds: 2 }).map(({ train, test }) => [[...train], [...test]]) // [[[0, 1], [2, 3]], [[0, 1, 2, 3], [4, 5]]]
 */
export function timeSeriesSplit(length: number, options: TimeSeriesOptions = {}): Fold[] {
  checkOptions("timeSeriesSplit", options, ["folds", "testSize", "gap", "maxTrainSize"]);
  const { folds = 5, gap = 0, maxTrainSize = length } = options;
  checkFolds("timeSeriesSplit", folds, length - 1, "samples but one");
  const { testSize = Math.floor(length / (folds + 1)) } = options;
  for (const [name, value, least] of [
    ["testSize", testSize, 1],
    ["gap", gap, 0],
    ["maxTrainSize", maxTrainSize, 1],
  ] as const) {
    if (Number.isInteger(value) && value >= least) continue;
    throw new ArgumentError(
      `timeSeriesSplit: ${name} must be a whole number of at least ${least}, got ${value}`,
    );
  }
  const firstTest = length - folds * testSize;
  if (firstTest - gap < 1) {
    throw new ArgumentError(
      `timeSeriesSplit: ${length} samples are too few for ${folds} tests of ${testSize} and a gap of ${gap}; lower them`,
    );
  }
  const range = (from: number, to: number): Uint32Array =>
    Uint32Array.from({ length: to - from }, (_, i) => from + i);
  return Array.from({ length: folds }, (_, fold) => {
    const start = firstTest + fold * testSize;
    const end = start - gap;
    return { train: range(Math.max(0, end - maxTrainSize), end), test: range(start, start + testSize) };
  });
}
