/**
 * A Program as a module: a function for each kernel, and `run(arguments, thread)`, which every thread of a run calls:
 * it computes and, if no check failed, commits; else it undoes what it has written of states. Small kernels and those without a parallel loop run on thread 0.
 */
import { InternalError } from "../../base/errors.ts";
import { boundsOf } from "../../base/size.ts";
import type { Index, Kernel, KernelBuffer, Statement } from "../../ir/kernel.ts";
import { countersOf, type Program, type ProgramBuffer, type ProgramStep } from "../../ir/program.ts";
import { argumentsParameter, Emitter } from "./emitter.ts";
import { emitKernel } from "./kernel.ts";
import { ArgumentLayout, statusOffset, threadsOffset } from "./layout.ts";
import { type MemoryImport, ModuleBuilder } from "./module.ts";
import { emitBarrier, emitReport } from "./threads.ts";

export interface ProgramOptions {
  readonly memory: MemoryImport;
  /** Multiply-adds fuse (relaxed SIMD): only where a probe showed that they do. */
  readonly fused?: boolean;
  /** Kernels estimated to take less run on one thread. */
  readonly parallelMicroseconds?: number;
}

export interface ProgramModule {
  readonly bytes: Uint8Array;
  readonly layout: ArgumentLayout;
  /** Whether any kernel is worth several threads; if not, one thread calls `run`. */
  readonly isParallel: boolean;
}

export function emitProgram(program: Program, options: ProgramOptions): ProgramModule {
  const emitter = new ProgramEmitter(program, options);
  return emitter.emit();
}

const threadParameter = 1;

type LoopStep = Extract<ProgramStep, { kind: "loop" }>;

/** What has been done since all threads last met. */
interface Pending {
  serial: boolean;
  parallel: boolean;
}

class ProgramEmitter {
  private readonly program: Program;
  private readonly options: ProgramOptions;
  private readonly layout: ArgumentLayout;
  private readonly module: ModuleBuilder;
  private readonly functions = new Map<Kernel, Map<string, number>>();
  private readonly isParallel: boolean;
  private readonly stepGlobal: number;
  private readonly barrierFunction: number;
  private readonly reportFunction: number;
  private e!: Emitter;
  private arena = 0;
  private counters = new Map<Index, number>();
  private pending: Pending = { serial: false, parallel: false };
  /** Whether rows are being put back. */
  private isUndoing = false;

  constructor(program: Program, options: ProgramOptions) {
    this.program = program;
    this.options = options;
    this.layout = new ArgumentLayout(program);
    this.module = new ModuleBuilder(program.name, options.memory);
    this.isParallel =
      program.threads > 1 &&
      options.memory.shared &&
      this.hasParallel([...program.compute, ...program.commit, ...program.undo]);
    this.stepGlobal = this.module.global();
    this.reportFunction = emitReport(this.module, this.stepGlobal, this.isParallel);
    this.barrierFunction = this.isParallel ? emitBarrier(this.module) : -1;
  }

  emit(): ProgramModule {
    const { module, program } = this;
    const compute = this.walk("compute", program.compute, false);
    const commit = this.walk("commit", program.commit, true);
    const undo = program.undo.length === 0 ? undefined : this.walkUndo();
    this.start();
    const { code } = this.e;
    code.i32(0);
    code.globalSet(this.stepGlobal);
    const call = (index: number): void => {
      code.get(argumentsParameter);
      code.get(threadParameter);
      code.call(index);
    };
    call(compute);
    code.get(argumentsParameter);
    code.memory("i32.load", statusOffset);
    code.op("i32.eqz");
    code.if(() => call(commit), undo === undefined ? undefined : () => call(undo));
    // Once a thread has left, the next run may write to the argument block: all must have read the status.
    if (this.isParallel) call(this.barrierFunction);
    const run = module.declare();
    this.define(run, "run");
    for (const [name, index] of Object.entries({ compute, commit, run })) module.export(name, index);
    return { bytes: module.encode(), layout: this.layout, isParallel: this.isParallel };
  }

