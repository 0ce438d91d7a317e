/** What running a compiled program needs to know of it: a Program is one, so is what a file remembers of one. */
import type { DType } from "../base/dtype.ts";
import type { Dimension, Size } from "../base/size.ts";
import type { State } from "../graph/state.ts";
import type { CheckedNode } from "./step-error.ts";

export interface RunnableProgram {
  readonly name: string;
  readonly dimensions: readonly Dimension[];
  readonly inputs: readonly { readonly dtype: DType; readonly elements: number; readonly bytes: number }[];
  readonly states: readonly State[];
  readonly arrays: readonly { readonly array: object }[];
  readonly results: readonly {
    readonly shape: readonly Size[];
    readonly dtype: DType;
    readonly buffer: { readonly bytes: number };
  }[];
  readonly checks: readonly { readonly node: CheckedNode }[];
  readonly arenaBytes: number;
}
