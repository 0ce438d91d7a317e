/** Values of a memory device: in its memory, or, when small, with their handle. They may still be on their way. */
import type { TypedArray } from "../base/dtype.ts";
import { InternalError, type StepError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import type { MappedArray, MappedFile } from "../base/mapped-array.ts";
import type { Storage } from "./device.ts";

/** The run that makes a value. */
export interface ValueRun {
  readonly isPending: boolean;
  readonly error: StepError | undefined;
  /** Resolves, and never rejects, when it has ended. */
  ended(): Promise<void>;
}

/** What a value asks of its device. */
export interface StorageOwner {
  /** Sleeps until every run has ended. */
  drain(): void;
  /** Somebody has met this error. */
  seen(error: Error): void;
  view(dtype: HostArray["dtype"], address: number, count: number): TypedArray;
  drop(storage: MemoryStorage, address: number): void;
}

type ValueType = Pick<HostArray, "dtype" | "shape">;

abstract class AnyStorage implements Storage {
  readonly dtype: HostArray["dtype"];
  readonly shape: readonly number[];
  protected readonly owner: StorageOwner;
  private run: ValueRun | undefined;

  constructor(owner: StorageOwner, { dtype, shape }: ValueType, run?: ValueRun) {
    this.owner = owner;
    this.dtype = dtype;
    this.shape = shape;
    this.run = run;
  }
  get isPending(): boolean {
    return this.run?.isPending === true;
  }
  get error(): StepError | undefined {
    return this.run?.error;
  }
  async read(): Promise<TypedArray> {
    if (this.isPending) await this.run!.ended();
    return this.readSync();
  }
  readSync(): TypedArray {
    return this.bits().slice();
  }
  /** The elements where they are: to be copied before the next run. */
  bits(): TypedArray {
    if (this.isPending) this.owner.drain();
    this.throwError();
    return this.elements();
  }
  protected throwError(): void {
    const { error } = this;
    if (error === undefined) return;
    this.owner.seen(error);
    throw error;
  }
  protected abstract elements(): TypedArray;
  abstract release(): void;
}

/** A value small enough to live with its handle. */
export class HostStorage extends AnyStorage {
  private data: TypedArray | undefined;
  private isReleased = false;

  constructor(owner: StorageOwner, array: ValueType & { readonly data?: TypedArray }, run?: ValueRun) {
    super(owner, array, run);
    this.data = array.data;
  }
  /** The run that makes it has ended well. */
  fill(data: TypedArray): void {
    if (!this.isReleased) this.data = data;
  }
  protected elements(): TypedArray {
    return this.data ?? thatIsGone();
  }
  release(): void {
    this.isReleased = true;
    this.data = undefined;
  }
}

/** A value at an address that programs can read. */
export abstract class PlacedStorage extends AnyStorage {
  /** Where a program may read it in place, after the runs before it. */
  abstract place(): number;
}

/** A value in a file that is mapped into memory. The file stays as long as this does. */
export class MappedStorage extends PlacedStorage {
  private array: MappedArray | undefined;

  constructor(owner: StorageOwner, array: MappedArray) {
    super(owner, array);
    this.array = array;
  }
  place(): number {
    return (this.array ?? thatIsGone()).address;
  }
  get file(): MappedFile {
    return (this.array ?? thatIsGone()).file;
  }
  override readSync(): TypedArray {
    return this.elements();
  }
  /** A copy: nothing in JavaScript may come to write to the file's pages. */
  protected elements(): TypedArray {
    return (this.array ?? thatIsGone()).read().data;
  }
  release(): void {
    this.array = undefined;
  }
}

export class MemoryStorage extends PlacedStorage {
  private address: number | undefined;

  constructor(owner: StorageOwner, type: ValueType, address: number, run?: ValueRun) {
    super(owner, type, run);
    this.address = address;
  }
  place(): number {
    this.throwError();
    return this.address ?? thatIsGone();
  }
  protected elements(): TypedArray {
    const count = this.shape.reduce((n, size) => n * size, 1);
    return this.owner.view(this.dtype, this.place(), count);
  }
  release(): void {
    if (this.address !== undefined) this.owner.drop(this, this.address);
    this.address = undefined;
  }
}

function thatIsGone(): never {
  throw new InternalError("this value was released: its memory is gone");
}
