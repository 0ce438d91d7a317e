/** The function being written: its code, its locals, and what is computed once at its start. */
import { type Dimension, type Size, SizeExpression, sizeKey } from "../../base/size.ts";
import type { ScalarDType } from "../../graph/scalar.ts";
import { Code, Locals } from "./code.ts";
import type { ValueType } from "./opcodes.ts";

/** Writes instructions that leave one value on the stack; may be called any number of times. */
export type Push = () => void;

export interface EmitterOptions {
  /** Multiply-adds fuse (relaxed SIMD). */
  readonly fused: boolean;
  /** Where a dimension's value lies in the argument block. */
  dimensionOffset(dimension: Dimension): number;
}

export const scalarType = (dtype: ScalarDType): ValueType =>
  dtype === "f32" || dtype === "f64" ? dtype : "i32";

/** Vectors that hold four lanes of a dtype. */
export const partsOf = (dtype: ScalarDType): number => (dtype === "f64" ? 2 : 1);

/** The parameter that holds the address of the argument block, in every function. */
export const argumentsParameter = 0;

export class Emitter {
  code = new Code();
  readonly prologue = new Code();
  readonly locals: Locals;
  readonly options: EmitterOptions;
  private readonly constants = new Map<string, number>();
  private readonly sizes = new Map<string, number>();
  private temporaries: number[] = [];

  constructor(parameterCount: number, options: EmitterOptions) {
    this.locals = new Locals(parameterCount);
    this.options = options;
  }

  local(index: number): Push {
    return () => this.code.get(index);
  }
  i32(value: number): Push {
    return () => this.code.i32(value);
  }

  /** Writes `body` into `code` instead of the current place. */
  into(code: Code, body: () => void): void {
    const before = this.code;
    this.code = code;
    body();
    this.code = before;
  }

  /** Locals taken by `temporary` inside `body` are free again after it. */
  scoped(body: () => void): void {
    const before = this.temporaries;
    this.temporaries = [];
    body();
    for (const local of this.temporaries) this.locals.give(local);
    this.temporaries = before;
  }
  temporary(type: ValueType): number {
    const local = this.locals.take(type);
    this.temporaries.push(local);
    return local;
  }
  /** The value of `push`, computed here once. */
  keep(type: ValueType, push: Push): Push {
    const local = this.temporary(type);
    push();
    this.code.set(local);
    return this.local(local);
  }

  // ---- computed at the function's start -----------------------------------------------------------------------

  /** A vector of four 32-bit lanes. */
  lanes32(lanes: readonly number[]): Push {
    return this.constantVector(new Uint8Array(Int32Array.from(lanes).buffer));
  }
  /** One number in every lane (of each part). */
  splat(dtype: ScalarDType, value: number): Push {
    if (dtype === "bool") return this.lanes32(Array(4).fill(value ? -1 : 0));
    if (dtype === "f64") return this.constantVector(new Uint8Array(new Float64Array(2).fill(value).buffer));
    if (dtype === "f32") return this.constantVector(new Uint8Array(new Float32Array(4).fill(value).buffer));
    return this.lanes32(Array(4).fill(value));
  }
  private constantVector(bytes: Uint8Array): Push {
    const key = bytes.join();
    let local = this.constants.get(key);
    if (local === undefined) {
      this.constants.set(key, (local = this.locals.fresh("v128")));
      this.prologue.v128(bytes);
      this.prologue.set(local);
    }
    return this.local(local);
  }

  /** size × factor as an i32. */
  size(size: Size, factor = 1): Push {
    if (typeof size === "number") return this.i32(size * factor);
    const key = `${sizeKey(size)}x${factor}`;
    let local = this.sizes.get(key);
    if (local === undefined) {
      this.sizes.set(key, (local = this.locals.fresh("i32")));
      this.into(this.prologue, () => this.computeSize(size, factor));
      this.prologue.set(local);
    }
    return this.local(local);
  }
  private computeSize(size: Exclude<Size, number>, factor: number): void {
    const terms = size instanceof SizeExpression ? size.terms : [{ coefficient: 1, dimensions: [size] }];
    terms.forEach(({ coefficient, dimensions }, i) => {
      this.code.i32(coefficient * factor);
      for (const dimension of dimensions) {
        this.code.get(argumentsParameter);
        this.code.memory("i32.load", this.options.dimensionOffset(dimension));
        this.code.op("i32.mul");
      }
      if (i > 0) this.code.op("i32.add");
    });
  }
  /** An i32 computed at the function's start. */
  atStart(compute: Push): number {
    const local = this.locals.fresh("i32");
    this.into(this.prologue, compute);
    this.prologue.set(local);
    return local;
  }
}
