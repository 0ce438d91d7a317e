/** What every rule about shapes in types is made of. */
import type { Size } from "../size.ts";

/** A shape as the type knows it: `[32, 784]`, `[number, 784]`, or `any`. */
export type TensorShape = readonly number[];

/** A type that nothing is assignable to, whose name is what the editor shows. */
export type Sentence<M extends string> = { readonly [K in M]: never };

export type IsAny<T> = boolean extends (T extends never ? true : false) ? true : false;
export type Mutable<S extends TensorShape> = { -readonly [K in keyof S]: S[K] };

/** Rank known, so that sizes can be judged one by one. */
export type IsKnown<S extends TensorShape> =
  IsAny<S> extends true ? false : number extends S["length"] ? false : true;

/** Sizes agree when equal, or when one is known only at run time. */
export type SameSize<A extends number, B extends number> = number extends A
  ? true
  : number extends B
    ? true
    : A extends B
      ? true
      : false;

/** `(32, 784)`: a shape in a sentence; unknown sizes are `?`. */
export type ShapeText<S extends TensorShape> = S extends readonly [infer Only extends number]
  ? `(${SizeText<Only>},)`
  : `(${JoinSizes<S>})`;
type SizeText<N extends number> = number extends N ? "?" : `${N}`;
type JoinSizes<S extends TensorShape> = S extends readonly [
  infer F extends number,
  ...infer R extends TensorShape,
]
  ? R extends readonly []
    ? SizeText<F>
    : `${SizeText<F>}, ${JoinSizes<R>}`
  : "";

export type Last<S extends TensorShape> = S extends readonly [...TensorShape, infer L extends number]
  ? L
  : number;
export type LastButOne<S extends TensorShape> = S extends readonly [
  ...TensorShape,
  infer P extends number,
  number,
]
  ? P
  : Last<S>;
/** All but the last. */
export type Init<S extends TensorShape> = S extends readonly [...infer I extends TensorShape, number]
  ? I
  : [];

/** A shape given by the user, where `Dimension`s may stand, as the type knows it. */
export type SizesOf<T extends readonly Size[]> = {
  -readonly [K in keyof T]: T[K] extends number ? T[K] : number;
};

/** The shape of nested arrays as far as their type tells: tuples give sizes, arrays give `number`. */
export type NestedShape<V, Depth extends unknown[] = []> =
  IsAny<V> extends true
    ? any
    : Depth["length"] extends 8
      ? any
      : V extends number | boolean
        ? []
        : V extends ArrayBufferView
          ? [number]
          : V extends readonly unknown[]
            ? [V["length"], ...NestedShape<V[number], [...Depth, 0]>]
            : any;
