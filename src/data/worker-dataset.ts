/** Datasets that are made, sample by sample, on other threads. */
import { availableParallelism, canShareMemory } from "#platform";
import { ArgumentError } from "../base/errors.ts";
import { countElements } from "../base/host-array.ts";
import { checkOptions } from "../base/options.ts";
import type { Columns } from "./column.ts";
import { Dataset } from "./dataset.ts";
import { sampleError } from "./sample-error.ts";
import { allocate, type Buffers, type Delivery, plainDelivery, type Source } from "./source.ts";
import { type DatasetModule, type Description, revived, WorkerPool } from "./worker-pool.ts";

export interface WorkerDatasetOptions {
  /** Given to the function: whatever a structured clone can hold. Arrays in shared memory are shared, all else is copied. */
  readonly arguments?: readonly unknown[];
  /** Threads; one less than there are processors for this process, at least 1, unless told otherwise. 0 makes samples on this thread. */
  readonly workers?: number;
}

/**
 * A dataset whose samples are made on other threads: reading, decoding and functions of `map` run there, and batches arrive in
 * shared memory.
 *
 * Functions cannot be sent to threads, but every thread can import the module in which they stand. So the dataset is made by an
 * exported function of a module of its own, called once in each thread. What is computed must depend on its arguments, the
 * sample and the sample's key alone: then batches are the same, bit for bit, for any number of threads. What is done to
 * the dataset that comes back (`slice`, `subset`, `concat`) is known to this thread alone; a `map` here runs here.
 *
 * An error in a thread is thrown to who waits for the batch, with the thread's own stack; so is the end of a thread that dies.
 * Threads that have nothing to do keep no process alive.
 *
 * @param module address of the module, `new URL("./photos.js", import.meta.url)`
 * @param name of its exported function, which gives a Dataset or a promise of one
 * @throws ArgumentError for an address that is none or a number of workers that is none; what the module or its function throws
 * @example
 * // not run: it needs a module photos.js
 * // photos.ts: export const training = (folder: string) => imageFolder(folder).map(augment);
 * const photos = await workerDataset(new URL("./photos.js", import.meta.url), "training", { arguments: ["photos"], workers: 4 });
 * await fit(model, photos, { loss: crossEntropy, optimizer: adam() });
 */
export async function workerDataset<C extends Columns = Columns>(
  module: URL | string,
  name: string,
  options: WorkerDatasetOptions = {},
): Promise<Dataset<C>> {
  checkOptions("workerDataset", options, ["arguments", "workers"]);
  const { arguments: values = [], workers = Math.max(1, availableParallelism() - 1) } = options;
  if (!Number.isInteger(workers) || workers < 0)
    throw new ArgumentError(`workerDataset: workers must be an integer of 0 or more, got ${workers}`);
  const url = addressOf(module);
  if (workers === 0) return onThisThread(url, name, values);
  const pool = new WorkerPool({ url, name, arguments: values }, workers);
  return new Dataset(pooledSource(pool, workers, await pool.describe()));
}

function addressOf(module: URL | string): string {
  if (URL.canParse(String(module))) return String(module);
  throw new ArgumentError(
    `workerDataset: "${module}" is no address of a module; give one such as new URL("./photos.js", import.meta.url)`,
  );
}

async function onThisThread<C extends Columns>(
  url: DatasetModule["url"],
  name: string,
  values: readonly unknown[],
): Promise<Dataset<C>> {
  const exported = await import(/* @vite-ignore */ url);
  if (typeof exported[name] !== "function") {
    const names = Object.keys(exported).join(", ") || "nothing";
    throw new ArgumentError(`workerDataset: ${url} exports no function "${name}"; it exports ${names}`);
  }
  const dataset: unknown = await exported[name](...values);
  const source = (dataset as Partial<Dataset> | undefined)?.source;
  if (typeof source?.gather === "function") return new Dataset(source);
  throw new ArgumentError(`workerDataset: ${name} gave ${String(dataset)}; it must give a Dataset`);
}

/** Threads go with the last dataset that needs them. */
const unused = new FinalizationRegistry<WorkerPool>((pool) => pool.close());

function pooledSource(pool: WorkerPool, workers: number, { length, columns, mapDepth }: Description): Source {
  const source: Source = {
    length,
    columns,
    mapDepth,
    later: new Set(Object.keys(columns)),
    inFlight: 2 * workers,
    wantsSharedMemory: canShareMemory(),
    gather: (indices, start, count, into, delivery = plainDelivery) =>
      gatherIn(pool, source, indices.slice(start, start + count), into, delivery),
  };
  unused.register(source, pool);
  return source;
}

async function gatherIn(
  pool: WorkerPool,
  { columns }: Source,
  indices: Uint32Array,
  into: Buffers,
  { key, failed }: Delivery,
): Promise<void> {
  const shared = inSharedMemory(into)
    ? into
    : allocate(asked(columns, into), indices.length, canShareMemory());
  const result = await pool.gather({ indices, into: shared, key, skips: failed !== undefined });
  const filled = result.into ?? shared;
  if (filled !== into) {
    for (const [name, array] of Object.entries(into)) {
      const size = indices.length * countElements(columns[name]!.shape);
      array.set(filled[name]!.subarray(0, size));
    }
  }
  for (const [place, error] of result.failures) failed!(place, sampleError(revived(error), indices[place]!));
}

/** The columns that have an array, in the dtype of that array. */
const asked = (columns: Columns, into: Buffers): Columns =>
  Object.fromEntries(
    Object.entries(columns).flatMap(([name, { shape, dtype, stored }]) => {
      const array = into[name];
      if (array === undefined) return [];
      const isStored = stored !== undefined && array.BYTES_PER_ELEMENT === 1;
      return [[name, { shape, dtype: isStored ? stored.dtype : dtype }]];
    }),
  );

const inSharedMemory = (into: Buffers): boolean =>
  canShareMemory() && Object.values(into).every(({ buffer }) => buffer instanceof SharedArrayBuffer);
