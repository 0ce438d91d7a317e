/**
 * Proves that a program gives its kernels what they were verified with: buffers of the right dtype and size inside the
 * arena, loop counters within their extents, nothing written before the commit but the arena, results, and states that `undo` writes.
 */
import { bytesOf } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { dimensionsOf, maxOf, type Size } from "../base/size.ts";
import { isAtMost } from "./bounds.ts";
import type { Affine, Index, Kernel, KernelBuffer, Statement, Value } from "./kernel.ts";
import { countersOf, type Program, type ProgramBuffer, type ProgramStep } from "./program.ts";
import { verifyKernel } from "./verify.ts";
import { type LoopAround, overlapInParallelLoop } from "./verify-parallel.ts";

/** Throws an InternalError that names the program, the call and the reason. Verifies each distinct kernel. */
export function verifyProgram(program: Program): void {
  const verifier = new ProgramVerifier(program);
  verifier.steps(program.compute, { isCommit: false });
  verifier.steps(program.commit, { isCommit: true });
  verifier.steps(program.undo, { isCommit: true });
}

type Call = Extract<ProgramStep, { kind: "call" }>;

class ProgramVerifier {
  private readonly program: Program;
  /** All of the body of the parallel loop around. */
  private alone: ProgramStep | undefined;
  /** What `undo` puts back. */
  private readonly restored: ReadonlySet<ProgramBuffer>;
  private readonly verified = new Set<Kernel>();
  /** Of the loops around, outermost first. */
  private readonly extents = new Map<Index, Size>();
  /** The parallel loops around, outermost first: one, or two that are shared together. */
  private parallel: readonly Index[] = [];

  constructor(program: Program) {
    this.program = program;
    this.restored = new Set(program.undo.flatMap(buffersWritten));
    for (const { buffer } of [...program.results, ...program.arrays]) this.buffer(buffer);
    for (const buffer of program.inputs) this.buffer(buffer);
  }

  steps(steps: readonly ProgramStep[], phase: { readonly isCommit: boolean }): void {
    for (const step of steps) {
      if (step.kind === "call") this.call(step, phase);
      else if (step.kind === "loop") this.loop(step, phase);
      else {
        this.buffer(step.condition);
        if (step.condition.dtype !== "bool")
          this.fail(`while ${step.condition.name}: the condition is no bool`);
        this.counted(step.index, step.max, step.body, phase);
      }
    }
  }

  private loop(step: Extract<ProgramStep, { kind: "loop" }>, phase: { readonly isCommit: boolean }): void {
    const { index, range, isParallel = false } = step;
    if (range !== undefined) {
      this.buffer(range);
      if (range.dtype !== "i32" || range.elements < 2)
        this.fail(`loop ${index.name}: its range is ${range.dtype}[${range.elements}], not two i32`);
    }
    if (!isParallel) return this.counted(index, step.extent, step.body, phase);
    if (this.parallel.length > 0 && this.alone !== step)
      this.fail(`loop ${index.name}: parallel inside a parallel loop`);
    if (phase.isCommit || range !== undefined)
      this.fail(`loop ${index.name}: in the commit, or with a range, no loop is parallel`);
    const before = this.parallel;
    this.parallel = [...before, index];
    this.alone = before.length === 0 && step.body.length === 1 ? step.body[0] : undefined;
    this.counted(index, step.extent, step.body, phase);
    this.parallel = before;
  }

  private counted(
    index: Index,
    extent: Size,
    body: readonly ProgramStep[],
    phase: { isCommit: boolean },
  ): void {
    if (this.extents.has(index)) this.fail(`loop ${index.name}: its index already counts a loop around it`);
    this.extents.set(index, extent);
    this.steps(body, phase);
    this.extents.delete(index);
  }

  private call(step: Call, phase: { isCommit: boolean }): void {
    const { kernel, buffers } = step;
    if (!this.verified.has(kernel)) this.kernel(kernel);
    if (buffers.length !== kernel.buffers.length)
      this.fail(`"${kernel.name}" takes ${kernel.buffers.length} buffers, ${buffers.length} are given`);
    kernel.buffers.forEach((wanted, i) => {
      const given = buffers[i]!;
      this.buffer(given);
      const mayWriteStates = phase.isCommit || this.restored.has(given);
      const fault =
        givenFault(wanted, given) ??
        (wanted.access === "read" ? undefined : writeFault(given, mayWriteStates));
      if (fault !== undefined) this.fail(`"${kernel.name}": ${wanted.name} (${given.name}) ${fault}`);
    });
    const counters = countersOf(step);
    if (counters.length !== kernel.parameters.length)
      this.fail(`"${kernel.name}": ${counters.length} of ${kernel.parameters.length} counters are given`);
    kernel.parameters.forEach(({ index, extent }, i) => {
      const counted = this.extents.get(counters[i]!);
      if (counted === undefined) this.fail(`"${kernel.name}": no loop around it counts ${index.name}`);
      else if (!isAtMost(counted, extent))
        this.fail(`"${kernel.name}": ${index.name} counts to ${counted}, the kernel allows ${extent}`);
    });
    this.apart(step, counters);
  }

  /** What a call inside parallel loops writes and shares with other iterations, only this iteration of each touches. */
  private apart(call: Call, counters: readonly Index[]): void {
    const { kernel, buffers } = call;
    const isShared = kernel.buffers.some((b, i) => b.access !== "read" && buffers[i]!.scope === "program");
    if (isShared) for (const index of this.parallel) this.apartIn(index, call, counters);
  }

