/**
 * A State is a name whose current value is a node: a parameter, an optimizer moment, a step counter, a random key.
 *
 * Program order is the meaning: a read before an assignment keeps the old value, a read after it sees the new one.
 * Traces keep the pending values (see `trace.ts`); the bytes of the last committed value live with the runtime.
 */
import type { DType, TypedArray } from "../base/dtype.ts";
import { MappedArray } from "../base/mapped-array.ts";

export class State {
  private static count = 0;
  readonly id: number = State.count++;
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Shown in errors, checkpoints and summaries; a module sets it to the parameter's path. */
  name: string;
  #initial: TypedArray | (() => TypedArray) | undefined;
  /** In place of them: the file in which they lie. */
  initialMapped: MappedArray | undefined;
  /** Where the runtime keeps the committed value; it alone reads and writes this. */
  storage: unknown;

  constructor(
    name: string,
    type: { shape: readonly number[]; dtype: DType },
    initial: TypedArray | (() => TypedArray) | MappedArray,
  ) {
    this.name = name;
    this.shape = type.shape;
    this.dtype = type.dtype;
    if (initial instanceof MappedArray) this.initialMapped = initial;
    else this.#initial = initial;
  }

  /** The first value's storage bits, computed when they are first asked for; the runtime drops them once it has copied them to the device. */
  get initial(): TypedArray | undefined {
    if (typeof this.#initial === "function") this.#initial = this.#initial();
    return this.#initial;
  }
  set initial(bits: TypedArray | undefined) {
    this.#initial = bits;
  }
}
