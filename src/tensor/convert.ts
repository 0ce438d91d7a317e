/** JavaScript values as host arrays, and anything that stands for a tensor as a node. */
import {
  arrayTypeOf,
  type DType,
  encode,
  isDType,
  isFloat,
  isInteger,
  type TypedArray,
} from "../base/dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../base/errors.ts";
import type { HostArray } from "../base/host-array.ts";
import { shapeText } from "../base/shape.ts";
import type { Node } from "../graph/node.ts";
import { currentTrace } from "../graph/trace.ts";
import { array, buffer, scalar } from "../ops/index.ts";
import { isTensor } from "./handle.ts";
import { nodeOf } from "./nodes.ts";
import type { NestedArray, TensorLike } from "./types.ts";
import { Value } from "./value.ts";

export interface HostOptions {
  readonly dtype?: DType;
  readonly shape?: readonly number[];
}

/**
 * Numbers, booleans, nested arrays, typed arrays or a host array as a host array. Numbers are f32 and booleans bool unless
 * `dtype` says otherwise; a typed array keeps its type and is not copied where it already is what is asked for.
 */
export function hostArray(value: unknown, { dtype, shape }: HostOptions = {}, what = "tensor"): HostArray {
  if (dtype !== undefined) requireDType(dtype, what);
  const given = fromJavaScript(value, dtype, what);
  return shape === undefined ? given : withShape(given, shape, what);
}

function requireDType(dtype: string, what: string): void {
  if (!isDType(dtype))
    throw new DTypeError(
      `${what}: "${dtype}" is no dtype; they are f32, f64, f16, bf16, i32, u32, i8, u8, bool`,
    );
}

function fromJavaScript(value: unknown, dtype: DType | undefined, what: string): HostArray {
  if (typeof value === "number" || typeof value === "boolean") return fromNested(value, dtype, what);
  if (Array.isArray(value)) return fromNested(value as NestedArray, dtype, what);
  if (ArrayBuffer.isView(value)) return fromTyped(value, dtype, what);
  if (isHostArray(value)) return dtype === undefined ? value : recast(value, dtype);
  throw new ArgumentError(
    `${what}: cannot make a tensor of ${describe(value)}; give numbers, nested arrays or a typed array`,
  );
}

/** What a wrong argument was, for messages. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value === "object") return `an object of class ${value.constructor?.name ?? "null"}`;
  return typeof value === "string" ? `the string ${JSON.stringify(value)}` : `a ${typeof value}`;
}

export const isHostArray = (value: unknown): value is HostArray =>
  typeof value === "object" &&
  value !== null &&
  "dtype" in value &&
  "shape" in value &&
  ArrayBuffer.isView((value as { data?: unknown }).data);

function withShape(given: HostArray, shape: readonly number[], what: string): HostArray {
  const count = shape.reduce((n, size) => n * size, 1);
  if (count !== given.data.length || !shape.every((size) => Number.isInteger(size) && size >= 0)) {
    throw new ShapeError(
      `${what}: ${given.data.length} elements do not fill the shape ${shapeText(shape)}, which has ${count}`,
    );
  }
  return { ...given, shape };
}

const typedDTypes = new Map<string, DType>([
  ["Float32Array", "f32"],
  ["Float64Array", "f64"],
  ["Int32Array", "i32"],
  ["Uint32Array", "u32"],
  ["Int8Array", "i8"],
  ["Uint8Array", "u8"],
  ["Uint8ClampedArray", "u8"],
]);

/** The dtype of a typed array's elements, where its type tells. */
export const dtypeOfTyped = (view: ArrayBufferView): DType | undefined =>
  typedDTypes.get(Object.prototype.toString.call(view).slice(8, -1));

function fromTyped(view: ArrayBufferView, dtype: DType | undefined, what: string): HostArray {
  const name = Object.prototype.toString.call(view).slice(8, -1);
  if (view instanceof BigInt64Array || view instanceof BigUint64Array) return narrow(view, dtype, what);
  if (dtype !== undefined && view instanceof arrayTypeOf(dtype)) return flat(dtype, view as TypedArray);
  const own = typedDTypes.get(name);
  if (own === undefined) {
    const remedy = 'say what its bits are: { dtype: "f16" } or { dtype: "bf16" } for a Uint16Array';
    throw new DTypeError(`${what}: a ${name} has no dtype of its own; ${remedy}`);
  }
  const data = view instanceof Uint8ClampedArray ? new Uint8Array(view) : (view as TypedArray);
  return dtype === undefined || dtype === own ? flat(own, data) : flat(dtype, encode(dtype, data));
}

const flat = (dtype: DType, data: TypedArray): HostArray => ({ dtype, shape: [data.length], data });

