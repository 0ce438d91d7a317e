/** What losses that compare two tensors element by element have in common. */
import { checkOptions } from "../base/options.ts";
import { asTensor, type Tensor, type TensorLike } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import { type LossOptions, reduce, requireEqualShapes } from "./reduction.ts";

interface PairLoss<O extends LossOptions> {
  readonly what: string;
  /** Names of options beside `reduction`. */
  readonly options?: readonly (keyof O & string)[];
  /** One value for each element, or for each sample. */
  values(predictions: Tensor, targets: Tensor): Tensor;
}

/** Options checked, shapes compared, values reduced; errors name the user's line. */
export function pairLoss<O extends LossOptions>(
  { what, options: names = [], values }: PairLoss<O>,
  predictions: Tensor,
  targets: TensorLike,
  options: O,
): Tensor {
  return located(() => {
    checkOptions(what, options, [...names, "reduction"]);
    const y = asTensor(targets);
    requireEqualShapes(what, predictions, y);
    return reduce(what, values(predictions, y), options.reduction);
  });
}
