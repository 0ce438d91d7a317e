/** States as users see them: tensors whose value changes. */
import { bytesOf, type DType, encode, type TypedArray } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { shapeText } from "../base/shape.ts";
import type { TensorShape } from "../base/shape-types.ts";
import { State } from "../graph/state.ts";
import { assignState, broadcastTo, cast } from "../ops/index.ts";
import { hostArray, toNode } from "./convert.ts";
import { handleOf, isTensor, StateHandle } from "./handle.ts";
import { located } from "./located.ts";
import { computedValue, fromNode, Tensor } from "./tensor.ts";
import type { NestedArray, TensorLike } from "./types.ts";

export interface StateInit<S extends TensorShape = TensorShape, D extends DType = DType> {
  readonly name: string;
  readonly shape: S;
  readonly dtype: D;
  /** Storage bits of the first value; zeros when left out. */
  readonly initial?: TypedArray;
}

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
    const bits = initial ?? encode(dtype, new Float64Array(shape.reduce((n, size) => n * size, 1)));
    const made = new State(name, { shape, dtype }, bits);
    requireBits(made, bits);
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
   * outside, with the next value that is read. A plain number fills it.
   *
   * @throws ShapeError, DTypeError when the value is not of its shape and dtype
   * @example weight.assign(weight.sub(gradient.mul(0.1)));
   */
  assign(value: TensorLike): void {
    located(() => {
      const node = toNode(value, this.dtype, `state "${this.name}"`);
      const { shape, dtype } = this.graphState;
      const isNumber = typeof value === "number";
      assignState(this.graphState, isNumber ? broadcastTo(cast(node, dtype), shape) : node);
    });
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

function requireBits({ name, shape, dtype }: State, bits: TypedArray): void {
  const count = shape.reduce((n, size) => n * size, 1);
  if (bits.length === count && bits.BYTES_PER_ELEMENT === bytesOf(dtype)) return;
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
  initial: Tensor<S, D> | number | boolean | NestedArray | TypedArray | HostArray,
  { name = `state ${unnamed++}`, dtype }: StateOptions<D> = {},
): StateTensor<S, D> {
  return new StateTensor(stateInit(initial, { name, dtype }));
}

/** What a StateTensor is made of, from whatever stands for a value. */
export function stateInit<D extends DType = any, S extends TensorShape = any>(
  initial: Tensor<S, D> | number | boolean | NestedArray | TypedArray | HostArray,
  { name, dtype }: { readonly name: string; readonly dtype?: D },
): StateInit<S, D> {
  return located(() => {
    const host = isTensor(initial) ? hostOf(initial) : hostArray(initial, { dtype }, `state "${name}"`);
    const { shape, data } = host;
    return { name, shape: shape as unknown as S, dtype: host.dtype as D, initial: data.slice() };
  });
}

function hostOf(tensor: Tensor): HostArray {
  const value = computedValue(tensor);
  const data = value.peek();
  if (data !== undefined) return { dtype: value.dtype, shape: value.shape, data };
  throw new ArgumentError("state: the first value is still being computed; await its data() first");
}
