/**
 * A Program as machine code: a function for each kernel, and an entry `run(arguments)` that computes and, if no check
 * failed, commits.
 */
import { InternalError } from "../../base/errors.ts";
import { Dimension, maxOf, type Size, SizeExpression } from "../../base/size.ts";
import type { Index, Kernel, KernelBuffer, Loop } from "../../ir/kernel.ts";
import { countersOf, type Program, type ProgramBuffer, type ProgramStep } from "../../ir/program.ts";
import { Assembler, type MachineBytes } from "./assembler/assembler.ts";
import {
  at,
  gpr32,
  gpr64,
  type Label,
  type Memory,
  rax,
  rbp,
  rbx,
  rcx,
  rdi,
  rdx,
  rsi,
  rsp,
  xmm,
} from "./assembler/operands.ts";
import { batchOf, type Call, emitBatch, emitClaim, enterThread } from "./batch.ts";
import type { KernelOptions } from "./emitter.ts";
import type { Isa } from "./isa.ts";
import { joinLoops } from "./joined-loops.ts";
import { emitKernel } from "./kernel.ts";
import { ArgumentLayout, modeOffset, record, statusOffset, stepOffset, threadsOffset } from "./layout.ts";
import { emitReport } from "./report.ts";
import { emitFork, mostRecordWords } from "./threads.ts";

/** Where this code was loaded from: with another build, programs may differ. */
export const generatorModule = import.meta.url;

export interface ProgramCode {
  readonly code: MachineBytes;
  readonly layout: ArgumentLayout;
  /** Offset of `run(arguments)`. */
  readonly entry: number;
  /** Whether any kernel is worth several threads. */
  readonly isParallel: boolean;
  /** Values that lie in memory in all kernels together. */
  readonly spills: number;
}

export interface ProgramOptions {
  readonly isa: Isa;
  /** Kernels estimated to take less run on one thread; by default as long as pays in the program. */
  readonly parallelMicroseconds?: number | undefined;
  /** Bytes of the largest cache: what is larger and only written by a kernel goes past the caches. Left out: nothing. */
  readonly lastCacheBytes?: (() => number) | undefined;
}

export function emitProgram(program: Program, options: ProgramOptions): ProgramCode {
  return new ProgramEmitter(program, options).emit();
}

/** Rough speed of one thread. */
const flopPerMicrosecond = 60_000;
const bytesPerMicrosecond = 10_000;
/** What a kernel must take to be worth waking threads for; less in a long program, where they are still looking for work. */
const wakingMicroseconds = 20;
const awakeMicroseconds = 6;
const longProgramMicroseconds = 1000;
/** Nothing smaller is larger than a last cache: its size need not be asked for. */
const leastStreamedBytes = 2 ** 20;

/** What is no larger may lie in a second-level cache. */
const nearBytes = 2 ** 20;

/** What the entry keeps on its stack, behind the record of the kernel it calls. */
interface Frame {
  readonly bytes: number;
  readonly counters: ReadonlyMap<Index, number>;
  readonly block: number;
  /** Of the stack pointer as it was. */
  readonly stack: number;
  readonly mode: number;
}

type LoopStep = Extract<ProgramStep, { kind: "loop" }>;

/** What calls of one kernel may differ in. */
type KernelVariant = Pick<KernelOptions, "flush" | "streamed" | "far" | "isShared" | "threadBytes">;

const r8 = gpr64(8);
const saved = [rbx, rbp, gpr64(12), gpr64(13), gpr64(14), gpr64(15)];

class ProgramEmitter {
  private readonly program: Program;
  private readonly options: ProgramOptions;
  private readonly layout: ArgumentLayout;
  private readonly a = new Assembler();
  private readonly functions = new Map<Kernel, Map<string, Label>>();
  /** Kernels to write once the entry is done. */
  private readonly pending: { label: Label; kernel: Kernel; options: KernelVariant }[] = [];
  private readonly report: Label;
  private isParallel = false;
  /** Parallel loops of the program to write once the entry is done, with the counters of the loops around each. */
  private readonly shared: { label: Label; loop: LoopStep; around: readonly Index[] }[] = [];
  /** Loops around the step that is being written, outermost first. */
  private readonly around: Index[] = [];
  /** Whether what is being written runs on one thread of several, which has memory of its own. */
  private isInParallel = false;
  /** Whether rows are being put back. */
  private isUndoing = false;
  /** Calls of the commit that threads claim. */
  private batch: { readonly label: Label; readonly calls: readonly Call[] } | undefined;
  private readonly frame: Frame;
  /** What a kernel or a loop must take to be shared. */
  private readonly parallelMicroseconds: number;

