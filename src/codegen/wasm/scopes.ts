/**
 * Addresses without multiplication: inside a loop, an address that moves with the loop's index is a pointer that is
 * set before the loop and advanced after each iteration. Constants go into the instructions' offsets.
 */
import { bytesOf } from "../../base/dtype.ts";
import { InternalError } from "../../base/errors.ts";
import { addSizes, boundsOf, multiplySizes, type Size, SizeExpression, sizeKey } from "../../base/size.ts";
import { strideOf } from "../../ir/affine.ts";
import type { Affine, Index, KernelBuffer } from "../../ir/kernel.ts";
import { Code } from "./code.ts";
import type { Emitter, Push } from "./emitter.ts";
import type { Address } from "./storage.ts";

/** When a pointer moves: at the end of a turn of the loop, or after each iteration that a turn writes out. */
type Pace = "turn" | "iteration";

/** One open loop. Its code is put together when it closes: what comes before it is known only then. */
export class Scope {
  readonly index: Index;
  /** The counter. */
  readonly local: number;
  /** Where the counter starts, unless at 0. */
  readonly start: Push | undefined;
  readonly before = new Code();
  readonly body = new Code();
  /** Several iterations are written out (`emitTileLoop`). */
  readonly isTile: boolean;
  private readonly pointers = new Map<string, { local: number; stride: Size; pace: Pace }>();

  constructor(
    index: Index,
    local: number,
    { start, isTile = false }: { readonly start?: Push; readonly isTile?: boolean } = {},
  ) {
    this.index = index;
    this.local = local;
    this.start = start;
    this.isTile = isTile;
  }

  /** `outer` + the counter × stride bytes. */
  pointer(e: Emitter, outer: number, stride: Size, pace: Pace): number {
    const key = `${outer}:${sizeKey(stride)}:${pace}`;
    const known = this.pointers.get(key);
    if (known !== undefined) return known.local;
    const local = e.locals.fresh("i32");
    this.pointers.set(key, { local, stride, pace });
    e.into(this.before, () => {
      e.code.get(outer);
      if (this.start !== undefined) {
        this.start();
        e.size(stride)();
        e.code.op("i32.mul");
        e.code.op("i32.add");
      }
      e.code.set(local);
    });
    return local;
  }

  /** Moves the pointers of a pace on by `count` indices. */
  advance(e: Emitter, count: number, moved: Pace = "turn"): void {
    for (const { local, stride, pace } of this.pointers.values()) {
      if (pace !== moved) continue;
      e.code.get(local);
      e.size(stride, count)();
      e.code.op("i32.add");
      e.code.set(local);
    }
  }
  close(e: Emitter): void {
    for (const { local } of this.pointers.values()) e.locals.give(local);
  }
}

/**
 * Pointers are kept this many bytes low, and offsets as much higher. V8 knows of a sum, not of a parameter, that the
 * upper half of its register is 0; without the subtraction it would extend every pointer again in every iteration.
 */
const bias = 64;

/** The indices in force: counters of open loops, parameters, and indices whose value is known here. */
export class Scopes {
  private readonly e: Emitter;
  private readonly open: Scope[] = [];
  private readonly parameters: ReadonlyMap<Index, number>;
  private readonly buffers: ReadonlyMap<KernelBuffer, number>;
  private readonly fixed = new Map<Index, number>();
  private readonly shifts = new Map<Index, number>();
  private readonly biased = new Map<KernelBuffer, number>();
  private readonly starts = new Map<string, number>();

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
  /** Writes `body` into `code` (the loop's body, if not said otherwise) with the loop's index in force. */
  inside(scope: Scope, body: () => void, code: Code = scope.body): void {
    this.open.push(scope);
    this.e.into(code, body);
    this.open.pop();
  }

  /** With the indices put in whose value is known here. */
  resolve(affine: Affine): Affine {
    return putIn(affine, this.fixed, "gone");
  }
  /** The same, and the shifts of the others (but for `still`): once only, for their terms stay. */
  private moved(affine: Affine, still?: Index): Affine {
    const shifts = still === undefined ? this.shifts : new Map([...this.shifts].filter(([i]) => i !== still));
    return putIn(this.resolve(affine), shifts, "kept");
  }

  /** A subscript: known once unrolled indices are put in. */
  known(affine: Affine): number {
    const { constant, terms } = this.moved(affine);
    if (terms.length === 0 && typeof constant === "number") return constant;
    throw new InternalError("a register's subscript is not known when code is written");
  }

