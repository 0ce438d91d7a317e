/** The dtypes of bare typed arrays, and arrays of numbers nested as a user writes them. */
import type { DType } from "../base/dtype.ts";
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

export type NestedNumbers = readonly (number | NestedNumbers)[];

/** Nested arrays of numbers as f32. @throws ShapeError naming the place where lengths differ */
export function nestedArray(what: string, nested: NestedNumbers): HostArray {
  const shape: number[] = [];
  for (let level: unknown = nested; Array.isArray(level); level = level[0]) shape.push(level.length);
  const values: number[] = [];
  const visit = (value: unknown, axis: number, path: string): void => {
    if (axis === shape.length && typeof value === "number") values.push(value);
    else if (axis < shape.length && Array.isArray(value) && value.length === shape[axis]) {
      value.forEach((item, i) => void visit(item, axis + 1, `${path}[${i}]`));
    } else {
      const expected = axis === shape.length ? "a number" : `an array of ${shape[axis]}, as the first one`;
      const got = Array.isArray(value) ? `an array of ${value.length}` : String(value);
      throw new ShapeError(`${what}${path} is ${got}; expected ${expected}`);
    }
  };
  visit(nested, 0, "");
  return hostArray("f32", shape, Float32Array.from(values));
}