  constructor(program: Program, options: ProgramOptions) {
    this.options = options;
    this.layout = new ArgumentLayout(program);
    this.report = this.a.label();
    const total = program.compute.reduce((sum, step) => sum + this.microsecondsOf(step), 0);
    this.parallelMicroseconds =
      options.parallelMicroseconds ??
      (total >= longProgramMicroseconds ? awakeMicroseconds : wakingMicroseconds);
    const { compute, threads } = program;
    const isShared = ({ kernel }: Call): boolean => this.isWorthSharing(kernel);
    this.program = threads === 1 ? program : { ...program, compute: joinLoops(compute, threads, isShared) };
    this.frame = frameOf(this.program);
  }

  emit(): ProgramCode {
    const { a, program, frame } = this;
    a.begin(`run ${program.name}`);
    const entry = a.offset;
    for (const register of saved) a.emit("push", register);
    a.emit("mov", rbp, rsp);
    a.emit("sub", rsp, frame.bytes);
    a.emit("and", rsp, -64);
    a.emit("mov", at(rsp, frame.stack), rbp);
    a.emit("mov", at(rsp, frame.block), rdi);
    a.emit("stmxcsr", at(rsp, frame.mode));
    a.emit("ldmxcsr", at(rdi, modeOffset));
    a.emit("mov", at(rsp, record.arguments), rdi);
    a.emit("mov", at(rsp, record.thread), 0);
    a.emit("mov", rax, at(rdi, threadsOffset));
    a.emit("mov", at(rsp, record.threads), rax);
    a.emit("mov", at(rdi, stepOffset), 0);
    this.steps(program.compute, false);
    const end = a.label();
    a.emit("mov", rdi, at(rsp, frame.block));
    a.emit("cmp", at(rdi, statusOffset), 0);
    const failed = a.label();
    a.emit("jne", failed);
    this.commit();
    if (program.undo.length > 0) a.emit("jmp", end);
    a.bind(failed);
    this.isUndoing = true;
    this.steps(program.undo, false);
    this.isUndoing = false;
    a.bind(end);
    a.emit("ldmxcsr", at(rsp, frame.mode));
    a.emit("vzeroupper");
    a.emit("mov", rsp, at(rsp, frame.stack));
    for (const register of [...saved].reverse()) a.emit("pop", register);
    a.emit("ret");
    this.batches();
    this.sharedLoops();
    const spills = this.kernels();
    a.align(16);
    a.begin("report a failed check");
    a.bind(this.report);
    emitReport(a);
    return { code: a.finish(), layout: this.layout, entry, isParallel: this.isParallel, spills };
  }

  private commit(): void {
    const { commit, threads } = this.program;
    const { batch, others } = batchOf(commit, threads, (kernel) => this.microseconds(kernel));
    this.steps(others, true);
    if (batch.length === 0) return;
    this.isParallel = true;
    this.batch = { label: this.a.label(), calls: batch };
    emitFork(this.a, this.batch.label, record.first / 8, this.frame);
  }

  private batches(): void {
    if (this.batch === undefined) return;
    const { a, frame } = this;
    const { label, calls } = this.batch;
    a.align(64);
    a.begin(`commit ${this.program.name}`);
    a.bind(label);
    emitBatch(a, calls.length, frame, (i) => this.call(calls[i]!, true, false));
  }

  private kernels(): number {
    const { a } = this;
    let spills = 0;
    for (const { label, kernel, options } of this.pending) {
      a.align(64);
      a.begin(kernel.name);
      a.bind(label);
      const { spills: some } = emitKernel(a, kernel, {
        ...options,
        isa: this.options.isa,
        dimensionOffset: (dimension) => this.layout.dimension(dimension),
        report: this.report,
      });
      spills += some;
    }
    return spills;
  }

  // ---- steps --------------------------------------------------------------------------------------------------

  private steps(steps: readonly ProgramStep[], isCommit: boolean): void {
    for (const step of steps) {
      if (step.kind === "call") this.call(step, isCommit);
      else if (step.kind === "loop" && this.isWorthForking(step)) this.forkLoop(step);
      else this.repeat(step, isCommit);
    }
  }

  // ---- parallel loops -----------------------------------------------------------------------------------------

  private isWorthForking(step: LoopStep): boolean {
    const { threads } = this.program;
    if (!step.isParallel || threads === 1 || this.isInParallel || this.frame.block / 8 > mostRecordWords)
      return false;
    return this.microsecondsOf(step) >= this.parallelMicroseconds;
  }

