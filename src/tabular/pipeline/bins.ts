/** Steps that cut numbers into intervals, and text into so many columns by a hash. */
import { numberColumn, numbersOf, type TableColumn } from "../column.ts";
import { averagedQuantileOfSorted, sorted } from "../statistics.ts";
import { categoryTexts } from "./encode.ts";
import { type ColumnStep, checkChoice, checkNumber, columnStep, type Operation } from "./operation.ts";
import { presentNumbers } from "./scale.ts";
import { isAscending } from "./state.ts";

const strategies = ["quantile", "uniform", "kmeans"] as const;
const encodings = ["oneHot", "ordinal"] as const;

interface BinOptions {
  readonly bins: number;
  readonly strategy: (typeof strategies)[number];
  readonly encode: (typeof encodings)[number];
}

interface BinState {
  readonly [field: string]: unknown;
  /** One more than bins; the outer ones hold for the inverse alone, since values beyond them go to the outer bins. */
  readonly edges: readonly number[];
  readonly encode: string;
}

export const binOperation: Operation<BinOptions, BinState> = {
  name: "bin",
  kinds: ["number"],
  state: { edges: "numbers", encode: "string" },
  fit(column, { bins, strategy, encode }, { name }) {
    const order = sorted(presentNumbers("bin", name, column));
    return { edges: edgesOf(order, bins, strategy), encode };
  },
  outputs: (name, { edges, encode }) =>
    encode === "ordinal" ? [name] : edges.slice(1).map((_, bin) => `${name}_${bin}`),
  apply(column, { edges, encode }) {
    const bins = edges.length - 1;
    const places = Float64Array.from(numbersOf(column), (value) => binOf(value, edges));
    if (encode === "ordinal") return [numberColumn(places)];
    return Array.from({ length: bins }, (_, bin) =>
      numberColumn(
        Float32Array.from(places, (place) => (Number.isNaN(place) ? Number.NaN : Number(place === bin))),
      ),
    );
  },
  // The middle of the bin.
  invert(columns, { edges, encode }) {
    const middle = (bin: number): number => (edges[bin]! + edges[bin + 1]!) / 2;
    const placeOf = (row: number): number => columns.findIndex(({ data }) => data[row] === 1);
    return numberColumn(
      Float64Array.from(columns[0]!.data, (place, row) =>
        middle(encode === "ordinal" ? place : placeOf(row)),
      ),
    );
  },
  problem: ({ edges, encode }) =>
    edges.length >= 2 && isAscending(edges) && (encodings as readonly string[]).includes(encode)
      ? undefined
      : "has edges that do not ascend",
};

/** The bin of a value: `edges[bin] ≤ value < edges[bin + 1]`, the outer ones open to their sides; NaN for NaN. */
function binOf(value: number, edges: readonly number[]): number {
  if (Number.isNaN(value)) return value;
  let bin = 0;
  while (bin < edges.length - 2 && value >= edges[bin + 1]!) bin++;
  return bin;
}

function edgesOf(order: Float64Array, bins: number, strategy: BinOptions["strategy"]): number[] {
  const [min, max] = [order[0]!, order.at(-1)!];
  if (min === max) return [min, max];
  const uniform = linspace(min, max, bins + 1);
  if (strategy === "uniform") return uniform;
  const edges =
    strategy === "quantile"
      ? linspace(0, 100, bins + 1).map((percent) => averagedQuantileOfSorted(order, percent / 100))
      : [min, ...middles(clusterCenters(order, middles(uniform))), max];
  // Bins of no width are left out, as scikit-learn does it.
  return edges.filter((edge, i) => i === 0 || edge - edges[i - 1]! > 1e-8);
}

const middles = (values: readonly number[]): number[] =>
  values.slice(1).map((value, i) => (value + values[i]!) * 0.5);

/** `count` numbers from `from` to `to`, computed as NumPy's linspace does. */
export function linspace(from: number, to: number, count: number): number[] {
  const step = (to - from) / (count - 1);
  return Array.from({ length: count }, (_, i) => (i === count - 1 ? to : from + i * step));
}

