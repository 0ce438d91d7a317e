/**
 * Batches of a dataset, epoch after epoch, from a position that can be saved and restored exactly.
 *
 * The order of an epoch is a permutation drawn from (seed, epoch): nothing but two integers has to be kept.
 */
import { monotonicMs } from "#platform";
import { ArgumentError, type SampleError } from "../base/errors.ts";
import { checkOptions } from "../base/options.ts";
import { fold, randomKey } from "../base/random.ts";
import { allocateBatch, BatchesAhead, type EpochPlan, type Gathered, gatherBatch } from "./batches.ts";
import { type Batch, type Columns, type StoredColumns, storedColumns } from "./column.ts";
import { asBatch, type Dataset } from "./dataset.ts";
import { ownOrder, shuffledOrder } from "./epoch-order.ts";
import { requireAtOnce } from "./source.ts";

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
  /**
   * Batches that `for await` has on their way beside the one in use, in arrays of their own. 1 unless told otherwise, 2 where
   * samples are read when they are delivered, two for each thread of a `workerDataset`.
   */
  readonly prefetch?: number;
  /**
   * What becomes of a sample that cannot be delivered (a damaged file, an exception in a function of `map`): `"fail"`, unless told
   * otherwise, throws a SampleError that names it; `"skip"` leaves it out of its batch, and notes it in `skipped`.
   */
  readonly corrupt?: "fail" | "skip";
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
  /** Blocks that are shuffled together, 0 where all samples are; missing where no version had blocks. */
  readonly blocksTogether?: number;
}