  /** All threads run the loop's function, which claims its iterations one by one. */
  private forkLoop(loop: LoopStep): void {
    const label = this.a.label();
    this.shared.push({ label, loop, around: [...this.around] });
    this.isParallel = true;
    this.a.emit("mov", rdi, at(rsp, this.frame.block));
    this.a.emit("inc", at(rdi, stepOffset));
    emitFork(this.a, label, this.frame.block / 8, this.frame);
  }

  private sharedLoops(): void {
    const { a, frame } = this;
    this.isInParallel = true;
    for (const { label, loop, around } of this.shared) {
      a.align(64);
      a.begin(`loop ${loop.index.name}`);
      a.bind(label);
      const room = enterThread(a, frame);
      for (const index of around) {
        const offset = frame.counters.get(index)!;
        a.emit("mov", rax, at(rdi, offset));
        a.emit("mov", at(rsp, offset), rax);
      }
      const [top, done] = [a.here(), a.label()];
      emitClaim(a, frame);
      a.emit("mov", this.counterOf(loop.index), rax);
      const inner = innerOf(loop);
      if (inner !== undefined) this.splitClaim(loop, inner, done);
      this.loadSize(loop.extent);
      a.emit("cmp", this.counterOf(loop.index), rax);
      a.emit("jge", done);
      this.steps(inner?.body ?? loop.body, false);
      a.emit("jmp", top);
      a.bind(done);
      a.emit("add", rsp, room);
      a.emit("ret");
    }
    this.isInParallel = false;
  }

  /** The number of a pair of iterations, which the loop's counter holds, becomes the counters of both loops. */
  private splitClaim(loop: LoopStep, inner: LoopStep, done: Label): void {
    const { a } = this;
    const [number, count] = [xmm(0), xmm(1)];
    this.loadSize(inner.extent);
    a.emit("test", rax, rax);
    a.emit("jle", done);
    a.emit("mov", rcx, this.counterOf(loop.index));
    // Of integers so small that in f64 the quotient is never rounded across one.
    a.emit("vxorps", number, number, number);
    a.emit("vcvtsi2sd", count, number, rax);
    a.emit("vcvtsi2sd", number, number, rcx);
    a.emit("vdivsd", number, number, count);
    a.emit("vcvttsd2si", rdx, number);
    a.emit("mov", this.counterOf(loop.index), rdx);
    a.emit("imul", rdx, rax);
    a.emit("sub", rcx, rdx);
    a.emit("mov", this.counterOf(inner.index), rcx);
  }

  private counterOf(index: Index): Memory {
    const offset = this.frame.counters.get(index);
    if (offset === undefined) throw new InternalError(`${index.name} is no loop's counter here`);
    return at(rsp, offset);
  }

  private repeat(step: Exclude<ProgramStep, { kind: "call" }>, isCommit: boolean): void {
    const { a } = this;
    const counter = this.counterOf(step.index);
    const [top, done] = [a.label(), a.label()];
    const range = step.kind === "loop" ? step.range : undefined;
    a.emit("mov", counter, 0);
    if (range !== undefined) this.startAt(range, counter);
    a.bind(top);
    if (step.kind === "loop") this.loadSize(step.extent);
    else this.loadNumber(step.max);
    a.emit("cmp", counter, rax);
    a.emit("jge", done);
    if (range !== undefined) {
      this.loadAddress(range);
      a.emit("movsxd", rax, at(rax, 4, 32));
      a.emit("cmp", counter, rax);
      a.emit("jge", done);
    }
    if (step.kind === "while") {
      this.loadAddress(step.condition);
      a.emit("movzx", gpr32(0), at(rax, 0, 8));
      a.emit("test", gpr32(0), gpr32(0));
      a.emit("je", done);
    }
    this.around.push(step.index);
    this.steps(step.body, isCommit);
    this.around.pop();
    a.emit("add", counter, 1);
    a.emit("jmp", top);
    a.bind(done);
  }

  /** The larger of 0 and the range's first number. */
  private startAt(range: ProgramBuffer, counter: Memory): void {
    const { a } = this;
    const below = a.label();
    this.loadAddress(range);
    a.emit("movsxd", rax, at(rax, 0, 32));
    a.emit("test", rax, rax);
    a.emit("js", below);
    a.emit("mov", counter, rax);
    a.bind(below);
  }

