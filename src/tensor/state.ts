/** States as users see them: tensors whose value changes. */
import { arrayTypeOf, bytesOf, type DType, type TypedArray } from "../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { MappedArray } from "../base/mapped-array.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import type { TensorShape } from "../base/shape-types.ts";
import { State } from "../graph/state.ts";
import { currentTrace } from "../graph/trace.ts";
import { assignState, broadcastTo, cast } from "../ops/index.ts";
import { cpuDevice } from "../runtime/devices.ts";
import { hostArray, toNode } from "./convert.ts";
import { commitPending, statesChange } from "./eager.ts";
import { handleOf, isTensor, StateHandle } from "./handle.ts";
import { located } from "./located.ts";
import { computedValue, fromNode, fromValue, Tensor } from "./tensor.ts";
import type { NestedArray, TensorLike } from "./types.ts";
import { Value } from "./value.ts";

export interface StateInit<S extends TensorShape = TensorShape, D extends DType = DType> {
  readonly name: string;
  readonly shape: S;
  readonly dtype: D;
  /** Storage bits of the first value, how they are made when they are needed, or where they lie; zeros when left out. */
  readonly initial?: TypedArray | (() => TypedArray) | MappedArray;
}

/** An array whose elements are computed when they are first needed: never, for a model whose weights are loaded. */
export interface DeferredArray<S extends readonly number[] = readonly number[], D extends DType = DType> {
  readonly dtype: D;
  readonly shape: S;
  readonly data: () => TypedArray;
}

/** What a state can begin with. */
export type Initial<S extends TensorShape = any, D extends DType = any> =
  | Tensor<S, D>
  | number
  | boolean
  | NestedArray
  | TypedArray
  | HostArray
  | DeferredArray
  | MappedArray;

/**
 * A name whose value changes: a parameter, a moment, running statistics. It is a tensor, and stands for what it holds where it
 * is used: an operation before an assignment saw the old value and keeps it, one after sees the new.
 *
 * @example
 * const count = state(0);
 * count.assign(count.add(1));
 * console.log(await count.item()); // 1
 */
export class StateTensor<S extends TensorShape = any, D extends DType = any> extends Tensor<S, D> {
  private readonly graphState: State;

  constructor({ name, shape, dtype, initial }: StateInit<S, D>) {
    const count = shape.reduce((n, size) => n * size, 1);
    const bits = initial ?? (() => new (arrayTypeOf(dtype))(count));
    const made: State = new State(
      name,
      { shape, dtype },
      typeof bits === "function" ? () => requireBits(made, bits()) : bits,
    );
    if (typeof bits !== "function" && !(bits instanceof MappedArray)) requireBits(made, bits);
    super(new StateHandle(made));
    this.graphState = made;
  }

  /** Its path in the model, shown in errors and used in files. */
  get name(): string {
    return this.graphState.name;
  }
  rename(name: string): void {
    this.graphState.name = name;
  }

  /** The value at this moment: a tensor that later assignments do not change. */
  get value(): Tensor<S, D> {
    return fromNode(handleOf(this).now().node);
  }

  /**
   * Makes it hold another value from here on. Inside a compiled function the assignment happens when a run ends well;
   * outside, with the next value that is read. A plain number fills it. An array of a mapped file is used where it lies, and
   * copied when something else is assigned in a compiled function.
   *
   * @throws ShapeError, DTypeError when the value is not of its shape and dtype
   * @example weight.assign(weight.sub(gradient.mul(0.1)));
   */
  assign(value: TensorLike | MappedArray): void {
    located(() => {
      if (value instanceof MappedArray) return this.map(value);
      if (this.takes(value)) return this.write(value);
      const node = toNode(value, this.dtype, `state "${this.name}"`);
      const { shape, dtype } = this.graphState;
      const isNumber = typeof value === "number";
      assignState(this.graphState, isNumber ? broadcastTo(cast(node, dtype), shape) : node);
    });
  }

