/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Tensor: a handle on a value that may not be computed yet. Operations build a graph; nothing runs until a value is read.
 *
 * The class holds what every tensor is; operations stand in `methods/`, one table a group, and are installed at the end.
 */
import { type DType, decode } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { isStatic, shapeText } from "../base/shape.ts";
import type { SizesOf, TensorShape } from "../base/shape-types.ts";
import { type Size, sizesAgree } from "../base/size.ts";
import type { Node } from "../graph/node.ts";
import { currentTrace } from "../graph/trace.ts";
import { cpuDevice } from "../runtime/devices.ts";
import { operandRule } from "./autocast.ts";
import { evaluate, register } from "./eager.ts";
import { tensorText, valuesText } from "./format.ts";
import { type AnyHandle, Handle, handleKey, isTensor, StateHandle } from "./handle.ts";
import { located } from "./located.ts";
import { type Methods, methods, type NodeMethod } from "./methods/index.ts";
import { nodeOf } from "./nodes.ts";
import { escaped } from "./tracing.ts";
import type { DataOf, ElementOf, NestedOf } from "./types.ts";
import type { Value } from "./value.ts";

// biome-ignore lint/correctness/noUnusedVariables: merged declarations must name the same type parameters.
export interface Tensor<S extends TensorShape = any, D extends DType = any> extends Methods {}

/**
 * A dense array of one dtype, on a device, lazy. `Tensor<[number, 784]>` is red where a known size is wrong; sizes and ranks
 * that are not known never are.
 *
 * @example
 * const x = tensor([[1, 2], [3, 4]]);
 * console.log(await x.matmul(x).toArray()); // [[7, 10], [15, 22]]
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the methods are installed below, from tables that the type checker compares with their interfaces.
export class Tensor<S extends TensorShape = any, D extends DType = any> {
  readonly [handleKey]: AnyHandle;

  /** Tensors are made by functions: `tensor`, `zeros`, `random.normal` … */
  constructor(from: AnyHandle) {
    if (!(from instanceof Handle || from instanceof StateHandle))
      throw new ArgumentError("new Tensor: use tensor(values), zeros(shape) …");
    this[handleKey] = from;
  }

  /** Sizes of all axes; inside a trace some may be `Dimension`s. */
  get shape(): S {
    return this[handleKey].type.shape as unknown as S;
  }
  /** Number of axes. */
  get rank(): number {
    return this[handleKey].type.shape.length;
  }
  get dtype(): D {
    return this[handleKey].type.dtype as D;
  }
  /** The name of the place whose memory holds the value. */
  get device(): string {
    return cpuDevice().name;
  }

  /**
   * The elements in row-major order, a copy. Computes what is needed, together with all pending state assignments. f16 and
   * bf16 are decoded to f32; bool is 0 and 1.
   *
   * @throws StepError (as a rejection) when a check of the run failed
   * @example await tensor([1, 2]).data() // [1, 2]
   */
  data(): Promise<DataOf<D>> {
    return read(this, "data").then(decoded) as Promise<DataOf<D>>;
  }

  /**
   * The only element, as a number (bool: as a boolean).
   *
   * @throws ShapeError when there is not exactly one
   * @example await tensor([1, 2]).sum().item() // 3
   */
  item(): Promise<ElementOf<D>> {
    const count = this.shape.reduce((n: number, size: Size) => n * Number(size === 1), 1);
    if (count !== 1) {
      throw new ShapeError(
        `item: a tensor of shape ${shapeText(this.shape)} has not exactly one element; take its mean(), or read data()`,
      );
    }
    return read(this, "item").then((array) => element(array, 0)) as Promise<ElementOf<D>>;
  }

  /** The elements nested in arrays, one level an axis. @example await tensor([[1, 2]]).toArray() // [[1, 2]] */
  toArray(): Promise<NestedOf<S, ElementOf<D>>> {
    return read(this, "toArray").then((array) => nest(array)) as Promise<NestedOf<S, ElementOf<D>>>;
  }

  /** The elements as they are stored (16-bit patterns for f16 and bf16), with dtype and shape: for files and other libraries. */
  toHost(): Promise<HostArray> {
    return read(this, "toHost");
  }

  /** Prints dtype, shape, device and all values (the middle of long axes left out). */
  async print(): Promise<void> {
    const { data, dtype, shape } = await read(this, "print");
    console.log(tensorText(this, this.device, decode(dtype, data)) || valuesText({ dtype, shape }, data));
  }

  /** Frees the memory now rather than when the collector finds it; the tensor cannot be used afterwards. */
  dispose(): void {
    this[handleKey].dispose();
  }
  [Symbol.dispose](): void {
    this.dispose();
  }

  /**
   * States the shape where types do not know it: red nowhere afterwards, and checked now.
   *
   * @throws ShapeError when the shape is another
   * @example zeros([2, 3]).as([2, 3])
   */
  as<const T extends readonly Size[]>(shape: T): Tensor<SizesOf<T>, D> {
    const own = this.shape as readonly Size[];
    const agrees = own.length === shape.length && own.every((size, axis) => sizesAgree(size, shape[axis]!));
    if (agrees) return this as unknown as Tensor<SizesOf<T>, D>;
    return located(() => {
      throw new ShapeError(`as: the tensor has shape ${shapeText(own)}, not ${shapeText(shape)}`);
    });
  }

  /** Dtype, shape and device; values too where they are computed already. */
  toString(): string {
    const bits = currentTrace().kind === "eager" ? this[handleKey].now().value?.peek() : undefined;
    return tensorText(this, this.device, bits && decode(this.dtype, bits));
  }
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  /** JavaScript's operators would turn a tensor into a number or a string without a word. */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === "string") return this.toString();
    const what =
      hint === "number"
        ? "a tensor is not a number: use a.greater(3) for a > 3, a.sub(b), a.mul(b), a.div(b), or await a.item()"
        : "operators do not work on tensors: use a.add(b) for a + b, a.equal(b) for a == b";
    return located(() => {
      throw new ArgumentError(what);
    });
  }
}