/** k-means in one dimension by Lloyd's iteration from given centers, over sorted values. */
function clusterCenters(order: Float64Array, start: readonly number[]): number[] {
  let centers = [...start];
  for (let round = 0; round < 300; round++) {
    const cuts = middles(centers);
    const sums = centers.map(() => 0);
    const counts = centers.map(() => 0);
    let cluster = 0;
    for (const value of order) {
      while (cluster < cuts.length && value > cuts[cluster]!) cluster++;
      sums[cluster]! += value;
      counts[cluster]!++;
    }
    const next = centers.map((center, c) => (counts[c] ? sums[c]! / counts[c]! : center));
    const isSettled = next.every((center, c) => center === centers[c]);
    centers = next;
    if (isSettled) break;
  }
  return centers;
}

/**
 * Cuts numbers into intervals, as scikit-learn's `KBinsDiscretizer`: with as many training rows in each ("quantile"), of equal width
 * ("uniform"), or around the centers of k-means. Each becomes a column `name_0`, `name_1` …, or the number of its interval with
 * `encode: "ordinal"`. Missing values stay missing.
 *
 * @example
 * const t = table({ age: [5, 20, 35, 80] });
 * pipeline(bin({ bins: 2, encode: "ordinal" })).fit(t).transform(t).values("age"); // [0, 0, 1, 1]
 */
export function bin(options?: Partial<BinOptions>): ColumnStep {
  const defaults: BinOptions = { bins: 5, strategy: "quantile", encode: "oneHot" };
  const { bins, strategy, encode } = { ...defaults, ...options };
  checkNumber("bin", "bins", bins, { min: 2, max: 10_000, isInteger: true });
  checkChoice("bin", "strategy", strategy, strategies);
  checkChoice("bin", "encode", encode, encodings);
  return columnStep(binOperation, options, defaults);
}

interface HashOptions {
  readonly columns: number;
  readonly alternateSign: boolean;
}

export const hashOperation: Operation<
  HashOptions,
  { readonly columns: number; readonly alternateSign: boolean }
> = {
  name: "hashing",
  kinds: ["string", "boolean", "number"],
  state: { columns: "integer", alternateSign: "boolean" },
  fit: (_, options) => ({ ...options }),
  outputs: (name, { columns }) => Array.from({ length: columns }, (_, i) => `${name}_${i}`),
  apply(column, { columns, alternateSign }, name) {
    const results = Array.from({ length: columns }, () => new Float32Array(column.data.length));
    const hashes = new Map<string, number>();
    categoryTexts(column).forEach((text, row) => {
      if (text === null) return;
      let hash = hashes.get(text);
      if (hash === undefined) hashes.set(text, (hash = murmurHash3(`${name}=${text}`)));
      results[Math.abs(hash) % columns]![row] = alternateSign && hash < 0 ? -1 : 1;
    });
    return results.map((data): TableColumn => numberColumn(data));
  },
  problem: ({ columns }) => (columns >= 1 && columns <= 100_000 ? undefined : `has ${columns} columns`),
};

/**
 * So many columns (256) for any number of categories: "name=category" is hashed, and the column of the hash gets 1 or −1, as in
 * scikit-learn's `FeatureHasher`. Nothing is learnt, so no category is unknown; different ones may meet. Missing values are zeros.
 *
 * @example
 * const t = table({ city: ["Rome", "Oslo"] });
 * pipeline(hashing({ columns: 8 })).fit(t).transform(t).names.length; // 8
 */
export function hashing(options?: Partial<HashOptions>): ColumnStep {
  checkNumber("hashing", "columns", options?.columns ?? 256, { min: 1, max: 100_000, isInteger: true });
  return columnStep(hashOperation, options, { columns: 256, alternateSign: true });
}

/** MurmurHash3 (Appleby 2011), 32 bits, seed 0, of the text's UTF-8: a signed number. */
export function murmurHash3(text: string): number {
  const bytes = new TextEncoder().encode(text);
  const mix = (k: number): number => {
    const product = Math.imul(k, 0xcc9e2d51);
    return Math.imul((product << 15) | (product >>> 17), 0x1b873593);
  };
  let hash = 0;
  const whole = bytes.length & ~3;
  for (let i = 0; i < whole; i += 4) {
    hash ^= mix(bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24));
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let i = bytes.length - 1; i >= whole; i--) tail = (tail << 8) | bytes[i]!;
  if (bytes.length > whole) hash ^= mix(tail);
  hash ^= bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) | 0;
}
