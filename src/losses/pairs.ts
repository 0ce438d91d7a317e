/** What losses that compare two tensors element by element have in common. */
import { checkOptions } from "../base/options.ts";
import { asTensor, type Tensor, type TensorLike } from "../tensor/index.ts";
import { located } from "../tensor/located.ts";
import { type LossOptions, masked, reduce, requireEqualShapes, sharedOptions } from "./reduction.ts";

interface PairLoss<O extends LossOptions> {
  readonly what: string;
  /** Names of options beside those that every loss takes. */
  readonly options?: readonly (keyof O & string)[];
  /** What stands for a masked target, default 0: one that the loss takes. */
  readonly filler?: number;
  /** One value for each element. */
  values(predictions: Tensor, targets: Tensor): Tensor;
}

/** Options checked, shapes compared, values reduced; errors name the user's line. */
export function pairLoss<O extends LossOptions>(
  { what, options: names = [], filler = 0, values }: PairLoss<O>,
  predictions: Tensor,
  targets: TensorLike,
  options: O,
): Tensor {
  return located(() => {
    checkOptions(what, options, [...names, ...sharedOptions]);
    const y = asTensor(targets);
    requireEqualShapes(what, predictions, y);
    return reduce(what, values(masked(predictions, options), masked(y, options, { filler })), options);
  });
}