  private start(): void {
    this.e = new Emitter(2, {
      fused: this.options.fused ?? false,
      dimensionOffset: (dimension) => this.layout.dimension(dimension),
    });
  }
  private define(index: number, name: string): void {
    const { e } = this;
    const type = { parameters: ["i32", "i32"], results: [] } as const;
    this.module.define(index, name, type, e.locals, [e.prologue, e.code]);
  }

  private walkUndo(): number {
    this.isUndoing = true;
    const index = this.walk("undo", this.program.undo, false);
    this.isUndoing = false;
    return index;
  }

  private walk(name: string, steps: readonly ProgramStep[], isCommit: boolean): number {
    this.start();
    const { e } = this;
    this.arena = e.atStart(() => {
      e.code.get(argumentsParameter);
      e.code.memory("i32.load", this.layout.arena);
    });
    this.counters = new Map();
    this.pending = { serial: false, parallel: false };
    this.steps(steps, isCommit);
    if (this.pending.serial || this.pending.parallel) this.barrier();
    const index = this.module.declare();
    this.define(index, name);
    return index;
  }

  // ---- steps --------------------------------------------------------------------------------------------------

  private steps(steps: readonly ProgramStep[], isCommit: boolean): void {
    for (const step of steps) this.step(step, isCommit);
  }

  private step(step: ProgramStep, isCommit: boolean): void {
    if (step.kind === "call") return this.call(step, isCommit);
    if (!this.isParallel) return this.repeat(step, isCommit);
    // In a shared loop a parallel one is what threads share.
    if (this.isInParallel) return this.repeat(step, isCommit, step.kind === "loop" && step.isParallel);
    if (step.kind === "loop" && this.isWorthSharing(step)) return this.sharedLoop(step, isCommit);
    if (this.hasParallel([step])) return this.meetingLoop(step, isCommit);
    // Other threads count the steps that thread 0 takes alone as if it took as many as it can.
    const { e } = this;
    const before = e.locals.take("i32");
    e.code.globalGet(this.stepGlobal);
    e.code.set(before);
    this.onThread0(() => this.repeat(step, isCommit));
    if (this.insideThread0 === 0) {
      e.code.get(before);
      e.code.i32(checksIn([step]));
      e.code.op("i32.add");
      e.code.globalSet(this.stepGlobal);
    }
    e.locals.give(before);
  }

  /** Threads take iterations in turn, each whole: those of a parallel loop that is all of the body, if there is one. */
  private sharedLoop(step: LoopStep, isCommit: boolean): void {
    this.meet();
    this.countStep();
    this.isInParallel = true;
    const isPair = step.body.length === 1 && step.body[0]!.kind === "loop" && step.body[0]!.isParallel;
    this.repeat(step, isCommit, !isPair);
    this.isInParallel = false;
    this.pending.parallel = true;
  }

  private isWorthSharing(step: ProgramStep): boolean {
    if (step.kind !== "loop" || !step.isParallel || this.insideThread0 > 0) return false;
    return this.microsecondsOf(step) >= (this.options.parallelMicroseconds ?? defaultParallelMicroseconds);
  }

  /** A loop that all threads walk: they meet at its start and at the end of each iteration. */
  private meetingLoop(step: Exclude<ProgramStep, { kind: "call" }>, isCommit: boolean): void {
    this.meet();
    this.repeat(step, isCommit);
  }

