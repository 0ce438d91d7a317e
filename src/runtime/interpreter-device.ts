/**
 * A device that runs every function through the graph interpreter: slow, and the definition of what the others do. Its
 * memory is typed arrays; runs happen in the call.
 */
import { arrayTypeOf, bytesOf, decode, encode, type TypedArray } from "../base/dtype.ts";
import { InternalError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import type { MappedArray } from "../base/mapped-array.ts";
import { maxElementCount } from "../base/shape.ts";
import type { Dimension } from "../base/size.ts";
import { type Interpretation, interpret } from "../codegen/interpreter/index.ts";
import { type GraphFunction, rootsOf } from "../graph/function.ts";
import { type Node, type TensorType, topologicalOrder } from "../graph/node.ts";
import type { DenseArray } from "../graph/op.ts";
import type { State } from "../graph/state.ts";
import type { DotAxes } from "../ops/index.ts";
import type { Device, Executable, ProgramDescription, Storage } from "./device.ts";
import { stepError } from "./step-error.ts";

/** Bytes held by values of one device. */
class Usage {
  usedBytes = 0;
  peakBytes = 0;
  private readonly collected = new FinalizationRegistry<number>((bytes) => this.add(-bytes));

  add(bytes: number): void {
    this.usedBytes += bytes;
    this.peakBytes = Math.max(this.peakBytes, this.usedBytes);
  }
  hold(value: HostStorage, bytes: number): void {
    this.add(bytes);
    this.collected.register(value, bytes, value);
  }
  release(value: HostStorage, bytes: number): void {
    if (this.collected.unregister(value)) this.add(-bytes);
  }
}

/** The error of the last failed run until somebody has seen it: then the next run throws it. */
class Unseen {
  private error: Error | undefined;

  failed(error: Error): void {
    this.error = error;
  }
  seen(error: Error): void {
    if (this.error === error) this.error = undefined;
  }
  throwIfAny(): void {
    const { error } = this;
    this.error = undefined;
    if (error !== undefined) throw error;
  }
}

class HostStorage implements Storage {
  readonly dtype: HostArray["dtype"];
  readonly shape: readonly number[];
  readonly error: Error | undefined;
  readonly isPending = false;
  private data: TypedArray | undefined;
  private readonly usage: Usage;
  private readonly unseen: Unseen;

  constructor({ dtype, shape, data }: HostArray, { usage, unseen }: InterpreterDevice, error?: Error) {
    this.dtype = dtype;
    this.shape = shape;
    this.data = data;
    this.usage = usage;
    this.unseen = unseen;
    this.error = error;
    usage.hold(this, data.byteLength);
  }
  async read(): Promise<TypedArray> {
    return this.readSync();
  }
  readSync(): TypedArray {
    return this.bits().slice();
  }
  bits(): TypedArray {
    if (this.error !== undefined) {
      this.unseen.seen(this.error);
      throw this.error;
    }
    if (this.data === undefined) throw new InternalError("this value was released: its memory is gone");
    return this.data;
  }
  release(): void {
    if (this.data !== undefined) this.usage.release(this, this.data.byteLength);
    this.data = undefined;
  }
}

/** Where the committed bits of a state live; `device` tells its memory from another device's. */
interface StateMemory {
  readonly device: InterpreterDevice;
  data: TypedArray;
}

class InterpretedFunction implements Executable {
  private readonly device: InterpreterDevice;
  private readonly fn: GraphFunction;

  constructor(device: InterpreterDevice, fn: GraphFunction) {
    this.device = device;
    this.fn = fn;
  }

  run(
    inputs: readonly (HostArray | Storage)[],
    dimensions?: ReadonlyMap<Dimension, number>,
  ): readonly Storage[] {
    this.device.unseen.throwIfAny();
    const readState = (state: State): DenseArray => dense({ ...state, data: this.device.bitsOf(state) });
    const outcome = interpret(this.fn, inputs.map(bitsOf).map(dense), {
      readState,
      ...(dimensions && { dimensions }),
    });
    if (outcome.failure === undefined) this.commit(outcome);
    const error = outcome.failure && stepError(outcome.failure);
    if (error !== undefined) this.device.unseen.failed(error);
    return outcome.results.map((value) => this.device.store(encoded(value), error));
  }

  private commit({ assigned }: Interpretation): void {
    this.fn.assignments.forEach(([state], i) => {
      this.device.writeState(state, encoded(assigned[i]!).data);
    });
  }

  describe(): ProgramDescription {
    const nodes = topologicalOrder(rootsOf(this.fn)).filter((node) => node.op.kind !== "source");
    const kernels = nodes.map((node) => ({
      name: node.op.name,
      flop: flopOf(node),
      bytes: sumOf([...node.inputs, node].map(typeBytes)),
    }));
    const states = nodesOfStates(this.fn);
    const arenaBytes = sumOf(nodes.map(typeBytes));
    const [flop, bytes] = [sumOf(kernels.map((k) => k.flop)), sumOf(kernels.map((k) => k.bytes))];
    return {
      target: this.device.name,
      threads: this.device.threads,
      kernels,
      flop,
      bytes,
      arenaBytes,
      peakMemoryBytes:
        arenaBytes + sumOf([...this.fn.parameters, ...this.fn.results].map(typeBytes)) + states,
      // About 20 million elementary steps a second through closures over float64.
      estimatedMilliseconds: (flop + bytes / 4) / 20_000,
    };
  }

  dispose(): void {}
}

const typeBytes = ({ shape, dtype }: TensorType): number => maxElementCount(shape) * bytesOf(dtype);
const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, x) => sum + x, 0);

