/** The dtypes of bare typed arrays, and arrays of numbers nested as a user writes them. */
import { arrayTypeOf, type DType, type TypedArray } from "../base/dtype.ts";
import { ArgumentError, ShapeError } from "../base/errors.ts";
import { type HostArray, hostArray } from "../base/host-array.ts";

/** The dtype of a typed array in types; `DType` where it is not known which array it is. */
export type DTypeOfArray<A> = A extends Float32Array
  ? "f32"
  : A extends Float64Array
    ? "f64"
    : A extends Int32Array
      ? "i32"
      : A extends Uint32Array
        ? "u32"
        : A extends Int8Array
          ? "i8"
          : A extends Uint8Array
            ? "u8"
            : DType;

/** The dtype of a typed array; those that could be several, or none, are refused. */
export function dtypeOfArray(what: string, array: ArrayBufferView): DType {
  if (array instanceof Float32Array) return "f32";
  if (array instanceof Float64Array) return "f64";
  if (array instanceof Int32Array) return "i32";
  if (array instanceof Uint32Array) return "u32";
  if (array instanceof Int8Array) return "i8";
  if (array instanceof Uint8Array) return "u8";
  const name = array.constructor.name;
  const hint = name === "Uint16Array" ? "f16 or bf16" : "the dtype to use";
  throw new ArgumentError(
    `${what}: a ${name} does not say which dtype it holds; use hostArray(dtype, shape, data) with ${hint}`,
  );
}

/** Numbers in arrays of arrays; the last axis may be typed arrays. */
export type NestedNumbers = readonly (number | TypedArray | NestedNumbers)[];

const isRow = (value: unknown): value is readonly unknown[] | TypedArray =>
  Array.isArray(value) || ArrayBuffer.isView(value);

/**
 * Nested arrays of numbers: f32, or what the rows are where they are typed arrays.
 *
 * @throws ShapeError naming the place where lengths differ, ArgumentError where rows are of several types
 */
export function nestedArray(what: string, nested: NestedNumbers): HostArray {
  const shape: number[] = [];
  for (let level: unknown = nested; isRow(level); level = level[0]) shape.push(level.length);
  const values: number[] = [];
  const dtypes = new Set<DType>();
  const visit = (value: unknown, axis: number, path: string): void => {
    if (axis === shape.length && typeof value === "number") values.push(value);
    else if (axis < shape.length && isRow(value) && value.length === shape[axis]) {
      if (axis === shape.length - 1) dtypes.add(rowDType(what + path, value));
      for (let i = 0; i < value.length; i++) visit(value[i], axis + 1, `${path}[${i}]`);
    } else {
      const expected = axis === shape.length ? "a number" : `an array of ${shape[axis]}, as the first one`;
      const got = isRow(value) ? `an array of ${value.length}` : String(value);
      throw new ShapeError(`${what}${path} is ${got}; expected ${expected}`);
    }
  };
  visit(nested, 0, "");
  if (dtypes.size > 1)
    throw new ArgumentError(`${what} has rows of ${[...dtypes].join(" and ")}; make them of one kind`);
  const [dtype = "f32"] = dtypes;
  const data = new (arrayTypeOf(dtype))(values.length);
  data.set(values);
  return hostArray(dtype, shape, data);
}

const rowDType = (what: string, row: readonly unknown[] | TypedArray): DType =>
  ArrayBuffer.isView(row) ? dtypeOfArray(what, row) : "f32";
