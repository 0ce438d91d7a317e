/** Losses of real-valued predictions: each compares element by element, shapes must be equal. */
import { asTensor, type Tensor, type TensorLike } from "../tensor/index.ts";
import { type LossOptions, reduce, requireEqualShapes } from "./reduction.ts";

/**
 * The squared error, (x − y)².
 *
 * @param predictions x, any shape
 * @param targets y, the same shape
 * @throws ShapeError when the shapes differ, even where they would broadcast
 * @example
 * await mse(tensor([1, 2]), tensor([1, 4])).item(); // 2
 */
export function mse(predictions: Tensor, targets: TensorLike, { reduction }: LossOptions = {}): Tensor {
  const y = asTensor(targets);
  requireEqualShapes("mse", predictions, y);
  return reduce("mse", predictions.sub(y).square(), reduction);
}

/**
 * The absolute error, |x − y|; its gradient at 0 is 0. Arguments and errors as for {@link mse}.
 *
 * @example
 * await mae(tensor([1, 2]), tensor([1, 4])).item(); // 1
 */
export function mae(predictions: Tensor, targets: TensorLike, { reduction }: LossOptions = {}): Tensor {
  const y = asTensor(targets);
  requireEqualShapes("mae", predictions, y);
  return reduce("mae", predictions.sub(y).abs(), reduction);
}