  private call(step: Call, isCommit: boolean, mayShare = true): void {
    const { a } = this;
    const { kernel, buffers } = step;
    if (buffers.length !== kernel.buffers.length)
      throw new InternalError(
        `${kernel.name}: called with ${buffers.length} of ${kernel.buffers.length} buffers`,
      );
    // What was there before comes back as it was.
    const mayFlush = ({ access }: KernelBuffer): boolean =>
      (isCommit || access !== "read") && !this.isUndoing;
    const flush = kernel.buffers.filter(
      (handle, i) => buffers[i]!.placement.kind === "state" && mayFlush(handle),
    );
    const isShared =
      mayShare && !this.isInParallel && this.program.threads > 1 && this.isWorthSharing(kernel);
    const scratch = kernel.buffers.flatMap((b, i) =>
      b.scope === "thread" ? [[b, buffers[i]!.bytes] as const] : [],
    );
    const target = this.kernelFunction(kernel, {
      flush: new Set(flush),
      streamed: new Set(kernel.buffers.filter((handle, i) => this.isStreamed(handle, buffers[i]!, buffers))),
      far: new Set(kernel.buffers.filter((_, i) => this.isFar(buffers[i]!))),
      isShared,
      threadBytes: new Map(scratch),
    });
    a.emit("mov", rdi, at(rsp, this.frame.block));
    if (mayShare && !this.isInParallel) a.emit("inc", at(rdi, stepOffset));
    this.passBuffers(buffers);
    countersOf(step).forEach((index, i) => {
      a.emit("mov", rax, this.counterOf(index));
      a.emit("mov", at(rsp, record.first + 8 * (buffers.length + i)), rax);
    });
    if (isShared) {
      this.isParallel = true;
      const words = record.first / 8 + buffers.length + kernel.parameters.length;
      return emitFork(a, target, words, this.frame);
    }
    a.emit("mov", rdi, rsp);
    a.emit("call", target);
  }

  /**
   * Lines of such a buffer would be read before they are written, and gone before anyone reads them. Several threads together are
   * slower past the caches than a single one is to them, so they write there only what cannot stay; one thread, when all that the
   * kernel touches cannot.
   */
  private isStreamed(
    { access }: KernelBuffer,
    { bytes, scope }: ProgramBuffer,
    all: readonly ProgramBuffer[],
  ): boolean {
    const { lastCacheBytes } = this.options;
    if (lastCacheBytes === undefined || access !== "write" || scope !== "program") return false;
    if (bytes < leastStreamedBytes) return false;
    const touched = [...new Set(all)].reduce((sum, buffer) => sum + buffer.bytes, 0);
    return (this.program.threads === 1 ? touched : bytes) > lastCacheBytes();
  }

  private isFar({ bytes, scope }: ProgramBuffer): boolean {
    return this.options.isa.fetchesRows && scope === "program" && bytes > nearBytes;
  }

  /** One parallel loop, nothing but values and registers beside it, and enough work. */
  private isWorthSharing(kernel: Kernel): boolean {
    const loops = kernel.body.filter((s) => s.kind === "loop");
    const isPlain = kernel.body.every(
      (s) => s.kind !== "store" && !(s.kind === "define" && /^check/.test(s.value.kind)),
    );
    const words = record.first / 8 + kernel.buffers.length + kernel.parameters.length;
    const [loop] = loops;
    if (!isPlain || loops.length !== 1 || loop!.mode !== "parallel" || words > mostRecordWords) return false;
    if (iterationsOf(loop!) <= 1) return false;
    return this.microseconds(kernel) >= this.parallelMicroseconds;
  }

  /** Of a step with all its iterations. */
  private microsecondsOf(step: ProgramStep): number {
    if (step.kind === "call") return this.microseconds(step.kernel);
    const body = step.body.reduce((sum, inner) => sum + this.microsecondsOf(inner), 0);
    return body * (step.kind === "loop" ? maxOf(step.extent) : step.max);
  }
  private microseconds({ cost: { flop, bytes } }: Kernel): number {
    return Math.max(flop / flopPerMicrosecond, bytes / bytesPerMicrosecond);
  }

