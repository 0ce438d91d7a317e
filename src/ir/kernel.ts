/**
 * The loop IR: a kernel is a nest of loops over registers and buffers. It fixes the order of every sum; a target may
 * only choose instructions.
 *
 * Inside a `vector` loop the body is written for one lane: the loop means "for index = 0 … extent − 1", a target runs
 * as many lanes at once as it has, and handles the tail. A register with `lanes` > 1 holds one element per lane: inside a
 * vector loop it stands for the element `index mod lanes`. So sums over 16 logical lanes come out the same everywhere.
 *
 * Addresses are affine in the loop indices, in elements, plus data-dependent terms whose value was bounded by
 * `checkIndex`. `verify.ts` proves every access in bounds from the extents.
 */
import type { DType } from "../base/dtype.ts";
import type { Size } from "../base/size.ts";
import type { BinaryOperator, CompareOperator, ScalarDType, UnaryOperator } from "../graph/scalar.ts";

/** A loop's counter (or a parameter of the kernel: the counter of a loop of the program around it). */
export interface Index {
  readonly name: string;
}

/** constant + Σ stride × index, in elements. */
export interface Affine {
  readonly constant: Size;
  readonly terms: readonly { readonly index: Index; readonly stride: Size }[];
}

/** A block of memory a kernel is given at each call. */
export interface KernelBuffer {
  readonly name: string;
  /** How elements are stored; a load converts to the compute dtype, a store back. */
  readonly dtype: DType;
  /** Elements, at least, that the memory holds: what accesses are verified against. */
  readonly elements: Size;
  readonly access: "read" | "write" | "readwrite";
  /** `thread`: scratch; every thread has its own copy, the address given is of thread 0's, copies are contiguous. */
  readonly scope: "program" | "thread";
  /** What it holds always: a load of a known element is a constant. */
  readonly known?: ArrayLike<number>;
}

/** Accumulators and values kept across iterations: `count` elements (subscripted by unrolled indices) of `lanes` lanes. */
export interface Register {
  readonly name: string;
  readonly dtype: ScalarDType;
  readonly count: number;
  readonly lanes: number;
}

/** Each value is computed once, by the `define` statement that holds it, and used after it in the same or inner blocks. */
export type Value = {
  readonly dtype: ScalarDType;
} & (
  | { readonly kind: "constant"; readonly value: number }
  /** The i32 value of an affine expression of indices. */
  | { readonly kind: "index"; readonly affine: Affine }
  | {
      readonly kind: "load";
      readonly buffer: KernelBuffer;
      readonly address: Affine;
      readonly dynamic: readonly DynamicTerm[];
    }
  | { readonly kind: "unary"; readonly operator: UnaryOperator; readonly x: Value }
  | { readonly kind: "binary"; readonly operator: BinaryOperator; readonly a: Value; readonly b: Value }
  | { readonly kind: "compare"; readonly operator: CompareOperator; readonly a: Value; readonly b: Value }
  /** a × b + c: fused where the target's arithmetic fuses, else a rounded product and a rounded sum. */
  | { readonly kind: "mulAdd"; readonly a: Value; readonly b: Value; readonly c: Value }
  /**
   * c + Σ aᵢ · bᵢ, wrapping, of integers that lie in the words a and b: two of 16 bits with signs, or four bytes, those of a without
   * sign, those of b with one.
   */
  | {
      readonly kind: "dotAdd";
      readonly parts: 2 | 4;
      readonly a: Value;
      readonly b: Value;
      readonly c: Value;
    }
  /** Two 16-bit integers in the place of the bytes 0 and 1, 2 and 3 of the word x: the even or the odd ones of these bytes. */
  | {
      readonly kind: "bytePairs";
      readonly x: Value;
      readonly which: "even" | "odd";
      readonly isSigned: boolean;
    }
  | { readonly kind: "select"; readonly condition: Value; readonly a: Value; readonly b: Value }
  | { readonly kind: "convert"; readonly x: Value }
  | { readonly kind: "bitcast"; readonly x: Value }
  /** x clamped to 0 … size − 1; when it was outside, the status word is set to (check, position, x). */
  | {
      readonly kind: "checkIndex";
      readonly x: Value;
      readonly size: Size;
      readonly check: number;
      readonly position: Affine;
    }
  /** x; when `condition` is false the status word is set to (check, position, x). */
  | {
      readonly kind: "check";
      readonly condition: Value;
      readonly x: Value;
      readonly check: number;
      readonly position: Affine;
    }
  | { readonly kind: "register"; readonly register: Register; readonly subscript: Affine }
  /** All lanes of a register folded by a tree: lane l with lane l + lanes/2, halving until one is left. Outside vector loops. */
  | {
      readonly kind: "combine";
      readonly register: Register;
      readonly subscript: Affine;
      readonly operator: "add" | "mul" | "min" | "max";
    }
);

/** index × stride elements, where `index` is (an i32 that derives by `checkIndex`) below `size`. */
export interface DynamicTerm {
  readonly index: Value;
  readonly stride: Size;
}

export type Statement =
  | { readonly kind: "define"; readonly value: Value }
  | {
      readonly kind: "store";
      readonly buffer: KernelBuffer;
      readonly address: Affine;
      readonly dynamic: readonly DynamicTerm[];
      readonly value: Value;
    }
  /** In a vector loop: this lane's element. Outside: all lanes. */
  | { readonly kind: "set"; readonly register: Register; readonly subscript: Affine; readonly value: Value }
  /**
   * Outside vector loops: an element will be read soon, so a target may ask for it now. It means nothing, and the element need not be
   * inside the buffer.
   */
  | { readonly kind: "prefetch"; readonly buffer: KernelBuffer; readonly address: Affine }
  | Loop;

/**
 * - `serial`: in order.
 * - `parallel`: only outermost in a kernel; iterations touch disjoint memory (and no register outside), threads share them. Its
 *   body may end with another parallel loop, whose iterations are shared, too; loops before it prepare a thread's own memory and
 *   run once on each thread that has iterations of it, or more often.
 * - `unrolled`: serial with a constant extent, written out; only its index may subscript registers.
 * - `vector`: see above; holds no loops but unrolled ones. `lockstep`: statement by statement over all lanes (a register
 *   tile, its loads shared); otherwise chunk by chunk (a long chain of operations, few live values).
 *
 * With `step` s > 1 the index takes 0, s, 2s … while index + s ≤ extent, then `remainder` runs once for each index left.
 */
export interface Loop {
  readonly kind: "loop";
  readonly mode: "serial" | "parallel" | "unrolled" | "vector";
  readonly index: Index;
  readonly extent: Size;
  readonly step: number;
  readonly body: readonly Statement[];
  readonly remainder: readonly Statement[];
  readonly lockstep: boolean;
}

export interface Kernel {
  /** What it does, for people: `row softmax 32×10`, `dot 32×784×64 + bias`. */
  readonly name: string;
  readonly buffers: readonly KernelBuffer[];
  /** Counters of the program's loops around the call, with their extents. */
  readonly parameters: readonly { readonly index: Index; readonly extent: Size }[];
  readonly body: readonly Statement[];
  /** Estimates at the bounds of all dimensions, for describe() and for choosing threads. */
  readonly cost: { readonly flop: number; readonly bytes: number };
}
