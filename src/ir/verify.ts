/**
 * Proves that a kernel is safe to run: every access lies inside its buffer for every value of the loop indices and the
 * dimensions, values are defined before they are used and agree in dtype, and loops that a target may run out of order
 * (parallel, vector) cannot tell. Generated code has no other guard: what passes here cannot touch foreign memory.
 *
 * What the planner guarantees, not this: that buffers alive at the same time do not share memory.
 */
import { computeDType } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import { addSizes, boundsOf, maxOf, type Size, subtractSizes } from "../base/size.ts";
import { extremesOf } from "./affine.ts";
import { isAtMost, isNonNegative, type Minimums, minimumsWhere } from "./bounds.ts";
import type { Affine, Index, Kernel, KernelBuffer, Loop, Register, Statement, Value } from "./kernel.ts";
import { KernelNames, printStatement } from "./print.ts";
import { type Access, overlapAcrossIterations } from "./verify-disjoint.ts";
import { nestedParallelFault } from "./verify-nested.ts";
import { registerFault } from "./verify-registers.ts";
import { dtypeFault, operandsOf } from "./verify-values.ts";

/** Throws an InternalError that names the kernel, the statement and the reason. */
export function verifyKernel(kernel: Kernel): void {
  new Verifier(kernel).run();
}

type Place = Pick<Access, "buffer" | "address" | "dynamic">;

/** A loop around the statement being checked, and what its statements so far touch. */
interface Around {
  readonly loop: Loop;
  readonly accesses: Access[];
}

/** In the body of a loop with a step, index + step ≤ extent. */
export function bodyExtent(extent: Size, step: number): Size {
  if (typeof extent === "number") return extent - (extent % step) - step + 1;
  return step === 1 ? extent : subtractSizes(extent, step - 1);
}

