/**
 * Datasets: named columns of equal length, and the operations that make one from another without copying samples.
 */
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { type ArrayOf, countElements, type HostArray } from "../base/host-array.ts";
import { checkOptions } from "../base/options.ts";
import { permutation, type RandomKey, randomKey } from "../base/random.ts";
import { shapeText } from "../base/shape.ts";
import { cachedSource } from "./cache.ts";
import type { Batch, Columns, Sample } from "./column.ts";
import { type ColumnsOfMap, type MapFunction, type MapOptions, mapped, mappedAsync } from "./map.ts";
import type { AnyAsyncMapFunction, AnyMapFunction } from "./mapped-source.ts";
import {
  allocate,
  type Buffers,
  joinedSource,
  requireAtOnce,
  type Source,
  sampleReader,
  selectedSource,
} from "./source.ts";
import { stratifiedHalves } from "./stratify.ts";

interface SplitOptions<Name> {
  /** Of the shuffle before the split; 0 unless told otherwise. */
  readonly seed?: number;
  /** A scalar column (a label): each of its values is split in the same proportion. */
  readonly stratify?: Name;
}

/** Samples with named columns. Immutable: every operation gives another dataset on the same stored samples. `Dataset` alone has whatever columns. */
export class Dataset<C extends Columns = any> {
  /** Samples. */
  readonly length: number;
  /** For each name the shape of one sample and the dtype it is delivered in. */
  readonly columns: C;
  /** Where samples come from: for loaders and for datasets built on this one. */
  readonly source: Source;

  constructor(source: Source) {
    this.source = source;
    this.length = source.length;
    this.columns = source.columns as C;
  }

  /** The first `count` samples, or all when there are fewer. */
  take(count: number): Dataset<C> {
    if (!Number.isInteger(count) || count < 0) {
      throw new ArgumentError(`take: the count must be an integer of 0 or more, got ${count}`);
    }
    return this.slice(0, count);
  }