/** 64-bit integers live in files only: they become i32 where they fit. */
function narrow(view: BigInt64Array | BigUint64Array, dtype: DType = "i32", what: string): HostArray {
  const numbers = Float64Array.from(view, Number);
  const outside = numbers.find((x) => isInteger(dtype) && x !== (encode(dtype, [x])[0] as number));
  if (outside !== undefined)
    throw new DTypeError(`${what}: the 64-bit integer ${outside} does not fit ${dtype}`);
  return flat(dtype, encode(dtype, numbers));
}

const recast = (value: HostArray, dtype: DType): HostArray => {
  if (value.dtype === dtype) return value;
  throw new DTypeError(`the array is ${value.dtype}, not ${dtype}: make the tensor first, then cast it`);
};

function fromNested(
  value: number | boolean | NestedArray,
  dtype: DType | undefined,
  what: string,
): HostArray {
  const shape = nestedShape(value);
  const flattened: (number | boolean)[] = [];
  fill(value, shape, 0, flattened, what);
  const isBool = flattened.length > 0 && flattened.every((x) => typeof x === "boolean");
  const out = dtype ?? rowsDType(value, shape.length, what) ?? (isBool ? "bool" : "f32");
  return { dtype: out, shape, data: encode(out, flattened.map(Number)) };
}

const isTyped = (value: unknown): value is TypedArray =>
  ArrayBuffer.isView(value) && dtypeOfTyped(value) !== undefined;

const isRow = (value: unknown): value is readonly NestedArray[number][] | TypedArray =>
  Array.isArray(value) || isTyped(value);

/** The last axis may be typed arrays. */
function nestedShape(value: unknown): number[] {
  const shape: number[] = [];
  for (let at = value; isRow(at); at = at[0]) shape.push(at.length);
  return shape;
}

/** The dtype that rows have which are typed arrays; undefined where they are plain ones. */
function rowsDType(value: unknown, rank: number, what: string): DType | undefined {
  if (rank < 2) return undefined;
  const rows = (value as readonly unknown[]).flat(Math.max(0, rank - 2));
  const [first, ...others] = new Set(rows.map((row) => (isTyped(row) ? dtypeOfTyped(row) : undefined)));
  if (others.length === 0) return first;
  const kinds = [first, ...others].map((kind) => kind ?? "plain numbers").join(" and ");
  throw new DTypeError(`${what}: there are rows of ${kinds}; make them of one kind, or say a dtype`);
}

function fill(
  value: number | boolean | NestedArray | TypedArray,
  shape: readonly number[],
  axis: number,
  out: (number | boolean)[],
  what: string,
): void {
  if (axis === shape.length) {
    if (typeof value === "number" || typeof value === "boolean") return void out.push(value);
    const found = isRow(value) ? `a row of ${value.length}` : describe(value);
    throw new ShapeError(`${what}: ${found} where a number was expected: rows must be nested equally deep`);
  }
  if (!isRow(value) || value.length !== shape[axis]) {
    const found = isRow(value) ? `a row of ${value.length}` : describe(value);
    throw new ShapeError(
      `${what}: ${found} where a row of ${shape[axis]} was expected: rows must have equal lengths (axis ${axis})`,
    );
  }
  for (const item of value) fill(item, shape, axis + 1, out, what);
}

/** A node for a host array: a constant inside a trace, a leaf that can change from run to run outside. */
export const hostNode = (host: HostArray): Node =>
  currentTrace().kind === "eager" ? buffer(Value.ofHost(host), host) : array(host);

/** The dtype of a plain number beside a tensor of `dtype`: it never widens, but a fraction makes integers f32. */
export function numberDType(dtype: DType, value: number): DType {
  if (isFloat(dtype)) return dtype;
  if (!Number.isInteger(value)) return "f32";
  return dtype === "bool" ? "i32" : dtype;
}

/** Anything that stands for a tensor as a node; plain numbers take the dtype that suits `beside`. */
export function toNode(value: TensorLike, beside: DType = "f32", what = "tensor"): Node {
  if (isTensor(value)) return nodeOf(value);
  if (typeof value === "number") return scalar(value, numberDType(beside, value));
  if (typeof value === "boolean") return scalar(value ? 1 : 0, "bool");
  if (!Array.isArray(value)) return hostNode(hostArray(value, {}, what));
  const host = hostArray(value, {}, what);
  if (host.dtype === "bool") return hostNode(host);
  const dtype = host.data.every((x) => Number.isInteger(x))
    ? numberDType(beside, 0)
    : numberDType(beside, 0.5);
  return hostNode(dtype === "f32" ? host : hostArray(value, { dtype }, what));
}
