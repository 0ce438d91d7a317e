/**
 * Batches of a dataset, epoch after epoch, from a position that can be saved and restored exactly.
 *
 * The order of an epoch is a permutation drawn from (seed, epoch): nothing but two integers has to be kept.
 */
import { ArgumentError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fold, growingPermutation, randomKey } from "../base/random.ts";
import { type Batch, type Columns, type StoredColumns, storedColumns } from "./column.ts";
import { asBatch, type Dataset } from "./dataset.ts";
import { allocate } from "./source.ts";

export interface LoaderOptions {
  /** Samples a batch; 32 unless told otherwise. */
  readonly batchSize?: number;
  /** A new order each epoch, drawn from the seed; `true` is seed 0. The dataset's own order unless asked for. */
  readonly shuffle?: boolean | { readonly seed: number };
  /** Of the random keys that functions of `map` get; the seed of `shuffle` unless told otherwise, 0 without one. */
  readonly seed?: number;
  /** Leaves out a last batch with fewer than `batchSize` samples. */
  readonly dropLast?: boolean;
  /** The first epoch. */
  readonly epoch?: number;
  /** Columns stored in bytes come as these bytes (see `Column.stored`): for who divides where they are used. */
  readonly stored?: boolean;
}

/** Batches handed out: `step` of them in `epoch`. */
export interface LoaderPosition {
  readonly epoch: number;
  readonly step: number;
}

/** A position, and what it is a position in. */
export interface LoaderState extends LoaderPosition {
  readonly sampleCount: number;
  readonly batchSize: number;
  readonly dropLast: boolean;
  /** Null for the dataset's own order. */
  readonly seed: number | null;
  /** Of the keys of functions; missing in positions saved by versions that had none. */
  readonly keySeed?: number;
}

/**
 * Batches for `for (const { images, labels } of loader(train, …))`, or `for await`. Each such loop is one epoch; the next one
 * runs the next epoch.
 *
 * A batch's arrays are used again: they are valid until the next batch is asked for. Copy what is to be kept.
 *
 * @throws ArgumentError for an empty dataset, a batch size that is not a positive integer, an unknown option
 * @example
 * for (const { images, labels } of loader(train, { batchSize: 32, shuffle: { seed: 1 } })) trainStep(images, labels);
 */
export function loader<C extends Columns>(
  dataset: Dataset<C>,
  options: LoaderOptions & { readonly stored: true },
): Loader<StoredColumns<C>>;
export function loader<C extends Columns>(dataset: Dataset<C>, options?: LoaderOptions): Loader<C>;
export function loader(dataset: Dataset, options: LoaderOptions = {}): Loader<Columns> {
  return new Loader(dataset, options);
}

/** What `loader` gives. */
export class Loader<C extends Columns> implements Iterable<Batch<C>>, AsyncIterable<Batch<C>> {
  readonly dataset: Dataset;
  /** Of the batches. */
  readonly columns: C;
  readonly batchSize: number;
  /** Batches in an epoch. */
  readonly length: number;
  readonly #dropLast: boolean;
  readonly #seed: number | null;
  readonly #keySeed: number;
  #position: LoaderPosition;
  /** Whether the next loop goes on in the middle of an epoch: after `seek`, not after a `break`. */
  #resumes = true;
  #running: object | undefined;

