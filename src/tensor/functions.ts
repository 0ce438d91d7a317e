/** Operations as functions: for those who write `relu(x)`, and for numbers and arrays in the first place. */
import { type DType, promote } from "../base/dtype.ts";
import { DTypeError } from "../base/errors.ts";
import { broadcastShapes } from "../base/shape.ts";
import type { Broadcast3 } from "../base/shape-types.ts";
import type { Node } from "../graph/node.ts";
import { broadcastTo, cast, scalar as scalarNode, select } from "../ops/index.ts";
import { toNode } from "./convert.ts";
import { located } from "./located.ts";
import { fromNode, type Tensor } from "./tensor.ts";
import type { PromoteOperand, ShapeOf, TensorLike, TensorOf } from "./types.ts";

/** A 0-d tensor that is part of the program: a constant. @example scalar(0.5) */
export const scalar = <D extends DType = "f32">(
  value: number,
  dtype: D = "f32" as D,
): Tensor<[], NoInfer<D>> => located(() => fromNode(scalarNode(value, dtype)));

type DTypeOf<A> = A extends Tensor<any, infer D> ? D : any;

/**
 * Where `condition` is true the element of `whenTrue`, else of `whenFalse`; the three broadcast. What is not picked gets
 * gradient 0, but a NaN in its own gradient stays NaN: guard the input, not the output.
 *
 * @throws DTypeError when the condition is not bool
 * @example
 * const x = tensor([-1, 2]);
 * where(x.greater(0), x, 0); // [0, 2]
 */
export function where<const C extends TensorLike, const A extends TensorLike, const B extends TensorLike>(
  condition: C,
  whenTrue: A,
  whenFalse: B,
): TensorOf<Broadcast3<ShapeOf<C>, ShapeOf<A>, ShapeOf<B>>, PromoteOperand<DTypeOf<A>, B>> {
  return located(() => fromNode(whereNodes(condition, whenTrue, whenFalse))) as never;
}

function whereNodes(condition: TensorLike, whenTrue: TensorLike, whenFalse: TensorLike): Node {
  const c = toNode(condition, "bool", "where");
  if (c.dtype !== "bool")
    throw new DTypeError(`where: the condition is ${c.dtype}, not bool; compare it first: x.notEqual(0)`);
  const [a, b] = branches(whenTrue, whenFalse);
  const shape = [a.shape, b.shape].reduce((all, own) => broadcastShapes(all, own, "where"), c.shape);
  return select(broadcastTo(c, shape), broadcastTo(a, shape), broadcastTo(b, shape));
}

/** Both in one dtype: plain numbers take the other's. */
function branches(whenTrue: TensorLike, whenFalse: TensorLike): [Node, Node] {
  const [isPlainA, isPlainB] = [isPlain(whenTrue), isPlain(whenFalse)];
  const a = toNode(whenTrue, isPlainA && !isPlainB ? toNode(whenFalse).dtype : "f32", "where");
  const b = toNode(whenFalse, a.dtype, "where");
  const dtype = promote(a.dtype, b.dtype);
  return [cast(a, dtype), cast(b, dtype)];
}

const isPlain = (value: TensorLike): boolean => typeof value === "number" || Array.isArray(value);
