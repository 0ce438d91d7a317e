/** reshape in types: no arithmetic; equal sizes cancel, and what is left over decides where it can. */
import type { IsKnown, Mutable, Sentence, ShapeText, TensorShape } from "./basics.ts";

/** `T` with its −1 replaced, if cancelling says by what. */
export type Reshape<S extends TensorShape, T extends TensorShape> =
  IsKnown<T> extends false
    ? any
    : -1 extends T[number]
      ? { -readonly [K in keyof T]: T[K] extends -1 ? InferredSize<S, T> : T[K] }
      : Mutable<T>;

type InferredSize<S extends TensorShape, T extends TensorShape> =
  IsKnown<S> extends false
    ? number
    : number extends S[number] | T[number]
      ? OneUnknown<S, T>
      : Cancel<S, T> extends [infer Left extends TensorShape, readonly [-1]]
        ? Left extends readonly [infer Only extends number]
          ? Only
          : Left extends readonly []
            ? 1
            : number
        : number;
/** `[number, 784] → [-1, 784]`: the unknown size stays unknown. */
type OneUnknown<_S extends TensorShape, _T extends TensorShape> = number;

export type ReshapeCheck<S extends TensorShape, T extends TensorShape> =
  IsKnown<S> extends false
    ? unknown
    : IsKnown<T> extends false
      ? unknown
      : number extends S[number] | T[number]
        ? unknown
        : Cancel<S, T> extends [infer Left extends TensorShape, infer Right extends TensorShape]
          ? LeftoversAgree<Left, Right> extends true
            ? unknown
            : Sentence<`reshape: ${ShapeText<S>} and ${ShapeText<T>} have different numbers of elements`>
          : unknown;

/** Leftovers surely disagree only when one side is nothing and the other a size, or both are one size. */
type LeftoversAgree<L extends TensorShape, R extends TensorShape> = -1 extends R[number]
  ? true
  : L extends readonly []
    ? R extends readonly []
      ? true
      : false
    : R extends readonly []
      ? false
      : L extends readonly [number]
        ? R extends readonly [number]
          ? false
          : true
        : true;

/** Both shapes without the sizes they share and without 1s. */
type Cancel<S extends TensorShape, T extends TensorShape, Left extends number[] = []> = S extends readonly [
  infer F extends number,
  ...infer R extends TensorShape,
]
  ? F extends 1
    ? Cancel<R, T, Left>
    : RemoveOne<T, F> extends infer Removed extends TensorShape
      ? Cancel<R, Removed, Left>
      : Cancel<R, T, [...Left, F]>
  : [Left, WithoutOnes<T>];
/** `T` without its first `N`; undefined when there is none. */
type RemoveOne<T extends TensorShape, N extends number, Before extends number[] = []> = T extends readonly [
  infer F extends number,
  ...infer R extends TensorShape,
]
  ? F extends N
    ? [...Before, ...R]
    : RemoveOne<R, N, [...Before, F]>
  : undefined;
type WithoutOnes<T extends TensorShape> = T extends readonly [
  infer F extends number,
  ...infer R extends TensorShape,
]
  ? F extends 1
    ? WithoutOnes<R>
    : [F, ...WithoutOnes<R>]
  : [];
