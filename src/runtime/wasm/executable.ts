/** A Program, compiled to a module and bound to the memory: ready to run any number of times. */
import { hasEnvironment } from "#platform";
import { InternalError } from "../../base/errors.ts";
import {
  type ArgumentLayout,
  barrierBlock,
  barrierOffset,
  positionOffset,
  statusOffset,
  threadsOffset,
  valueOffset,
} from "../../codegen/wasm/layout.ts";
import { emitProgram, type ProgramOptions } from "../../codegen/wasm/program.ts";
import type { CheckFailure } from "../../ir/evaluate.ts";
import type { Program } from "../../ir/program.ts";
import { printPass } from "../debug.ts";
import type { RunArguments } from "../memory-device.ts";
import { maxPages, type WasmMemory } from "./memory.ts";
import { ThreadChoice } from "./thread-choice.ts";
import type { SharedModule, WasmThreads } from "./threads.ts";

export interface InstantiateOptions extends Pick<ProgramOptions, "fused" | "parallelMicroseconds"> {
  /** Workers for programs planned for several threads; without them one thread runs everything. */
  readonly threads?: WasmThreads;
  /** Take all threads even where one is found to be faster: for tests. */
  readonly alwaysThreads?: boolean;
}

export function instantiate(
  program: Program,
  memory: WasmMemory,
  options: InstantiateOptions = {},
): WasmExecutable {
  return new WasmExecutable(program, memory, options);
}

export class WasmExecutable {
  readonly program: Program;
  readonly moduleBytes: Uint8Array;
  readonly isParallel: boolean;
  /** Writing the module, and compiling it. */
  readonly emitMs: number;
  readonly compileMs: number;
  private readonly memory: WasmMemory;
  private readonly layout: ArgumentLayout;
  /** Where a thread that runs alone meets itself; the argument block follows. */
  private readonly ownBarrier: number;
  private readonly block: number;
  private readonly entry: (block: number, thread: number) => void;
  private readonly threads: WasmThreads | undefined;
  private readonly shared: SharedModule | undefined;
  private readonly choice = new ThreadChoice();
  private readonly alwaysThreads: boolean;
  private disposed = false;

  constructor(program: Program, memory: WasmMemory, options: InstantiateOptions) {
    this.program = program;
    this.memory = memory;
    const start = performance.now();
    const emitted = emitProgram(program, {
      ...options,
      memory: { shared: memory.shared, initialPages: 1, maximumPages: maxPages },
    });
    const written = performance.now();
    if (hasEnvironment) printPass("wasm", emitted.bytes);
    const module = new WebAssembly.Module(emitted.bytes as Uint8Array<ArrayBuffer>);
    const instance = new WebAssembly.Instance(module, { netwright: { memory: memory.memory } });
    this.emitMs = written - start;
    this.compileMs = performance.now() - written;
    this.moduleBytes = emitted.bytes;
    this.isParallel = emitted.isParallel;
    this.layout = emitted.layout;
    this.entry = instance.exports["run"] as (block: number, thread: number) => void;
    this.ownBarrier = memory.allocate(this.layout.bytes + barrierBlock.bytes);
    this.block = this.ownBarrier + barrierBlock.bytes;
    this.threads = emitted.isParallel ? options.threads : undefined;
    this.alwaysThreads = options.alwaysThreads ?? false;
    this.threads?.start();
    this.shared = this.threads?.share(emitted.bytes);
    memory.reserveArena(program.arenaBytes);
    const bytes = new Uint8Array(
      memory.memory.buffer,
      this.ownBarrier,
      this.layout.bytes + barrierBlock.bytes,
    );
    bytes.fill(0);
  }

  /** Computes and commits; or, when a check failed, computes only and returns that check. */
  run(args: RunArguments): CheckFailure | undefined {
    if (this.disposed) throw new InternalError(`program ${this.program.name} was disposed`);
    const { layout, memory, block } = this;
    const words = memory.words();
    words[(block + statusOffset) >> 2] = 0;
    words[(block + layout.arena) >> 2] = memory.arenaAddress;
    fill(words, (block + layout.dimensions) >> 2, args.dimensions);
    fill(words, (block + layout.inputs) >> 2, args.inputs);
    fill(words, (block + layout.states) >> 2, args.states);
    fill(words, (block + layout.results) >> 2, args.results);
    fill(words, (block + layout.arrays) >> 2, args.arrays);
    const { threads } = this;
    const count = threads && (this.alwaysThreads || this.choice.takesAll) ? threads.admit() : 1;
    words[(block + threadsOffset) >> 2] = count;
    words[(block + barrierOffset) >> 2] = threads?.barrierAddress ?? this.ownBarrier;
    const start = threads ? performance.now() : 0;
    if (threads && count > 1) {
      threads.wake(this.shared!, block);
      this.runAsThread0(threads);
      if (threads.hasDied) threads.fail();
    } else this.entry(block, 0);
    if (threads?.isComplete) this.choice.record(performance.now() - start);
    return words[(block + statusOffset) >> 2] === 0 ? undefined : this.failure();
  }

  private failure(): CheckFailure {
    const view = new DataView(this.memory.memory.buffer, this.block);
    return {
      check: view.getInt32(statusOffset, true) - 1,
      position: view.getInt32(positionOffset, true),
      value: view.getFloat64(valueOffset, true),
    };
  }

  /** A trap here must not leave workers waiting. */
  private runAsThread0(threads: WasmThreads): void {
    try {
      this.entry(this.block, 0);
    } catch (error) {
      threads.stop();
      throw error;
    }
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.memory.free(this.ownBarrier);
    if (this.shared) this.threads?.unshare(this.shared);
  }
}

function fill(words: Int32Array, at: number, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) words[at + i] = values[i]!;
}
