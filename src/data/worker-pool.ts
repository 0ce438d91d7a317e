/** Threads that make batches of a dataset, each with a copy of it of its own, made by the same exported function. */
import { canShareMemory, spawnWorker, type WorkerThread } from "#platform";
import {
  ArgumentError,
  FileError,
  FormatError,
  PlatformError,
  SampleError,
  ShapeError,
} from "../base/errors.ts";
import type { RandomKey } from "../base/random.ts";
import type { Columns } from "./column.ts";
import type { Buffers } from "./source.ts";

/** Where a dataset comes from, so that every thread can make it. */
export interface DatasetModule {
  readonly url: string;
  /** Of the exported function. */
  readonly name: string;
  readonly arguments: readonly unknown[];
}

/** What a thread says of its dataset. */
export interface Description {
  readonly length: number;
  readonly columns: Columns;
  readonly mapDepth: number;
}

/** Samples to be written into arrays of shared memory, or into copies that come back where none can be shared. */
export interface GatherRequest {
  readonly indices: Uint32Array;
  readonly into: Buffers;
  readonly key: RandomKey;
  /** Whether samples that cannot be delivered are told, rather than thrown. */
  readonly skips: boolean;
}

export interface Gathering {
  readonly failures: readonly (readonly [place: number, error: PlainError])[];
  /** Where memory is not shared. */
  readonly into?: Buffers;
}

/** An error as threads send it: messages keep no classes. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly index?: number;
}

/** One of these comes back for every request. */
type Answer = { readonly id: number } & ({ readonly result: unknown } | { readonly error: PlainError });

/**
 * The script of a thread. It stands alone, so that no bundler can lose it: the user's module brings Netwright along, and is
 * imported by its address.
 */
const script = `
const plain = (error) => error instanceof Error
  ? { name: error.name, message: error.message, stack: error.stack, index: error.index }
  : { name: "Error", message: String(error) };
const mistake = (message) => Object.assign(new Error(message), { name: "ArgumentError" });
const made = (async () => {
  const module = await import(data.url);
  const make = module[data.name];
  if (typeof make !== "function") {
    throw mistake("workerDataset: " + data.url + " exports no function " + JSON.stringify(data.name) +
      "; it exports " + (Object.keys(module).join(", ") || "nothing"));
  }
  const dataset = await make(...data.arguments);
  if (typeof dataset?.source?.gather !== "function") {
    throw mistake("workerDataset: " + data.name + " gave " + String(dataset) + "; it must give a Dataset");
  }
  return dataset.source;
})();
made.catch(() => {});
const gather = async (source, { indices, into, key, skips }) => {
  const failures = [];
  const failed = (place, error) => {
    if (!skips) throw error;
    failures.push([place, plain(error)]);
  };
  await source.gather(indices, 0, indices.length, into, { key, failed });
  return data.isShared ? { failures } : { failures, into };
};
onMessage(async ({ id, request }) => {
  try {
    const source = await made;
    const { length, columns, mapDepth } = source;
    postMessage({ id, result: request ? await gather(source, request) : { length, columns, mapDepth } });
  } catch (error) {
    postMessage({ id, error: plain(error) });
  }
});
`;

interface Request {
  readonly resolve: (result: any) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: WorkerThread;
  readonly requests: Map<number, Request>;
}

export class WorkerPool {
  readonly #module: DatasetModule;
  readonly #size: number;
  #threads: Thread[] = [];
  #nextId = 0;

  constructor(module: DatasetModule, size: number) {
    this.#module = module;
    this.#size = size;
  }

  describe(): Promise<Description> {
    return this.#ask(undefined);
  }

  gather(request: GatherRequest): Promise<Gathering> {
    return this.#ask(request);
  }

  /** Ends the threads; the next request starts others. */
  close(): void {
    const threads = this.#threads;
    this.#threads = [];
    for (const { worker } of threads) void worker.terminate();
  }

  #ask(request: GatherRequest | undefined): Promise<any> {
    const { worker, requests } = this.#leastBusy();
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      // A process waits for batches that were asked for, not for threads that have nothing to do.
      if (requests.size === 0) worker.ref();
      requests.set(id, { resolve, reject });
      worker.postMessage({ id, request });
    });
  }

  /** A thread with nothing to do, one more as long as there may be more, else the one with the fewest requests. */
  #leastBusy(): Thread {
    const idle = this.#threads.find(({ requests }) => requests.size === 0);
    if (idle !== undefined) return idle;
    if (this.#threads.length < this.#size) return this.#started();
    return this.#threads.reduce((best, thread) =>
      thread.requests.size < best.requests.size ? thread : best,
    );
  }

  #started(): Thread {
    const data = { ...this.#module, isShared: canShareMemory() };
    const worker = spawnWorker(script, data, { name: `loader ${this.#threads.length}` });
    const thread: Thread = { worker, requests: new Map() };
    worker.onMessage((message) => answered(thread, message as Answer));
    worker.onError((error) => this.#died(thread, error));
    worker.unref();
    this.#threads.push(thread);
    return thread;
  }

  /** All that was asked of a dead thread fails with what it died of. The others go as well: they belong to a run that ends. */
  #died({ requests }: Thread, cause: Error): void {
    const error = new PlatformError(`a loading thread died: ${cause.message}`, { cause });
    if (cause.stack !== undefined) error.stack = `${error.name}: ${error.message}\n${cause.stack}`;
    const waiting = [requests, ...this.#threads.map((thread) => thread.requests)];
    this.close();
    for (const each of waiting) for (const { reject } of each.values()) reject(error);
  }
}

function answered({ worker, requests }: Thread, answer: Answer): void {
  const request = requests.get(answer.id);
  if (request === undefined) return;
  requests.delete(answer.id);
  if (requests.size === 0) worker.unref();
  if ("error" in answer) request.reject(revived(answer.error));
  else request.resolve(answer.result);
}

/** Of mistakes and files, as the thread's own would be: who catches them on this thread can tell. */
const classes = { ArgumentError, FileError, FormatError, PlatformError, ShapeError };

/** The error with its class's name and the stack of the thread that threw it. */
export function revived({ name, message, stack, index }: PlainError): SampleError | Error {
  const Class = Object.hasOwn(classes, name) ? classes[name as keyof typeof classes] : Error;
  const error = index === undefined ? new Class(message) : new SampleError(message, index);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}
