/**
 * A device with one memory of its own, whatever generates its code: states, arguments, results and arenas lie in a pool; a
 * compiled function is one executable. Runs happen in the call, or, where the executable can and it takes long, on another
 * thread (`run-queue.ts`).
 */
import { hasEnvironment, monotonicMs } from "#platform";
import { arrayTypeOf, bytesOf, type TypedArray } from "../base/dtype.ts";
import { InternalError, ShapeError, type StepError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import type { MappedArray } from "../base/mapped-array.ts";
import { maxElementCount, type Shape } from "../base/shape.ts";
import { Dimension, evaluateSize, type Size } from "../base/size.ts";
import { compileProgram } from "../compiler/compile.ts";
import { describeProgram, type ProgramCost } from "../compiler/describe.ts";
import type { GraphFunction } from "../graph/function.ts";
import type { State } from "../graph/state.ts";
import type { CheckFailure } from "../ir/evaluate.ts";
import type { Program } from "../ir/program.ts";
import type { TargetDescription } from "../ir/target.ts";
import { printPass } from "./debug.ts";
import type { Device, Executable, ProgramDescription, Storage } from "./device.ts";
import { FunctionRun, type RunningProgram } from "./function-run.ts";
import { RunQueue } from "./run-queue.ts";
import type { RunnableProgram } from "./runnable-program.ts";
import { stepError } from "./step-error.ts";
import {
  HostStorage,
  MappedStorage,
  MemoryStorage,
  PlacedStorage,
  type StorageOwner,
  type ValueRun,
} from "./storage.ts";

/**
 * Results up to this size are copied out at the end of a run: the JavaScript collector then sees and frees them. Larger ones would
 * take longer to copy than to compute.
 */
const copiedOutBytes = 8 * 1024;

/** Memory that addresses name. */
export interface MemoryPool {
  readonly usedBytes: number;
  readonly peakBytes: number;
  /** The address of at least so many bytes, not cleared. */
  allocate(bytes: number): number;
  /** The same for what only a run writes that is added to the queue now. */
  allocateInTurn(bytes: number): number;
  free(address: number): void;
  /** Elements to read, good until the next allocation: in place, or copied where they are too many for one view. */
  view(dtype: HostArray["dtype"], address: number, count: number): TypedArray;
  write(dtype: HostArray["dtype"], address: number, data: TypedArray): void;
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
  /** Whether `start` may be called; where it may not, `run` takes its place. */
  readonly canStart?: boolean;
  /** The same on another thread; `onEnd` is called from the event loop after the end. One at a time on a device. */
  start?(args: RunArguments, onEnd: () => void): RunningProgram;
  dispose(): void;
}

/** What a compiled function runs. */
export interface MemoryProgram {
  readonly program: RunnableProgram;
  readonly executable: MemoryExecutable;
  readonly cost: () => ProgramCost;
}

export interface MemoryDeviceParts {
  readonly target: TargetDescription;
  readonly memory: MemoryPool;
  /** Where runs wait for each other; shared with `memory`, which gives nothing back before they have ended. */
  readonly queue?: RunQueue;
  /** Runs expected to take longer leave the caller's thread. */
  readonly backgroundMs?: number;
  /** Programs can read memory of the process that is not `memory`'s. */
  readonly readsMappedFiles?: boolean;
  /** false: every op is a kernel of its own, for tests. */
  readonly isFused?: boolean | undefined;
  instantiate(program: Program, fn: GraphFunction): MemoryExecutable;
  /** A program of the function's structure that was kept from before: nothing is compiled then. */
  remembered?(fn: GraphFunction): MemoryProgram | undefined;
}

/** Throughput assumed by the time estimate of describe(): one thread of a current processor. */
const assumed = { flopPerSecond: 25e9, bytesPerSecond: 10e9, secondsPerKernel: 1e-6 };

export class MemoryDevice implements Device, StorageOwner {
  readonly name: string;
  readonly arithmetic: string;
  readonly threads: number;
  readonly readsMappedFiles: boolean;
  readonly memoryPool: MemoryPool;
  private readonly parts: MemoryDeviceParts;
  readonly queue: RunQueue;
  readonly backgroundMs: number;
  private readonly arrays = new WeakMap<object, number>();
  private readonly freed: FinalizationRegistry<number>;
  /** Rises when a state gets another address. */
  moves = 0;
  /** The error of the last failed run until somebody has seen it. */
  private unseen: { readonly error: StepError; isSeen: boolean } | undefined;

  constructor(parts: MemoryDeviceParts) {
    this.parts = parts;
    this.memoryPool = parts.memory;
    this.queue = parts.queue ?? new RunQueue();
    this.backgroundMs = parts.backgroundMs ?? Infinity;
    this.readsMappedFiles = parts.readsMappedFiles ?? false;
    this.name = parts.target.name;
    this.threads = parts.target.threads;
    this.arithmetic = parts.target.arithmetic;
    this.freed = new FinalizationRegistry((address) => this.memoryPool.free(address));
  }

  compile(fn: GraphFunction): Executable {
    return new MemoryFunction(this, fn, this.parts.remembered?.(fn) ?? this.compileAnew(fn));
  }

  private compileAnew(fn: GraphFunction): MemoryProgram {
    const { target, isFused } = this.parts;
    const program = compileProgram(fn, { target, isFused, onPass: hasEnvironment ? printPass : undefined });
    const executable = this.parts.instantiate(program, fn);
    return { program, executable, cost: () => describeProgram(program) };
  }

  upload({ dtype, shape, data }: HostArray): Storage {
    const address = this.memoryPool.allocate(data.byteLength);
    this.memoryPool.write(dtype, address, data);
    return this.hold(dtype, shape, address);
  }

  map(array: MappedArray): Storage {
    return this.readsMappedFiles ? new MappedStorage(this, array) : this.upload(array.read());
  }
  mapState(state: State, array: MappedArray): void {
    if (!this.readsMappedFiles) return this.writeState(state, array.read().data);
    this.queue.drain();
    this.leavePlace(state);
    state.storage = { device: this, address: array.address, mapped: array } satisfies StatePlace;
  }

  readState(state: State): TypedArray {
    this.queue.drain();
    const { address, mapped } = this.placeOf(state);
    if (mapped !== undefined) return mapped.read().data;
    return this.memoryPool.view(state.dtype, address, maxElementCount(state.shape)).slice();
  }
  writeState(state: State, data: TypedArray): void {
    const [wanted, count] = [arrayTypeOf(state.dtype), maxElementCount(state.shape)];
    if (data.length !== count || data.constructor !== wanted) {
      throw new InternalError(
        `state "${state.name}": needs ${wanted.name} of ${count}, got ${data.constructor.name} of ${data.length}`,
      );
    }
    if (state.storage === undefined) {
      state.initial = data;
      state.initialMapped = undefined;
      return void this.placeState(state);
    }
    this.queue.drain();
    this.ownState(state, data);
    this.memoryPool.write(state.dtype, this.stateAddress(state), data);
  }
  memory(): { usedBytes: number; peakBytes: number } {
    return { usedBytes: this.memoryPool.usedBytes, peakBytes: this.memoryPool.peakBytes };
  }

  // ---- for the functions it compiles --------------------------------------------------------------------------

  /** A value in memory that is freed when nobody holds the handle. */
  hold(dtype: HostArray["dtype"], shape: readonly number[], address: number, run?: ValueRun): MemoryStorage {
    const storage = new MemoryStorage(this, { dtype, shape }, address, run);
    this.freed.register(storage, address, storage);
    return storage;
  }
  drain(): void {
    this.queue.drain();
  }
  view(dtype: HostArray["dtype"], address: number, count: number): TypedArray {
    return this.memoryPool.view(dtype, address, count);
  }
  drop(storage: MemoryStorage, address: number): void {
    this.freed.unregister(storage);
    this.memoryPool.free(address);
  }

  stateAddress(state: State): number {
    return this.placeOf(state).address;
  }

  /** A state that lies in a file moves to memory, where programs may write. */
  ownState(state: State, value?: TypedArray): void {
    const { mapped } = this.placeOf(state);
    if (mapped === undefined) return;
    this.queue.drain();
    this.leavePlace(state);
    state.initial = value ?? mapped.read().data;
    this.placeState(state);
  }

  arrayAddress(array: HostArray): number {
    let address = this.arrays.get(array);
    if (address === undefined) {
      address = this.memoryPool.allocate(array.data.byteLength);
      this.memoryPool.write(array.dtype, address, array.data);
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
    const { initial, initialMapped, dtype } = state;
    if (initialMapped !== undefined) {
      state.initialMapped = undefined;
      this.mapState(state, initialMapped);
      return state.storage as StatePlace;
    }
    if (initial === undefined) throw new InternalError(`state "${state.name}" has no initial value`);
    const address = this.memoryPool.allocate(initial.byteLength);
    this.memoryPool.write(dtype, address, initial);
    const place: StatePlace = { device: this, address, mapped: undefined };
    state.storage = place;
    state.initial = undefined;
    this.freed.register(state, address, state);
    return place;
  }

  private placeOf(state: State): StatePlace {
    const place = state.storage as StatePlace | undefined;
    if (place === undefined) return this.placeState(state);
    if (place.device !== this) throw new InternalError(`state "${state.name}" lives on another device`);
    return place;
  }

  /** The state has no value any more; programs will ask where its next one is. */
  private leavePlace(state: State): void {
    const place = state.storage as StatePlace | undefined;
    if (place !== undefined && place.device !== this)
      throw new InternalError(`state "${state.name}" lives on another device`);
    state.initial = undefined;
    state.initialMapped = undefined;
    state.storage = undefined;
    if (place === undefined) return;
    this.moves++;
    if (place.mapped !== undefined) return;
    this.freed.unregister(state);
    this.memoryPool.free(place.address);
  }
}

/** Where a state's committed value lies. */
interface StatePlace {
  readonly device: MemoryDevice;
  readonly address: number;
  /** What it lies in, when that is a file: read-only. */
  readonly mapped: MappedArray | undefined;
}

class MemoryFunction implements Executable {
  private readonly device: MemoryDevice;
  private readonly fn: GraphFunction;
  private readonly program: RunnableProgram;
  private readonly cost: () => ProgramCost;
  private readonly executable: MemoryExecutable;
  private readonly dimensions: readonly Dimension[];
  /** What a run is given; addresses of constants never change. */
  private readonly arguments: { readonly [K in keyof RunArguments]: Float64Array };
  /** Where host arrays are copied to: one place an argument, for the life of the function. */
  private readonly inputPlaces: (number | undefined)[];
  private readonly resultPlaces: (number | undefined)[];
  private expectedMs: number | undefined;
  /** `moves` of the device when the addresses of states were looked up. */
  private moves = -1;

  constructor(device: MemoryDevice, fn: GraphFunction, { program, executable, cost }: MemoryProgram) {
    this.device = device;
    this.fn = fn;
    this.program = program;
    this.cost = cost;
    this.dimensions = program.dimensions;
    this.executable = executable;
    this.arguments = {
      inputs: new Float64Array(program.inputs.length),
      results: new Float64Array(program.results.length),
      dimensions: new Float64Array(program.dimensions.length),
      states: new Float64Array(program.states.length),
      arrays: Float64Array.from(program.arrays, ({ array }) => device.arrayAddress(array as HostArray)),
    };
    this.inputPlaces = fn.parameters.map(() => undefined);
    this.resultPlaces = program.results.map(() => undefined);
  }

  run(inputs: readonly (HostArray | Storage)[], given?: ReadonlyMap<Dimension, number>): readonly Storage[] {
    this.device.throwUnseen();
    if (this.moves !== this.device.moves) this.findStates();
    const values = this.bindDimensions(inputs, given);
    const isLong = this.executable.start !== undefined && this.expectMs() >= this.device.backgroundMs;
    return isLong || !this.device.queue.isIdle
      ? this.runInTurn(inputs, values, isLong)
      : this.runInCall(inputs, values);
  }

  /** Those that this function assigns must be its device's own. */
  private findStates(): void {
    for (const [state] of this.fn.assignments) this.device.ownState(state);
    this.program.states.forEach((state, i) => {
      this.arguments.states[i] = this.device.stateAddress(state);
    });
    this.moves = this.device.moves;
  }

  private runInCall(inputs: readonly (HostArray | Storage)[], values: Sizes): readonly Storage[] {
    const { results } = this.program;
    const places = this.arguments;
    for (let i = 0; i < inputs.length; i++) places.inputs[i] = this.placeInput(i, inputs[i]!);
    for (let i = 0; i < results.length; i++) places.results[i] = this.placeResult(i);
    this.setDimensions(values);
    const began = this.executable.start === undefined ? 0 : monotonicMs();
    const failure = this.executable.run(places);
    if (this.executable.start !== undefined) this.tookMs(monotonicMs() - began);
    const run = failure && endedWith(this.errorOf(failure));
    return results.map((result, i) =>
      this.takeResult(result, sizesOf(result.shape, values), places.results[i]!, run),
    );
  }

  /** With places of its own for everything that the next call changes. */
  private runInTurn(
    inputs: readonly (HostArray | Storage)[],
    values: Sizes,
    isLong: boolean,
  ): readonly Storage[] {
    const { memoryPool } = this.device;
    const own: number[] = [];
    const late: { readonly input: HostStorage; readonly address: number }[] = [];
    this.setDimensions(values);
    const args = {
      ...this.arguments,
      dimensions: this.arguments.dimensions.slice(),
      inputs: Float64Array.from(inputs, (input, i) => {
        if (input instanceof PlacedStorage) return this.placeInput(i, input);
        const address = memoryPool.allocate(this.program.inputs[i]!.bytes);
        own.push(address);
        if (input instanceof HostStorage && input.isPending) late.push({ input, address });
        else this.copyInput(i, input, address);
        return address;
      }),
      results: Float64Array.from(this.program.results, ({ buffer }) =>
        memoryPool.allocateInTurn(buffer.bytes),
      ),
    };
    const small: { readonly storage: HostStorage; readonly address: number }[] = [];
    const release = (): void => {
      for (const address of own) memoryPool.free(address);
    };
    const run = new FunctionRun({
      ...{ executable: this.executable, args, isLong, now: monotonicMs, discard: release },
      holds: inputs.flatMap((input) => (input instanceof MappedStorage ? input.file : [])),
      prepare: () => {
        for (const { input, address } of late) {
          const bits = input.bits();
          memoryPool.write(input.dtype, address, bits);
        }
      },
      finish: (failure, milliseconds) => {
        this.tookMs(milliseconds);
        if (failure === undefined)
          for (const { storage, address } of small)
            storage.fill(memoryPool.view(storage.dtype, address, elementCount(storage.shape)).slice());
        release();
        return failure && this.errorOf(failure);
      },
    });
    const storages = this.program.results.map(({ dtype, shape, buffer }, i) => {
      const type = { dtype, shape: sizesOf(shape, values) };
      const address = args.results[i]!;
      if (buffer.bytes > copiedOutBytes) return this.device.hold(dtype, type.shape, address, run);
      const storage = new HostStorage(this.device, type, run);
      small.push({ storage, address });
      own.push(address);
      return storage;
    });
    this.device.queue.add(run);
    return storages;
  }

  // ---- how long it takes --------------------------------------------------------------------------------------

  /** From the cost model at first, then as measured. */
  private expectMs(): number {
    return (this.expectedMs ??= this.describe().estimatedMilliseconds);
  }
  private tookMs(milliseconds: number): void {
    this.expectedMs = (this.expectMs() + milliseconds) / 2;
  }

  private errorOf({ check, position, value }: CheckFailure): StepError {
    const error = stepError({ node: this.program.checks[check]!.node, position, value });
    this.device.failed(error);
    return error;
  }

  describe(): ProgramDescription {
    const cost = this.cost();
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
    this.device.queue.afterPending(() => this.executable.dispose());
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
    if (input instanceof PlacedStorage) return input.place();
    const address = (this.inputPlaces[i] ??= this.device.memoryPool.allocate(elements * bytesOf(dtype)));
    this.copyInput(i, input, address);
    return address;
  }

  private copyInput(i: number, input: HostArray | Storage, address: number): void {
    const { dtype, elements } = this.program.inputs[i]!;
    const data = input instanceof HostStorage ? input.bits() : (input as HostArray).data;
    if (input.dtype !== dtype)
      throw new InternalError(`argument ${i}: got ${input.dtype}, the program takes ${dtype}`);
    if (data.length > elements)
      throw new ShapeError(`argument ${i}: ${data.length} elements, at most ${elements} expected`);
    this.device.memoryPool.write(dtype, address, data);
  }

  private setDimensions(values: Sizes): void {
    this.dimensions.forEach((dimension, i) => {
      this.arguments.dimensions[i] = values.get(dimension)!;
    });
  }

  // ---- results ------------------------------------------------------------------------------------------------

  private placeResult(i: number): number {
    const { buffer } = this.program.results[i]!;
    if (buffer.bytes > copiedOutBytes) return this.device.memoryPool.allocate(buffer.bytes);
    return (this.resultPlaces[i] ??= this.device.memoryPool.allocate(buffer.bytes));
  }

  private takeResult(
    { dtype, buffer }: RunnableProgram["results"][number],
    shape: readonly number[],
    address: number,
    run: ValueRun | undefined,
  ): Storage {
    if (buffer.bytes > copiedOutBytes) return this.device.hold(dtype, shape, address, run);
    const count = run === undefined ? elementCount(shape) : 0;
    const data = this.device.memoryPool.view(dtype, address, count).slice();
    return new HostStorage(this.device, { dtype, shape, data }, run);
  }
}

type Sizes = ReadonlyMap<Dimension, number>;
const noDimensions: Sizes = new Map();

const endedWith = (error: StepError): ValueRun => ({ isPending: false, error, ended: async () => {} });
const elementCount = (shape: readonly number[]): number => shape.reduce((n, size) => n * size, 1);

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
