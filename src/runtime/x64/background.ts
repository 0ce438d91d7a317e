/**
 * One program at a time on a thread of Node's pool: generated code calls it and raises a flag, on which a caller in a hurry
 * may sleep. The event loop hears of the end when it comes to it.
 */
import { Assembler } from "../../codegen/x64/assembler/assembler.ts";
import { at, gpr32, gpr64, type Memory, rax, rbx, rdi } from "../../codegen/x64/assembler/operands.ts";
import { loadCode } from "./code-memory.ts";
import type { NativeMemory } from "./memory.ts";
import type { NativeSystem } from "./system.ts";

/** Offsets in the block that both threads see. */
const call = { entry: 0, argument: 8, began: 16, ended: 32, done: 64, bytes: 128 } as const;
/** `clock_gettime` of the clock that never goes back: seconds and nanoseconds, 8 bytes each. */
const clock = { systemCall: 228, monotonic: 1 } as const;
const futex = { systemCall: 202, waitPrivate: 128, wakePrivate: 129 } as const;
/** Looks before the waiting thread sleeps: some microseconds. */
const looks = 300;

/** Ends that the event loop has yet to hear of: a caller that reads in the call may begin many before it comes to that. */
const mostUnheard = 8;

export class BackgroundThread {
  private readonly system: NativeSystem;
  private readonly memory: NativeMemory;
  private code: Loaded | undefined;
  private unheard = 0;

  constructor(system: NativeSystem, memory: NativeMemory) {
    this.system = system;
    this.memory = memory;
  }

  /** Whether one more may be started: the pool's calls are counted, and given back by the event loop alone. */
  get isFree(): boolean {
    return this.unheard < mostUnheard;
  }

  /**
   * Calls the function at `entry`; what it gives sleeps until that has returned, and tells how many milliseconds it took on its own
   * thread: how soon the caller looks does not count. Not before the last one has ended.
   */
  start(entry: number, argument: number, onEnd: () => void): () => number {
    const { block, words, run, wait } = (this.code ??= this.load());
    words[call.entry / 8] = BigInt(entry);
    words[call.argument / 8] = BigInt(argument);
    words[call.done / 8] = 0n;
    this.unheard++;
    run(block, () => {
      this.unheard--;
      onEnd();
    });
    return () => {
      wait(block);
      const [seconds, nanoseconds] = [0, 8].map((part) =>
        Number(words[(call.ended + part) / 8]! - words[(call.began + part) / 8]!),
      ) as [number, number];
      return seconds * 1e3 + nanoseconds / 1e6;
    };
  }

  private load(): Loaded {
    const a = new Assembler();
    const runLabel = a.label();
    a.begin("run a program on another thread");
    a.bind(runLabel);
    emitRun(a);
    a.align(16);
    a.begin("wait for a program");
    const waitLabel = a.here();
    emitWait(a);
    const code = a.finish();
    const { address } = loadCode(this.system, code);
    const block = this.memory.allocate(call.bytes);
    const bytes = this.memory.view("f64", block, call.bytes / 8);
    return {
      block,
      words: new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.length),
      run: this.system.host.backgroundFunctionAt(address + code.offsetOf(runLabel)),
      wait: this.system.host.functionAt(address + code.offsetOf(waitLabel), 1),
    };
  }
}

interface Loaded {
  readonly block: number;
  readonly words: BigInt64Array;
  readonly run: (block: number, onEnd: () => void) => void;
  readonly wait: (block: number) => number;
}

const flag = (base: typeof rdi): Memory => at(base, call.done, 32);

function emitRun(a: Assembler): void {
  a.emit("push", rbx);
  a.emit("mov", rbx, rdi);
  emitTime(a, at(rbx, call.began));
  a.emit("mov", rdi, at(rbx, call.argument));
  a.emit("mov", rax, at(rbx, call.entry));
  a.emit("call", rax);
  emitTime(a, at(rbx, call.ended));
  a.emit("mov", flag(rbx), 1);
  a.emit("lea", rdi, at(rbx, call.done));
  a.emit("mov", gpr32(6), futex.wakePrivate);
  a.emit("mov", gpr32(2), 1);
  a.emit("mov", gpr32(0), futex.systemCall);
  a.emit("syscall");
  a.emit("pop", rbx);
  a.emit("ret");
}

function emitTime(a: Assembler, place: Memory): void {
  a.emit("mov", gpr32(7), clock.monotonic);
  a.emit("lea", gpr64(6), place);
  a.emit("mov", gpr32(0), clock.systemCall);
  a.emit("syscall");
}

function emitWait(a: Assembler): void {
  const [end, top] = [a.label(), a.label()];
  const count = gpr32(1);
  a.emit("mov", count, looks);
  a.bind(top);
  a.emit("cmp", flag(rdi), 0);
  a.emit("jne", end);
  a.emit("pause");
  a.emit("sub", count, 1);
  a.emit("jne", top);
  const sleep = a.here();
  a.emit("cmp", flag(rdi), 0);
  a.emit("jne", end);
  a.emit("mov", gpr64(8), rdi);
  a.emit("lea", rdi, at(gpr64(8), call.done));
  a.emit("mov", gpr32(6), futex.waitPrivate);
  a.emit("xor", gpr32(2), gpr32(2));
  a.emit("xor", gpr32(10), gpr32(10));
  a.emit("mov", gpr32(0), futex.systemCall);
  a.emit("syscall");
  a.emit("mov", rdi, gpr64(8));
  a.emit("jmp", sleep);
  a.bind(end);
  a.emit("ret");
}
