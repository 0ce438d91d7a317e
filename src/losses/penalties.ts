/** What weights cost: added to a loss, so that small ones are preferred. */
import { ArgumentError } from "../base/errors.ts";
import { asTensor, scalar, type Tensor } from "../tensor/index.ts";

/**
 * weight · Σ|p| over all elements of all parameters: makes many of them 0. Tibshirani, "Regression shrinkage and selection via
 * the lasso", 1996.
 *
 * @example
 * await l1Penalty([tensor([1, -2]), tensor([3])], 0.5).item(); // 3
 */
export const l1Penalty = (parameters: Iterable<Tensor>, weight: number): Tensor =>
  penalty("l1Penalty", parameters, weight, (p) => p.abs());

/**
 * weight · Σp² over all elements of all parameters, without a factor ½, as in Keras: makes them small. Its gradient is 2·weight·p.
 *
 * Each layer may have its own (Keras's `kernel_regularizer`), and so may what a layer gives (`activity_regularizer`), which a hook
 * sees:
 *
 * @example
 * await l2Penalty([tensor([1, -2]), tensor([3])], 0.5).item(); // 7
 * const [hidden, output] = [new Linear(4, 8), new Linear(8, 2)];
 * const activities: Tensor[] = [];
 * hidden.registerForwardHook((y: Tensor) => {
 *   activities.push(y);
 * });
 * output.forward(hidden.forward(zeros([1, 4])));
 * const weights = l1Penalty([hidden.weight], 1e-4).add(l2Penalty([output.weight], 1e-3));
 * weights.add(l2Penalty(activities, 1e-5)).shape; // []
 */
export const l2Penalty = (parameters: Iterable<Tensor>, weight: number): Tensor =>
  penalty("l2Penalty", parameters, weight, (p) => p.square());

function penalty(
  what: string,
  parameters: Iterable<Tensor>,
  weight: number,
  cost: (p: Tensor) => Tensor,
): Tensor {
  if (!(weight >= 0)) throw new ArgumentError(`${what}: the weight must be 0 or more, got ${weight}`);
  let sum: Tensor = scalar(0);
  for (const parameter of parameters) sum = sum.add(cost(asTensor(parameter).cast("f32")).sum());
  return sum.mul(weight);
}