  private map(array: MappedArray): void {
    const { graphState: state } = this;
    requireFit(state, array);
    if (currentTrace().kind !== "eager") return assignState(state, toNode(fromValue(Value.ofMapped(array))));
    commitPending();
    statesChange(new Set([state]), () => cpuDevice().mapState(state, array));
  }

  /** Arrays in the host's memory are copied at once outside of traces: no program, no second copy. */
  private takes(value: TensorLike): value is HostArray {
    if (typeof value !== "object" || value === null || isTensor(value) || !("dtype" in value)) return false;
    const { shape, dtype } = this.graphState;
    return value.dtype === dtype && sameShape(value.shape, shape) && currentTrace().kind === "eager";
  }

  private write({ data }: HostArray): void {
    const { graphState: state } = this;
    requireBits(state, data);
    commitPending();
    statesChange(new Set([state]), () => cpuDevice().writeState(state, data));
  }

  /** Has `check` called before each use of the value, in traces and outside; an error it throws refuses the use. */
  protected onRead(check: () => void): void {
    (handleOf(this) as StateHandle).onRead = check;
  }

  /** The state behind it, for the graph. */
  get state(): State {
    return this.graphState;
  }
}

function requireFit({ name, shape, dtype }: State, array: MappedArray): void {
  if (sameShape(array.shape, shape) && array.dtype === dtype) return;
  const [is, got] = [`${dtype} ${shapeText(shape)}`, `${array.dtype} ${shapeText(array.shape)}`];
  throw new ShapeError(`state "${name}" is ${is}, the array of "${array.file.path}" is ${got}`);
}

function requireBits({ name, shape, dtype }: State, bits: TypedArray): TypedArray {
  const count = shape.reduce((n, size) => n * size, 1);
  if (bits.length === count && bits.BYTES_PER_ELEMENT === bytesOf(dtype)) return bits;
  const got = `${bits.constructor.name} of ${bits.length}`;
  throw new ShapeError(`state "${name}": the initial value of ${dtype} ${shapeText(shape)} is a ${got}`);
}

export interface StateOptions<D extends DType = DType> {
  readonly name?: string;
  readonly dtype?: D;
}

let unnamed = 0;

/**
 * A state with a first value.
 *
 * @throws ArgumentError for a tensor that has no value yet and cannot get one here (inside a traced function)
 * @example const total = state([0, 0], { name: "total" });
 */
export function state<D extends DType = any, S extends TensorShape = any>(
  initial: Initial<S, D>,
  { name = `state ${unnamed++}`, dtype }: StateOptions<D> = {},
): StateTensor<S, D> {
  return new StateTensor(stateInit(initial, { name, dtype }));
}

/** What a StateTensor is made of, from whatever stands for a value. */
export function stateInit<D extends DType = any, S extends TensorShape = any>(
  initial: Initial<S, D>,
  { name, dtype }: { readonly name: string; readonly dtype?: D },
): StateInit<S, D> {
  return located(() => {
    if (initial instanceof MappedArray) return mappedInit(initial, name, dtype) as StateInit<S, D>;
    if (isDeferred(initial))
      return { name, shape: initial.shape as unknown as S, dtype: initial.dtype as D, initial: initial.data };
    const host = isTensor(initial) ? hostOf(initial) : hostArray(initial, { dtype }, `state "${name}"`);
    const { shape, data } = host;
    return { name, shape: shape as unknown as S, dtype: host.dtype as D, initial: data.slice() };
  });
}

const isDeferred = (initial: Initial): initial is DeferredArray =>
  typeof initial === "object" &&
  "data" in initial &&
  typeof initial.data === "function" &&
  !isTensor(initial);

function mappedInit(array: MappedArray, name: string, dtype: DType = array.dtype): StateInit {
  if (dtype === array.dtype) return { name, dtype, shape: array.shape, initial: array };
  throw new DTypeError(`state "${name}": the array of "${array.file.path}" is ${array.dtype}, not ${dtype}`);
}

function hostOf(tensor: Tensor): HostArray {
  const value = computedValue(tensor);
  const data = value.peek();
  if (data !== undefined) return { dtype: value.dtype, shape: value.shape, data };
  throw new ArgumentError("state: the first value is still being computed; await its data() first");
}
