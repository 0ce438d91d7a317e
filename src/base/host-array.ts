/**
 * Numbers in the host's memory: what files hold, what datasets deliver, what a tensor is made from and read out into.
 *
 * `data` holds storage bits in row-major order: raw 16-bit patterns for f16 and bf16, 0 and 1 for bool.
 */
import { arrayTypeOf, type DType, type TypedArray } from "./dtype.ts";
import { ShapeError } from "./errors.ts";
import { shapeText } from "./shape.ts";

interface ArrayTypes {
  f32: Float32Array;
  f64: Float64Array;
  f16: Uint16Array;
  bf16: Uint16Array;
  i32: Int32Array;
  u32: Uint32Array;
  i8: Int8Array;
  u8: Uint8Array;
  bool: Uint8Array;
}

/** The typed array that stores elements of a dtype. */
export type ArrayOf<D extends DType> = ArrayTypes[D];

/** A dtype, a shape of plain numbers, and as many stored elements as the shape says. */
export interface HostArray<S extends readonly number[] = readonly number[], D extends DType = DType> {
  readonly dtype: D;
  readonly shape: S;
  readonly data: ArrayOf<D>;
}

/** Arrays by name: a file of weights, a state dictionary. */
export type NamedTensors = Map<string, HostArray>;

/**
 * A HostArray after a check that dtype, shape and data belong together; zeros when `data` is left out.
 *
 * @throws ShapeError when the shape is not of sizes, or asks for another number of elements than `data` has
 * @example hostArray("f32", [2, 3], new Float32Array(6))
 */
export function hostArray<const S extends readonly number[], D extends DType>(
  dtype: D,
  shape: S,
  data?: ArrayOf<D>,
): HostArray<Mutable<S>, D> {
  const count = countElements(shape);
  const ArrayType = arrayTypeOf(dtype);
  const stored: TypedArray = data ?? new ArrayType(count);
  if (!(stored instanceof ArrayType)) {
    const got = (stored as TypedArray).constructor.name;
    throw new ShapeError(`hostArray: ${dtype} is stored in a ${ArrayType.name}, got a ${got}`);
  }
  if (stored.length !== count) {
    throw new ShapeError(
      `hostArray: shape ${shapeText(shape)} needs ${count} elements, the data has ${stored.length}; change one of them`,
    );
  }
  // The array type was compared above with the one this dtype is stored in.
  return { dtype, shape: [...shape] as unknown as Mutable<S>, data: stored as ArrayOf<D> };
}

type Mutable<S extends readonly number[]> = { -readonly [K in keyof S]: S[K] };

/** The product of a shape's sizes, or a ShapeError for sizes no array can have. */
export function countElements(shape: readonly number[]): number {
  let count = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new ShapeError(
        `shape ${shapeText(shape)}: every size must be an integer of 0 or more, got ${size}`,
      );
    }
    count *= size;
  }
  if (!Number.isSafeInteger(count))
    throw new ShapeError(`shape ${shapeText(shape)} has more elements than memory`);
  return count;
}

/** The stored bytes of an array, without a copy. */
export const bytesView = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