  /** The i32 value of an affine expression. */
  pushValue(affine: Affine): void {
    const { constant, terms } = this.moved(affine);
    const { e } = this;
    let first = true;
    const add = (push: Push): void => {
      push();
      if (!first) e.code.op("i32.add");
      first = false;
    };
    for (const { index, stride } of terms) {
      add(() => {
        e.code.get(this.counterOf(index));
        if (stride === 1) return;
        e.size(stride)();
        e.code.op("i32.mul");
      });
    }
    if (constant !== 0 || first) add(e.size(constant));
  }

  private counterOf(index: Index): number {
    const local = this.open.find((scope) => scope.index === index)?.local ?? this.parameters.get(index);
    if (local === undefined) throw new InternalError(`index ${index.name} is used outside its loop`);
    return local;
  }

  /**
   * The address of an element. V8 takes the offset of a load into the instruction, but not of one that splats: for that,
   * in a tile's loop, the pointer moves after each iteration, so that offsets are the same in all.
   */
  address(buffer: KernelBuffer, affine: Affine, isSplat = false): Address {
    const { e } = this;
    const innermost = this.open[this.open.length - 1];
    const tile = isSplat && innermost?.isTile ? innermost : undefined;
    const { constant, terms } = this.moved(affine, tile?.index);
    const bytes = bytesOf(buffer.dtype);
    const [late, now] = splitConstant(constant);
    let pointer = this.bufferLocal(buffer);
    if (late !== 0) pointer = this.startPointer(pointer, late, bytes);
    for (const { index, stride } of terms) {
      const parameter = this.parameters.get(index);
      if (parameter !== undefined) pointer = this.startPointer(pointer, stride, bytes, parameter);
    }
    let found = terms.filter(({ index }) => this.parameters.has(index)).length;
    for (const scope of this.open) {
      const stride = strideOf({ constant: 0, terms }, scope.index);
      if (stride === 0) continue;
      pointer = scope.pointer(
        e,
        pointer,
        multiplySizes(stride, bytes),
        scope === tile ? "iteration" : "turn",
      );
      found++;
    }
    if (found !== terms.length)
      throw new InternalError(`an address of ${buffer.name} uses a closed loop's index`);
    const offset = now * bytes + bias;
    const base = e.local(pointer);
    const rises = late === 0 || boundsOf(late).min >= 0;
    if (offset >= 0 && offset < 2 ** 30 && rises && terms.every(({ stride }) => boundsOf(stride).min >= 0))
      return { base, offset };
    if (offset === 0) return { base, offset };
    // The sum must wrap: the pointer alone may be below 0, where the instruction's own offset would trap.
    const sum = (): void => {
      base();
      e.code.i32(offset);
      e.code.op("i32.add");
    };
    return { base: sum, offset: 0 };
  }

  private bufferLocal(buffer: KernelBuffer): number {
    const parameter = this.buffers.get(buffer);
    if (parameter === undefined) throw new InternalError(`buffer ${buffer.name} is not one of the kernel's`);
    let local = this.biased.get(buffer);
    if (local === undefined) {
      local = this.e.atStart(() => {
        this.e.code.get(parameter);
        this.e.code.i32(-bias);
        this.e.code.op("i32.add");
      });
      this.biased.set(buffer, local);
    }
    return local;
  }

  /** pointer + size × bytes (× a parameter), computed at the function's start. */
  private startPointer(pointer: number, size: Size, bytes: number, parameter?: number): number {
    const key = `${pointer}:${sizeKey(size)}:${bytes}:${parameter}`;
    let local = this.starts.get(key);
    if (local !== undefined) return local;
    const { e } = this;
    const offset = e.size(size, bytes);
    local = e.atStart(() => {
      e.code.get(pointer);
      offset();
      if (parameter !== undefined) {
        e.code.get(parameter);
        e.code.op("i32.mul");
      }
      e.code.op("i32.add");
    });
    this.starts.set(key, local);
    return local;
  }
}

/** `values` of indices added to the constant; their terms are then gone, or kept. */
function putIn(affine: Affine, values: ReadonlyMap<Index, number>, terms: "gone" | "kept"): Affine {
  if (values.size === 0 || !affine.terms.some(({ index }) => values.has(index))) return affine;
  let { constant } = affine;
  for (const { index, stride } of affine.terms) {
    const value = values.get(index);
    if (value !== undefined) constant = addSizes(constant, multiplySizes(stride, value));
  }
  return {
    constant,
    terms: terms === "kept" ? affine.terms : affine.terms.filter(({ index }) => !values.has(index)),
  };
}

/** The part that depends on dimensions, and the number. */
function splitConstant(constant: Size): [Size, number] {
  if (typeof constant === "number") return [0, constant];
  if (!(constant instanceof SizeExpression)) return [constant, 0];
  const now = constant.terms.find(({ dimensions }) => dimensions.length === 0)?.coefficient ?? 0;
  return [addSizes(constant, -now), now];
}
