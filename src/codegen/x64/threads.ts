/**
 * Threads that wait for kernels: they look for work for a while, give the processor away for a while, then sleep on a futex.
 *
 * All work is claimed, so the caller of a kernel needs nobody: when it finds nothing more to claim it closes the job and waits
 * only for those that are inside. A thread that the system has not let run in time, because there are more threads than
 * processors, holds up nobody. Whoever comes says so first (`inside`), then asks whether the job is `open`; the caller closes
 * first, then looks who is inside: one of the two sees the other.
 */
import type { Assembler } from "./assembler/assembler.ts";
import {
  at,
  gpr32,
  gpr64,
  type Label,
  memory,
  rax,
  rbp,
  rbx,
  rcx,
  rdi,
  rdx,
  rsi,
  rsp,
} from "./assembler/operands.ts";
import { faultSignals } from "./faults.ts";
import { modeOffset, pool, poolOffset, record, threadsOffset } from "./layout.ts";

const [eax, edx, esi, ebx] = [gpr32(0), gpr32(2), gpr32(6), gpr32(3)];
const [r8, r9, r12, r13, r14] = [gpr64(8), gpr64(9), gpr64(12), gpr64(13), gpr64(14)];
const systemCalls = { maskSignals: 14, yield: 24, futex: 202 } as const;
const futexWaitPrivate = 128;
const futexWakePrivate = 129;
/** Looks before a thread gives the processor away: some microseconds. */
const looks = 300;
/** Times that a thread gives it away before it sleeps: about a millisecond; less where others want the processor. */
const [patientYields, hastyYields] = [2000, 20];
/** Words of the largest record that a thread can copy. */
export const mostRecordWords = 512;

/**
 * The main function of a thread, `f(start)`: start holds the pool's address and the thread's number. `isCrowded`: there are
 * more threads than processors.
 */
export function emitWorker(a: Assembler, { isCrowded = false }: { isCrowded?: boolean } = {}): void {
  a.begin("wait for kernels");
  for (const register of [rbx, rbp, r12, r13, r14, gpr64(15)]) a.emit("push", register);
  a.emit("mov", rbp, rsp);
  a.emit("mov", r12, at(rdi, 0));
  a.emit("mov", r13, at(rdi, 8));
  a.emit("sub", rsp, 8 * mostRecordWords + 128);
  a.emit("and", rsp, -64);
  // The last words of the frame survive the kernels, which may use every register.
  const frame = 8 * mostRecordWords;
  a.emit("mov", at(rsp, frame), r12);
  a.emit("mov", at(rsp, frame + 8), r13);
  a.emit("mov", at(rsp, frame + 16), rbp);
  a.emit("mov", at(rsp, frame + 24), 0);
  maskSignals(a);
  const [next, found, sleep, leave] = [a.here(), a.label(), a.label(), a.label()];
  a.emit("mov", r12, at(rsp, frame));
  a.emit("mov", gpr32(14), at(rsp, frame + 24, 32));
  const look = (): void => {
    a.emit("mov", eax, at(r12, pool.generation, 32));
    a.emit("cmp", eax, gpr32(14));
    a.emit("jne", found);
  };
  a.emit("mov", ebx, looks);
  const looking = a.here();
  look();
  a.emit("pause");
  a.emit("sub", ebx, 1);
  a.emit("jne", looking);
  a.emit("mov", ebx, isCrowded ? hastyYields : patientYields);
  const yielding = a.here();
  a.emit("mov", eax, systemCalls.yield);
  a.emit("syscall");
  look();
  a.emit("sub", ebx, 1);
  a.emit("jne", yielding);
  a.bind(sleep);
  a.emit("lock inc", at(r12, pool.sleepers, 32));
  const sleeping = a.here();
  a.emit("mov", rdi, r12);
  a.emit("mov", esi, futexWaitPrivate);
  a.emit("mov", edx, gpr32(14));
  a.emit("xor", gpr32(10), gpr32(10));
  a.emit("mov", eax, systemCalls.futex);
  a.emit("syscall");
  a.emit("mov", eax, at(r12, pool.generation, 32));
  a.emit("cmp", eax, gpr32(14));
  a.emit("je", sleeping);
  a.emit("lock dec", at(r12, pool.sleepers, 32));
  a.bind(found);
  a.emit("mov", at(rsp, frame + 24, 32), eax);
  a.emit("lock inc", at(r12, pool.inside, 32));
  a.emit("cmp", at(r12, pool.open, 32), 0);
  a.emit("je", leave);
  a.emit("mov", rax, at(r12, pool.kernel));
  copyRecord(a);
  a.emit("mov", rcx, at(rsp, frame + 8));
  a.emit("mov", at(rsp, record.thread), rcx);
  a.emit("ldmxcsr", at(r12, pool.mode));
  a.emit("mov", rdi, rsp);
  a.emit("call", rax);
  a.emit("mov", r12, at(rsp, frame));
  a.bind(leave);
  a.emit("lock dec", at(r12, pool.inside, 32));
  a.emit("jmp", next);
}