  private repeat(
    step: Exclude<ProgramStep, { kind: "call" }>,
    isCommit: boolean,
    isEachThreads = false,
  ): void {
    const { e } = this;
    const counter = e.locals.take("i32");
    this.counters.set(step.index, counter);
    const end = step.kind === "loop" ? e.size(step.extent) : e.i32(step.max);
    if (isEachThreads) e.code.get(threadParameter);
    else e.code.i32(0);
    e.code.set(counter);
    const range = step.kind === "loop" ? step.range : undefined;
    const last = range === undefined ? undefined : this.startAt(range, counter);
    e.code.block(() => {
      e.code.loop(() => {
        e.code.get(counter);
        end();
        e.code.op("i32.ge_s");
        e.code.branchIf(1);
        if (last !== undefined) {
          e.code.get(counter);
          e.code.get(last);
          e.code.op("i32.ge_s");
          e.code.branchIf(1);
        }
        if (step.kind === "while") this.leaveUnless(step.condition);
        this.steps(step.body, isCommit);
        if (!this.isInParallel && this.hasParallel(step.body)) this.meet();
        e.code.get(counter);
        if (isEachThreads) {
          e.code.get(argumentsParameter);
          e.code.memory("i32.load", threadsOffset);
        } else e.code.i32(1);
        e.code.op("i32.add");
        e.code.set(counter);
        e.code.branch(0);
      });
    });
    e.locals.give(counter);
    if (last !== undefined) e.locals.give(last);
  }

  /** The counter begins at the larger of 0 and the range's first number; gives the local that holds the second. */
  private startAt(range: ProgramBuffer, counter: number): number {
    const { e } = this;
    const last = e.locals.take("i32");
    this.pushAddress(range, false);
    e.code.memory("i32.load", 0);
    e.code.tee(last);
    e.code.i32(0);
    e.code.get(last);
    e.code.i32(0);
    e.code.op("i32.gt_s");
    e.code.op("select");
    e.code.set(counter);
    this.pushAddress(range, false);
    e.code.memory("i32.load", 4);
    e.code.set(last);
    // All threads read the range before any of them can change it.
    if (this.isParallel && !this.isInParallel && this.insideThread0 === 0) this.barrier();
    return last;
  }

  /** All threads read the condition before any of them can change it. */
  private leaveUnless(condition: ProgramBuffer): void {
    const { e } = this;
    const holds = e.locals.take("i32");
    this.pushAddress(condition, false);
    e.code.memory("i32.load8_u", 0);
    e.code.set(holds);
    if (this.isParallel && !this.isInParallel && this.insideThread0 === 0) this.barrier();
    e.code.get(holds);
    e.code.op("i32.eqz");
    e.code.branchIf(1);
    e.locals.give(holds);
  }

  private call(step: Extract<ProgramStep, { kind: "call" }>, isCommit: boolean): void {
    const { e } = this;
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
    const spmd = this.isParallel && !this.isInParallel && this.isParallelKernel(kernel);
    const index = this.kernelFunction(kernel, new Set(flush), spmd);
    if (hasChecks(kernel.body) && !this.isInParallel) this.countStep();
    const push = (): void => {
      e.code.get(argumentsParameter);
      if (spmd) {
        e.code.get(threadParameter);
        e.code.get(argumentsParameter);
        e.code.memory("i32.load", threadsOffset);
      }
      for (const buffer of buffers) this.pushAddress(buffer, spmd);
      for (const counter of countersOf(step)) e.code.get(this.counterOf(counter, kernel));
      e.code.call(index);
    };
    if (!this.isParallel || this.isInParallel) return push();
    if (!spmd) return this.onThread0(push);
    this.meet();
    push();
    this.pending.parallel = true;
  }

  private counterOf(index: Index, kernel: Kernel): number {
    const counter = this.counters.get(index);
    if (counter === undefined)
      throw new InternalError(`${kernel.name}: parameter ${index.name} is no loop's counter here`);
    return counter;
  }

  private pushAddress(buffer: ProgramBuffer, ofThread: boolean): void {
    const { e } = this;
    const { placement } = buffer;
    if (placement.kind === "arena") {
      e.code.get(this.arena);
      e.code.i32(placement.offset);
      e.code.op("i32.add");
    } else {
      e.code.get(argumentsParameter);
      e.code.memory("i32.load", this.layout.address(placement));
    }
    const isOwn = this.isInParallel ? buffer.scope !== "program" : buffer.scope === "thread" && ofThread;
    if (!isOwn) return;
    e.code.get(threadParameter);
    e.code.i32(buffer.bytes);
    e.code.op("i32.mul");
    e.code.op("i32.add");
  }

