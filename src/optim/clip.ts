/** Limits on gradients before they reach an optimizer. */
import { ArgumentError } from "../base/errors.ts";
import { sparseRows, type Tensor, where } from "../tensor/index.ts";

/** √(Σ g²) over all elements of all gradients, f32 of shape (). @example globalNorm([tensor([3]), tensor([4])]) // 5 */
export function globalNorm(gradients: readonly Tensor[]): Tensor {
  const [first, ...rest] = gradients.map(sumOfSquares);
  if (first === undefined) throw new ArgumentError("globalNorm: no gradients");
  return rest.reduce<Tensor>((sum, square) => sum.add(square), first).sqrt();
}

/** Of a sparse gradient from its rows: no table is made. */
function sumOfSquares(gradient: Tensor): Tensor {
  const sparse = sparseRows(gradient);
  if (sparse === undefined) return gradient.cast("f32").square().sum();
  const { rows, isFirst } = sparse;
  const isCounted = isFirst.reshape([-1, ...rows.shape.slice(1).map(() => 1)]);
  return where(isCounted, rows.cast("f32").square(), 0).sum();
}

/**
 * All gradients scaled down together so that their norm is at most `maximum`: g·min(1, maximum / (‖g‖ + 10⁻⁶)), PyTorch's
 * formula. Their direction stays. A norm that is not finite makes every gradient NaN: nothing is hidden.
 *
 * Pascanu, Mikolov and Bengio, "On the difficulty of training recurrent neural networks", ICML 2013.
 *
 * @example
 * const [weight] = clipByGlobalNorm([tensor([30, 40])], 5);
 * (await weight.toArray()).map(Math.round); // [3, 4]
 */
export function clipByGlobalNorm(gradients: readonly Tensor[], maximum: number): Tensor[] {
  requirePositive("clipByGlobalNorm", maximum);
  const scale = globalNorm(gradients).add(1e-6).reciprocal().mul(maximum).minimum(1);
  return gradients.map((gradient) => gradient.mul(scale.cast(gradient.dtype)));
}

/** Each element of each gradient limited to [−limit, limit]. @example clipByValue([tensor([-3, 0.5])], 1)[0]! // [-1, 0.5] */
export function clipByValue(gradients: readonly Tensor[], limit: number): Tensor[] {
  requirePositive("clipByValue", limit);
  return gradients.map((gradient) => gradient.minimum(limit).maximum(-limit));
}

function requirePositive(what: string, value: number): void {
  if (!(value > 0)) throw new ArgumentError(`${what}: the limit must be above 0, got ${value}`);
}