  constructor(dataset: Dataset, options: LoaderOptions) {
    checkOptions("loader", options, ["batchSize", "shuffle", "seed", "dropLast", "epoch", "stored"]);
    const { batchSize = 32, shuffle = false, dropLast = false, epoch = 0, stored = false } = options;
    checkSizes(dataset.length, batchSize, dropLast);
    this.dataset = dataset;
    // Which of the two C describes is the function loader's business.
    this.columns = (stored ? storedColumns(dataset.columns) : dataset.columns) as C;
    this.batchSize = batchSize;
    this.length = dropLast ? Math.floor(dataset.length / batchSize) : Math.ceil(dataset.length / batchSize);
    this.#dropLast = dropLast;
    this.#seed = typeof shuffle === "object" ? shuffle.seed : shuffle ? 0 : null;
    this.#keySeed = options.seed ?? this.#seed ?? 0;
    for (const seed of [this.#seed ?? 0, this.#keySeed]) randomKey(seed);
    this.#position = this.#checked({ epoch, step: 0 });
  }

  /** How many batches were handed out: after the third of epoch 0 `{ epoch: 0, step: 3 }`, after the last `{ epoch: 1, step: 0 }`. */
  get position(): LoaderPosition {
    return this.#position;
  }

  /** The next loop begins at this position. @throws ArgumentError when an epoch has no such step */
  seek(position: LoaderPosition): void {
    this.#position = this.#checked(position);
    this.#resumes = true;
    this.#running = undefined;
  }

  /** What `restore` needs to go on from here, as plain numbers. */
  state(): LoaderState {
    return {
      ...this.#position,
      sampleCount: this.dataset.length,
      batchSize: this.batchSize,
      dropLast: this.#dropLast,
      seed: this.#seed,
      keySeed: this.#keySeed,
    };
  }

  /** Goes on where `state` was taken. @throws ArgumentError naming what differs when this loader would give other batches */
  restore(state: LoaderState): void {
    const { epoch: _epoch, step: _step, ...ours } = this.state();
    for (const [name, value] of Object.entries(ours)) {
      const saved = state[name as keyof typeof ours];
      if (saved === value || (name === "keySeed" && saved === undefined)) continue;
      throw new ArgumentError(
        `loader: the saved position was taken with ${name} ${saved}, this loader has ${value}: its batches would be others; ` +
          `make it with ${name} ${saved}, or seek({ epoch, step }) to start somewhere on purpose`,
      );
    }
    this.seek(state);
  }

  [Symbol.iterator](): IterableIterator<Batch<C>> {
    if (!this.#resumes && this.#position.step > 0) {
      this.#position = { epoch: this.#position.epoch + 1, step: 0 };
    }
    this.#resumes = false;
    const run = {};
    this.#running = run;
    const batchOf = this.#batches(this.#position.epoch);
    let { step } = this.#position;
    const { epoch } = this.#position;
    let isDone = false;
    const iterator: IterableIterator<Batch<C>> = {
      next: () => {
        if (isDone) return { done: true, value: undefined };
        if (this.#running !== run) {
          throw new ArgumentError(
            "loader: another loop over it, or a seek, has begun since; make one loader for each loop",
          );
        }
        if (step === this.length) {
          isDone = true;
          return { done: true, value: undefined };
        }
        const value = batchOf(step++);
        this.#position = step === this.length ? { epoch: epoch + 1, step: 0 } : { epoch, step };
        return { done: false, value };
      },
      return: () => {
        isDone = true;
        return { done: true, value: undefined };
      },
      [Symbol.iterator]: () => iterator,
    };
    return iterator;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Batch<C>> {
    const batches = this[Symbol.iterator]();
    const iterator: AsyncIterableIterator<Batch<C>> = {
      next: async () => batches.next(),
      return: async () => batches.return!(),
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** Batch number `step` of an epoch, in arrays that every batch of the loop shares. */
  #batches(epoch: number): (step: number) => Batch<C> {
    const { columns } = this;
    const { source, length: sampleCount } = this.dataset;
    const { order, settle } = this.#order(epoch);
    const buffers = allocate(columns, Math.min(this.batchSize, sampleCount));
    const delivery = { key: fold(randomKey(this.#keySeed), epoch) };
    const full = asBatch(columns, buffers, Math.min(this.batchSize, sampleCount));
    return (step) => {
      const start = step * this.batchSize;
      const count = Math.min(this.batchSize, sampleCount - start);
      settle(start + count);
      source.gather(order, start, count, buffers, delivery);
      return (count === this.batchSize ? full : asBatch(columns, buffers, count)) as Batch<C>;
    };
  }

  /** The order of an epoch, drawn as far as batches need it: a first step should not wait for a whole permutation. */
  #order(epoch: number): { readonly order: Uint32Array; settle(end: number): void } {
    const sampleCount = this.dataset.length;
    if (this.#seed !== null) return growingPermutation(fold(randomKey(this.#seed), epoch), sampleCount);
    const order = new Uint32Array(sampleCount);
    for (let i = 0; i < sampleCount; i++) order[i] = i;
    return { order, settle: () => {} };
  }

  #checked({ epoch, step }: LoaderPosition): LoaderPosition {
    if (!Number.isSafeInteger(epoch) || epoch < 0) {
      throw new ArgumentError(`loader: the epoch must be an integer of 0 or more, got ${epoch}`);
    }
    if (!Number.isInteger(step) || step < 0 || step >= this.length) {
      throw new ArgumentError(`loader: an epoch has steps 0 to ${this.length - 1}, got step ${step}`);
    }
    return { epoch, step };
  }
}

function checkSizes(sampleCount: number, batchSize: number, dropLast: boolean): void {
  if (sampleCount === 0) {
    throw new ArgumentError(
      "loader: the dataset is empty (0 samples); check the files or the filter it came from",
    );
  }
  if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
    throw new ArgumentError(`loader: batchSize must be an integer of 1 or more, got ${batchSize}`);
  }
  if (dropLast && sampleCount < batchSize) {
    throw new ArgumentError(
      `loader: with dropLast, ${sampleCount} samples in batches of ${batchSize} give no batch at all; lower batchSize`,
    );
  }
}