/** A tensor of a node. */
export function fromNode(node: Node): Tensor {
  const made = new Handle(node);
  register(made);
  return new Tensor(made);
}

export const fromValue = (value: Value): Tensor => new Tensor(new Handle(value));

/** The value of a tensor, computed if need be. */
export function computedValue(tensor: Tensor): Value {
  const handle = tensor[handleKey].now();
  if (handle.trace !== undefined && handle.trace.kind !== "eager") throw escaped(handle.node);
  evaluate([handle]);
  return handle.value!;
}

function read(tensor: Tensor, method: string): Promise<HostArray> {
  if (currentTrace().kind !== "eager") {
    return located(() => {
      throw new ArgumentError(
        `${method}: a tensor has no value while a function is being traced; return it from the function and read it there`,
      );
    });
  }
  const { dtype, shape } = tensor[handleKey].type;
  const value = computedValue(tensor);
  return value.read().then((data) => ({ dtype, shape: isStatic(shape) ? shape : value.shape, data }));
}

const decoded = ({ dtype, data }: HostArray) =>
  dtype === "f16" || dtype === "bf16" ? Float32Array.from(decode(dtype, data)) : data;

function element({ dtype, data }: HostArray, i: number): number | boolean {
  const value = dtype === "f16" || dtype === "bf16" ? decode(dtype, [data[i]!])[0]! : data[i]!;
  return dtype === "bool" ? value !== 0 : value;
}

function nest(array: HostArray, axis = 0, offset = 0): unknown {
  if (axis === array.shape.length) return element(array, offset);
  const stride = array.shape.slice(axis + 1).reduce((n, size) => n * size, 1);
  return Array.from({ length: array.shape[axis]! }, (_, i) => nest(array, axis + 1, offset + i * stride));
}

/** One result, a list of them, or several by name. */
function tensorsOf(result: ReturnType<NodeMethod>): unknown {
  if (Array.isArray(result)) return result.map(fromNode);
  if (isNode(result)) return fromNode(result);
  return Object.fromEntries(Object.entries<Node>(result).map(([name, node]) => [name, fromNode(node)]));
}

const isNode = (result: ReturnType<NodeMethod>): result is Node => "op" in result;

function call(name: string, method: NodeMethod, x: Tensor, args: readonly unknown[]): ReturnType<NodeMethod> {
  const rule = operandRule(name);
  if (rule === undefined) return method(nodeOf(x), ...(args as never[]));
  const own = args.map((arg) => (isTensor(arg) ? fromNode(rule(nodeOf(arg))) : arg));
  return method(rule(nodeOf(x)), ...(own as never[]));
}

for (const [name, method] of Object.entries(methods)) {
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...args: unknown[]): unknown {
      return tensorsOf(located(() => call(name, method, this, args)));
    },
    configurable: true,
    writable: true,
  });
}
