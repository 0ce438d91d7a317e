/** Classes of unequal size: weights, and samples repeated, left out or made up. For training samples alone. */
import { ArgumentError } from "../base/errors.ts";
import { hostArray } from "../base/host-array.ts";
import { checkOptions } from "../base/options.ts";
import { fold, permutation, randomKey, uniform } from "../base/random.ts";
import { arrayDataset, type Dataset } from "../data/index.ts";
import type { FeatureDataset } from "./pipeline/fitted.ts";
import { checkNumber } from "./pipeline/operation.ts";

/** The samples of each class, classes in order. */
function samplesByClass(what: string, labels: ArrayLike<number>): Map<number, Uint32Array> {
  const members = new Map<number, number[]>();
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (!Number.isInteger(label) || label < 0)
      throw new ArgumentError(`${what}: labels[${i}] is ${label}; a label is a whole number from 0`);
    const known = members.get(label);
    if (known) known.push(i);
    else members.set(label, [i]);
  }
  if (members.size === 0) throw new ArgumentError(`${what}: there are no labels`);
  return new Map(
    [...members].sort(([a], [b]) => a - b).map(([label, rows]) => [label, Uint32Array.from(rows)]),
  );
}

/**
 * A weight for each class that makes all count the same in a loss: samples / (classes · samples of the class), as scikit-learn's
 * "balanced". A class without samples has weight 0.
 *
 * @example classWeights([0, 0, 0, 1]) // [0.6666666666666666, 2]
 */
export function classWeights(labels: ArrayLike<number>): Float64Array {
  const members = samplesByClass("classWeights", labels);
  const weights = new Float64Array(Math.max(...members.keys()) + 1);
  for (const [label, rows] of members) weights[label] = labels.length / (members.size * rows.length);
  return weights;
}

/**
 * Positions in which every class stands as often as the largest: its own samples, then some of them again, drawn with the seed.
 *
 * @example
 * const rows = arrayDataset({ x: [1, 2, 3], y: Int32Array.of(0, 0, 1) });
 * rows.subset(oversample(rows.column("y").data)).column("y").data; // [0, 0, 1, 1]
 */
export function oversample(labels: ArrayLike<number>, options: { readonly seed?: number } = {}): Uint32Array {
  checkOptions("oversample", options, ["seed"]);
  const members = samplesByClass("oversample", labels);
  const most = Math.max(...Array.from(members.values(), (rows) => rows.length));
  const key = randomKey(options.seed ?? 0);
  const extra = [...members].flatMap(([label, rows]) => {
    const missing = most - rows.length;
    return Array.from(uniform(fold(key, label), missing), (u) => rows[Math.floor(u * rows.length)]!);
  });
  return Uint32Array.from([...Array.from({ length: labels.length }, (_, i) => i), ...extra]);
}

/**
 * Positions in which every class stands as often as the smallest: some samples of the others are left out, drawn with the seed.
 *
 * @example undersample([0, 0, 0, 1], { seed: 1 }).length // 2
 */
export function undersample(
  labels: ArrayLike<number>,
  options: { readonly seed?: number } = {},
): Uint32Array {
  checkOptions("undersample", options, ["seed"]);
  const members = samplesByClass("undersample", labels);
  const least = Math.min(...Array.from(members.values(), (rows) => rows.length));
  const key = randomKey(options.seed ?? 0);
  const kept = [...members].flatMap(([label, rows]) => {
    const order = permutation(fold(key, label), rows.length).slice(0, least);
    return Array.from(order, (place) => rows[place]!);
  });
  return Uint32Array.from(kept).sort();
}

export interface SmoteOptions {
  /** Samples of its class among which a partner is drawn: 5. */
  readonly neighbors?: number;
  readonly seed?: number;
}

/**
 * Made-up samples for the smaller classes, until all are as large as the largest (SMOTE; Chawla and others 2002): each lies at a random
 * place between a sample and one of its nearest neighbours of the same class, x + u · (neighbour − x) with u from [0, 1). The samples
 * themselves come first. Scale the features before, or large ones decide alone which samples are near.
 *
 * @throws ArgumentError when a smaller class has no more samples than `neighbors`
 * @example
 * const rows = table({ x: [1, 2, 3, 10, 11], y: ["a", "a", "a", "b", "b"] });
 * const { train } = pipeline(standardize()).datasets({ train: rows }, { target: "y" });
 * smote(train, { neighbors: 1 }).column("labels").data; // [0, 0, 0, 1, 1, 1]
 */
export function smote(samples: FeatureDataset, options: SmoteOptions = {}): FeatureDataset {
  checkOptions("smote", options, ["neighbors", "seed"]);
  const { neighbors = 5, seed = 0 } = options;
  checkNumber("smote", "neighbors", neighbors, { min: 1, isInteger: true });
  const { features, labels } = samples.batch();
  if (labels.shape.length !== 1)
    throw new ArgumentError(
      "smote: the labels are numbers to predict, not classes; there is nothing to balance",
    );
  const [count, width] = features.shape as readonly [number, number];
  const members = samplesByClass("smote", labels.data);
  const most = Math.max(...Array.from(members.values(), (rows) => rows.length));
  const made: number[] = [];
  const madeLabels: number[] = [];
  for (const [label, rows] of members) {
    const missing = most - rows.length;
    if (missing === 0) continue;
    if (rows.length <= neighbors) {
      throw new ArgumentError(
        `smote: class ${label} has ${rows.length} samples, and ${neighbors} neighbours need more; lower neighbors, or use oversample()`,
      );
    }
    const near = rows.length > 0 ? nearestRows(features.data, width, rows, neighbors) : [];
    const draws = uniform(fold(randomKey(seed), label), 3 * missing);
    for (let i = 0; i < missing; i++) {
      const place = Math.floor(draws[3 * i]! * rows.length);
      const partner = near[place]![Math.floor(draws[3 * i + 1]! * neighbors)]!;
      for (let c = 0; c < width; c++) {
        const from = features.data[rows[place]! * width + c]!;
        made.push(from + draws[3 * i + 2]! * (features.data[partner * width + c]! - from));
      }
      madeLabels.push(label);
    }
  }
  const all = new Float32Array(features.data.length + made.length);
  all.set(features.data);
  all.set(made, features.data.length);
  const shape = [count + madeLabels.length, width] as const;
  return arrayDataset({
    features: hostArray("f32", shape, all),
    labels: Int32Array.from([...labels.data, ...madeLabels]),
  }) as unknown as Dataset as FeatureDataset;
}

/** For each of some rows the nearest others among them, by Euclidean distance; of equal ones the earlier. */
function nearestRows(data: Float32Array, width: number, rows: Uint32Array, count: number): number[][] {
  const squared = (a: number, b: number): number => {
    let sum = 0;
    for (let c = 0; c < width; c++) sum += (data[a * width + c]! - data[b * width + c]!) ** 2;
    return sum;
  };
  return Array.from(rows, (row) => {
    const others = Array.from(rows).filter((other) => other !== row);
    const distances = new Map(others.map((other) => [other, squared(row, other)]));
    return others.sort((a, b) => distances.get(a)! - distances.get(b)! || a - b).slice(0, count);
  });
}