/** Bytes of the states a function reads or writes. */
function nodesOfStates(fn: GraphFunction): number {
  const states = new Set<State>(fn.assignments.map(([state]) => state));
  for (const { op, attributes } of topologicalOrder(rootsOf(fn)))
    if (op.kind === "source" && op.source === "state") states.add(attributes["state"] as State);
  return sumOf([...states].map(typeBytes));
}

/** One operation an element of the larger side; two for each product of a dot. */
function flopOf({ op, inputs, shape, attributes }: Node): number {
  const count = maxElementCount(shape);
  if (op.kind === "dot")
    return 2 * count * maxElementCount(inputs[0]!.shape.slice(-(attributes as DotAxes).depth));
  return Math.max(count, ...inputs.map(({ shape }) => maxElementCount(shape)));
}

const dense = ({ dtype, shape, data }: HostArray): DenseArray => ({
  dtype,
  shape,
  data: decode(dtype, data),
});

const encoded = ({ dtype, shape, data }: DenseArray): HostArray => ({
  dtype,
  shape,
  data: encode(dtype, data),
});

function bitsOf(input: HostArray | Storage): HostArray {
  if (!("read" in input)) return input;
  if (!(input instanceof HostStorage)) throw new InternalError("a value of another device as input");
  return { dtype: input.dtype, shape: input.shape, data: input.bits() };
}

export class InterpreterDevice implements Device {
  readonly name = "interpreter";
  readonly arithmetic = "interpreter";
  readonly threads = 1;
  readonly readsMappedFiles = false;
  readonly usage: Usage = new Usage();
  readonly unseen: Unseen = new Unseen();

  compile(fn: GraphFunction): Executable {
    return new InterpretedFunction(this, fn);
  }
  upload({ dtype, shape, data }: HostArray): Storage {
    return this.store({ dtype, shape, data: data.slice() });
  }
  map(array: MappedArray): Storage {
    return this.store(array.read());
  }
  mapState(state: State, array: MappedArray): void {
    this.writeState(state, array.read().data);
  }
  /** Takes the array over. */
  store(array: HostArray, error?: Error): Storage {
    return new HostStorage(array, this, error);
  }
  readState(state: State): TypedArray {
    return this.bitsOf(state).slice();
  }
  writeState(state: State, data: TypedArray): void {
    if (state.storage !== undefined) this.memoryOf(state).data = copyOf(state, data);
    else {
      state.initial = data;
      state.initialMapped = undefined;
      this.place(state);
    }
  }
  /** The committed bits themselves: not to be written. */
  bitsOf(state: State): TypedArray {
    return this.memoryOf(state).data;
  }
  memory(): { usedBytes: number; peakBytes: number } {
    return { usedBytes: this.usage.usedBytes, peakBytes: this.usage.peakBytes };
  }

  private memoryOf(state: State): StateMemory {
    const memory = state.storage as StateMemory | undefined;
    if (memory === undefined) return this.place(state);
    if (memory.device !== this) throw new InternalError(`state "${state.name}" lives on another device`);
    return memory;
  }

  private place(state: State): StateMemory {
    const initial = state.initialMapped?.read().data ?? state.initial;
    if (initial === undefined) throw new InternalError(`state "${state.name}" has no initial value`);
    const memory: StateMemory = { device: this, data: copyOf(state, initial) };
    this.usage.add(memory.data.byteLength);
    state.storage = memory;
    state.initial = undefined;
    state.initialMapped = undefined;
    return memory;
  }
}

function copyOf(state: State, data: TypedArray): TypedArray {
  const copy = new (arrayTypeOf(state.dtype))(maxElementCount(state.shape));
  if (data.length !== copy.length || data.constructor !== copy.constructor) {
    const got = `${data.constructor.name} of ${data.length}`;
    throw new InternalError(
      `state "${state.name}": needs ${copy.constructor.name} of ${copy.length}, got ${got}`,
    );
  }
  copy.set(data);
  return copy;
}
