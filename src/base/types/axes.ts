/** Rules that name axes, in types: reductions, permutations, inserted and replaced axes. An axis counts from either end. */
import type { Init, IsAny, IsKnown, Last, LastButOne, Sentence, TensorShape } from "./basics.ts";

/** Axes as an argument: one, several, or none given (all). */
export type Axes = number | readonly number[];

type AxisText<A> = A extends number ? `${A}` : A extends readonly number[] ? `${A[number]}` : never;
/** Whether the axes are literals. */
type AxesKnown<A> =
  IsAny<A> extends true
    ? false
    : A extends readonly number[]
      ? number extends A["length"]
        ? false
        : number extends A[number]
          ? false
          : true
      : number extends A
        ? false
        : true;

/** The texts by which the axes of `S` may be called. */
type AxisNames<S extends TensorShape, Before extends unknown[] = []> = S extends readonly [
  number,
  ...infer R extends TensorShape,
]
  ? `${Before["length"]}` | `-${S["length"]}` | AxisNames<R, [...Before, 0]>
  : never;

export type AxisCheck<What extends string, S extends TensorShape, A> =
  IsKnown<S> extends false
    ? unknown
    : AxesKnown<A> extends false
      ? unknown
      : [Exclude<AxisText<A>, AxisNames<S>>] extends [never]
        ? unknown
        : Sentence<`${What}: axis ${Exclude<AxisText<A>, AxisNames<S>>} is out of range for rank ${S["length"]}`>;

/** The shape after folding `A` (undefined: all axes); with `Keep` folded axes stay with size 1. */
export type Reduce<S extends TensorShape, A, Keep extends boolean> =
  IsKnown<S> extends false
    ? any
    : [A] extends [undefined]
      ? Keep extends true
        ? { -readonly [K in keyof S]: 1 }
        : []
      : boolean extends Keep
        ? any
        : AxesKnown<A> extends false
          ? Keep extends true
            ? { -readonly [K in keyof S]: number }
            : any
          : ReduceAt<S, AxisText<A>, Keep>;
type ReduceAt<
  S extends TensorShape,
  Names extends string,
  Keep extends boolean,
  Before extends unknown[] = [],
> = S extends readonly [infer F extends number, ...infer R extends TensorShape]
  ? `${Before["length"]}` extends Names
    ? [...(Keep extends true ? [1] : []), ...ReduceAt<R, Names, Keep, [...Before, 0]>]
    : `-${S["length"]}` extends Names
      ? [...(Keep extends true ? [1] : []), ...ReduceAt<R, Names, Keep, [...Before, 0]>]
      : [F, ...ReduceAt<R, Names, Keep, [...Before, 0]>]
  : [];

/** The size on one axis; `number` where the axis or the shape is unknown. */
export type SizeAt<S extends TensorShape, A extends number> =
  IsKnown<S> extends false ? number : number extends A ? number : SizeNamed<S, `${A}`>;
type SizeNamed<
  S extends TensorShape,
  Name extends string,
  Before extends unknown[] = [],
> = S extends readonly [infer F extends number, ...infer R extends TensorShape]
  ? Name extends `${Before["length"]}` | `-${S["length"]}`
    ? F
    : SizeNamed<R, Name, [...Before, 0]>
  : number;

/** `S` with axis `A` replaced by the sizes `N`: `[n]` sets it, `[]` drops it, `[1, n]` inserts before it. */
export type ReplaceAxis<S extends TensorShape, A extends number, N extends readonly number[]> =
  IsKnown<S> extends false ? any : number extends A ? any : ReplaceNamed<S, `${A}`, N>;
type ReplaceNamed<
  S extends TensorShape,
  Name extends string,
  N extends readonly number[],
  Before extends unknown[] = [],
> = S extends readonly [infer F extends number, ...infer R extends TensorShape]
  ? Name extends `${Before["length"]}` | `-${S["length"]}`
    ? [...N, ...R]
    : [F, ...ReplaceNamed<R, Name, N, [...Before, 0]>]
  : [];

/** A new axis of size `N` at `A` of the result (−1 puts it last). */
export type InsertAxis<S extends TensorShape, A extends number, N extends number = 1> =
  IsKnown<S> extends false
    ? any
    : number extends A
      ? any
      : A extends -1
        ? [...S, N]
        : `${A}` extends `-${string}`
          ? any
          : InsertNamed<S, `${A}`, N>;
type InsertNamed<
  S extends TensorShape,
  Name extends string,
  N extends number,
  Before extends unknown[] = [],
> = `${Before["length"]}` extends Name
  ? [N, ...S]
  : S extends readonly [infer F extends number, ...infer R extends TensorShape]
    ? [F, ...InsertNamed<R, Name, N, [...Before, 0]>]
    : [];

export type Permute<S extends TensorShape, Order extends readonly number[]> =
  IsKnown<S> extends false
    ? any
    : number extends Order["length"]
      ? any
      : { -readonly [K in keyof Order]: SizeAt<S, Order[K] & number> };

export type PermuteCheck<S extends TensorShape, Order extends readonly number[]> =
  IsKnown<S> extends false
    ? unknown
    : number extends Order["length"]
      ? unknown
      : Order["length"] extends S["length"]
        ? AxisCheck<"permute", S, Order>
        : Sentence<`permute: ${Order["length"]} axes for a tensor of rank ${S["length"]}`>;

/** The last two axes exchanged. */
export type Transpose<S extends TensorShape> =
  IsKnown<S> extends false ? any : [...Init<Init<S>>, Last<S>, LastButOne<S>];

/** Axes `A` and `B` exchanged. */
export type SwapAxes<S extends TensorShape, A extends number, B extends number> =
  IsKnown<S> extends false
    ? any
    : number extends A | B
      ? { -readonly [K in keyof S]: number }
      : ReplaceNamed<S, `${A}`, [SizeAt<S, B>]> extends infer First extends TensorShape
        ? ReplaceNamed<First, `${B}`, [SizeAt<S, A>]>
        : any;

/** The shape of tensors joined on axis `A`: that axis unknown, the others from the first whose rank is known. */
export type Concat<S extends TensorShape, A extends number> = ReplaceAxis<S, A, [number]>;
