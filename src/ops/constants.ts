/** Constants of a shape, broadcast from a 0-d one so that they cost nothing. */
import type { DType } from "../base/dtype.ts";
import type { Shape } from "../base/shape.ts";
import type { Node, TensorType } from "../graph/node.ts";
import { broadcastTo } from "./broadcast.ts";
import { scalar } from "./sources.ts";

/** `shape` filled with one value. @example full([2, 3], 1, "f32") */
export const full = (shape: Shape, value: number, dtype: DType): Node =>
  broadcastTo(scalar(value, dtype), shape);

/** One value in the shape and dtype of another node: the constants of formulas. @example mul(x, like(x, 2)) */
export const like = (x: TensorType, value: number): Node => full(x.shape, value, x.dtype);

export const zerosLike = (x: TensorType): Node => like(x, 0);