  /** Samples `start` to before `end`, with Array's rule for negative positions. */
  slice(start: number, end = this.length): Dataset<C> {
    const from = position(start, this.length, "slice");
    const to = position(end, this.length, "slice");
    return this.select(Uint32Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i));
  }

  /**
   * The samples at these positions, in this order, with repetition.
   *
   * @throws ArgumentError naming the position that is not an integer from 0 to length − 1
   */
  subset(indices: ArrayLike<number>): Dataset<C> {
    return this.select(this.checked(indices, "subset"));
  }

  /** The samples for which `keep` is true; it is called once for each. Arrays of a sample are valid during the call. */
  filter(keep: (sample: Sample<C>, index: number) => boolean): Dataset<C> {
    requireAtOnce("filter", this.source);
    const read = sampleReader(this.source);
    const kept: number[] = [];
    for (let i = 0; i < this.length; i++) if (keep(read(i) as Sample<C>, i)) kept.push(i);
    return this.select(Uint32Array.from(kept));
  }

  /**
   * Samples computed from these, one at a time, whenever they are delivered. The first sample tells the new columns: a number
   * is a scalar (f32, or the dtype of this dataset's column of the same name), a typed array keeps the shape of the column
   * of its name where it has as many elements and is one axis otherwise, a HostArray says what it is.
   *
   * Arrays of a sample are valid during the call. The function should give the same for the same sample and key.
   *
   * The key is for augmentation: it is drawn from (seed, epoch, index), so that a sample varies from epoch to epoch, and is
   * the same again in a run that is repeated or resumed. Loaders say seed and epoch; elsewhere both are 0. The index is the
   * position in the dataset that `map` was called on. Maps upon maps get keys that are independent of each other.
   * The columns are this dataset's: they tell the shapes of a sample's arrays.
   *
   * @example digits.map(({ images, labels }) => ({ images: images.map((x) => 1 - x), isSeven: labels === 7 ? 1 : 0 }))
   * @example digits.map(({ images, labels }, _, key) => ({ images: images.map((x) => x * draws(key).uniform(0.9, 1.1)), labels }))
   */
  map<R extends ReturnType<MapFunction<C>>>(
    compute: (sample: Sample<C>, index: number, key: RandomKey, columns: C) => R,
    options: MapOptions = {},
  ): Dataset<ColumnsOfMap<C, R>> {
    checkOptions("map", options, ["columns"]);
    // The source hands out samples of exactly these columns.
    return new Dataset(mapped(this.source, compute as unknown as AnyMapFunction, options));
  }

  /**
   * `map` by a function that may be asynchronous, over any dataset. Samples of a batch are worked on at the same time, and arrays
   * of a sample are valid until the function's promise settles. The result's samples must be waited for: by `for await` over
   * a loader, `fit`, or `load`.
   *
   * @example
   * const doubled = await digits.mapAsync(async ({ images, labels }) => ({ images: images.map((x) => 2 * x), labels }));
   * const { labels } = await doubled.load([0, 1]);
   */
  async mapAsync<R extends ReturnType<MapFunction<C>>>(
    compute: (sample: Sample<C>, index: number, key: RandomKey, columns: C) => R | Promise<R>,
    options: MapOptions = {},
  ): Promise<Dataset<ColumnsOfMap<C, R>>> {
    checkOptions("mapAsync", options, ["columns"]);
    return new Dataset(await mappedAsync(this.source, compute as unknown as AnyAsyncMapFunction, options));
  }

  /**
   * The same samples, of which as many as fit into `maxBytes` stay in memory after their first delivery, in the dtype they are
   * stored in: what is costly to read or decode is made once. The first ones that are delivered stay; others are made anew.
   *
   * Put it before functions that draw at random: what they gave for the first epoch would stay. `cachedShards` does the same on
   * a disk, for later runs too.
   *
   * @throws ArgumentError unless `maxBytes` is positive
   * @example
   * const once = digits.map(({ images, labels }) => ({ images: images.map(Math.sqrt), labels })).cached({ maxBytes: 2 ** 28 });
   */
  cached({ maxBytes }: { readonly maxBytes: number }): Dataset<C> {
    return new Dataset(cachedSource(this.source, maxBytes));
  }

  /** These samples, then those of the others. @throws ShapeError naming the column that differs */
  concat(...others: readonly Dataset<C>[]): Dataset<C> {
    for (const other of others) checkSameColumns(this.columns, other.columns);
    return new Dataset(joinedSource([this.source, ...others.map(({ source }) => source)]));
  }

  /**
   * Two datasets, shuffled: the first with `fraction` of the samples (rounded), the second with the rest.
   *
   * @throws ArgumentError when the fraction is not between 0 and 1, or leaves one of them empty
   * @example const [train, validation] = digits.split(0.9, { seed: 1, stratify: "labels" });
   */
  split(
    fraction: number,
    options: SplitOptions<keyof C & string> = {},
  ): [first: Dataset<C>, second: Dataset<C>] {
    checkOptions("split", options, ["seed", "stratify"]);
    const { seed = 0, stratify } = options;
    if (!(fraction > 0 && fraction < 1)) {
      throw new ArgumentError(`split: the fraction must be between 0 and 1, got ${fraction}`);
    }
    const firstLength = Math.round(fraction * this.length);
    if (firstLength === 0 || firstLength === this.length) {
      throw new ArgumentError(
        `split: ${fraction} of ${this.length} samples leaves an empty part; use more samples or another fraction`,
      );
    }
    const order = permutation(randomKey(seed), this.length);
    const [first, second] =
      stratify === undefined
        ? [order.slice(0, firstLength), order.slice(firstLength)]
        : stratifiedHalves(order, this.scalars(stratify), firstLength);
    return [this.select(first), this.select(second)];
  }

  /** One sample, in arrays of its own. */
  sample(index: number): Sample<C> {
    this.checkIndex(index, "sample");
    requireAtOnce("sample", this.source);
    return sampleReader(this.source)(index) as Sample<C>;
  }

  /** Samples as arrays with a leading axis, in memory of their own: all of them, or those at the given positions. */
  batch(indices?: ArrayLike<number>): Batch<C> {
    return this.gathered(
      "batch",
      this.columns,
      indices ? this.checked(indices, "batch") : this.all(),
    ) as Batch<C>;
  }

  /**
   * The same for every dataset, also where samples are read when they are delivered.
   *
   * @throws SampleError naming the sample that could not be read
   * @example const { images } = await digits.load([0, 1, 2]);
   */
  async load(indices?: ArrayLike<number>): Promise<Batch<C>> {
    const wanted = indices ? this.checked(indices, "load") : this.all();
    const buffers = allocate(this.columns, wanted.length);
    await this.source.gather(wanted, 0, wanted.length, buffers);
    return asBatch(this.columns, buffers, wanted.length) as Batch<C>;
  }

  /** One column of all samples: `digits.column("labels").data`. */
  column<N extends keyof C & string>(name: N): Batch<C>[N] {
    if (!Object.hasOwn(this.columns, name)) {
      throw new ArgumentError(
        `column: there is no "${name}"; the columns are ${Object.keys(this.columns).join(", ")}`,
      );
    }
    return (this.gathered("column", { [name]: this.columns[name]! }, this.all()) as Batch<C>)[name];
  }

  toString(): string {
    const columns = Object.entries(this.columns).map(
      ([name, { dtype, shape }]) => `${name} ${dtype} ${shapeText(shape)}`,
    );
    return `Dataset of ${this.length} samples: ${columns.join(", ")}`;
  }

  private select(indices: Uint32Array): Dataset<C> {
    return new Dataset(selectedSource(this.source, indices));
  }

  private gathered(what: string, columns: Columns, indices: Uint32Array): Record<string, HostArray> {
    requireAtOnce(what, this.source, columns);
    const buffers = allocate(columns, indices.length);
    void this.source.gather(indices, 0, indices.length, buffers);
    return asBatch(columns, buffers, indices.length);
  }

  private all(): Uint32Array {
    return Uint32Array.from({ length: this.length }, (_, i) => i);
  }

  private checked(indices: ArrayLike<number>, what: string): Uint32Array {
    for (let i = 0; i < indices.length; i++) this.checkIndex(indices[i]!, `${what}: indices[${i}]`);
    return Uint32Array.from(indices);
  }

  private scalars(name: string): ArrayLike<number> {
    const column = Object.hasOwn(this.columns, name) ? this.columns[name] : undefined;
    if (column?.shape.length === 0) return this.column(name).data;
    const names = Object.keys(this.columns).join(", ");
    const found = column ? `has samples of shape ${shapeText(column.shape)}` : `is none of ${names}`;
    throw new ArgumentError(`split: stratify needs a column of one number a sample, "${name}" ${found}`);
  }

  private checkIndex(index: number, what: string): void {
    if (Number.isInteger(index) && index >= 0 && index < this.length) return;
    throw new ArgumentError(
      `${what} is ${index}; a position must be an integer from 0 to ${this.length - 1}`,
    );
  }
}

function position(at: number, length: number, what: string): number {
  if (!Number.isInteger(at)) throw new ArgumentError(`${what}: positions must be integers, got ${at}`);
  return at < 0 ? Math.max(0, length + at) : Math.min(at, length);
}

function checkSameColumns(ours: Columns, theirs: Columns): void {
  for (const name of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    const [a, b] = [ours, theirs].map((columns) => {
      const column = Object.hasOwn(columns, name) ? columns[name] : undefined;
      return column ? `${column.dtype} ${shapeText(column.shape)}` : "missing";
    });
    if (a !== b) throw new ShapeError(`concat: column "${name}" is ${a} in one dataset and ${b} in another`);
  }
}

/** Buffers with room for at least `count` samples as arrays of exactly `count`. */
export function asBatch(columns: Columns, buffers: Buffers, count: number): Record<string, HostArray> {
  const arrays = Object.entries(columns).map(([name, { dtype, shape }]): [string, HostArray] => {
    const data = buffers[name]!.subarray(0, count * countElements(shape)) as ArrayOf<typeof dtype>;
    return [name, { dtype, shape: [count, ...shape], data }];
  });
  return Object.fromEntries(arrays);
}
