/** Computed values: a box around device memory (or a host array not sent there yet) that handles and nodes share. */
import { bytesOf, type DType, type TypedArray } from "../base/dtype.ts";
import { ArgumentError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import type { MappedArray } from "../base/mapped-array.ts";
import { maxElementCount } from "../base/shape.ts";
import type { State } from "../graph/state.ts";
import type { Storage } from "../runtime/device.ts";
import { cpuDevice } from "../runtime/devices.ts";

/** How far a value's graph reaches back through values that were computed before. */
export interface History {
  readonly nodes: number;
  readonly bytes: number;
  /** The states that the value was computed from. */
  readonly states: ReadonlySet<State>;
}

const noStates: ReadonlySet<State> = new Set();
export const noHistory: History = { nodes: 0, bytes: 0, states: noStates };

/** Storage that no handle and no node can reach any more is given back. */
const unreachable = new FinalizationRegistry<Storage>((storage) => storage.release());

export class Value {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly history: History;
  /** The graph behind the value was forgotten: gradients end here. */
  isCut = false;
  private host: HostArray | undefined;
  private storage: Storage | undefined;
  private isDisposed = false;

  private constructor(type: { dtype: DType; shape: readonly number[] }, history: History) {
    this.dtype = type.dtype;
    this.shape = type.shape;
    this.history = history;
  }

  /** A value in device memory, the result of a run. */
  static ofStorage(storage: Storage, history: History): Value {
    const value = new Value(storage, history);
    value.hold(storage);
    return value;
  }
  /** A value in a mapped file, used where it lies. */
  static ofMapped(array: MappedArray): Value {
    return Value.ofStorage(cpuDevice().map(array), noHistory);
  }
  /** A value in the host's memory, which must not change any more. */
  static ofHost(array: HostArray): Value {
    const value = new Value(array, noHistory);
    value.host = array;
    return value;
  }

  get bytes(): number {
    return maxElementCount(this.shape) * bytesOf(this.dtype);
  }

  /** As an input of a run. A host array goes along once; used again, it moves to the device. */
  input(): HostArray | Storage {
    if (this.storage !== undefined) return this.storage;
    const host = this.host ?? this.gone();
    if (this.wasInput) this.hold(cpuDevice().upload(host));
    this.wasInput = true;
    return this.storage ?? host;
  }
  private wasInput = false;

  /** A copy of the storage bits. */
  async read(): Promise<TypedArray> {
    if (this.host !== undefined) return this.host.data.slice();
    return (this.storage ?? this.gone()).read();
  }

  /** The bits where they can be had without waiting and without an error; not a copy. */
  peek(): TypedArray | undefined {
    if (this.host !== undefined) return this.host.data;
    if (this.storage === undefined || this.storage.isPending || this.storage.error !== undefined)
      return undefined;
    return this.storage.readSync();
  }

  dispose(): void {
    if (this.isDisposed) return;
    this.isDisposed = true;
    this.host = undefined;
    if (this.storage === undefined) return;
    unreachable.unregister(this);
    this.storage.release();
    this.storage = undefined;
  }

  private hold(storage: Storage): void {
    this.host = undefined;
    this.storage = storage;
    unreachable.register(this, storage, this);
  }

  private gone(): never {
    throw new ArgumentError("this tensor was disposed: its memory is gone; read it before, or keep it alive");
  }
}
