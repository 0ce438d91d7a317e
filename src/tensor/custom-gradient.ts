/** What flows back through a value, changed: nothing, or what a function says. */
import { ArgumentError } from "../base/errors.ts";
import { sameShape, shapeText } from "../base/shape.ts";
import * as ops from "../ops/index.ts";
import { toNode } from "./convert.ts";
import { located } from "./located.ts";
import { nodeOf } from "./nodes.ts";
import { fromNode, type Tensor } from "./tensor.ts";
import type { TensorLike } from "./types.ts";

/**
 * x, through which no gradient flows: a constant as far as `grad` is concerned.
 *
 * @example
 * const x = tensor([3]);
 * grad(x.mul(stopGradient(x)).sum(), x); // [3], where x² alone would give 6
 */
export const stopGradient = <T extends Tensor>(x: T): T =>
  located(() => fromNode(ops.stopGradient(nodeOf(x)))) as T;

/** Gradients of the inputs, null for those that get none, from that of the output. */
export type CustomBackward<A extends readonly Tensor[]> = (
  cotangent: Tensor,
  output: Tensor,
  ...inputs: A
) => readonly (TensorLike | null)[];

/**
 * A function whose gradient is what `backward` says: for a stable formula, a straight-through estimate, a gradient that is
 * clipped or reversed. `backward` computes with tensors, so it can be differentiated in turn.
 *
 * @param forward computes one tensor of the inputs
 * @param backward gets the gradient of the output, the output and the inputs; gives a gradient of each input's shape, or null
 * @throws ArgumentError when `backward` gives another number of gradients, or one of another shape
 * @example
 * const roundStraightThrough = customGradient(
 *   (x: Tensor) => x.round(),
 *   (cotangent) => [cotangent],
 * );
 * const x = tensor([0.25, 1.75]);
 * grad(roundStraightThrough(x).sum(), x); // [1, 1]
 */
export function customGradient<A extends readonly Tensor[]>(
  forward: (...inputs: A) => Tensor,
  backward: CustomBackward<A>,
): (...inputs: A) => Tensor {
  return (...inputs) =>
    located(() => {
      const output = nodeOf(forward(...inputs));
      const nodes = inputs.map((input) => nodeOf(input));
      return fromNode(
        ops.customGradient(output, nodes, (cotangent, own) => {
          const found = backward(fromNode(cotangent), fromNode(own), ...inputs);
          if (found.length !== nodes.length) {
            throw new ArgumentError(
              `customGradient: backward gave ${found.length} gradients for ${nodes.length} inputs; give one for each, or null`,
            );
          }
          return found.map((value, i) => {
            if (value === null) return null;
            const gradient = toNode(value, nodes[i]!.dtype, "customGradient");
            if (sameShape(gradient.shape, nodes[i]!.shape)) return gradient;
            throw new ArgumentError(
              `customGradient: backward gave ${shapeText(gradient.shape)} for input ${i} of shape ${shapeText(nodes[i]!.shape)}; ` +
                "a gradient has its input's shape",
            );
          });
        }),
      );
    });
}