  /** Addresses into the kernel's record; rdi points to the argument block. rax, rcx and r8 are lost. */
  private passBuffers(buffers: readonly ProgramBuffer[]): void {
    const { a, layout } = this;
    const isInArena = ({ placement: { kind } }: ProgramBuffer): boolean => kind === "arena";
    if (buffers.some(isInArena)) a.emit("mov", r8, at(rdi, layout.arena));
    buffers.forEach(({ placement, scope, bytes }, i) => {
      let address = rax;
      if (placement.kind !== "arena") a.emit("mov", rax, at(rdi, layout.address(placement)));
      else if (placement.offset === 0) address = r8;
      else if (placement.offset < 2 ** 31) a.emit("lea", rax, at(r8, placement.offset));
      else {
        a.emit("movabs", rax, BigInt(placement.offset));
        a.emit("add", rax, r8);
      }
      if (scope !== "program" && this.isInParallel) {
        if (address !== rax) a.emit("mov", rax, address);
        address = rax;
        this.addThreadCopies(bytes);
      }
      a.emit("mov", at(rsp, record.first + 8 * i), address);
    });
  }
  /** rax += the number of the thread × bytes; rcx is lost. */
  private addThreadCopies(bytes: number): void {
    const { a } = this;
    a.emit("movabs", rcx, BigInt(bytes));
    a.emit("imul", rcx, at(rsp, record.thread));
    a.emit("add", rax, rcx);
  }

  /** Into rax; rdi and rcx are lost. */
  private loadAddress(buffer: ProgramBuffer): void {
    this.loadFirstAddress(buffer);
    if (buffer.scope !== "program" && this.isInParallel) this.addThreadCopies(buffer.bytes);
  }
  private loadFirstAddress({ placement }: ProgramBuffer): void {
    const { a, layout } = this;
    a.emit("mov", rdi, at(rsp, this.frame.block));
    if (placement.kind !== "arena") return a.emit("mov", rax, at(rdi, layout.address(placement)));
    a.emit("mov", rax, at(rdi, layout.arena));
    if (placement.offset === 0) return;
    if (placement.offset < 2 ** 31) return a.emit("add", rax, placement.offset);
    a.emit("movabs", rcx, BigInt(placement.offset));
    a.emit("add", rax, rcx);
  }

  private loadNumber(value: number): void {
    this.a.emit("movabs", rax, BigInt(value));
  }
  /** Into rax; rcx, rdx and rsi are lost. */
  private loadSize(size: Size): void {
    const { a } = this;
    if (typeof size === "number") return this.loadNumber(size);
    const terms =
      size instanceof SizeExpression
        ? size.terms
        : [{ coefficient: 1, dimensions: size instanceof Dimension ? [size] : [] }];
    a.emit("mov", rdx, at(rsp, this.frame.block));
    a.emit("xor", rax, rax);
    for (const { coefficient, dimensions } of terms) {
      a.emit("movabs", rsi, BigInt(coefficient));
      for (const dimension of dimensions) a.emit("imul", rsi, at(rdx, this.layout.dimension(dimension)));
      a.emit("add", rax, rsi);
    }
  }

  private kernelFunction(kernel: Kernel, options: KernelVariant): Label {
    const { flush, streamed, far, isShared, threadBytes } = options;
    const flagOf = (buffer: KernelBuffer): string =>
      flush.has(buffer) ? "f" : streamed.has(buffer) ? "s" : "-";
    const flags = kernel.buffers.map((buffer) => flagOf(buffer) + (far.has(buffer) ? "r" : "")).join("");
    const key = `${flags}:${isShared}:${[...threadBytes.values()]}`;
    const known = this.functions.get(kernel) ?? new Map<string, Label>();
    this.functions.set(kernel, known);
    let label = known.get(key);
    if (label === undefined) {
      known.set(key, (label = this.a.label()));
      this.pending.push({ label, kernel, options });
    }
    return label;
  }
}

/** Of a parallel loop and the one it may end with: what threads can share, at most. */
function iterationsOf({ extent, step, body }: Loop): number {
  const inner = body.at(-1);
  const within = inner?.kind === "loop" && inner.mode === "parallel" ? maxOf(inner.extent) : 1;
  return Math.ceil(maxOf(extent) / step) * within;
}

/** The parallel loop that is all of another one's body. */
const innerOf = ({ body }: LoopStep): LoopStep | undefined =>
  body.length === 1 && body[0]!.kind === "loop" && body[0]!.isParallel ? body[0]! : undefined;

function frameOf(program: Program): Frame {
  let words = 0;
  const counters = new Map<Index, number>();
  const indices: Index[] = [];
  const visit = (steps: readonly ProgramStep[]): void => {
    for (const step of steps) {
      if (step.kind === "call")
        words = Math.max(words, step.kernel.buffers.length + step.kernel.parameters.length);
      else {
        indices.push(step.index);
        visit(step.body);
      }
    }
  };
  visit([...program.compute, ...program.commit, ...program.undo]);
  let end = record.first + 8 * words;
  for (const index of indices) {
    counters.set(index, end);
    end += 8;
  }
  return { counters, block: end, stack: end + 8, mode: end + 16, bytes: end + 24 + 64 };
}
