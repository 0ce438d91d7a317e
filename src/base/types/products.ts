/** Broadcasting and matmul in types. */
import type {
  Init,
  IsKnown,
  Last,
  LastButOne,
  Mutable,
  SameSize,
  Sentence,
  ShapeText,
  TensorShape,
} from "./basics.ts";

/** Sizes from the right are equal, or one of them is 1. */
export type Broadcast<A extends TensorShape, B extends TensorShape> =
  IsKnown<A> extends false
    ? any
    : IsKnown<B> extends false
      ? any
      : A extends readonly [...infer AI extends TensorShape, infer AL extends number]
        ? B extends readonly [...infer BI extends TensorShape, infer BL extends number]
          ? [...Broadcast<AI, BI>, BroadcastSize<AL, BL>]
          : Mutable<A>
        : Mutable<B>;

/** An unknown size against n > 1 must be n or 1, so the result is n. */
type BroadcastSize<A extends number, B extends number> = B extends 1
  ? A
  : A extends 1
    ? B
    : number extends A
      ? B
      : A;

type BroadcastMismatch<A extends TensorShape, B extends TensorShape> = A extends readonly [
  ...infer AI extends TensorShape,
  infer AL extends number,
]
  ? B extends readonly [...infer BI extends TensorShape, infer BL extends number]
    ? AL extends 1
      ? BroadcastMismatch<AI, BI>
      : BL extends 1
        ? BroadcastMismatch<AI, BI>
        : SameSize<AL, BL> extends true
          ? BroadcastMismatch<AI, BI>
          : [AL, BL]
    : never
  : never;

export type BroadcastCheck<What extends string, A extends TensorShape, B extends TensorShape> =
  IsKnown<A> extends false
    ? unknown
    : IsKnown<B> extends false
      ? unknown
      : [BroadcastMismatch<A, B>] extends [readonly [infer X extends number, infer Y extends number]]
        ? [BroadcastMismatch<A, B>] extends [never]
          ? unknown
          : Sentence<`${What}: cannot broadcast ${ShapeText<A>} with ${ShapeText<B>}: sizes ${X} and ${Y} differ`>
        : unknown;

/** `broadcastTo`: like broadcasting, but the target's sizes stand. */
export type BroadcastToCheck<S extends TensorShape, T extends TensorShape> =
  IsKnown<S> extends false
    ? unknown
    : IsKnown<T> extends false
      ? unknown
      : BroadcastsTo<S, T> extends true
        ? unknown
        : Sentence<`broadcastTo: ${ShapeText<S>} does not broadcast to ${ShapeText<T>}`>;
type BroadcastsTo<S extends TensorShape, T extends TensorShape> = S extends readonly [
  ...infer SI extends TensorShape,
  infer SL extends number,
]
  ? T extends readonly [...infer TI extends TensorShape, infer TL extends number]
    ? SL extends 1
      ? BroadcastsTo<SI, TI>
      : SameSize<SL, TL> extends true
        ? BroadcastsTo<SI, TI>
        : false
    : false
  : true;

// ---- matmul: NumPy's rule; a vector counts as a row on the left and as a column on the right ----

export type Matmul<A extends TensorShape, B extends TensorShape> =
  IsKnown<A> extends false
    ? any
    : IsKnown<B> extends false
      ? any
      : B extends readonly [number]
        ? Init<A>
        : A extends readonly [number]
          ? [...Init<Init<B>>, Last<B>]
          : [...Broadcast<Init<Init<A>>, Init<Init<B>>>, LastButOne<A>, Last<B>];

export type MatmulCheck<A extends TensorShape, B extends TensorShape> =
  IsKnown<A> extends false
    ? unknown
    : IsKnown<B> extends false
      ? unknown
      : A extends readonly []
        ? Sentence<"matmul: a scalar has no inner dimension; use mul">
        : B extends readonly []
          ? Sentence<"matmul: a scalar has no inner dimension; use mul">
          : SameSize<Last<A>, LastButOne<B>> extends true
            ? BroadcastCheck<"matmul: batch dimensions", Init<Init<A>>, Init<Init<B>>>
            : Sentence<`matmul: inner dimensions ${Last<A>} and ${LastButOne<B>} differ`>;

/** What three shapes broadcast to (`where`). */
export type Broadcast3<A extends TensorShape, B extends TensorShape, C extends TensorShape> =
  Broadcast<A, B> extends infer AB extends TensorShape ? Broadcast<AB, C> : any;