/**
 * Batches for `for (const { images, labels } of loader(train, …))`, or `for await`. Each such loop is one epoch; the next one
 * runs the next epoch.
 *
 * A batch's arrays are used again: they are valid until the next batch is asked for. Copy what is to be kept.
 *
 * `for await` works ahead (see `prefetch`), and is needed where samples are read when they are delivered. How far ahead, and on how
 * many threads, changes neither batches nor positions.
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
  readonly #ahead: number;
  readonly #skips: boolean;
  readonly #skipped: SampleError[] = [];
  #skippedCount = 0;
  #waitedMs = 0;
  #position: LoaderPosition;
  /** Whether the next loop goes on in the middle of an epoch: after `seek`, not after a `break`. */
  #resumes = true;
  #running: object | undefined;

  constructor(dataset: Dataset, options: LoaderOptions) {
    checkOptions("loader", options, [
      ...(["batchSize", "shuffle", "seed", "dropLast", "epoch", "stored", "prefetch", "corrupt"] as const),
    ]);
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
    const { prefetch = dataset.source.inFlight ?? 1, corrupt = "fail" } = options;
    if (!Number.isInteger(prefetch) || prefetch < 0)
      throw new ArgumentError(`loader: prefetch must be an integer of 0 or more, got ${prefetch}`);
    if (corrupt !== "fail" && corrupt !== "skip")
      throw new ArgumentError(`loader: corrupt must be "fail" or "skip", got "${corrupt}"`);
    this.#ahead = prefetch;
    this.#skips = corrupt === "skip";
    this.#position = this.#checked({ epoch, step: 0 });
  }

  /** Milliseconds in which whoever runs a loop waited for batches, over all loops: the rest of the time was not lost to data. */
  get waitedMs(): number {
    return this.#waitedMs;
  }

  /** Samples that could not be delivered and were left out, over all loops. */
  get skippedCount(): number {
    return this.#skippedCount;
  }

  /** Why, for the first hundred of them. */
  get skipped(): readonly SampleError[] {
    return this.#skipped;
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
      blocksTogether: this.#seed === null ? 0 : (this.dataset.source.blocks?.together ?? 0),
    };
  }

  /** Goes on where `state` was taken. @throws ArgumentError naming what differs when this loader would give other batches */
  restore(state: LoaderState): void {
    const { epoch: _epoch, step: _step, ...ours } = this.state();
    for (const [name, value] of Object.entries(ours)) {
      const saved = state[name as keyof typeof ours];
      if (saved === value || (saved === undefined && newerParts.includes(name))) continue;
      throw new ArgumentError(
        `loader: the saved position was taken with ${name} ${saved}, this loader has ${value}: its batches would be others; ` +
          `make it with ${name} ${saved}, or seek({ epoch, step }) to start somewhere on purpose`,
      );
    }
    this.seek(state);
  }

  /** @throws ArgumentError where samples are read when they are delivered: only `for await` can wait */
  [Symbol.iterator](): IterableIterator<Batch<C>> {
    requireAtOnce("loader", this.dataset.source, this.columns);
    const loop = this.#begin();
    const { plan } = loop;
    const buffers = allocateBatch(plan);
    let [step] = plan.steps;
    const [, end] = plan.steps;
    const iterator: IterableIterator<Batch<C>> = {
      next: () => {
        if (loop.isDone()) return { done: true, value: undefined };
        const started = monotonicMs();
        while (step < end) {
          // The samples are had at once, so this is no promise.
          const gathered = gatherBatch(plan, step++, buffers) as Gathered;
          if (gathered.count === 0) continue;
          this.#waitedMs += monotonicMs() - started;
          return { done: false, value: loop.batch(gathered) };
        }
        return loop.end(true);
      },
      return: () => loop.end(false),
      [Symbol.iterator]: () => iterator,
    };
    return iterator;
  }

  [Symbol.asyncIterator](): AsyncIterableIterator<Batch<C>> {
    const loop = this.#begin();
    const batches = new BatchesAhead(loop.plan, this.#ahead);
    const iterator: AsyncIterableIterator<Batch<C>> = {
      next: async () => {
        if (loop.isDone()) return { done: true, value: undefined };
        const started = monotonicMs();
        const gathered = await batches.next();
        this.#waitedMs += monotonicMs() - started;
        // While it was waited for, the loop may have been left, or the loader sent elsewhere.
        if (loop.isDone()) return { done: true, value: undefined };
        return gathered === undefined ? loop.end(true) : { done: false, value: loop.batch(gathered) };
      },
      return: async () => {
        batches.close();
        return loop.end(false);
      },
      [Symbol.asyncIterator]: () => iterator,
    };
    return iterator;
  }

  /** A loop over the rest of an epoch. */
  #begin(): Loop<C> {
    if (!this.#resumes && this.#position.step > 0) {
      this.#position = { epoch: this.#position.epoch + 1, step: 0 };
    }
    this.#resumes = false;
    const { epoch, step } = this.#position;
    const plan = this.#plan(epoch, step);
    const run = {};
    this.#running = run;
    let isDone = false;
    /** Batches of the full size, by the arrays they are in. */
    const full = new Map<unknown, Batch<C>>();
    return {
      plan,
      isDone: () => {
        if (isDone || this.#running === run) return isDone;
        throw new ArgumentError(
          "loader: another loop over it, or a seek, has begun since; make one loader for each loop",
        );
      },
      batch: (gathered) => {
        const next = gathered.step + 1;
        this.#position = next === this.length ? { epoch: epoch + 1, step: 0 } : { epoch, step: next };
        if (gathered.count < plan.batchSize) return this.#batchOf(gathered);
        const batch = full.get(gathered.buffers) ?? this.#batchOf(gathered);
        full.set(gathered.buffers, batch);
        return batch;
      },
      end: (isWhole) => {
        // The last batches may have been left out.
        if (isWhole && !isDone) this.#position = { epoch: epoch + 1, step: 0 };
        isDone = true;
        return { done: true, value: undefined };
      },
    };
  }

  #batchOf({ buffers, count }: Gathered): Batch<C> {
    return asBatch(this.columns, buffers, count) as Batch<C>;
  }

  #plan(epoch: number, step: number): EpochPlan {
    const { source, length: sampleCount } = this.dataset;
    const skipped = (error: SampleError): void => {
      if (this.#skippedCount++ < 100) this.#skipped.push(error);
    };
    return {
      source,
      columns: this.columns,
      order: this.#seed === null ? ownOrder : shuffledOrder(this.#seed, epoch, sampleCount, source.blocks),
      batchSize: this.batchSize,
      key: fold(randomKey(this.#keySeed), epoch),
      steps: [step, this.length],
      skipped: this.#skips ? skipped : undefined,
    };
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

/** Parts of a state that older versions do not have; they had no choice there. */
const newerParts: readonly string[] = ["keySeed", "blocksTogether"];

/** One pass over the rest of an epoch. */
interface Loop<C extends Columns> {
  readonly plan: EpochPlan;
  /** @throws ArgumentError when the loader was sent elsewhere */
  isDone(): boolean;
  /** The batch, which counts as handed out. */
  batch(gathered: Gathered): Batch<C>;
  /** After all of the epoch's batches, or before. */
  end(isWhole: boolean): { done: true; value: undefined };
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