  private kernelFunction(kernel: Kernel, flush: ReadonlySet<KernelBuffer>, spmd: boolean): number {
    const key = kernel.buffers.map((buffer) => (flush.has(buffer) ? "f" : "-")).join("");
    const known = this.functions.get(kernel) ?? new Map<string, number>();
    this.functions.set(kernel, known);
    let index = known.get(key);
    if (index === undefined) {
      known.set(key, (index = this.module.declare()));
      emitKernel(this.module, index, kernel, {
        spmd,
        flush,
        fused: this.options.fused ?? false,
        dimensionOffset: (dimension) => this.layout.dimension(dimension),
        reportFunction: this.reportFunction,
      });
    }
    return index;
  }

  /** Raises the step's number, so that of two failed checks the one of the earlier step is known. */
  private countStep(): void {
    const { code } = this.e;
    code.globalGet(this.stepGlobal);
    code.i32(1);
    code.op("i32.add");
    code.globalSet(this.stepGlobal);
  }

  // ---- threads ------------------------------------------------------------------------------------------------

  private insideThread0 = 0;
  /** Inside a loop whose iterations threads take whole: then each has memory of its own, and nobody meets. */
  private isInParallel = false;

  private onThread0(body: () => void): void {
    if (this.insideThread0 > 0) return body();
    if (this.pending.parallel) this.barrier();
    this.e.code.get(threadParameter);
    this.e.code.op("i32.eqz");
    this.insideThread0++;
    this.e.code.if(body);
    this.insideThread0--;
    this.pending.serial = true;
  }

  private meet(): void {
    if (this.pending.serial || this.pending.parallel) this.barrier();
  }

  private barrier(): void {
    if (this.isParallel) {
      this.e.code.get(argumentsParameter);
      this.e.code.get(threadParameter);
      this.e.code.call(this.barrierFunction);
    }
    this.pending = { serial: false, parallel: false };
  }

  private hasParallel(steps: readonly ProgramStep[]): boolean {
    return steps.some((step) =>
      step.kind === "call"
        ? this.isParallelKernel(step.kernel)
        : this.isWorthSharing(step) || this.hasParallel(step.body),
    );
  }

  /** One parallel loop, nothing but values and registers beside it, and enough work. */
  private isParallelKernel(kernel: Kernel): boolean {
    const loops = kernel.body.filter((s) => s.kind === "loop");
    const isPlain =
      kernel.body.every((s) => s.kind !== "store") &&
      !hasChecks(kernel.body.filter((s) => s.kind === "define"));
    if (!isPlain || loops.length !== 1 || loops[0]!.mode !== "parallel") return false;
    return this.microseconds(kernel) >= (this.options.parallelMicroseconds ?? defaultParallelMicroseconds);
  }

  /** Of a step with all its iterations. */
  private microsecondsOf(step: ProgramStep): number {
    if (step.kind === "call") return this.microseconds(step.kernel);
    const body = step.body.reduce((sum, inner) => sum + this.microsecondsOf(inner), 0);
    return body * (step.kind === "loop" ? boundsOf(step.extent).max : step.max);
  }
  private microseconds({ cost: { flop, bytes } }: Kernel): number {
    return Math.max(flop / flopPerMicrosecond, bytes / bytesPerMicrosecond);
  }
}

/** Rough speed of one thread. */
const flopPerMicrosecond = 20_000;
const bytesPerMicrosecond = 10_000;
const defaultParallelMicroseconds = 25;

function hasChecks(statements: readonly Statement[]): boolean {
  return statements.some((statement) => {
    if (statement.kind === "loop") return hasChecks(statement.body) || hasChecks(statement.remainder);
    return statement.kind === "define" && /^check/.test(statement.value.kind);
  });
}

/** Calls with checks that running these steps makes at most. */
function checksIn(steps: readonly ProgramStep[]): number {
  let count = 0;
  for (const step of steps) {
    if (step.kind === "call") count += hasChecks(step.kernel.body) ? 1 : 0;
    else count += checksIn(step.body) * (step.kind === "loop" ? boundsOf(step.extent).max : step.max);
  }
  return count;
}