/** Signals belong to the threads that JavaScript runs on, those of a fault to the thread that made it. */
function maskSignals(a: Assembler): void {
  const setMask = 2;
  const faults = faultSignals.reduce((bits, { number }) => bits | (1 << (number - 1)), 0);
  a.emit("mov", at(rsp), ~faults);
  a.emit("mov", gpr32(7), setMask);
  a.emit("mov", rsi, rsp);
  a.emit("xor", edx, edx);
  a.emit("mov", gpr32(10), 8);
  a.emit("mov", eax, systemCalls.maskSignals);
  a.emit("syscall");
}

/** From where the pool says to the stack pointer; r12 is the pool. */
function copyRecord(a: Assembler): void {
  a.emit("mov", rsi, at(r12, pool.record));
  a.emit("mov", rcx, at(r12, pool.words));
  const top = a.here();
  a.emit("mov", rdx, memory({ base: rsi, index: rcx, scale: 8, displacement: -8 }));
  a.emit("mov", memory({ base: rsp, index: rcx, scale: 8, displacement: -8 }), rdx);
  a.emit("sub", rcx, 1);
  a.emit("jne", top);
}

/** Offsets in the frame of the caller that survive the kernel. */
export interface ForkFrame {
  /** Of the argument block's address. */
  readonly block: number;
}

/** Runs a kernel on whichever threads come; its record of `words` words lies at rsp. All registers are lost. */
export function emitFork(a: Assembler, kernel: Label, words: number, { block }: ForkFrame): void {
  const [awake, done, waiting, yielding] = [a.label(), a.label(), a.label(), a.label()];
  a.emit("mov", rdx, at(rsp, block));
  a.emit("mov", r8, at(rdx, poolOffset));
  a.emit("lea", rax, memory({ label: kernel }));
  a.emit("mov", at(r8, pool.kernel), rax);
  a.emit("mov", at(r8, pool.record), rsp);
  a.emit("mov", at(r8, pool.words), words);
  a.emit("mov", eax, at(rdx, modeOffset, 32));
  a.emit("mov", at(r8, pool.mode, 32), eax);
  a.emit("mov", at(r8, pool.claimed), 0);
  a.emit("mov", rcx, at(rdx, threadsOffset));
  a.emit("imul", rcx, rcx, pool.shareBytes);
  const clearing = a.here();
  a.emit("mov", memory({ base: r8, index: rcx, displacement: pool.shares - pool.shareBytes }), 0);
  a.emit("sub", rcx, pool.shareBytes);
  a.emit("jne", clearing);
  // Whoever sees the new generation must not find the job closed.
  a.emit("mov", at(r8, pool.open, 32), 1);
  a.emit("lock inc", at(r8, pool.generation, 32));
  a.emit("cmp", at(r8, pool.sleepers, 32), 0);
  a.emit("je", awake);
  a.emit("mov", rdi, r8);
  a.emit("mov", esi, futexWakePrivate);
  a.emit("mov", edx, 0x7fffffff);
  a.emit("mov", eax, systemCalls.futex);
  a.emit("syscall");
  a.bind(awake);
  a.emit("mov", rdi, rsp);
  a.emit("call", kernel);
  a.emit("mov", rdx, at(rsp, block));
  a.emit("mov", r8, at(rdx, poolOffset));
  a.emit("lock dec", at(r8, pool.open, 32));
  a.emit("mov", r9, looks);
  a.bind(waiting);
  a.emit("cmp", at(r8, pool.inside, 32), 0);
  a.emit("je", done);
  a.emit("pause");
  a.emit("sub", r9, 1);
  a.emit("jne", waiting);
  a.bind(yielding);
  a.emit("mov", eax, systemCalls.yield);
  a.emit("syscall");
  a.emit("cmp", at(r8, pool.inside, 32), 0);
  a.emit("jne", yielding);
  a.bind(done);
}
