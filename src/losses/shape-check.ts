/** Shapes that must be equal, in types: red where known sizes differ, never where one is unknown. */
import type { IsKnown, SameSize, Sentence, ShapeText, TensorShape } from "../base/shape-types.ts";

/** The targets of a loss must have the shape of its predictions. */
export type TargetsCheck<What extends string, P extends TensorShape, T extends TensorShape> =
  IsKnown<P> extends false
    ? unknown
    : IsKnown<T> extends false
      ? unknown
      : AreEqual<P, T> extends true
        ? unknown
        : Sentence<`${What}: predictions ${ShapeText<P>} and targets ${ShapeText<T>} differ, losses do not broadcast`>;

type AreEqual<A extends TensorShape, B extends TensorShape> = A extends readonly [
  infer AF extends number,
  ...infer AR extends TensorShape,
]
  ? B extends readonly [infer BF extends number, ...infer BR extends TensorShape]
    ? SameSize<AF, BF> extends true
      ? AreEqual<AR, BR>
      : false
    : false
  : B extends readonly []
    ? true
    : false;
