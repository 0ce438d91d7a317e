/** Gradients of a step: of what is trained, limited, in the order that an optimizer takes them. */
import { ArgumentError } from "../base/errors.ts";
import { topologicalOrder } from "../graph/node.ts";
import type { Parameter } from "../nn/index.ts";
import { clipByGlobalNorm, clipByValue, type Optimizer } from "../optim/index.ts";
import { grad, type Tensor, zerosLike } from "../tensor/index.ts";
import { nodeOf } from "../tensor/nodes.ts";

/** The gradients of those parameters that are not frozen: for frozen ones nothing is computed. */
export function trainedGradients(loss: Tensor, { parameters }: Optimizer): Tensor[] {
  const trained = parameters.filter((parameter) => parameter.trainable);
  if (trained.length === 0) {
    throw new ArgumentError(
      "fit: every parameter is frozen, so nothing would change; unfreeze() what is to learn",
    );
  }
  requireUsed(loss, trained);
  return grad(loss, trained) as Tensor[];
}

function requireUsed(loss: Tensor, trained: readonly Parameter[]): void {
  const read = new Set(topologicalOrder([nodeOf(loss)]).map(({ attributes }) => attributes["state"]));
  const unused = trained.filter(({ state }) => !read.has(state)).map(({ name }) => name);
  if (unused.length === 0) return;
  const names =
    unused.length > 8 ? `${unused.slice(0, 8).join(", ")} … (${unused.length})` : unused.join(", ");
  throw new ArgumentError(
    `fit: the loss does not depend on ${names}, which would never learn; use them in forward, or freeze() them`,
  );
}

/** One gradient for each of the optimizer's parameters: zeros, which it does not look at, for frozen ones. */
export function forAll(gradients: readonly Tensor[], { parameters }: Optimizer): Tensor[] {
  let next = 0;
  return parameters.map((parameter) =>
    parameter.trainable ? gradients[next++]! : (zerosLike(parameter.value) as Tensor),
  );
}

export interface GradientLimits {
  /** Each element of a gradient is limited to [−clipValue, clipValue]. */
  readonly clipValue?: number;
  /** Gradients are scaled down together where their norm is above this. */
  readonly clipNorm?: number;
}

/** By value first: what is left is scaled. */
export function limited(
  gradients: readonly Tensor[],
  { clipValue, clipNorm }: GradientLimits,
): readonly Tensor[] {
  const inRange = clipValue === undefined ? gradients : clipByValue(gradients, clipValue);
  return clipNorm === undefined ? inRange : clipByGlobalNorm(inRange, clipNorm);
}
