/**
 * A device with one memory of its own, whatever generates its code: states, arguments, results and arenas lie in a pool; a
 * compiled function is one executable. Runs happen in the call.
 */
import { bytesOf, type TypedArray } from "../base/dtype.ts";
import { InternalError, ShapeError, type StepError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { maxElementCount, type Shape } from "../base/shape.ts";
import { Dimension, evaluateSize, type Size } from "../base/size.ts";
import { compileProgram } from "../compiler/compile.ts";
import { describeProgram } from "../compiler/describe.ts";
import type { GraphFunction } from "../graph/function.ts";
import type { State } from "../graph/state.ts";
import type { CheckFailure } from "../ir/evaluate.ts";
import type { Program, ProgramResult } from "../ir/program.ts";
import type { TargetDescription } from "../ir/target.ts";
import { printPass } from "./debug.ts";
import type { Device, Executable, ProgramDescription, Storage } from "./device.ts";
import { stepError } from "./step-error.ts";

/** Results up to this size are copied out at the end of a run: the JavaScript collector then sees and frees them. */
const copiedOutBytes = 64 * 1024;

/** Memory that addresses name. */
export interface MemoryPool {
  readonly usedBytes: number;
  readonly peakBytes: number;
  /** The address of at least so many bytes, not cleared. */
  allocate(bytes: number): number;
  free(address: number): void;
  /** Elements in place, good until the next allocation. */
  view(dtype: HostArray["dtype"], address: number, count: number): TypedArray;
}

/** Byte addresses in the program's order, and the values of its dimensions. */
export interface RunArguments {
  readonly inputs: ArrayLike<number>;
  readonly states: ArrayLike<number>;
  readonly results: ArrayLike<number>;
  readonly arrays: ArrayLike<number>;
  readonly dimensions: ArrayLike<number>;
}

/** A Program bound to the memory: ready to run any number of times. */
export interface MemoryExecutable {
  /** Computes and commits; or, when a check failed, computes only and returns that check. */
  run(args: RunArguments): CheckFailure | undefined;
  dispose(): void;
}

export interface MemoryDeviceParts {
  readonly target: TargetDescription;
  readonly memory: MemoryPool;
  instantiate(program: Program): MemoryExecutable;
}

/** Throughput assumed by the time estimate of describe(): one thread of a current processor. */
const assumed = { flopPerSecond: 25e9, bytesPerSecond: 10e9, secondsPerKernel: 1e-6 };

export class MemoryDevice implements Device {
  readonly name: string;
  readonly arithmetic: string;
  readonly threads: number;
  readonly memoryPool: MemoryPool;
  private readonly parts: MemoryDeviceParts;
  private readonly arrays = new WeakMap<object, number>();
  private readonly freed: FinalizationRegistry<number>;
  /** The error of the last failed run until somebody has seen it. */
  private unseen: { readonly error: StepError; isSeen: boolean } | undefined;

  constructor(parts: MemoryDeviceParts) {
    this.parts = parts;
    this.memoryPool = parts.memory;
    this.name = parts.target.name;
    this.threads = parts.target.threads;
    this.arithmetic = parts.target.arithmetic;
    this.freed = new FinalizationRegistry((address) => this.memoryPool.free(address));
  }

  compile(fn: GraphFunction): Executable {
    const program = compileProgram(fn, { target: this.parts.target, onPass: printPass });
    return new MemoryFunction(this, fn, program, this.parts.instantiate(program));
  }

  upload({ dtype, shape, data }: HostArray): Storage {
    const address = this.memoryPool.allocate(data.byteLength);
    this.memoryPool.view(dtype, address, data.length).set(data);
    return this.hold(dtype, shape, address);
  }

  readState(state: State): TypedArray {
    return this.stateView(state).slice();
  }
  writeState(state: State, data: TypedArray): void {
    const view = this.stateView(state);
    if (data.length !== view.length || data.constructor !== view.constructor) {
      throw new InternalError(
        `state "${state.name}": needs ${view.constructor.name} of ${view.length}, got ${data.constructor.name} of ${data.length}`,
      );
    }
    view.set(data);
  }
  memory(): { usedBytes: number; peakBytes: number } {
    return { usedBytes: this.memoryPool.usedBytes, peakBytes: this.memoryPool.peakBytes };
  }

  // ---- for the functions it compiles --------------------------------------------------------------------------

  /** A value in memory that is freed when nobody holds the handle. */
  hold(
    dtype: HostArray["dtype"],
    shape: readonly number[],
    address: number,
    error?: StepError,
  ): MemoryStorage {
    const storage = new MemoryStorage(this, { dtype, shape }, address, error);
    this.freed.register(storage, address, storage);
    return storage;
  }
  drop(storage: MemoryStorage, address: number): void {
    this.freed.unregister(storage);
    this.memoryPool.free(address);
  }

  stateAddress(state: State): number {
    const place = state.storage as StatePlace | undefined;
    if (place === undefined) return this.placeState(state).address;
    if (place.device !== this) throw new InternalError(`state "${state.name}" lives on another device`);
    return place.address;
  }

  arrayAddress(array: HostArray): number {
    let address = this.arrays.get(array);
    if (address === undefined) {
      address = this.memoryPool.allocate(array.data.byteLength);
      this.memoryPool.view(array.dtype, address, array.data.length).set(array.data);
      this.arrays.set(array, address);
      this.freed.register(array, address);
    }
    return address;
  }

  /** A failure that nobody looked at is thrown by the next call. */
  throwUnseen(): void {
    const failure = this.unseen;
    this.unseen = undefined;
    if (failure !== undefined && !failure.isSeen) throw failure.error;
  }
  failed(error: StepError): void {
    this.unseen = { error, isSeen: false };
  }
  seen(error: Error): void {
    if (this.unseen?.error === error) this.unseen.isSeen = true;
  }

  private placeState(state: State): StatePlace {
    const { initial, dtype } = state;
    if (initial === undefined) throw new InternalError(`state "${state.name}" has no initial value`);
    const address = this.memoryPool.allocate(initial.byteLength);
    this.memoryPool.view(dtype, address, initial.length).set(initial);
    const place: StatePlace = { device: this, address };
    state.storage = place;
    state.initial = undefined;
    this.freed.register(state, address);
    return place;
  }

  private stateView(state: State): TypedArray {
    return this.memoryPool.view(state.dtype, this.stateAddress(state), maxElementCount(state.shape));
  }
}

/** Where a state's committed value lies. */
interface StatePlace {
  readonly device: MemoryDevice;
  readonly address: number;
}

abstract class AnyStorage implements Storage {
  readonly dtype: HostArray["dtype"];
  readonly shape: readonly number[];
  readonly error: StepError | undefined;
  protected readonly device: MemoryDevice;

  constructor(device: MemoryDevice, { dtype, shape }: Pick<HostArray, "dtype" | "shape">, error?: StepError) {
    this.device = device;
    this.dtype = dtype;
    this.shape = shape;
    this.error = error;
  }
  async read(): Promise<TypedArray> {
    return this.readSync();
  }
  readSync(): TypedArray {
    return this.bits().slice();
  }
  /** The elements where they are: to be copied before the next run. */
  bits(): TypedArray {
    if (this.error !== undefined) {
      this.device.seen(this.error);
      throw this.error;
    }
    return this.elements();
  }
  protected abstract elements(): TypedArray;
  abstract release(): void;
}

/** A value small enough to live with its handle. */
class HostStorage extends AnyStorage {
  private data: TypedArray | undefined;

  constructor(device: MemoryDevice, array: HostArray, error?: StepError) {
    super(device, array, error);
    this.data = array.data;
  }
  protected elements(): TypedArray {
    return this.data ?? thatIsGone();
  }
  release(): void {
    this.data = undefined;
  }
}

class MemoryStorage extends AnyStorage {
  private address: number | undefined;

  constructor(
    device: MemoryDevice,
    type: Pick<HostArray, "dtype" | "shape">,
    address: number,
    error?: StepError,
  ) {
    super(device, type, error);
    this.address = address;
  }
  /** Where a program may read it in place. */
  place(): number {
    if (this.error !== undefined) this.bits();
    return this.address ?? thatIsGone();
  }
  protected elements(): TypedArray {
    const count = this.shape.reduce((n, size) => n * size, 1);
    return this.device.memoryPool.view(this.dtype, this.place(), count);
  }
  release(): void {
    if (this.address !== undefined) this.device.drop(this, this.address);
    this.address = undefined;
  }
}

function thatIsGone(): never {
  throw new InternalError("this value was released: its memory is gone");
}

class MemoryFunction implements Executable {
  private readonly device: MemoryDevice;
  private readonly fn: GraphFunction;
  private readonly program: Program;
  private readonly executable: MemoryExecutable;
  private readonly dimensions: readonly Dimension[];
  /** What a run is given; addresses of states and constants never change. */
  private readonly arguments: { readonly [K in keyof RunArguments]: Float64Array };
  /** Where host arrays are copied to: one place an argument, for the life of the function. */
  private readonly inputPlaces: (number | undefined)[];
  private readonly resultPlaces: (number | undefined)[];

  constructor(device: MemoryDevice, fn: GraphFunction, program: Program, executable: MemoryExecutable) {
    this.device = device;
    this.fn = fn;
    this.program = program;
    this.dimensions = program.dimensions;
    this.executable = executable;
    this.arguments = {
      inputs: new Float64Array(program.inputs.length),
      results: new Float64Array(program.results.length),
      dimensions: new Float64Array(program.dimensions.length),
      states: Float64Array.from(program.states, (state) => device.stateAddress(state)),
      arrays: Float64Array.from(program.arrays, ({ array }) => device.arrayAddress(array as HostArray)),
    };
    this.inputPlaces = fn.parameters.map(() => undefined);
    this.resultPlaces = program.results.map(() => undefined);
  }

  run(inputs: readonly (HostArray | Storage)[], given?: ReadonlyMap<Dimension, number>): readonly Storage[] {
    this.device.throwUnseen();
    const values = this.bindDimensions(inputs, given);
    const { results } = this.program;
    const places = this.arguments;
    for (let i = 0; i < inputs.length; i++) places.inputs[i] = this.placeInput(i, inputs[i]!);
    for (let i = 0; i < results.length; i++) places.results[i] = this.placeResult(i);
    this.dimensions.forEach((dimension, i) => {
      places.dimensions[i] = values.get(dimension)!;
    });
    const failure = this.executable.run(places);
    const error = failure && this.errorOf(failure);
    return results.map((result, i) =>
      this.takeResult(result, sizesOf(result.shape, values), places.results[i]!, error),
    );
  }

  private errorOf({ check, position, value }: CheckFailure): StepError {
    const error = stepError({ node: this.program.checks[check]!.node, position, value });
    this.device.failed(error);
    return error;
  }

  describe(): ProgramDescription {
    const cost = describeProgram(this.program);
    const { flopPerSecond, bytesPerSecond, secondsPerKernel } = assumed;
    const seconds = cost.kernels.reduce(
      (sum, { flop, bytes }) =>
        sum + secondsPerKernel + Math.max(flop / flopPerSecond, bytes / bytesPerSecond),
      0,
    );
    return {
      target: this.device.name,
      threads: this.device.threads,
      ...cost,
      estimatedMilliseconds: seconds * 1e3,
    };
  }

  dispose(): void {
    this.executable.dispose();
    for (const address of [...this.inputPlaces, ...this.resultPlaces]) {
      if (address !== undefined) this.device.memoryPool.free(address);
    }
    this.inputPlaces.fill(undefined);
    this.resultPlaces.fill(undefined);
  }

  // ---- arguments ----------------------------------------------------------------------------------------------

  private bindDimensions(
    inputs: readonly (HostArray | Storage)[],
    given: ReadonlyMap<Dimension, number> | undefined,
  ): ReadonlyMap<Dimension, number> {
    if (this.dimensions.length === 0) return noDimensions;
    const values = new Map(given);
    this.fn.parameters.forEach((parameter, i) => {
      parameter.shape.forEach((size, axis) => {
        if (size instanceof Dimension) bindDimension(values, size, inputs[i]!.shape[axis]!);
      });
    });
    return values;
  }

  private placeInput(i: number, input: HostArray | Storage): number {
    const { dtype, elements } = this.program.inputs[i]!;
    if (input.dtype !== dtype)
      throw new InternalError(`argument ${i}: got ${input.dtype}, the program takes ${dtype}`);
    if (input instanceof MemoryStorage) return input.place();
    const data = input instanceof HostStorage ? input.bits() : (input as HostArray).data;
    if (data.length > elements)
      throw new ShapeError(`argument ${i}: ${data.length} elements, at most ${elements} expected`);
    const address = (this.inputPlaces[i] ??= this.device.memoryPool.allocate(elements * bytesOf(dtype)));
    this.device.memoryPool.view(dtype, address, data.length).set(data);
    return address;
  }

  // ---- results ------------------------------------------------------------------------------------------------

  private placeResult(i: number): number {
    const { buffer } = this.program.results[i]!;
    if (buffer.bytes > copiedOutBytes) return this.device.memoryPool.allocate(buffer.bytes);
    return (this.resultPlaces[i] ??= this.device.memoryPool.allocate(buffer.bytes));
  }

  private takeResult(
    { dtype, buffer }: ProgramResult,
    shape: readonly number[],
    address: number,
    error: StepError | undefined,
  ): Storage {
    if (buffer.bytes > copiedOutBytes) return this.device.hold(dtype, shape, address, error);
    const count = error === undefined ? shape.reduce((n, size) => n * size, 1) : 0;
    const data = this.device.memoryPool.view(dtype, address, count).slice();
    return new HostStorage(this.device, { dtype, shape, data }, error);
  }
}

const noDimensions: ReadonlyMap<Dimension, number> = new Map();

function bindDimension(values: Map<Dimension, number>, dimension: Dimension, value: number): void {
  const before = values.get(dimension);
  if (before !== undefined && before !== value) {
    throw new ShapeError(
      `dimension "${dimension.name}" is ${before} in one argument and ${value} in another`,
    );
  }
  if (value < dimension.min || value > dimension.max) {
    throw new ShapeError(
      `dimension "${dimension.name}" is ${value}, outside its bounds ${dimension.min} … ${dimension.max}`,
    );
  }
  values.set(dimension, value);
}

const sizesOf = (shape: Shape, values: ReadonlyMap<Dimension, number>): number[] =>
  shape.map((size: Size) => evaluateSize(size, values));
