/** A Program as machine code, bound to the memory: ready to run any number of times. */
import { InternalError } from "../../base/errors.ts";
import type { MachineBytes } from "../../codegen/x64/assembler/assembler.ts";
import type { Isa } from "../../codegen/x64/isa.ts";
import {
  ArgumentLayout,
  flushSubnormals,
  keepSubnormals,
  modeOffset,
  poolOffset,
  positionOffset,
  statusOffset,
  threadsOffset,
  valueOffset,
} from "../../codegen/x64/layout.ts";
import { emitProgram } from "../../codegen/x64/program.ts";
import type { CheckFailure } from "../../ir/evaluate.ts";
import type { Program } from "../../ir/program.ts";
import type { RunningProgram } from "../function-run.ts";
import type { RunArguments } from "../memory-device.ts";
import type { RunnableProgram } from "../runnable-program.ts";
import { BackgroundThread } from "./background.ts";
import { type LoadedCode, loadCode, unloadCode } from "./code-memory.ts";
import { dumpObjectFile } from "./debug-files.ts";
import { faultNames } from "./faults.ts";
import type { NativeMemory } from "./memory.ts";
import type { NativeSystem } from "./system.ts";
import type { NativeThreads } from "./threads.ts";

export interface NativeOptions {
  readonly isa: Isa;
  /** Who else runs kernels. */
  readonly threads?: NativeThreads | undefined;
  /** Where programs run that leave the caller's thread. */
  readonly background?: BackgroundThread | undefined;
  /** Kernels estimated to take less run on one thread. */
  readonly parallelMicroseconds?: number | undefined;
  /** Of the largest cache; asked for when a program has large arrays. */
  readonly lastCacheBytes?: (() => number) | undefined;
  /** Subnormals stay as they are, as in JavaScript: for bit-exact tests, many times slower when there are some. */
  readonly keepsSubnormals?: boolean | undefined;
}

/** A program's code, as it can be loaded at any address. */
export interface NativeCode extends Omit<MachineBytes, "offsetOf"> {
  /** Offset of its entry. */
  readonly entry: number;
  readonly isParallel: boolean;
}

export function emitNative(program: Program, options: NativeOptions): NativeCode {
  const isShared = options.threads !== undefined;
  const { code, entry, isParallel } = emitProgram(isShared ? program : { ...program, threads: 1 }, options);
  return { bytes: code.bytes, symbols: code.symbols, codeBytes: code.codeBytes, entry, isParallel };
}

export class NativeExecutable {
  readonly program: RunnableProgram;
  private readonly system: NativeSystem;
  private readonly memory: NativeMemory;
  private readonly layout: ArgumentLayout;
  private readonly loaded: LoadedCode;
  private readonly block: number;
  /** The argument block, as words of 64 bits that hold integers below 2⁵³ in two halves. */
  private readonly words: Uint32Array;
  private readonly background: BackgroundThread;
  private readonly entryAddress: number;
  private readonly entry: (block: number) => number;
  private isDisposed = false;

  constructor(
    { program, code }: { readonly program: RunnableProgram; readonly code: NativeCode },
    system: NativeSystem,
    memory: NativeMemory,
    options: NativeOptions,
  ) {
    this.program = program;
    this.system = system;
    this.memory = memory;
    const { threads } = options;
    const { entry, isParallel } = code;
    const layout = new ArgumentLayout(program);
    this.layout = layout;
    this.loaded = loadCode(system, code);
    dumpObjectFile(code, this.loaded.address, program.name);
    faultNames(system)?.add(this.loaded, code.symbols, program.name);
    this.entryAddress = this.loaded.address + entry;
    this.entry = system.host.functionAt(this.entryAddress, 1);
    this.background = options.background ?? new BackgroundThread(system, memory);
    this.block = memory.allocate(layout.bytes);
    memory.reserveArena(program.arenaBytes);
    this.words = memory.view("u32", this.block, layout.bytes / 4) as Uint32Array;
    this.words.fill(0);
    if (isParallel && threads !== undefined) this.put(poolOffset, threads.start());
    this.put(threadsOffset, isParallel && threads !== undefined ? threads.count : 1);
    this.words[modeOffset / 4] = options.keepsSubnormals ? keepSubnormals : flushSubnormals;
  }

  /** Computes and commits; or, when a check failed, computes only and returns that check. */
  run(args: RunArguments): CheckFailure | undefined {
    this.fillBlock(args);
    this.entry(this.block);
    return this.outcome();
  }

  /** Whether `start` may be called. */
  get canStart(): boolean {
    return this.background.isFree;
  }

  /** The same on another thread. */
  start(args: RunArguments, onEnd: () => void): RunningProgram {
    this.fillBlock(args);
    const wait = this.background.start(this.entryAddress, this.block, onEnd);
    return {
      finish: () => {
        const milliseconds = wait();
        return { failure: this.outcome(), milliseconds };
      },
    };
  }

  private fillBlock(args: RunArguments): void {
    if (this.isDisposed) throw new InternalError(`program ${this.program.name} was disposed`);
    const { layout, words } = this;
    words[statusOffset / 4] = 0;
    words[statusOffset / 4 + 1] = 0;
    this.put(layout.arena, this.memory.arenaAddress);
    this.fill(layout.dimensions, args.dimensions);
    this.fill(layout.inputs, args.inputs);
    this.fill(layout.states, args.states);
    this.fill(layout.results, args.results);
    this.fill(layout.arrays, args.arrays);
  }

  private put(offset: number, value: number): void {
    this.words[offset / 4] = value % 2 ** 32;
    this.words[offset / 4 + 1] = value / 2 ** 32;
  }
  private fill(offset: number, values: ArrayLike<number>): void {
    for (let i = 0; i < values.length; i++) this.put(offset + 8 * i, values[i]!);
  }

  private outcome(): CheckFailure | undefined {
    if (this.words[statusOffset / 4] === 0) return undefined;
    const view = new DataView(this.words.buffer, this.words.byteOffset, this.layout.bytes);
    return {
      check: Number(view.getBigInt64(statusOffset, true)) - 1,
      position: Number(view.getBigInt64(positionOffset, true)),
      value: view.getFloat64(valueOffset, true),
    };
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    this.memory.free(this.block);
    faultNames(this.system)?.remove(this.loaded);
    unloadCode(this.system, this.loaded);
  }
}
