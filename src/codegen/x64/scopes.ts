/**
 * Addresses without multiplication: inside a loop, an address that moves with the loop's index is a pointer that is
 * set before the loop and advanced after each iteration. Constants go into the instructions' displacements.
 */
import { bytesOf } from "../../base/dtype.ts";
import { InternalError } from "../../base/errors.ts";
import { addSizes, multiplySizes, type Size, sameSize, sizeKey } from "../../base/size.ts";
import type { Affine, Index, KernelBuffer } from "../../ir/kernel.ts";
import type { Register } from "./assembler/operands.ts";
import { type Emitter, splitConstant } from "./emitter.ts";
import { record } from "./layout.ts";
import type { Item } from "./machine/code.ts";

/** The byte `base` + `offset`. */
export interface Address {
  readonly base: Register;
  readonly offset: number;
}

/** One open loop. Its code is put together when it closes: what comes before it is known only then. */
export class Scope {
  readonly index: Index;
  readonly counter: Register;
  /** Whether the counter starts elsewhere than at 0. */
  readonly startsLate: boolean;
  readonly before: Item[] = [];
  readonly body: Item[] = [];
  private readonly pointers: { outer: Register; pointer: Register; stride: Size }[] = [];

  constructor(index: Index, counter: Register, startsLate = false) {
    this.index = index;
    this.counter = counter;
    this.startsLate = startsLate;
  }

  /** `outer` + the counter × stride bytes. */
  pointer(e: Emitter, outer: Register, stride: Size): Register {
    for (const known of this.pointers)
      if (known.outer.number === outer.number && sameSize(known.stride, stride)) return known.pointer;
    const pointer = e.code.general();
    this.pointers.push({ outer, pointer, stride });
    e.code.into(this.before, () => {
      e.code.emit("mov", pointer, outer);
      if (this.startsLate) e.code.emit("add", pointer, e.multiplied(this.counter, stride));
    });
    return pointer;
  }

  /** Moves the pointers on by `count` indices. */
  advance(e: Emitter, count: number): void {
    for (const { pointer, stride } of this.pointers) e.addSize(pointer, stride, count);
  }
}

/** The indices in force: counters of open loops, parameters, and indices whose value is known here. */
export class Scopes {
  private readonly e: Emitter;
  private readonly open: Scope[] = [];
  private readonly parameters: ReadonlyMap<Index, number>;
  private readonly buffers: ReadonlyMap<KernelBuffer, number>;
  private readonly fixed = new Map<Index, number>();
  private readonly shifts = new Map<Index, number>();
  private readonly starts = new Map<string, Register>();
  private readonly loaded = new Map<number, Register>();
  /** Of scratch buffers: this thread's copy. */
  private readonly threadPointers = new Map<KernelBuffer, Register>();

  /** Parameters and buffers by their offset in the call's record. */
  constructor(
    e: Emitter,
    parameters: ReadonlyMap<Index, number>,
    buffers: ReadonlyMap<KernelBuffer, number>,
  ) {
    this.e = e;
    this.parameters = parameters;
    this.buffers = buffers;
  }

  fix(index: Index, value: number, body: () => void): void {
    this.fixed.set(index, value);
    body();
    this.fixed.delete(index);
  }
  /** Inside `body`, `index` stands for itself + `by`. */
  shift(index: Index, by: number, body: () => void): void {
    this.shifts.set(index, by);
    body();
    this.shifts.delete(index);
  }
  /** Writes `body` into the loop's body with the loop's index in force. */
  inside(scope: Scope, body: () => void): void {
    this.open.push(scope);
    this.e.code.into(scope.body, body);
    this.open.pop();
  }

  /** With the known indices put in. */
  resolve(affine: Affine): Affine {
    if (affine.terms.length === 0) return affine;
    const { fixed, shifts } = this;
    let { constant } = affine;
    let isKnown = false;
    const terms: Affine["terms"][number][] = [];
    for (const term of affine.terms) {
      const value = fixed.get(term.index);
      const known = value ?? shifts.get(term.index);
      if (value === undefined) terms.push(term);
      if (known === undefined) continue;
      isKnown = true;
      constant = addSizes(constant, multiplySizes(term.stride, known));
    }
    return isKnown ? { constant, terms } : affine;
  }

