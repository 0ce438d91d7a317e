/** Two operands made one shape and dtype: NumPy's broadcasting, PyTorch's promotion. */
import { type DType, isFloat, promote } from "../base/dtype.ts";
import { broadcastShapes } from "../base/shape.ts";
import type { Node } from "../graph/node.ts";
import { broadcastTo, cast } from "../ops/index.ts";
import { toNode } from "./convert.ts";
import { isTensor } from "./handle.ts";
import type { TensorLike } from "./types.ts";

/** Both operands of `what`, broadcast and promoted. */
export function operands(what: string, x: Node, other: TensorLike): [Node, Node] {
  const y = toNode(other, x.dtype, what);
  return align(what, x, y, commonDType(x, y, other));
}

/** As `operands`, in a float dtype: integers become f32. */
export function floatOperands(what: string, x: Node, other: TensorLike): [Node, Node] {
  const y = toNode(other, x.dtype, what);
  return align(what, x, y, floatOf(commonDType(x, y, other)));
}

/** Plain numbers (alone or nested) and booleans already have a dtype that suits x; they widen nothing. */
function commonDType(x: Node, y: Node, other: TensorLike): DType {
  const isPlain = typeof other === "number" || (Array.isArray(other) && !isTensor(other));
  return isPlain && isFloat(x.dtype) ? x.dtype : promote(x.dtype, y.dtype);
}

export const floatOf = (dtype: DType): DType => (isFloat(dtype) ? dtype : "f32");

/** x in a float dtype, for functions of the reals. */
export const asFloat = (x: Node): Node => cast(x, floatOf(x.dtype));

/** Nodes cast to one dtype and broadcast to one shape. */
export function align(what: string, x: Node, y: Node, dtype: DType): [Node, Node] {
  const shape = broadcastShapes(x.shape, y.shape, what);
  return [broadcastTo(cast(x, dtype), shape), broadcastTo(cast(y, dtype), shape)];
}
