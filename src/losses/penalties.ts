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
 * @example
 * await l2Penalty([tensor([1, -2]), tensor([3])], 0.5).item(); // 7
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
