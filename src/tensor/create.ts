/** Tensors from values and from nothing. */
import { type DType, encode, isDType, type TypedArray } from "../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../base/errors.ts";
import { countElements, type HostArray } from "../base/host-array.ts";
import { MappedArray } from "../base/mapped-array.ts";
import { shapeText } from "../base/shape.ts";
import type { NestedShape, SizesOf } from "../base/shape-types.ts";
import type { Size } from "../base/size.ts";
import type { ArrayDType } from "../base/types/dtype.ts";
import type { Node } from "../graph/node.ts";
import { currentTrace } from "../graph/trace.ts";
import { broadcastTo, cast, equal, full as fullNode, iota, lowerTriangle, reshape } from "../ops/index.ts";
import { hostArray, hostNode, toNode } from "./convert.ts";
import { isTensor } from "./handle.ts";
import { located } from "./located.ts";
import { fromNode, fromValue, type Tensor } from "./tensor.ts";
import type { NestedArray, TensorLike, TensorOf } from "./types.ts";
import { Value } from "./value.ts";

export interface CreateOptions<D extends DType = DType> {
  readonly dtype?: D;
}

export interface TensorOptions<D extends DType = DType, S extends readonly number[] = readonly number[]>
  extends CreateOptions<D> {
  /** The shape of flat values. */
  readonly shape?: S;
}

/** The dtype of values that say none. */
type OwnDType<V> = V extends number
  ? "f32"
  : V extends boolean
    ? "bool"
    : V extends TypedArray
      ? ArrayDType<V>
      : V extends HostArray | MappedArray
        ? V["dtype"]
        : V extends readonly (infer E)[]
          ? OwnDType<E>
          : any;

/** Typed arrays of one type and length, nested. */
type TypedRows = readonly (TypedArray | TypedRows)[];

type Given<V, D, S> = TensorOf<
  [S] extends [never] ? NestedShape<V> : S extends readonly number[] ? SizesOf<S> : any,
  [D] extends [never] ? OwnDType<V> : D
>;

/**
 * A tensor of numbers, booleans, nested arrays, a typed array or rows of them (their elements' type is kept), or a host array. Numbers are
 * f32 unless `dtype` says otherwise. The values are copied; those of an array in a mapped file stay where they are.
 *
 * @throws ShapeError when rows differ in length, or `shape` does not hold all values
 * @example
 * tensor([[1, 2], [3, 4]]);
 * tensor(new Uint8Array(784), { shape: [28, 28] });
 * tensor([Float32Array.of(1, 2), Float32Array.of(3, 4)]).shape; // [2, 2]
 * tensor([3, 1], { dtype: "i32" }).dtype; // "i32"
 */
export function tensor<
  const V extends
    | number
    | boolean
    | NestedArray
    | TypedRows
    | TypedArray
    | BigInt64Array
    | BigUint64Array
    | HostArray
    | MappedArray,
  D extends DType = never,
  const S extends readonly number[] = never,
>(values: V, options: TensorOptions<D, S> = {}): Given<V, NoInfer<D>, S> {
  return located(() => {
    if (values instanceof MappedArray) return fromMapped(values, options);
    const host = hostArray(values, options);
    const isOurs = typeof values !== "object" || Array.isArray(values);
    return fromHost(isOurs ? host : { ...host, data: host.data.slice() });
  }) as Given<V, NoInfer<D>, S>;
}

function fromMapped(array: MappedArray, { dtype = array.dtype, shape = array.shape }: TensorOptions): Tensor {
  if (dtype !== array.dtype)
    throw new DTypeError(`tensor: the array of "${array.file.path}" is ${array.dtype}; cast the tensor`);
  if (shape !== array.shape && countElements(shape) !== array.elementCount)
    throw new ShapeError(
      `tensor: ${array.elementCount} elements do not fill the shape ${shapeText(shape)} (${countElements(shape)})`,
    );
  return fromValue(Value.ofMapped(new MappedArray(array.file, array.position, { dtype, shape })));
}

/** A tensor of an array that nobody changes any more. */
export const fromHost = (host: HostArray): Tensor =>
  currentTrace().kind === "eager" ? fromValue(Value.ofHost(host)) : fromNode(hostNode(host));

/**
 * Anything that stands for a tensor as a tensor.
 *
 * @example asTensor([1, 2]).add(1); // [2, 3]
 */
export const asTensor = (value: TensorLike): Tensor => (isTensor(value) ? value : fromNode(toNode(value)));

function filled(shape: readonly Size[], value: number, dtype: DType, what: string): Tensor {
  return located(() => {
    requireShape(shape, what);
    if (!isDType(dtype)) throw new DTypeError(`${what}: "${dtype}" is no dtype`);
    return fromNode(fullNode(shape, value, dtype));
  });
}

function requireShape(shape: unknown, what: string): void {
  const isSize = (size: unknown): boolean =>
    typeof size === "number" ? Number.isInteger(size) && size >= 0 : typeof size === "object";
  if (Array.isArray(shape) && shape.every(isSize)) return;
  const got = Array.isArray(shape) ? `[${shape.join(", ")}]` : String(shape);
  throw new ArgumentError(`${what}: the shape must be a list of sizes such as [2, 3], got ${got}`);
}

/** `shape` of zeros. @example zeros([2, 3]); zeros([4], { dtype: "i32" }) */
export function zeros<const S extends readonly Size[], D extends DType = "f32">(
  shape: S,
  { dtype = "f32" as D }: CreateOptions<D> = {},
): Tensor<SizesOf<S>, NoInfer<D>> {
  return filled(shape, 0, dtype, "zeros");
}

