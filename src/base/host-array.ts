/** A dense array in the host's memory, row-major. */
import type { DType, TypedArray } from "./dtype.ts";

export interface HostArray {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Storage bits: 16-bit patterns for f16 and bf16, 0 and 1 for bool. */
  readonly data: TypedArray;
}
