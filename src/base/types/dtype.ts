/** Promotion of dtypes in types, as `promote` in `dtype.ts` does it with values. An unknown dtype is `any`. */
import type { DType } from "../dtype.ts";
import type { IsAny, Sentence } from "./basics.ts";

export type FloatDType = "f32" | "f64" | "f16" | "bf16";
export type IntegerDType = "i32" | "u32" | "i8" | "u8";

/** One dtype, not a choice of several, so that results can be judged. */
export type IsOneDType<D> =
  IsAny<D> extends true ? false : [D] extends [never] ? false : IsUnion<D> extends true ? false : true;
type IsUnion<T, Whole = T> = T extends unknown ? ([Whole] extends [T] ? false : true) : never;

type BothKnown<A, B> = IsOneDType<A> extends true ? IsOneDType<B> : false;

export type Promote<A, B> =
  BothKnown<A, B> extends false
    ? any
    : [A, B] extends [B, A]
      ? A
      : A extends FloatDType
        ? B extends FloatDType
          ? "f64" extends A | B
            ? "f64"
            : "f32"
          : A
        : B extends FloatDType
          ? B
          : A extends "bool"
            ? B
            : B extends "bool"
              ? A
              : PromoteIntegers<A, B>;
type PromoteIntegers<A, B> = "u32" extends A | B ? (A | B extends "u32" | "u8" ? "u32" : any) : "i32";

/** `u32` with a signed integer has no common dtype. */
export type PromoteCheck<A, B> =
  BothKnown<A, B> extends false
    ? unknown
    : A extends "u32"
      ? B extends "i32" | "i8"
        ? Sentence<`no dtype holds both u32 and ${B}: cast one of them first`>
        : unknown
      : B extends "u32"
        ? A extends "i32" | "i8"
          ? Sentence<`no dtype holds both ${A} and u32: cast one of them first`>
          : unknown
        : unknown;

/** A tensor with a plain number: floats stay; integers stay with an integer, and become f32 with a fraction. */
export type PromoteNumber<D, N extends number> =
  IsOneDType<D> extends false
    ? any
    : D extends FloatDType
      ? D
      : number extends N
        ? any
        : `${N}` extends `${bigint}`
          ? D extends "bool"
            ? "i32"
            : D
          : "f32";

/** What true division and functions of the reals give: integers and bool become f32. */
export type FloatOf<D> = IsOneDType<D> extends false ? any : D extends IntegerDType | "bool" ? "f32" : D;

/** The dtype of a sum: bool counts as i32, the 8-bit integers are summed in i32. */
export type SumDType<D> = IsOneDType<D> extends false ? any : D extends "bool" | "i8" | "u8" ? "i32" : D;

/** The elements of a typed array, where the array's type tells. */
export type ArrayDType<V> = V extends Float32Array
  ? "f32"
  : V extends Float64Array
    ? "f64"
    : V extends Int32Array
      ? "i32"
      : V extends Uint32Array
        ? "u32"
        : V extends Int8Array
          ? "i8"
          : V extends Uint8Array
            ? "u8"
            : DType;
