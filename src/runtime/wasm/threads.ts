/**
 * Worker threads that share the memory and run programs with the caller, which is thread 0.
 *
 * They start when the first program wants them and join when they are ready: until then fewer run, with the same bits.
 * They never keep the process alive.
 */
import { canBlock, spawnWorker } from "#platform";
import { InternalError, NetwrightError } from "../../base/errors.ts";
import { barrierBlock } from "../../codegen/wasm/layout.ts";
import type { WorkerThread } from "../../platform/platform.ts";
import type { WasmMemory } from "./memory.ts";
import {
  barrierStart,
  control,
  controlBytes,
  controlWords,
  errorOffset,
  errorUnits,
  maxThreads,
  workerSource,
} from "./thread-worker.ts";

/** What a run needs of a module: the number under which workers keep it, and its bytes in memory. */
export interface SharedModule {
  readonly number: number;
  readonly address: number;
  readonly length: number;
}

export class WasmThreads {
  /** Threads a program may use: the caller and the workers. */
  readonly count: number;
  private readonly memory: WasmMemory;
  private readonly source: string;
  private workers: WorkerThread[] = [];
  private address = 0;
  private words = new Int32Array(0);
  private barrier = new Int32Array(0);
  /** Workers that take part. */
  private admitted = 0;
  private modules = 0;
  private failure: Error | undefined;

  /** `source` is what workers run, if not the usual: for tests. */
  constructor(memory: WasmMemory, count: number, source: string = workerSource) {
    if (!memory.shared) throw new InternalError("threads need a shared memory");
    this.memory = memory;
    this.count = Math.min(count, maxThreads);
    this.source = source;
  }

  /** Starts the workers, once; returns at once. */
  start(): void {
    if (this.workers.length > 0 || this.count < 2) return;
    const { memory } = this;
    this.address = memory.allocate(controlBytes);
    this.words = new Int32Array(memory.memory.buffer, this.address, controlWords);
    new Uint8Array(memory.memory.buffer, this.address, controlBytes).fill(0);
    this.barrier = new Int32Array(memory.memory.buffer, this.barrierAddress, barrierBlock.bytes / 4);
    this.barrier[barrierBlock.mayBlock / 4] = canBlock() ? 1 : 0;
    this.admitted = 0;
    this.failure = undefined;
    const data = { memory: memory.memory, address: this.address };
    for (let i = 1; i < this.count; i++) {
      const worker = spawnWorker(this.source, data, { name: `netwright ${i}` });
      worker.onError((error) => {
        this.failure ??= error;
      });
      worker.unref();
      this.workers.push(worker);
    }
  }

  /** When all workers have started. */
  async ready(): Promise<void> {
    this.start();
    while (this.count > 1 && Atomics.load(this.words, control.started) < this.count - 1) {
      if (this.failure) throw this.failure;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  share(bytes: Uint8Array): SharedModule {
    const address = this.memory.allocate(bytes.length);
    new Uint8Array(this.memory.memory.buffer, address, bytes.length).set(bytes);
    return { number: ++this.modules, address, length: bytes.length };
  }
  unshare(module: SharedModule): void {
    this.memory.free(module.address);
  }

  /** Threads that the next run has: those that have started. Call it right before `wake`. */
  admit(): number {
    if (this.failure) return this.fail(this.failure.stack ?? this.failure.message);
    this.start();
    if (this.count < 2) return 1;
    const started = Atomics.load(this.words, control.started);
    const next = (Atomics.load(this.words, control.generation) + 1) | 0;
    while (this.admitted < started)
      Atomics.store(this.words, control.admitted + ++this.admitted, next === 0 ? 1 : next);
    return this.admitted + 1;
  }

  /** Lets the admitted workers run `module` on the argument block; the caller then runs it as thread 0. */
  wake(module: SharedModule, block: number): void {
    const { words } = this;
    words[control.module] = module.number;
    words[control.bytesAddress] = module.address;
    words[control.bytesLength] = module.length;
    words[control.block] = block;
    Atomics.add(words, control.generation, 1);
    if (Atomics.load(words, control.sleepers) > 0) Atomics.notify(words, control.generation);
  }

  /** Whether all workers take part by now. */
  get isComplete(): boolean {
    return this.admitted === this.count - 1;
  }
  /** Where the threads meet. */
  get barrierAddress(): number {
    return this.address + barrierStart;
  }
  /** Whether a worker died in the run that has just ended. */
  get hasDied(): boolean {
    return Atomics.load(this.barrier, barrierBlock.died / 4) !== 0;
  }

  /** Ends a run in which a worker died: with that worker's stack. The next run starts new workers. */
  fail(stack: string = this.errorText()): never {
    this.stop();
    throw new NetwrightError(`a worker thread died:\n${stack}`);
  }

  private errorText(): string {
    const length = Atomics.load(this.words, control.errorLength);
    const units = new Uint16Array(this.memory.memory.buffer, this.address + errorOffset, errorUnits);
    return String.fromCharCode(...units.slice(0, length));
  }

  /** Ends the workers. */
  stop(): void {
    const workers = this.workers;
    this.workers = [];
    this.failure = undefined;
    // The control block is not freed: a worker may look at it until it has ended.
    for (const worker of workers) void worker.terminate();
  }
}