  private apartIn(index: Index, { kernel, buffers }: Call, counters: readonly Index[]): void {
    const at = counters.indexOf(index);
    const parameter = kernel.parameters[at];
    const own = new Set(kernel.buffers.filter((_, i) => buffers[i]!.scope !== "program"));
    const inner: LoopAround[] = kernel.parameters.filter((_, i) => i > at);
    const fault =
      parameter === undefined
        ? `it does not know the loop's counter`
        : overlapInParallelLoop(kernel, parameter, inner, (b) => own.has(b));
    if (fault !== undefined) this.fail(`"${kernel.name}" in parallel loop ${index.name}: ${fault}`);
  }

  private buffer({ name, dtype, elements, bytes, scope, placement }: ProgramBuffer): void {
    const { arenaBytes, threads } = this.program;
    if (bytes < elements * bytesOf(dtype))
      this.fail(`${name}: ${bytes} bytes do not hold ${elements} ${dtype}`);
    if (scope !== "program" && placement.kind !== "arena")
      this.fail(`${name}: ${scope} memory lies in the arena`);
    if (scope === "iteration" && this.parallel.length === 0)
      this.fail(`${name}: memory of an iteration, outside of a parallel loop`);
    if (placement.kind !== "arena") return;
    const end = placement.offset + bytes * (scope === "program" ? 1 : threads);
    if (placement.offset < 0 || placement.offset % bytesOf(dtype) !== 0 || end > arenaBytes)
      this.fail(`${name}: bytes ${placement.offset} … ${end} of an arena of ${arenaBytes}`);
  }

  private kernel(kernel: Kernel): void {
    verifyKernel(kernel);
    for (const size of lateSizesIn(kernel)) {
      for (const d of dimensionsOf(size)) {
        if (!this.program.dimensions.includes(d))
          this.fail(`"${kernel.name}": dimension ${d} is not the program's`);
      }
    }
    for (const check of checksIn(kernel.body)) {
      if (this.program.checks[check] === undefined)
        this.fail(`"${kernel.name}": check ${check} is not listed`);
    }
    this.verified.add(kernel);
  }

  private fail(reason: string): never {
    throw new InternalError(`program "${this.program.name}": ${reason}`);
  }
}

/** Of calls, not of loops: nothing is undone in a loop. */
const buffersWritten = (step: ProgramStep): ProgramBuffer[] =>
  step.kind === "call" ? step.buffers.filter((_, i) => step.kernel.buffers[i]!.access !== "read") : [];

function givenFault(wanted: KernelBuffer, given: ProgramBuffer): string | undefined {
  const elements = elementsAs(given, wanted);
  if (elements === undefined) return `is ${given.dtype}, not ${wanted.dtype}`;
  if ((given.scope === "thread") !== (wanted.scope === "thread"))
    return `is ${given.scope} memory, not ${wanted.scope}`;
  if (elements < maxOf(wanted.elements)) return `has ${elements} elements, not ${wanted.elements}`;
  return undefined;
}

/** `mayWriteStates`: in the commit, or where what was written is put back. */
function writeFault({ placement: { kind } }: ProgramBuffer, mayWriteStates: boolean): string | undefined {
  if (kind === "input" || kind === "array") return `is an ${kind}: it is only read`;
  return kind === "state" && !mayWriteStates ? "is a state: only the commit writes it" : undefined;
}

function checksIn(statements: readonly Statement[], found: number[] = []): readonly number[] {
  for (const s of statements) {
    if (s.kind === "loop") {
      checksIn(s.body, found);
      checksIn(s.remainder, found);
    } else if (s.kind === "define" && "check" in s.value) found.push(s.value.check);
  }
  return found;
}

/** Sizes that are no numbers. */
function lateSizesIn({ buffers, parameters, body }: Kernel): readonly Size[] {
  const found: Size[] = [];
  const note = (size: Size): void => {
    if (typeof size !== "number") found.push(size);
  };
  const affine = ({ constant, terms }: Affine): void => {
    note(constant);
    for (const { stride } of terms) note(stride);
  };
  const place = (at: {
    readonly address: Affine;
    readonly dynamic: readonly { readonly stride: Size }[];
  }) => {
    affine(at.address);
    for (const { stride } of at.dynamic) note(stride);
  };
  const value = (x: Value): void => {
    if (x.kind === "index") affine(x.affine);
    else if (x.kind === "load") place(x);
    else if (x.kind === "check" || x.kind === "checkIndex") affine(x.position);
    if (x.kind === "checkIndex") note(x.size);
  };
  const block = (statements: readonly Statement[]): void => {
    for (const s of statements) {
      if (s.kind === "define") value(s.value);
      else if (s.kind === "store") place(s);
      else if (s.kind === "prefetch") affine(s.address);
      else if (s.kind === "loop") {
        note(s.extent);
        block(s.body);
        block(s.remainder);
      }
    }
  };
  for (const { elements } of buffers) note(elements);
  for (const { extent } of parameters) note(extent);
  block(body);
  return found;
}

/** How many elements a kernel finds in a buffer: bytes and f64 may be read as words; undefined where the dtypes do not fit. */
function elementsAs({ dtype, elements }: ProgramBuffer, wanted: KernelBuffer): number | undefined {
  if (dtype === wanted.dtype) return elements;
  const isInWords = dtype === "i8" || dtype === "u8" || dtype === "f64";
  return isInWords && wanted.dtype === "i32" && wanted.access === "read"
    ? Math.floor((elements * bytesOf(dtype)) / 4)
    : undefined;
}
