/** The threads that run kernels beside the one that calls: started at the first program that is worth it, once. */
import { processors } from "#platform";
import { PlatformError } from "../../base/errors.ts";
import { Assembler } from "../../codegen/x64/assembler/assembler.ts";
import { poolBytes } from "../../codegen/x64/layout.ts";
import { emitWorker } from "../../codegen/x64/threads.ts";
import { loadCode } from "./code-memory.ts";
import type { NativeMemory } from "./memory.ts";
import type { NativeSystem } from "./system.ts";

const startBytes = 64;

/** They never keep the process alive, and end with it. */
export class NativeThreads {
  /** The calling thread included. */
  readonly count: number;
  private readonly system: NativeSystem;
  private readonly memory: NativeMemory;
  private address: number | undefined;

  constructor(system: NativeSystem, memory: NativeMemory, count: number) {
    this.system = system;
    this.memory = memory;
    this.count = count;
  }

  /** The address of the pool's block. @throws PlatformError when the system starts no more threads */
  start(): number {
    return (this.address ??= this.startAll());
  }

  private startAll(): number {
    const { system, memory, count } = this;
    const a = new Assembler();
    emitWorker(a, { isCrowded: count > processors().allowed });
    const { address: worker } = loadCode(system, a.finish());
    const block = memory.allocate(poolBytes(count));
    memory.view("u8", block, poolBytes(count)).fill(0);
    const starts = memory.allocate(count * startBytes);
    const words = memory.view("f64", starts, (count * startBytes) / 8);
    const integers = new BigInt64Array(words.buffer, words.byteOffset, words.length);
    for (let thread = 1; thread < count; thread++) {
      const place = (thread * startBytes) / 8;
      integers[place] = BigInt(block);
      integers[place + 1] = BigInt(thread);
      const start = starts + thread * startBytes;
      const error = system.startThread(start + 16, worker, start);
      if (error !== 0)
        throw new PlatformError(
          `the system started ${thread} of ${count} threads (error ${error}); set NETWRIGHT_THREADS to ${thread}`,
        );
    }
    return block;
  }
}
