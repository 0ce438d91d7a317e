/**
 * Calls of a commit that threads run side by side: each is claimed by one thread, which runs it whole. The updates of a
 * model's many parameters are then one piece of work, with one fork and one join.
 */
import type { Kernel } from "../../ir/kernel.ts";
import type { ProgramBuffer, ProgramStep } from "../../ir/program.ts";
import type { Assembler } from "./assembler/assembler.ts";
import { at, type Label, rax, rdi, rdx, rsp } from "./assembler/operands.ts";
import { pool, poolOffset, record } from "./layout.ts";

export type Call = Extract<ProgramStep, { kind: "call" }>;

/** Less work is not worth waking threads for. */
const leastMicroseconds = 100;

/** Threads may end so much later than if the work were shared out to the last element. */
const mostUneven = 1.3;

/**
 * Splits a commit into calls that may run in any order, worth sharing out whole, and the other steps in their order. What is
 * so large that threads would wait for it stays with those: its own loop is shared.
 */
export function batchOf(
  steps: readonly ProgramStep[],
  threads: number,
  microsecondsOf: (kernel: Kernel) => number,
): { batch: readonly Call[]; others: readonly ProgramStep[] } {
  const none = { batch: [], others: steps };
  if (threads === 1) return none;
  const isFree = freedomOf(steps);
  const free = steps
    .filter((step): step is Call => step.kind === "call" && isFree(step))
    .map((call) => ({ call, cost: microsecondsOf(call.kernel) }));
  // Large ones first: the small ones then fill what is left of each thread's time.
  free.sort((a, b) => b.cost - a.cost);
  while (free.length >= threads && !isEven(free, threads)) free.shift();
  const total = free.reduce((sum, { cost }) => sum + cost, 0);
  if (free.length < threads || total < leastMicroseconds) return none;
  const batched = new Set<ProgramStep>(free.map(({ call }) => call));
  return { batch: free.map(({ call }) => call), others: steps.filter((step) => !batched.has(step)) };
}

/** Whether threads that each take the next call when they have done one end at about the same time. */
function isEven(calls: readonly { readonly cost: number }[], threads: number): boolean {
  const busy = new Array<number>(threads).fill(0);
  for (const { cost } of calls) {
    const next = busy.indexOf(Math.min(...busy));
    busy[next]! += cost;
  }
  const total = busy.reduce((sum, time) => sum + time, 0);
  return Math.max(...busy) <= (mostUneven * total) / threads;
}

/** Says of calls whether nobody else touches what they write or writes what they read, and all that they write are states. */
function freedomOf(steps: readonly ProgramStep[]): (call: Call) => boolean {
  const touching = new Map<ProgramBuffer, number>();
  const writing = new Map<ProgramBuffer, number>();
  const count = (counts: Map<ProgramBuffer, number>, buffer: ProgramBuffer): void => {
    counts.set(buffer, (counts.get(buffer) ?? 0) + 1);
  };
  let onlyCalls = true;
  for (const step of steps) {
    if (step.kind !== "call") onlyCalls = false;
    else
      step.buffers.forEach((buffer, i) => {
        count(touching, buffer);
        if (step.kernel.buffers[i]!.access !== "read") count(writing, buffer);
      });
  }
  return ({ kernel, buffers }) =>
    onlyCalls &&
    kernel.parameters.length === 0 &&
    buffers.every((buffer, i) => {
      const isRead = kernel.buffers[i]!.access === "read";
      if (isRead) return !writing.has(buffer);
      return buffer.placement.kind === "state" && touching.get(buffer) === 1;
    });
}

/** Where the function keeps the argument block's address, and the size of what it needs on the stack. */
export interface BatchFrame {
  readonly block: number;
  readonly bytes: number;
}

/** A function that every thread runs begins: room on the stack, the thread's own record in it. Gives the room's size. */
export function enterThread(a: Assembler, { block, bytes }: BatchFrame): number {
  // In kernels the stack pointer is a multiple of 64; the return address lies above.
  const room = Math.ceil((bytes + 8) / 64) * 64 - 8;
  a.emit("sub", rsp, room);
  a.emit("mov", rax, at(rdi, record.arguments));
  a.emit("mov", at(rsp, block), rax);
  a.emit("mov", at(rsp, record.arguments), rax);
  for (const word of [record.thread, record.threads]) {
    a.emit("mov", rax, at(rdi, word));
    a.emit("mov", at(rsp, word), rax);
  }
  return room;
}

/** The number of the next piece of work that no thread has claimed, in rax; rdx is lost. */
export function emitClaim(a: Assembler, { block }: BatchFrame): void {
  a.emit("mov", rdx, at(rsp, block));
  a.emit("mov", rdx, at(rdx, poolOffset));
  a.emit("mov", rax, 1);
  a.emit("lock xadd", at(rdx, pool.claimed), rax);
}

/** The function that every thread runs: claims calls until there are no more. `call(i)` writes call i's record and calls it. */
export function emitBatch(a: Assembler, count: number, frame: BatchFrame, call: (i: number) => void): void {
  const room = enterThread(a, frame);
  const next = a.here();
  emitClaim(a, frame);
  const entries: Label[] = Array.from({ length: count }, () => a.label());
  entries.forEach((entry, i) => {
    a.emit("cmp", rax, i);
    a.emit("je", entry);
  });
  a.emit("add", rsp, room);
  a.emit("ret");
  entries.forEach((entry, i) => {
    a.bind(entry);
    call(i);
    a.emit("jmp", next);
  });
}
