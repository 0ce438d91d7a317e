/**
 * A Program as machine code: a function for each kernel, and an entry `run(arguments)` that computes and, if no check
 * failed, commits.
 */
import { InternalError } from "../../base/errors.ts";
import { Dimension, type Size, SizeExpression } from "../../base/size.ts";
import type { Index, Kernel, KernelBuffer } from "../../ir/kernel.ts";
import type { Program, ProgramBuffer, ProgramStep } from "../../ir/program.ts";
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
} from "./assembler/operands.ts";
import type { Isa } from "./isa.ts";
import { emitKernel } from "./kernel.ts";
import { ArgumentLayout, modeOffset, record, statusOffset, stepOffset } from "./layout.ts";
import { emitReport } from "./report.ts";

export interface ProgramCode {
  readonly code: MachineBytes;
  readonly layout: ArgumentLayout;
  /** Offset of `run(arguments)`. */
  readonly entry: number;
  /** Values that lie in memory in all kernels together. */
  readonly spills: number;
}

export function emitProgram(program: Program, isa: Isa): ProgramCode {
  return new ProgramEmitter(program, isa).emit();
}

/** What the entry keeps on its stack, behind the record of the kernel it calls. */
interface Frame {
  readonly bytes: number;
  readonly counters: ReadonlyMap<Index, number>;
  readonly block: number;
  /** Of the stack pointer as it was. */
  readonly stack: number;
  readonly mode: number;
}

const saved = [rbx, rbp, gpr64(12), gpr64(13), gpr64(14), gpr64(15)];

class ProgramEmitter {
  private readonly program: Program;
  private readonly isa: Isa;
  private readonly layout: ArgumentLayout;
  private readonly a = new Assembler();
  private readonly functions = new Map<Kernel, Map<string, Label>>();
  /** Kernels to write once the entry is done. */
  private readonly pending: { label: Label; kernel: Kernel; flush: ReadonlySet<KernelBuffer> }[] = [];
  private readonly report: Label;
  private readonly frame: Frame;

  constructor(program: Program, isa: Isa) {
    this.program = program;
    this.isa = isa;
    this.layout = new ArgumentLayout(program);
    this.report = this.a.label();
    this.frame = frameOf(program);
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
    a.emit("mov", at(rsp, record.threads), 1);
    a.emit("mov", at(rdi, stepOffset), 0);
    this.steps(program.compute, false);
    const end = a.label();
    a.emit("mov", rdi, at(rsp, frame.block));
    a.emit("cmp", at(rdi, statusOffset), 0);
    a.emit("jne", end);
    this.steps(program.commit, true);
    a.bind(end);
    a.emit("ldmxcsr", at(rsp, frame.mode));
    a.emit("vzeroupper");
    a.emit("mov", rsp, at(rsp, frame.stack));
    for (const register of [...saved].reverse()) a.emit("pop", register);
    a.emit("ret");
    const spills = this.kernels();
    a.align(16);
    a.begin("report a failed check");
    a.bind(this.report);
    emitReport(a);
    return { code: a.finish(), layout: this.layout, entry, spills };
  }

  private kernels(): number {
    const { a } = this;
    let spills = 0;
    for (const { label, kernel, flush } of this.pending) {
      a.align(64);
      a.begin(kernel.name);
      a.bind(label);
      const { spills: some } = emitKernel(a, kernel, {
        isa: this.isa,
        flush,
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
      else this.repeat(step, isCommit);
    }
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
    a.emit("mov", counter, 0);
    a.bind(top);
    if (step.kind === "loop") this.loadSize(step.extent);
    else this.loadNumber(step.max);
    a.emit("cmp", counter, rax);
    a.emit("jge", done);
    if (step.kind === "while") {
      this.loadAddress(step.condition);
      a.emit("movzx", gpr32(0), at(rax, 0, 8));
      a.emit("test", gpr32(0), gpr32(0));
      a.emit("je", done);
    }
    this.steps(step.body, isCommit);
    a.emit("add", counter, 1);
    a.emit("jmp", top);
    a.bind(done);
  }

  private call(step: Extract<ProgramStep, { kind: "call" }>, isCommit: boolean): void {
    const { a } = this;
    const { kernel, buffers } = step;
    if (buffers.length !== kernel.buffers.length)
      throw new InternalError(
        `${kernel.name}: called with ${buffers.length} of ${kernel.buffers.length} buffers`,
      );
    const flush = isCommit ? kernel.buffers.filter((_, i) => buffers[i]!.placement.kind === "state") : [];
    const target = this.kernelFunction(kernel, new Set(flush));
    a.emit("mov", rdi, at(rsp, this.frame.block));
    a.emit("inc", at(rdi, stepOffset));
    buffers.forEach((buffer, i) => {
      this.loadAddress(buffer);
      a.emit("mov", at(rsp, record.first + 8 * i), rax);
    });
    kernel.parameters.forEach(({ index }, i) => {
      a.emit("mov", rax, this.counterOf(index));
      a.emit("mov", at(rsp, record.first + 8 * (buffers.length + i)), rax);
    });
    a.emit("mov", rdi, rsp);
    a.emit("call", target);
  }

  /** Into rax; rdi is lost. */
  private loadAddress({ placement }: ProgramBuffer): void {
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

  private kernelFunction(kernel: Kernel, flush: ReadonlySet<KernelBuffer>): Label {
    const key = kernel.buffers.map((buffer) => (flush.has(buffer) ? "f" : "-")).join("");
    const known = this.functions.get(kernel) ?? new Map<string, Label>();
    this.functions.set(kernel, known);
    let label = known.get(key);
    if (label === undefined) {
      known.set(key, (label = this.a.label()));
      this.pending.push({ label, kernel, flush });
    }
    return label;
  }
}

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
  visit([...program.compute, ...program.commit]);
  let end = record.first + 8 * words;
  for (const index of indices) {
    counters.set(index, end);
    end += 8;
  }
  return { counters, block: end, stack: end + 8, mode: end + 16, bytes: end + 24 + 64 };
}
