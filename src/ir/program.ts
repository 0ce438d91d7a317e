/**
 * A Program: a tree of kernel calls and loops, and the plan of its memory. `compute` writes the arena and results; `commit`
 * writes states, and runs only when no check failed. Rows of states that `compute` has written `undo` puts back; it runs only when a
 * check failed.
 */
import type { DType } from "../base/dtype.ts";
import type { Dimension, Size } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import type { State } from "../graph/state.ts";
import type { Index, Kernel } from "./kernel.ts";

/** Where a buffer lives. Arena offsets are planned; the other addresses arrive with each run. */
export type Placement =
  | { readonly kind: "arena"; readonly offset: number }
  | { readonly kind: "input"; readonly position: number }
  | { readonly kind: "state"; readonly state: State }
  | { readonly kind: "result"; readonly position: number }
  | { readonly kind: "array"; readonly array: object };

export interface ProgramBuffer {
  readonly name: string;
  readonly dtype: DType;
  /** Elements at the bounds of all dimensions; thread scratch counts one thread. */
  readonly elements: number;
  readonly bytes: number;
  /**
   * `thread`: scratch of a kernel, a copy for each thread. `iteration`: what an iteration of a parallel loop of the program
   * has for itself, a copy for each thread as well; its kernels see it as any other memory.
   */
  readonly scope: "program" | "thread" | "iteration";
  placement: Placement;
}

export type ProgramStep =
  | {
      readonly kind: "call";
      readonly kernel: Kernel;
      readonly buffers: readonly ProgramBuffer[];
      /** The loops around the call that the kernel's parameters count; left out, the parameters' own. */
      readonly counters?: readonly Index[];
    }
  | {
      readonly kind: "loop";
      readonly index: Index;
      readonly extent: Size;
      /** Two i32, read as the loop begins: only counts from the first to before the second run. */
      readonly range?: ProgramBuffer;
      /**
       * Iterations write apart from each other and from what any of them reads: each is run by one thread, whole. Where all of such a
       * loop's body is another parallel one, the iterations of both together are: pairs of the two counters.
       */
      readonly isParallel?: boolean;
      readonly body: readonly ProgramStep[];
    }
  /** Repeats while the bool in `condition` is 1, at most `max` times. */
  | {
      readonly kind: "while";
      readonly index: Index;
      readonly max: number;
      readonly condition: ProgramBuffer;
      readonly body: readonly ProgramStep[];
    };

/** The counter behind each parameter of a called kernel. */
export const countersOf = ({ kernel, counters }: Extract<ProgramStep, { kind: "call" }>): readonly Index[] =>
  counters ?? kernel.parameters.map(({ index }) => index);

export interface Check {
  readonly node: Node;
  /** Completes "…: index 12 is out of range": what was checked. */
  readonly kind: "index" | "condition";
  readonly size?: Size;
}

export interface ProgramResult {
  readonly shape: readonly Size[];
  readonly dtype: DType;
  readonly buffer: ProgramBuffer;
}

export interface Program {
  readonly name: string;
  readonly dimensions: readonly Dimension[];
  readonly inputs: readonly ProgramBuffer[];
  readonly states: readonly State[];
  readonly arrays: readonly { readonly array: object; readonly buffer: ProgramBuffer }[];
  readonly results: readonly ProgramResult[];
  readonly compute: readonly ProgramStep[];
  readonly commit: readonly ProgramStep[];
  readonly undo: readonly ProgramStep[];
  /** Indexed by the check numbers in kernels. */
  readonly checks: readonly Check[];
  /** Bytes of the arena, thread scratch counted once per thread it was planned for. */
  readonly arenaBytes: number;
  readonly threads: number;
}
