/** The types that every method's signature is made of: what stands for a tensor, and what comes out. */
import type { DType, TypedArray } from "../base/dtype.ts";
import type { HostArray } from "../base/host-array.ts";
import type { Broadcast, BroadcastCheck, IsAny, NestedShape, TensorShape } from "../base/shape-types.ts";
import type { ArrayDType, Promote, PromoteCheck, PromoteNumber } from "../base/types/dtype.ts";
import type { Tensor } from "./tensor.ts";

/** Numbers or booleans nested in arrays, all rows of one length. */
export type NestedArray = readonly (number | boolean | NestedArray)[];

/** What is accepted wherever a tensor is. */
export type TensorLike = Tensor | number | boolean | TypedArray | HostArray | NestedArray;

export type ShapeOf<O> =
  IsAny<O> extends true
    ? any
    : O extends Tensor<infer S, any>
      ? S
      : O extends HostArray
        ? any
        : NestedShape<O>;

/** The dtype of `D` with an operand: numbers and nested arrays of them never widen. */
export type PromoteOperand<D, O> =
  IsAny<O> extends true
    ? any
    : O extends Tensor<any, infer E>
      ? Promote<D, E>
      : O extends number
        ? PromoteNumber<D, O>
        : O extends boolean
          ? D
          : O extends TypedArray
            ? Promote<D, ArrayDType<O>>
            : any;

type DTypeCheck<D, O> =
  IsAny<O> extends true ? unknown : O extends Tensor<any, infer E> ? PromoteCheck<D, E> : unknown;

/** The other operand of an elementwise operation: must broadcast, and share a dtype. */
export type OperandCheck<What extends string, S extends TensorShape, D, O> = BroadcastCheck<
  What,
  S,
  ShapeOf<O>
> &
  DTypeCheck<D, O>;

/** A tensor whose shape and dtype were computed by types (which the checker cannot see to be a shape and a dtype). */
export type TensorOf<S, D> = [S, D] extends [infer R extends TensorShape, infer E extends DType]
  ? Tensor<R, E>
  : never;

/** What an elementwise operation of two operands gives. */
export type Elementwise<S extends TensorShape, D, O> = TensorOf<
  Broadcast<S, ShapeOf<O>>,
  PromoteOperand<D, O>
>;
export type Comparison<S extends TensorShape, O> = TensorOf<Broadcast<S, ShapeOf<O>>, "bool">;

/** What `data()` gives: 16-bit floats are decoded to f32. */
export type DataOf<D> =
  IsAny<D> extends true
    ? TypedArray
    : D extends "f64"
      ? Float64Array
      : D extends "i32"
        ? Int32Array
        : D extends "u32"
          ? Uint32Array
          : D extends "i8"
            ? Int8Array
            : D extends "u8" | "bool"
              ? Uint8Array
              : D extends DType
                ? Float32Array
                : TypedArray;

/** One element in JavaScript. */
export type ElementOf<D> = IsAny<D> extends true ? any : D extends "bool" ? boolean : number;

/** Elements nested in arrays, one level an axis. */
export type NestedOf<S extends TensorShape, E> =
  IsAny<S> extends true
    ? any
    : number extends S["length"]
      ? any
      : S extends readonly [number, ...infer R extends TensorShape]
        ? NestedOf<R, E>[]
        : E;