class Verifier {
  private readonly kernel: Kernel;
  private readonly buffers: ReadonlySet<KernelBuffer>;
  /** Of each index seen so far, its largest value + 1. */
  private readonly extents = new Map<Index, Size>();
  private readonly indicesInScope = new Set<Index>();
  private minimums: Minimums = new Map();
  private readonly scopes: Set<Value>[] = [];
  private readonly everDefined = new Set<Value>();
  private readonly around: Around[] = [];
  /** The one around, if any. */
  private vectorLoop: Loop | undefined;
  /** False inside loops that never run: no access there can be out of bounds. */
  private isReachable = true;
  private statement: Statement | undefined;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
    this.buffers = new Set(kernel.buffers);
  }

  run(): void {
    const { kernel } = this;
    if (this.buffers.size !== kernel.buffers.length) this.fail("a buffer is listed twice");
    for (const { elements, name } of kernel.buffers) {
      if (boundsOf(elements).min < 0) this.fail(`buffer ${name} may have ${boundsOf(elements).min} elements`);
    }
    for (const { index, extent } of kernel.parameters) this.enter(index, extent);
    this.verifyParallelStructure();
    this.block(kernel.body);
    const fault = registerFault(kernel.body);
    if (fault !== undefined) {
      this.statement = fault.statement;
      this.fail(fault.reason);
    }
  }

  // ---- statements ---------------------------------------------------------------------------------------------

  private block(statements: readonly Statement[]): void {
    this.scopes.push(new Set());
    for (const statement of statements) {
      this.statement = statement;
      if (statement.kind === "loop") this.loop(statement);
      else if (statement.kind === "define") this.define(statement.value);
      else if (statement.kind === "set") this.set(statement);
      else if (statement.kind === "prefetch") this.prefetch(statement.address);
      else this.store(statement);
    }
    this.scopes.pop();
  }

  private loop(loop: Loop): void {
    this.verifyLoopHead(loop);
    const { extent, step } = loop;
    const accesses: Access[] = [];
    const { vectorLoop } = this;
    if (loop.mode === "vector") this.vectorLoop = loop;
    this.around.push({ loop, accesses });
    this.inside(loop, { counts: bodyExtent(extent, step), least: step, list: loop.body });
    const bodyCount = accesses.length;
    const hasRemainder = step > 1 && !(typeof extent === "number" && extent % step === 0);
    if (hasRemainder) this.inside(loop, { counts: extent, least: 1, list: loop.remainder });
    this.around.pop();
    this.vectorLoop = vectorLoop;
    this.statement = loop;
    if (this.isReachable && (loop.mode === "parallel" || loop.mode === "vector")) {
      const shared = accesses.map((access, i) => ({ ...access, inRemainder: i >= bodyCount }));
      const overlap = overlapAcrossIterations(loop, shared, minimumsWhere(extent, step + 1, this.minimums));
      if (overlap !== undefined) this.fail(overlap);
    }
    this.around[this.around.length - 1]?.accesses.push(...accesses);
  }

  /** A loop's body or remainder: it runs only if the extent is at least `least`, and then that much is known inside. */
  private inside(
    { index, extent }: Loop,
    { counts, least, list }: { counts: Size; least: number; list: readonly Statement[] },
  ): void {
    const { isReachable, minimums } = this;
    this.isReachable = isReachable && maxOf(extent) >= least;
    this.minimums = minimumsWhere(extent, least, minimums);
    this.enter(index, counts);
    this.block(list);
    this.indicesInScope.delete(index);
    this.isReachable = isReachable;
    this.minimums = minimums;
  }

  private verifyLoopHead({ mode, index, extent, step, remainder, lockstep }: Loop): void {
    if (this.indicesInScope.has(index))
      this.fail(`index ${index.name} already counts a loop around this one`);
    if (boundsOf(extent).min < 0) this.fail(`the extent may be ${boundsOf(extent).min}`);
    if (!Number.isInteger(step) || step < 1) this.fail(`step ${step} is not a positive integer`);
    if (step === 1 && remainder.length > 0) this.fail("step 1 leaves no remainder, but one is given");
    if (step > 1 && (mode === "vector" || mode === "unrolled")) this.fail(`${mode} loops have step 1`);
    if (mode === "unrolled" && typeof extent !== "number")
      this.fail("an unrolled loop needs a constant extent");
    if (lockstep && mode !== "vector") this.fail("only vector loops can be lockstep");
    if (lockstep && typeof extent !== "number") this.fail("a lockstep loop needs a constant extent");
    const outer = this.around.at(-1)?.loop;
    if (
      mode === "parallel" &&
      outer !== undefined &&
      !(this.around.length === 1 && outer.mode === "parallel")
    )
      this.fail("a parallel loop is outermost in its kernel, or directly in one that is");
    if (mode !== "unrolled" && this.vectorLoop) this.fail("a vector loop holds only unrolled loops");
  }

  /** With a parallel loop, the rest of the kernel runs on every thread: it may only define values and set registers. */
  private verifyParallelStructure(): void {
    const { body } = this.kernel;
    const parallel = body.filter((s) => s.kind === "loop" && s.mode === "parallel");
    if (parallel.length === 0) return;
    if (parallel.length > 1) {
      this.statement = parallel[1];
      this.fail("a kernel has one parallel loop at most: there is no barrier between two");
    }
    this.statement = body.find((s) => s !== parallel[0] && (s.kind === "loop" || s.kind === "store"));
    if (this.statement) this.fail("beside a parallel loop only values and registers may be set");
    this.statement = parallel[0];
    const fault = nestedParallelFault(parallel[0] as Loop);
    if (fault !== undefined) this.fail(fault);
  }

  private define(value: Value): void {
    if (this.everDefined.has(value)) this.fail("the value is defined a second time");
    this.value(value);
    this.everDefined.add(value);
    this.scopes[this.scopes.length - 1]!.add(value);
  }

  private set({ register, subscript, value }: Extract<Statement, { kind: "set" }>): void {
    this.use(value);
    if (value.dtype !== register.dtype)
      this.fail(`register ${register.name} is ${register.dtype}, the value ${value.dtype}`);
    this.element(register, subscript);
    if (register.lanes === 1 && this.vectorLoop)
      this.fail(`register ${register.name} has one lane: a vector loop may only read it`);
  }

  private prefetch(address: Affine): void {
    if (this.vectorLoop) this.fail("a prefetch stands outside vector loops");
    this.inScope(address);
  }

  private store(statement: Extract<Statement, { kind: "store" }>): void {
    const { buffer, value } = statement;
    this.use(value);
    if (buffer.access === "read") this.fail(`buffer ${buffer.name} is only read`);
    const wanted = computeDType(buffer.dtype);
    if (value.dtype !== wanted)
      this.fail(`${buffer.dtype} elements are stored from ${wanted}, not ${value.dtype}`);
    this.place(statement, true);
  }

  // ---- values -------------------------------------------------------------------------------------------------

  private value(value: Value): void {
    const fault = dtypeFault(value);
    if (fault !== undefined) this.fail(fault);
    for (const operand of operandsOf(value)) this.use(operand);
    switch (value.kind) {
      case "index":
        this.inScope(value.affine);
        break;
      case "load":
        if (value.buffer.access === "write") this.fail(`buffer ${value.buffer.name} is only written`);
        this.place(value, false);
        break;
      case "checkIndex":
        if (boundsOf(value.size).min < 1)
          this.fail(`no index can be below a size that may be ${boundsOf(value.size).min}`);
        this.inScope(value.position);
        break;
      case "check":
        this.inScope(value.position);
        break;
      case "register":
      case "combine":
        this.element(value.register, value.subscript);
        this.lanesOf(value);
        break;
    }
  }

  private lanesOf(value: Extract<Value, { kind: "register" | "combine" }>): void {
    const { kind, register } = value;
    const { lanes, name } = register;
    if (kind === "combine") {
      if (this.vectorLoop) this.fail("combine stands outside vector loops");
      if ((lanes & (lanes - 1)) !== 0) this.fail(`register ${name}: ${lanes} lanes do not halve down to one`);
    } else if (lanes > 1 && !this.vectorLoop) {
      this.fail(`register ${name} has ${lanes} lanes: outside vector loops only combine reads it`);
    }
  }

  /** A register's element: the subscript inside its count, over unrolled indices; lanes that suit the vector loop. */
  private element(register: Register, subscript: Affine): void {
    const { name, count, lanes } = register;
    this.inScope(subscript);
    for (const { index } of subscript.terms) {
      if (this.loopOf(index)?.mode !== "unrolled")
        this.fail(`${index.name} subscripts ${name} but is not unrolled`);
    }
    const { low, high } = extremesOf(subscript, this.extentOf);
    if (typeof low !== "number" || typeof high !== "number")
      this.fail(`the subscript of ${name} is not constant`);
    if (this.isReachable && ((low as number) < 0 || (high as number) >= count))
      this.fail(`subscript ${low} … ${high} of register ${name}, which has ${count} element(s)`);
    const { vectorLoop: vector } = this;
    if (vector && lanes > 1 && maxOf(vector.extent) > lanes) {
      if (vector.lockstep)
        this.fail(`register ${name} has ${lanes} lanes, the lockstep loop ${vector.extent}`);
      if (lanes % 16 !== 0) this.fail(`register ${name} wraps after ${lanes} lanes, no multiple of 16`);
    }
  }

  private use(value: Value): void {
    if (!this.scopes.some((scope) => scope.has(value)))
      this.fail(
        this.everDefined.has(value)
          ? "a value is used outside the block that defines it"
          : "a value is used before it is defined",
      );
  }

  // ---- addresses ----------------------------------------------------------------------------------------------

  private place(place: Place, isStore: boolean): void {
    const { buffer, address, dynamic } = place;
    if (!this.buffers.has(buffer)) this.fail(`buffer ${buffer.name} is not among the kernel's`);
    this.inScope(address);
    let { low, high } = extremesOf(address, this.extentOf);
    for (const { index, stride } of dynamic) {
      this.use(index);
      const term = { constant: 0, terms: [{ index: { name: "dynamic" }, stride }] };
      const reach = extremesOf(term, () => this.sizeOf(index));
      low = addSizes(low, reach.low);
      high = addSizes(high, reach.high);
    }
    if (!this.isReachable) return;
    if (!isNonNegative(low, this.minimums))
      this.fail(`the address can fall to ${boundsText(low)}, before ${buffer.name}`);
    if (!isAtMost(addSizes(high, 1), buffer.elements, this.minimums))
      this.fail(
        `the address can reach ${boundsText(high)}, ${buffer.name} has ${boundsText(buffer.elements)} elements`,
      );
    const extents = new Map(address.terms.map(({ index }) => [index, this.extentOf(index)]));
    this.around[this.around.length - 1]?.accesses.push({ buffer, address, dynamic, isStore, extents });
  }

  /** What a data-dependent index was bounded by. */
  private sizeOf(index: Value): Size {
    if (index.kind === "checkIndex") return index.size;
    if (index.kind === "constant" && Number.isInteger(index.value) && index.value >= 0)
      return index.value + 1;
    this.fail("a data-dependent index must come from checkIndex");
  }

  private inScope(affine: Affine): void {
    for (const { index } of affine.terms) {
      if (!this.indicesInScope.has(index)) this.fail(`index ${index.name} is not in scope`);
    }
  }

  private enter(index: Index, extent: Size): void {
    this.extents.set(index, extent);
    this.indicesInScope.add(index);
  }
  private readonly extentOf = (index: Index): Size => this.extents.get(index)!;

  // ---- surroundings -------------------------------------------------------------------------------------------

  private loopOf(index: Index): Loop | undefined {
    return this.around.find(({ loop }) => loop.index === index)?.loop;
  }

  private fail(reason: string): never {
    const names = new KernelNames(this.kernel);
    const where = this.around.map(({ loop }) => `${printStatement(loop, names)} › `).join("");
    const what = this.statement ? `\n  ${where}${printStatement(this.statement, names)}` : "";
    throw new InternalError(`kernel "${this.kernel.name}": ${reason}${what}`);
  }
}

/** `8·time + 3 = 11 … 16387`, or the number. */
function boundsText(size: Size): string {
  if (typeof size === "number") return `${size}`;
  const { min, max } = boundsOf(size);
  return `${size} (${min} … ${max})`;
}