/** `shape` of ones. @example ones([2, 3]) */
export function ones<const S extends readonly Size[], D extends DType = "f32">(
  shape: S,
  { dtype = "f32" as D }: CreateOptions<D> = {},
): Tensor<SizesOf<S>, NoInfer<D>> {
  return filled(shape, 1, dtype, "ones");
}

/** `shape` filled with one value. @example full([2, 3], 0.5) */
export function full<const S extends readonly Size[], D extends DType = "f32">(
  shape: S,
  value: number,
  { dtype = "f32" as D }: CreateOptions<D> = {},
): Tensor<SizesOf<S>, NoInfer<D>> {
  return filled(shape, value, dtype, "full");
}

/** Zeros of another tensor's shape and dtype. @example zerosLike(tensor([1, 2])) // [0, 0] */
export const zerosLike = <T extends Tensor>(x: T): T => filled(x.shape, 0, x.dtype, "zerosLike") as T;
/** Ones of another tensor's shape and dtype. @example onesLike(tensor([1, 2])) // [1, 1] */
export const onesLike = <T extends Tensor>(x: T): T => filled(x.shape, 1, x.dtype, "onesLike") as T;

export interface RangeOptions<D extends DType = DType> extends CreateOptions<D> {
  readonly step?: number;
}

/**
 * start, start + step, … up to but not including stop; from 0 with one number. Integers give i32 as in PyTorch, fractions f32.
 *
 * @example
 * arange(3); // [0, 1, 2]
 * arange(1, 2, { step: 0.25 }); // [1, 1.25, 1.5, 1.75]
 */
export function arange<D extends DType = any>(stop: number, options?: RangeOptions<D>): Tensor<[number], D>;
export function arange<D extends DType = any>(
  start: number,
  stop: number,
  options?: RangeOptions<D>,
): Tensor<[number], D>;
export function arange(from: number, to?: number | RangeOptions, given: RangeOptions = {}): Tensor {
  const [start, stop] = typeof to === "number" ? [from, to] : [0, from];
  const options = typeof to === "object" ? to : given;
  const { step = 1 } = options;
  return located(() => {
    if (![start, stop, step].every(Number.isFinite) || step === 0)
      throw new ArgumentError(
        `arange: needs finite numbers and a step other than 0, got ${start}, ${stop}, ${step}`,
      );
    const isWhole = [start, step].every(Number.isInteger);
    const dtype = options.dtype ?? (isWhole && Number.isInteger(stop) ? "i32" : "f32");
    const count = Math.max(0, Math.ceil((stop - start) / step));
    const values = Float64Array.from({ length: count }, (_, i) => start + i * step);
    return fromHost({ dtype, shape: [count], data: encode(dtype, values) });
  });
}

/** `count` numbers from `start` to `stop`, both included, equally far apart. @example linspace(0, 1, 5) // [0, 0.25, 0.5, 0.75, 1] */
export function linspace<const N extends number, D extends DType = "f32">(
  start: number,
  stop: number,
  count: N,
  { dtype = "f32" as D }: CreateOptions<D> = {},
): Tensor<[N], NoInfer<D>> {
  return located(() => {
    if (!Number.isInteger(count) || count < 1)
      throw new ArgumentError(`linspace: the count must be an integer of at least 1, got ${count}`);
    const at = (i: number): number =>
      i === 0 ? start : i === count - 1 ? stop : start + (i * (stop - start)) / (count - 1);
    const values = Float64Array.from({ length: count }, (_, i) => at(i));
    return fromHost({ dtype, shape: [count], data: encode(dtype, values) });
  });
}

/** Ones on the diagonal, zeros elsewhere: (rows, columns), square when one is given. @example eye(2) // [[1, 0], [0, 1]] */
export function eye<const R extends number, const C extends number = R, D extends DType = "f32">(
  rows: R,
  columns: C = rows as number as C,
  { dtype = "f32" as D }: CreateOptions<D> = {},
): Tensor<[R, C], NoInfer<D>> {
  return located(() => {
    requireShape([rows, columns], "eye");
    const shape = [rows, columns];
    return fromNode(cast(equal(iota(shape, 0), iota(shape, 1)), dtype)) as Tensor<[R, C], D>;
  });
}

/**
 * Ones at and below a diagonal (0: the main one, 1: one above it), zeros elsewhere.
 *
 * @example tri(2) // [[1, 0], [1, 1]]
 */
export function tri<const R extends number, const C extends number = R, D extends DType = "f32">(
  rows: R,
  columns: C = rows as number as C,
  { diagonal = 0, dtype = "f32" as D }: CreateOptions<D> & { readonly diagonal?: number } = {},
): Tensor<[R, C], NoInfer<D>> {
  return located(() => {
    requireShape([rows, columns], "tri");
    const node = lowerTriangle(fullNode([rows, columns], 1, dtype), diagonal);
    return fromNode(node) as Tensor<[R, C], D>;
  });
}

/** A new last axis of size `depth`: 1 where its index is the element, 0 elsewhere (everywhere for indices out of range). */
export function oneHotNode(indices: Node, depth: Size, dtype: DType): Node {
  const shape = [...indices.shape, depth];
  const places = iota(shape, indices.shape.length, indices.dtype);
  return cast(equal(broadcastTo(reshape(indices, [...indices.shape, 1]), shape), places), dtype);
}