  /** A subscript: known once unrolled indices are put in. */
  known(affine: Affine): number {
    const { constant, terms } = this.resolve(affine);
    if (terms.length === 0 && typeof constant === "number") return constant;
    throw new InternalError("a register's subscript is not known when code is written");
  }

  /** The value of an affine expression, in a new general register. */
  value(affine: Affine): Register {
    const { constant, terms } = this.resolve(affine);
    const { e } = this;
    const sum = e.code.general();
    const start = e.size(constant);
    if (typeof start === "number") e.setNumber(sum, start);
    else e.code.emit("mov", sum, start);
    for (const { index, stride } of terms) {
      const counter = this.counterOf(index);
      e.code.emit("add", sum, stride === 1 ? counter : e.multiplied(counter, stride));
    }
    return sum;
  }

  private counterOf(index: Index): Register {
    const scope = this.open.find((candidate) => candidate.index === index);
    if (scope !== undefined) return scope.counter;
    const offset = this.parameters.get(index);
    if (offset === undefined) throw new InternalError(`index ${index.name} is used outside its loop`);
    return this.fromRecord(offset);
  }

  /** The address of an element. */
  address(buffer: KernelBuffer, affine: Affine): Address {
    const { e } = this;
    const { constant, terms } = this.resolve(affine);
    const bytes = bytesOf(buffer.dtype);
    const [late, now] = splitConstant(constant);
    let pointer = this.bufferPointer(buffer);
    if (late !== 0) pointer = this.startPointer(pointer, late, bytes);
    let found = 0;
    for (const { index, stride } of terms) {
      const parameter = this.parameters.get(index);
      if (parameter === undefined) continue;
      pointer = this.startPointer(pointer, stride, bytes, parameter);
      found++;
    }
    for (const scope of this.open) {
      const term = terms.find(({ index }) => index === scope.index);
      if (term === undefined) continue;
      if (term.stride !== 0) pointer = scope.pointer(e, pointer, multiplySizes(term.stride, bytes));
      found++;
    }
    if (found !== terms.length)
      throw new InternalError(`an address of ${buffer.name} uses a closed loop's index`);
    const offset = now * bytes;
    if (Math.abs(offset) < 2 ** 31 - 4096) return { base: pointer, offset };
    const far = e.code.general();
    e.code.emit("mov", far, pointer);
    e.addSize(far, offset);
    return { base: far, offset: 0 };
  }

  private bufferPointer(buffer: KernelBuffer): Register {
    const offset = this.buffers.get(buffer);
    if (offset === undefined) throw new InternalError(`buffer ${buffer.name} is not one of the kernel's`);
    const bytes = this.e.options.threadBytes.get(buffer);
    if (bytes === undefined || !this.e.options.isShared) return this.fromRecord(offset);
    let found = this.threadPointers.get(buffer);
    if (found === undefined) {
      const [thread, first] = [this.fromRecord(record.thread), this.fromRecord(offset)];
      found = this.e.atStart((target) => {
        this.e.code.emit("mov", target, first);
        this.e.code.emit("add", target, this.e.multiplied(thread, bytes));
      });
      this.threadPointers.set(buffer, found);
    }
    return found;
  }
  private fromRecord(offset: number): Register {
    let found = this.loaded.get(offset);
    if (found === undefined) this.loaded.set(offset, (found = this.e.fromRecord(offset)));
    return found;
  }

  /** pointer + size × bytes (× a parameter), computed at the function's start. */
  private startPointer(pointer: Register, size: Size, bytes: number, parameter?: number): Register {
    const key = `${pointer.number}:${sizeKey(size)}:${bytes}:${parameter}`;
    let found = this.starts.get(key);
    if (found !== undefined) return found;
    const { e } = this;
    const factor = parameter === undefined ? undefined : this.fromRecord(parameter);
    const offset = e.size(size, bytes);
    found = e.atStart((target) => {
      e.code.emit("mov", target, pointer);
      if (factor !== undefined) e.code.emit("add", target, e.multiplied(factor, size, bytes));
      else e.code.emit("add", target, e.inRegister(offset));
    });
    this.starts.set(key, found);
    return found;
  }
}
